/**
 * What is asked and how it is shown: one plain object, changed only by reduce(). No DOM, no field, no pixels.
 *
 * `world` is what the clip gives and no action changes: {total, times, blocks}, blocks as in api.js.
 * Pins are kept as ClipPoints, so that a change of block or direction asks about the same place on the new
 * grid, and back again about the very same cell. A pin with a second ClipPoint `to` asks about the region between
 * the two; `anchor` is the cell from which the keyboard is drawing one. `ask` says how (ask.js).
 */
import {cellsBetween, MOST_ARROWS, USUAL} from './ask.js';
import {cellAt, centreOf} from './geometry.js';
import {askingGrid} from './field.js';
import {figureFrames} from './transform.js';

export const MOST_PINS = 8;
export const MOST_CELLS = 1024;  // of one region; the API's limit too

/** The state of a first visit: nothing asked yet (`pins` is null, so the page may suggest a question). */
export function initialState(world) {
  return {
    block: world.blocks.at(-1)?.name ?? null, direction: 'forward', ask: USUAL,
    view: 'strip', frames: figureFrames(world.total), frame: 0,
    heat: false, opacity: 0.6, palette: 'viridis', scale: 'shared', smooth: false,
    pins: null, active: 0, cursor: null, anchor: null, suggested: false, beside: null,
  };
}

/** The block in question, or null. */
export function blockOf(state, world) {
  return world.blocks.find((block) => block.name === state.block) ?? null;
}

/** Whether values read as per cent: probabilities, and their differences from the mean, but not what they carry. */
export function countsShares(state, world) {
  return blockOf(state, world).softmax && state.ask.value === 'weight';
}

/** The grid that the state's questions are asked from. */
export function gridOf(state, world) {
  return askingGrid(blockOf(state, world), state.direction);
}

/** The cell that a ClipPoint asks about in this state. */
export function cellFor(point, state, world) {
  return cellAt(gridOf(state, world), point, world.total);
}

/** The cells that a pin asks about in this state: one, or those of its region in flat order. */
export function cellsFor(pin, state, world) {
  const cell = cellFor(pin, state, world);
  return pin.to ? cellsBetween(cell, cellFor(pin.to, state, world)).slice(0, MOST_CELLS) : [cell];
}

/**
 * The questions on show: [{id, cells, pin, active}], the active one last. `pin` is a place in PINS, or null
 * for the cursor. A cursor on a pinned cell asks nothing new; it makes that pin the active one.
 */
export function questionsOf(state, world) {
  const pins = (state.suggested && state.cursor ? [] : state.pins ?? []).map((point, pin) => (
    {id: `pin${pin + 1}`, cells: cellsFor(point, state, world), pin, active: false}));
  const asked = state.cursor && cellsBetween(state.anchor ?? state.cursor, state.cursor);
  const under = asked && pins.find(({cells}) => sameCells(cells, asked));
  const active = under ?? (asked ? {id: 'cursor', cells: asked, pin: null, active: true} : pins[state.active] ?? pins.at(-1));
  if (!active) return [];
  return [...pins.filter((question) => question !== active), {...active, active: true}];
}

/** True for two equal cells. */
export function sameCell(a, b) {
  return a.t === b.t && a.h === b.h && a.w === b.w;
}

function sameCells(a, b) {
  return a.length === b.length && sameCell(a[0], b[0]) && sameCell(a.at(-1), b.at(-1));
}

