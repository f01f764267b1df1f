/**
 * The lens at work: holds the state, redraws in requestAnimationFrame (the latest state wins), loads a block's
 * features when they are first needed and keeps the address bar true. Start reading at openLens().
 */
import {readFeatures} from './api.js';
import {openControls} from './controls.js';
import {find, setText} from './dom.js';
import {answeringGrid, fieldOf, reachOf, topAnswers, weightsOf} from './field.js';
import {drawLegend, showHeatScale} from './legend.js';
import {decodeLink, encodeLink} from './link.js';
import {openPanel, showBlock} from './panel.js';
import {parseSafetensors} from './safetensors.js';
import {sceneOf} from './scene.js';
import {layoutFor, openStage} from './stage.js';
import {blockOf, initialState, MOST_PINS, reduce} from './state.js';
import {suggestedCell} from './suggest.js';
import {openTimeline} from './timeline.js';
import {bytesText} from './words.js';

const KEPT_ROWS = 32;      // answers remembered, so that pins cost nothing while the pointer moves
const TABLE_MS = 70;       // the table follows the pointer at this pace
const UNDOABLE = ['pin', 'unpin', 'clear'];
const PASSING = ['point', 'move'];

/**
 * Opens the lens in `root` for a clip of `world` whose frames are in `sheet` = {image, frames};
 * `note(text, {label, act})` tells the person something, with a button if there is something to do.
 * Returns the lens: {dispatch, state, scene, layout, world, ...}, which the parts of the page share.
 */
export function openLens(root, {world, sheet, note}) {
  const fields = new Map();
  const memory = new Map();
  const linked = decodeLink(location.search, world);
  let state = reduce(initialState(world), {type: 'restore', question: linked.question}, world);
  let scene = {items: [], active: null, hidden: 0, softmax: true};
  let inspected = null, asked = false, tableDue = 0, linkDue = 0, sayDue = 0;
  linked.notes.forEach((text) => note(text));

  const lens = {
    world, dispatch,
    state: () => state,
    scene: () => scene,
    layout: () => layoutFor(state, find('.view', root).clientWidth, window.innerHeight),
    ready: () => fields.get(state.block)?.field !== undefined,
    answers: () => answeringGrid(blockOf(state, world), state.direction),
    inspect: (arrow) => { inspected = arrow; requestDraw(); },
    inspectRank: (rank) => lens.inspect(rank && scene.active ? {question: scene.active.id, rank} : null),
    redraw: () => { stage.repaint(); drawLegend(root, world.times.at(-1) - world.times[0]); requestDraw(); },
  };
  const stage = openStage(find('.stage', root), lens, sheet);
  const timeline = openTimeline(find('.timeline', root), lens, sheet);
  const controls = openControls(root, lens);
  const panel = openPanel(root, lens);

  function dispatch(action) {
    const before = state;
    state = reduce(state, action, world);
    if (state === before) {
      if (action.type === 'pin') note(`${MOST_PINS} questions are pinned, the most there can be. Click a pin to take it away.`);
      return;
    }
    if (!PASSING.includes(action.type)) writeLink(action.type);
    if (['move', 'frameStep', 'pin', 'clear', 'block', 'direction', 'activate'].includes(action.type)) announce();
    requestDraw();
  }

  function requestDraw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(draw);
  }

  function draw() {
    asked = false;
    const entry = needField();
    if (entry.field && state.pins === null) suggest(entry.field);
    controls.show(state);
    const layout = lens.layout();
    scene = {...sceneOf({state, world, layout, ask: entry.field ? asker(entry.field) : null}), softmax: blockOf(state, world).softmax};
    stage.paint(scene, layout, inspected);
    timeline.paint(scene, state, layout.width);
    setText(find('.stage-wait', root), entry.words);
    root.dataset.ready = entry.field ? state.block : '';
    showHeatScale(root, state, scene);
    find('.pins-legend', root).hidden = new Set(scene.items.map(({question}) => question)).size < 3;   // none, the active, another
    tableDue ||= setTimeout(drawPanel, scene.items.length ? TABLE_MS : 0);
  }

  function drawPanel() {
    tableDue = 0;
    panel.show(state, scene, inspected);
    showBlock(root, state, world);
  }

  function suggest(field) {
    state = reduce(state, {type: 'suggest', cell: suggestedCell(field, state.direction, state.frames, world.total)}, world);
    writeLink('suggest');
  }

  /** The entry of the state's block: {field} once it is here, {words} to show while it is not. */
  function needField() {
    if (!fields.has(state.block)) {
      const block = blockOf(state, world);
      const entry = {words: `Loading ${block.name}`};
      fields.set(block.name, entry);
      loadField(block, entry);
    }
    return fields.get(state.block);
  }

  async function loadField(block, entry) {
    try {
      const buffer = await readFeatures(block, (got) => {
        entry.words = `Loading ${block.name}, ${bytesText(got)} of ${bytesText(block.featuresBytes)}`;
        requestDraw();
      });
      entry.field = fieldOf(parseSafetensors(buffer));
      entry.words = '';
    } catch (error) {
      entry.words = `${block.name} could not be loaded. ${error.message}`;
      note(entry.words, {label: 'Try again', act: () => { fields.delete(block.name); requestDraw(); }});
    }
    requestDraw();
  }

  /** ask(cell) for scene.js; answers are remembered, the oldest is forgotten first. */
  function asker(field) {
    const {direction, k} = state;
    return (cell) => {
      const key = [field.block, direction, k, cell.t, cell.h, cell.w].join();
      if (!memory.has(key)) {
        const weights = weightsOf(field, direction, cell);
        const top = topAnswers(weights, answeringGrid(field, direction), k, reachOf(field, direction, cell));
        memory.set(key, {weights, top});
        if (memory.size > KEPT_ROWS) memory.delete(memory.keys().next().value);
      }
      return memory.get(key);
    };
  }

  /** Pins make history (Back is undo); the rest amends the present entry, sliders not more often than needed. */
  function writeLink(type) {
    clearTimeout(linkDue);
    if (UNDOABLE.includes(type)) history.pushState(null, '', address());
    else linkDue = setTimeout(() => history.replaceState(null, '', address()), type === 'suggest' ? 0 : 150);
  }

  function address() {
    const query = encodeLink(state, world);
    return query ? `?${query}` : location.pathname;
  }

  function announce() {
    clearTimeout(sayDue);
    sayDue = setTimeout(() => panel.say(state, scene), 350);
  }

  window.addEventListener('popstate', () => {
    clearTimeout(linkDue);
    state = reduce(state, {type: 'restore', question: decodeLink(location.search, world).question}, world);
    announce();
    requestDraw();
  });
  window.addEventListener('pagehide', () => { if (linkDue) history.replaceState(null, '', address()); });
  new ResizeObserver(requestDraw).observe(find('.view', root));
  window.addEventListener('themechange', lens.redraw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', lens.redraw);
  root.hidden = false;
  drawLegend(root, world.times.at(-1) - world.times[0]);
  draw();
  return lens;
}
