/** The block rail and the tools: form elements to actions, state to form elements. */
import {find, make, setText} from './dom.js';
import {openHow} from './how.js';
import {evenFrames} from './transform.js';
import {gridText, kindText} from './words.js';

/** Wire the controls in `root`; returns {show(state, field)}. */
export function openControls(root, lens) {
  const {world, dispatch} = lens;
  find('.rail', root).replaceChildren(...world.blocks.map(station));
  const on = (selector, event, action) => {
    for (const element of root.querySelectorAll(selector)) element.addEventListener(event, () => dispatch(action(element)));
  };
  on('input[name=block]', 'change', ({value}) => ({type: 'block', name: value}));
  on('input[name=direction]', 'change', ({value}) => ({type: 'direction', direction: value}));
  on('input[name=view]', 'change', ({value}) => ({type: 'view', view: value}));
  on('#k', 'input', ({value}) => ({type: 'ask', change: {k: Number(value), mass: null}}));
  on('#heat', 'change', ({checked}) => ({type: 'heat', heat: checked}));
  on('#opacity', 'input', ({value}) => ({type: 'opacity', opacity: Number(value) / 100}));
  on('#palette', 'change', ({value}) => ({type: 'palette', palette: value}));
  on('#scale', 'change', ({value}) => ({type: 'scale', scale: value}));
  on('#smooth', 'change', ({checked}) => ({type: 'smooth', smooth: checked}));
  on('#frame', 'input', ({value}) => ({type: 'frame', frame: Number(value)}));
  on('#all, #show-all', 'click', () => ({type: 'frames', frames: evenFrames(world.total, 1, world.total)}));
  on('#count, #step', 'change', () => ({type: 'frames', frames: chosenFrames(root, world)}));
  on('#back', 'click', () => ({type: 'frameStep', by: -1}));
  on('#on', 'click', () => ({type: 'frameStep', by: 1}));
  find('#frame', root).max = world.total - 1;
  find('#count', root).max = find('#step', root).max = world.total;
  const how = openHow(root, lens);
  return {
    show: (state, field) => {
      show(root, state, world);
      how.show(state, field);
    },
  };
}

function station({name, kind, queryGrid, keyGrid}) {
  const title = `${kindText(kind)}; queries ${gridText(queryGrid)}, keys ${gridText(keyGrid)} (time, rows, columns)`;
  return make('label', {title},
    make('input', {type: 'radio', name: 'block', value: name}),
    name,
    make('span', {className: 'rail-grid', textContent: `${gridText(queryGrid)}, ${kindText(kind)}`}));
}

/** As many frames as asked for; a step too long for them is shortened. */
function chosenFrames(root, world) {
  const count = Math.min(world.total, Math.max(1, Math.round(find('#count', root).value) || 1));
  const longest = count > 1 ? Math.floor((world.total - 1) / (count - 1)) : world.total;
  const step = Math.min(longest, Math.max(1, Math.round(find('#step', root).value) || 1));
  return evenFrames(count, step, world.total);
}

function show(root, state, world) {
  root.dataset.view = state.view;
  for (const [name, value] of [['block', state.block], ['direction', state.direction], ['view', state.view]]) {
    const input = root.querySelector(`input[name=${name}][value="${CSS.escape(value)}"]`);
    if (input.checked) continue;
    input.checked = true;
    if (name === 'block') input.parentElement.scrollIntoView({block: 'nearest', inline: 'nearest'});
  }
  find('#k', root).value = state.ask.k;
  setText(find('#k-shown', root), state.ask.mass === null ? String(state.ask.k) : '');
  find('#heat', root).checked = state.heat;
  find('#opacity', root).value = Math.round(state.opacity * 100);
  find('#opacity', root).disabled = !state.heat;
  find('.heat-looks', root).hidden = !state.heat;
  find('#palette', root).value = state.palette;
  find('#scale', root).value = state.scale;
  find('#smooth', root).checked = state.smooth;
  find('#frame', root).value = state.frame;
  if (document.activeElement !== find('#count', root)) find('#count', root).value = state.frames.length;
  if (document.activeElement !== find('#step', root)) find('#step', root).value = state.frames[1] - state.frames[0] || 1;
  setText(find('.now', root), `frame ${state.frame}, ${world.times[state.frame].toFixed(2)} s`);
}
