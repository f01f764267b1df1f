/** "How to ask": the form of state.ask; every element's change is one `ask` action. */
import {find, setText} from './dom.js';
import {averageOf} from './field.js';
import {countText} from './words.js';

/** Wire the form in `root`; returns {show(state, field)}. */
export function openHow(root, {world, dispatch}) {
  const at = (id) => find(`#${id}`, root);
  const number = (id) => Math.round(Number(at(id).value));
  const readers = {
    mass: () => ({mass: at('by-mass').checked ? number('mass') : null}),
    near: () => ({near: at('near').checked ? {cells: number('near-cells'), frames: number('near-frames')} : null}),
    when: () => ({when: at('when').value === 'range' ? rangeOf(number('when-from'), number('when-to'), world.total) : at('when').value}),
    value: () => ({value: at('value').value}),
    minus: () => ({minus: at('minus').checked}),
    pool: () => ({pool: at('pool').value}),
  };
  const wires = {
    mass: ['by-mass', 'mass'], near: ['near', 'near-cells', 'near-frames'], when: ['when', 'when-from', 'when-to'],
    value: ['value'], minus: ['minus'], pool: ['pool'],
  };
  for (const [name, ids] of Object.entries(wires)) {
    for (const id of ids) at(id).addEventListener('change', () => dispatch({type: 'ask', change: readers[name]()}));
  }
  at('when-from').max = at('when-to').max = world.total - 1;
  at('when-to').value = world.total - 1;
  at('when-from').value = 0;
  return {show: (state, field) => show(root, state, field)};
}

/** A range of frames in their order, within the clip. */
export function rangeOf(from, to, total) {
  const within = (frame) => Math.min(total - 1, Math.max(0, frame || 0));
  const [first, last] = [within(from), within(to)].sort((a, b) => a - b);
  return `${first}-${last}`;
}

function show(root, {ask, direction}, field) {
  const set = (id, value) => { if (find(`#${id}`, root) !== document.activeElement) find(`#${id}`, root).value = value; };
  find('#by-mass', root).checked = ask.mass !== null;
  if (ask.mass !== null) set('mass', ask.mass);
  find('#k', root).disabled = ask.mass !== null;
  find('#near', root).checked = ask.near !== null;
  if (ask.near) { set('near-cells', ask.near.cells); set('near-frames', ask.near.frames); }
  const range = ask.when.includes('-');
  find('#when', root).value = range ? 'range' : ask.when;
  find('.when-range', root).hidden = !range;
  if (range) ask.when.split('-').forEach((frame, n) => set(['when-from', 'when-to'][n], frame));
  find('#value', root).value = ask.value;
  find('#minus', root).checked = ask.minus;
  find('#pool', root).value = ask.pool;
  if (field) {
    find('#value option[value=contribution]', root).disabled = !field.carried;
    find('#minus', root).disabled = !averageOf(field, direction);
  }
  setText(find('.how-now', root), askText(ask));
}

/** What differs from the usual question, in words. */
export function askText({mass, near, when, value, minus, pool}) {
  return [
    mass === null ? '' : `${mass} % of the weight`,
    near ? `without ${countText(near.cells, 'cell')} and ${countText(near.frames, 'frame')} around` : '',
    {all: '', others: 'only other frames', same: 'only the same frame'}[when] ?? `frames ${when.replace('-', ' to ')}`,
    value === 'weight' ? '' : 'contributions',
    minus ? 'minus the mean row' : '',
    {mean: '', max: "a region's maximum", each: 'each cell of a region'}[pool],
  ].filter(Boolean).join(', ');
}