const ACTIONS = {
  point: (state, {cell}) => (sameCursor(state.cursor, cell) && !state.anchor ? state : {...state, cursor: cell, anchor: null}),
  move: (state, action, world) => ({...moveCursor(state, action, world), anchor: null}),
  extend: (state, action, world) => (
    {...moveCursor(state, action, world), anchor: state.anchor ?? startCell(state, world)}),
  frameStep: stepFrame,
  pin: togglePin,
  region: (state, {from, to}, world) => togglePin(state, {cell: from, to}, world),
  suggest: (state, {cell}, world) => (
    {...state, pins: [centreOf(gridOf(state, world), cell, world.total)], active: 0, suggested: true}),
  unpin: (state, {at}) => without(state, at),
  activate: (state, {at}) => ({...state, active: at, cursor: null, anchor: null, suggested: false}),
  clear: (state) => ({...state, pins: [], active: 0, cursor: null, anchor: null, suggested: false}),
  block: (state, {name}, world) => regrid(state, {block: name}, world),
  direction: (state, {direction}, world) => regrid(state, {direction}, world),
  ask: (state, {change}) => ({...state, ask: sound({...state.ask, ...change})}),
  beside: (state, {beside}) => ({...state, beside}),
  heat: (state, {heat}) => ({...state, heat}),
  opacity: (state, {opacity}) => ({...state, opacity: clamp(opacity, 0.1, 1)}),
  palette: (state, {palette}) => ({...state, palette}),
  scale: (state, {scale}) => ({...state, scale}),
  smooth: (state, {smooth}) => ({...state, smooth}),
  view: (state, {view}) => ({...state, view}),
  frames: (state, {frames}, world) => {
    const kept = [...new Set(frames)].filter((frame) => frame >= 0 && frame < world.total).sort((a, b) => a - b);
    return kept.length ? {...state, frames: kept} : state;
  },
  frame: (state, {frame}, world) => ({...state, frame: clamp(frame, 0, world.total - 1)}),
  restore: (state, {question}) => ({...state, cursor: null, anchor: null, suggested: false, ...question}),
};

/** The next state. Unknown actions are a mistake in the program and throw. */
export function reduce(state, action, world) {
  return ACTIONS[action.type](state, action, world);
}

function sameCursor(a, b) {
  return a === b || Boolean(a && b && sameCell(a, b));
}

/** Pins the cell, or the region from it to the cell `to`; a pin that is there already is taken away. */
function togglePin(state, {cell, to = cell}, world) {
  const kept = state.suggested ? [] : state.pins ?? [];
  const cells = cellsBetween(cell, to);
  const same = (pin) => sameCells(cellsFor(pin, state, world), cells);
  const at = kept.findIndex(same);
  if (at >= 0) return without({...state, pins: kept}, at);
  if (state.suggested && same(state.pins[0])) return {...state, suggested: false, cursor: null, anchor: null};
  if (kept.length === MOST_PINS || cells.length > MOST_CELLS) return state;
  const [from, end] = [cells[0], cells.at(-1)].map((corner) => centreOf(gridOf(state, world), corner, world.total));
  const pin = cells.length > 1 ? {...from, to: end} : from;
  return {...state, pins: [...kept, pin], active: kept.length, suggested: false};   // the cursor stays on all of its cells
}

/** Numbers within their limits. */
function sound(ask) {
  const whole = (number, low, high, usual) => (Number.isFinite(number) ? clamp(Math.round(number), low, high) : usual);
  return {
    ...ask,
    k: whole(ask.k, 1, MOST_ARROWS, USUAL.k),
    mass: ask.mass === null ? null : whole(ask.mass, 1, 100, 50),
    near: ask.near && {cells: whole(ask.near.cells, 0, 99, 1), frames: whole(ask.near.frames, 0, 999, 0)},
  };
}

function without(state, at) {
  const pins = state.pins.filter((_, n) => n !== at);
  return {...state, pins, active: Math.max(0, pins.length - 1), cursor: null, anchor: null, suggested: false};
}

function regrid(state, change, world) {
  const next = {...state, ...change, anchor: null};
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
  const t = Math.floor(frame * grid.t / world.total);
  return {...moved, cursor: {...cell, t}, anchor: state.anchor && {...state.anchor, t}};
}

function nearest(frames, frame) {
  return frames.reduce((best, one) => (Math.abs(one - frame) < Math.abs(best - frame) ? one : best));
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
