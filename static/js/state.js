/**
 * What is asked and how it is shown: one plain object, changed only by reduce(). No DOM, no field, no pixels.
 *
 * `world` is what the clip gives and no action changes: {total, times, blocks}, blocks as in api.js.
 * Pins are kept as ClipPoints, so that a change of block or direction asks about the same place on the new
 * grid, and back again about the very same cell.
 */
import {cellAt, centreOf} from './geometry.js';
import {askingGrid} from './field.js';
import {figureFrames} from './transform.js';

export const TOP_ARROWS = 20;    // Wang et al. 2018, Fig. 3: "the 20 highest weighted arrows"
export const MOST_ARROWS = 100;
export const MOST_PINS = 8;

/** The state of a first visit: nothing asked yet (`pins` is null, so the page may suggest a question). */
export function initialState(world) {
  return {
    block: world.blocks.at(-1)?.name ?? null, direction: 'forward', k: TOP_ARROWS,
    view: 'strip', frames: figureFrames(world.total), frame: 0,
    heat: false, opacity: 0.6, pins: null, active: 0, cursor: null, suggested: false,
  };
}

/** The block in question, or null. */
export function blockOf(state, world) {
  return world.blocks.find((block) => block.name === state.block) ?? null;
}

/** The grid that the state's questions are asked from. */
export function gridOf(state, world) {
  return askingGrid(blockOf(state, world), state.direction);
}

/** The cell that a ClipPoint asks about in this state. */
export function cellFor(point, state, world) {
  return cellAt(gridOf(state, world), point, world.total);
}

/**
 * The questions on show: [{id, cell, pin, active}], the active one last. `pin` is a place in PINS, or null
 * for the cursor. A cursor on a pinned cell asks nothing new; it makes that pin the active one.
 */
export function questionsOf(state, world) {
  const pins = (state.suggested && state.cursor ? [] : state.pins ?? []).map((point, pin) => (
    {id: `pin${pin + 1}`, cell: cellFor(point, state, world), pin, active: false}));
  const under = state.cursor && pins.find(({cell}) => sameCell(cell, state.cursor));
  const active = under ?? (state.cursor
    ? {id: 'cursor', cell: state.cursor, pin: null, active: true} : pins[state.active] ?? pins.at(-1));
  if (!active) return [];
  return [...pins.filter((question) => question !== active), {...active, active: true}];
}

/** True for two equal cells. */
export function sameCell(a, b) {
  return a.t === b.t && a.h === b.h && a.w === b.w;
}

const ACTIONS = {
  point: (state, {cell}) => (sameCursor(state.cursor, cell) ? state : {...state, cursor: cell}),
  move: moveCursor,
  frameStep: stepFrame,
  pin: togglePin,
  suggest: (state, {cell}, world) => (
    {...state, pins: [centreOf(gridOf(state, world), cell, world.total)], active: 0, suggested: true}),
  unpin: (state, {at}) => without(state, at),
  activate: (state, {at}) => ({...state, active: at, cursor: null, suggested: false}),
  clear: (state) => ({...state, pins: [], active: 0, cursor: null, suggested: false}),
  block: (state, {name}, world) => regrid(state, {block: name}, world),
  direction: (state, {direction}, world) => regrid(state, {direction}, world),
  k: (state, {k}) => ({...state, k: clamp(Math.round(k) || TOP_ARROWS, 1, MOST_ARROWS)}),
  heat: (state, {heat}) => ({...state, heat}),
  opacity: (state, {opacity}) => ({...state, opacity: clamp(opacity, 0.1, 1)}),
  view: (state, {view}) => ({...state, view}),
  frames: (state, {frames}, world) => {
    const kept = [...new Set(frames)].filter((frame) => frame >= 0 && frame < world.total).sort((a, b) => a - b);
    return kept.length ? {...state, frames: kept} : state;
  },
  frame: (state, {frame}, world) => ({...state, frame: clamp(frame, 0, world.total - 1)}),
  restore: (state, {question}) => ({...state, cursor: null, suggested: false, ...question}),
};

/** The next state. Unknown actions are a mistake in the program and throw. */
export function reduce(state, action, world) {
  return ACTIONS[action.type](state, action, world);
}

function sameCursor(a, b) {
  return a === b || Boolean(a && b && sameCell(a, b));
}

function togglePin(state, {cell}, world) {
  const grid = gridOf(state, world);
  const kept = state.suggested ? [] : state.pins ?? [];
  const at = kept.findIndex((point) => sameCell(cellFor(point, state, world), cell));
  if (at >= 0) return without({...state, pins: kept}, at);
  if (state.suggested && sameCell(cellFor(state.pins[0], state, world), cell)) {
    return {...state, suggested: false, cursor: null};
  }
  if (kept.length === MOST_PINS) return state;
  return {...state, pins: [...kept, centreOf(grid, cell, world.total)], active: kept.length, suggested: false};
}

function without(state, at) {
  const pins = state.pins.filter((_, n) => n !== at);
  return {...state, pins, active: Math.max(0, pins.length - 1), cursor: null, suggested: false};
}

function regrid(state, change, world) {
  const next = {...state, ...change};
  if (!state.cursor) return next;
  const point = centreOf(gridOf(state, world), state.cursor, world.total);
  return {...next, cursor: cellFor(point, next, world)};
}

/** The keyboard's cursor; it starts at the active pin, else in the middle of the first frame on show. */
function startCell(state, world) {
  if (state.cursor) return state.cursor;
  const pin = state.pins?.[state.active];
  if (pin) return cellFor(pin, state, world);
  const frame = state.view === 'player' ? state.frame : state.frames[0];
  return cellFor({frame, x: 0.5, y: 0.5}, state, world);
}

function moveCursor(state, {rows, columns}, world) {
  const grid = gridOf(state, world);
  const cell = startCell(state, world);
  const h = clamp(cell.h + rows, 0, grid.h - 1), w = clamp(cell.w + columns, 0, grid.w - 1);
  return {...state, cursor: {t: cell.t, h, w}};
}

/** One frame on or back: in the player the picture moves, in the strip the cursor goes to the next picture. */
function stepFrame(state, {by}, world) {
  const grid = gridOf(state, world);
  const frames = state.view === 'player' ? Array.from({length: world.total}, (_, n) => n) : state.frames;
  const cell = startCell(state, world);
  const now = state.view === 'player' ? state.frame : nearest(frames, centreOf(grid, cell, world.total).frame);
  const frame = frames[clamp(frames.indexOf(now) + by, 0, frames.length - 1)];
  const moved = {...state, frame: state.view === 'player' ? frame : state.frame};
  if (state.view === 'player' && !state.cursor) return moved;
  return {...moved, cursor: {...cell, t: Math.floor(frame * grid.t / world.total)}};
}

function nearest(frames, frame) {
  return frames.reduce((best, one) => (Math.abs(one - frame) < Math.abs(best - frame) ? one : best));
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
