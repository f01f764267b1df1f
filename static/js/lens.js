/**
 * The lens at work: holds the state, redraws in requestAnimationFrame (the latest state wins), loads a block's
 * features when they are first needed and keeps the address bar true. Start reading at openLens().
 */
import {canAnswer, rememberedAnswers} from './ask.js';
import {openControls} from './controls.js';
import {find, setText} from './dom.js';
import {answeringGrid} from './field.js';
import {openFields} from './fields.js';
import {drawLegend, showHeatScale} from './legend.js';
import {decodeLink, encodeLink} from './link.js';
import {openPanel, showBlock} from './panel.js';
import {forgetInks} from './pictures.js';
import {sceneOf} from './scene.js';
import {layoutFor, openStage} from './stage.js';
import {blockOf, countsShares, initialState, MOST_CELLS, MOST_PINS, reduce} from './state.js';
import {suggestedCell} from './suggest.js';
import {openTimeline} from './timeline.js';

const TABLE_MS = 70, LATEST_MS = 300;           // the table waits until the pointer rests for so long, and never longer than that
const UNDOABLE = ['pin', 'region', 'unpin', 'clear'];
const PASSING = ['point', 'move', 'extend'];    // they change these parts of the state, which no control shows:
const PASSED = ['cursor', 'anchor'];

/**
 * Opens the lens in `root` for a clip of `world` = {total, times, blocks, clip} whose frames are in `sheet` =
 * {image, frames}; `note(text, {label, act})` tells the person something, with a button if there is something to do.
 * `benches(root, lens)` opens what stands under the board (benches.js), `search` is the link to open with.
 * Returns the lens: {dispatch, state, scene, layout, world, ...}, which the parts of the page share.
 */
export function openLens(root, {world, sheet, note, benches = null, search = location.search}) {
  const fields = openFields(world.blocks, requestDraw, (words, again) => note(words, {label: 'Try again', act: again}));
  const remember = rememberedAnswers();
  const linked = decodeLink(search, world);
  let state = reduce(initialState(world), {type: 'restore', question: linked.question}, world);
  let scene = {items: [], questions: [], active: null, hidden: 0, share: true};
  const view = find('.view', root);
  let width = 0;             // of the view, remembered: asking for it between writes would lay the page out each time
  let controlled = {};       // {state, field} that the controls show
  let inspected = null, asked = false, tableDue = 0, tableOld = 0, linkDue = 0, sayDue = 0;
  linked.notes.forEach((text) => note(text));

  const lens = {
    world, sheet, note, dispatch,
    state: () => state,
    scene: () => scene,
    layout: () => stage.through(layoutFor(state, width, window.innerHeight)),
    zoom: (by) => stage.zoom(by),
    ready: () => fields.now(state.block) !== null,
    load: fields.load,
    fieldNow: fields.now,
    askWith: (field, asked, total = world.total) => remember(field, asked, total),
    answers: () => answeringGrid(blockOf(state, world), state.direction),
    draw: requestDraw,
    inspected: () => inspected,
    inspect: (arrow) => { inspected = arrow; requestDraw(); },
    inspectRank: (rank) => lens.inspect(rank && scene.active ? {question: scene.active.id, rank} : null),
    redraw: () => { forgetInks(); stage.repaint(); drawLegend(root, world.times.at(-1) - world.times[0]); requestDraw(); },
  };
  const stage = openStage(find('.stage', root), lens, sheet);
  const timeline = openTimeline(find('.timeline', root), lens, sheet);
  const controls = openControls(root, lens);
  const panel = openPanel(root, lens);
  const open = benches?.(root, lens);

  function dispatch(action) {
    const before = state;
    state = reduce(state, action, world);
    if (state === before) {
      if (action.type === 'pin') note(`${MOST_PINS} questions are pinned, the most there can be. Click a pin to take it away.`);
      if (action.type === 'region') note(`No region was pinned: at most ${MOST_PINS} questions, of at most ${MOST_CELLS} cells each.`);
      return;
    }
    if (!PASSING.includes(action.type)) writeLink(action.type);
    if (['move', 'extend', 'frameStep', 'pin', 'region', 'ask', 'clear', 'block', 'direction', 'activate'].includes(action.type)) announce();
    requestDraw();
  }

  function requestDraw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(draw);
  }

  function draw() {
    asked = false;
    fields.load(state.block);
    const field = fields.now(state.block);
    if (field && state.pins === null) suggest(field);
    if (field !== controlled.field || !settled(controlled.state, state)) controls.show(state, field);
    controlled = {state, field};
    const layout = lens.layout();
    const ask = field && canAnswer(field, state) ? lens.askWith(field, state) : null;
    scene = {...sceneOf({state, world, layout, ask}), share: countsShares(state, world)};
    stage.paint(scene, layout, inspected);
    timeline.paint(scene, state, layout.width);
    setText(find('.stage-wait', root), fields.words(state.block));
    root.dataset.ready = field ? state.block : '';
    showHeatScale(root, state, scene);
    find('.pins-legend', root).hidden = new Set(scene.items.map(({question}) => question)).size < 3;   // none, the active, another
    soonDrawPanel();
  }

  /** Text costs more to lay out than arrows to paint, and nobody reads it while it changes. */
  function soonDrawPanel() {
    const now = performance.now();
    if (!tableDue) tableOld = now;
    clearTimeout(tableDue);
    tableDue = setTimeout(drawPanel, Math.max(0, Math.min(TABLE_MS, tableOld + LATEST_MS - now)));
  }

  function drawPanel() {
    tableDue = 0;
    panel.show(state, scene, inspected);
    showBlock(root, state, world);
    open?.show(state, scene);
    width = view.clientWidth;                                // lays the page out now, and not in the frame of the next move
  }

  function suggest(field) {
    state = reduce(state, {type: 'suggest', cell: suggestedCell(field, state.direction, state.frames, world.total)}, world);
    writeLink('suggest');
  }

  /** Pins make history (Back is undo); the rest amends the present entry, sliders not more often than needed. */
  function writeLink(type) {
    clearTimeout(linkDue);
    if (UNDOABLE.includes(type)) rewrite('pushState');
    else linkDue = setTimeout(() => rewrite('replaceState'), type === 'suggest' ? 0 : 150);
  }

  function rewrite(how) {
    try {
      history[how](null, '', address());
    } catch {
      // a page opened from a file may not change its address in every browser: then it has no link
    }
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
  window.addEventListener('pagehide', () => { if (linkDue) rewrite('replaceState'); });
  window.addEventListener('themechange', lens.redraw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', lens.redraw);
  root.addEventListener('focusout', () => { controlled = {}; requestDraw(); });   // what was typed and not taken goes
  root.hidden = false;
  width = view.clientWidth;
  new ResizeObserver(() => { width = view.clientWidth; requestDraw(); }).observe(view);
  drawLegend(root, world.times.at(-1) - world.times[0]);
  draw();
  return lens;
}

/** True when two states differ in nothing that a control shows. */
function settled(before, after) {
  return before && Object.keys(after).every((part) => PASSED.includes(part) || before[part] === after[part]);
}
