/**
 * State + answers -> draw list: plain objects in paint order, nothing drawn yet. The same state gives the
 * same list, whoever asks; canvas.js paints it, tests and exports read it.
 *
 *     frame    {frame, x, y, size}                                     a picture of the sprite sheet
 *     caption  {frame, text, x, y}
 *     heat     {frame, x, y, size, grid, values, opacity}              values in [0, 1], rows then columns
 *     cell     {role: head|tail, frame, box, colour, opacity, question}
 *     arrow    {question, rank, weight, mass, cell, span, seconds, shown, from, to, bend, width, opacity, ...}
 *     mark     {question, pin, x, y, shape, colour, active}            a pin's sign, above its cell
 */
import {centreOf, spanOf} from './geometry.js';
import {answeringGrid} from './field.js';
import {CURSOR, PINS, timeColour} from './colour.js';
import {blockOf, gridOf, questionsOf} from './state.js';
import {corner, place, shownFrame} from './transform.js';
import {secondsText} from './words.js';

const FAINT = 0.2;       // opacity of arrows that do not concern the player's present frame
const RESTING = 0.5;     // opacity of arrows of pins that are not the active one
const MARK = 8;          // CSS pixels between a cell and the middle of its pin's mark
const HIGHEST_ARC = 34;  // CSS pixels between an arrow's middle and the straight line

/**
 * The draw list of `state` on `layout`. `ask(cell)` gives {weights, top} as field.js does, or is null while
 * the block's features are still on their way. Returns {items, active, hidden}: `active` is the active
 * question with its arrows, or null; `hidden` counts those of its arrows that the strip cannot show.
 */
export function sceneOf({state, world, layout, ask}) {
  const items = layout.frames.flatMap((frame, position) => picture(frame, position, layout, world));
  const questions = ask ? questionsOf(state, world) : [];
  const drawn = questions.map((question) => drawQuestion(question, {state, world, layout, ask}));
  const active = drawn.at(-1) ?? null;
  if (active && state.heat) items.push(...heatOf(active.weights, {state, world, layout}));
  items.push(...drawn.flatMap(({cells}) => cells), ...drawn.flatMap(({arrows}) => arrows.toReversed()));
  items.push(...drawn.flatMap(({marks}) => marks));
  return {items, active, hidden: active ? active.arrows.filter(({shown}) => !shown).length : 0};
}

function picture(frame, position, layout, world) {
  const {x, y} = corner(position, layout);
  const text = `${frame} · ${secondsText(world.times[frame])}`;
  return [
    {kind: 'frame', frame, x, y, size: layout.size},
    {kind: 'caption', frame, text, x: x + 1, y: y + layout.size + 16},
  ];
}

/** One question: its tail, its top k as arrows (strongest first) and the cells they end in. */
function drawQuestion(question, {state, world, layout, ask}) {
  const asking = gridOf(state, world);
  const ends = answeringGrid(blockOf(state, world), state.direction);
  const span = spanOf(asking, question.cell, world.total);
  const start = centreOf(asking, question.cell, world.total);
  const look = question.pin === null ? CURSOR : PINS[question.pin];
  const {weights, top} = ask(question.cell);
  const strongest = Math.max(...top.map(({weight}) => Math.abs(weight)), 1e-30);
  const context = {question, layout, world, look, span, start, strongest, ends};
  const arrows = top.map((answer) => arrowOf(answer, context));
  const tail = outlines(span, 'tail', question.id, look.colour, 1, layout);
  const heads = question.active ? arrows.toReversed().flatMap(headCells(layout)) : [];
  return {...question, span, start, weights, arrows, cells: [...heads, ...tail], marks: markOf(question, span, start, look, layout)};
}

function arrowOf({rank, cell, weight, mass}, {question, layout, world, look, span, start, strongest, ends}) {
  const endSpan = spanOf(ends, cell, world.total);
  const end = centreOf(ends, cell, world.total);
  const seconds = secondsBetween(span, start.frame, endSpan, end.frame, world.times);
  const from = onStage(span, start, layout), to = onStage(endSpan, end, layout);
  const share = Math.sqrt(Math.abs(weight) / strongest);      // a root: rows are peaked, and weak arrows must be seen
  const present = layout.view === 'strip' || covers(endSpan, layout.frames[0]);
  const length = world.times.at(-1) - world.times[0];
  return {
    kind: 'arrow', question: question.id, rank, weight, mass, cell, span: endSpan, end,
    seconds, endSeconds: world.times[end.frame],
    shown: Boolean(from && to), from, to, present,
    bend: from && to ? bendOf(from, to, layout) : 0,
    width: (question.active ? 1.7 : 1.2) + 2.8 * share,
    opacity: (0.55 + 0.45 * share) * (question.active ? 1 : RESTING) * (present ? 1 : FAINT),
    colour: question.active ? timeColour(length > 0 ? seconds / length : 0) : look.colour,
    dashed: seconds < 0,
  };
}

/** Seconds from start to end; 0 when the two cells share a frame, for then no time lies between them. */
function secondsBetween(span, frame, endSpan, endFrame, times) {
  if (span.first <= endSpan.last && endSpan.first <= span.last) return 0;
  return times[endFrame] - times[frame];
}

function onStage(span, point, layout) {
  const frame = shownFrame(span, layout);
  return frame === null ? null : place({...point, frame}, layout);
}

/** Longer arrows arc higher, but never off the stage. */
function bendOf(from, to, {height}) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const middle = (from.y + to.y) / 2;
  const room = to.x >= from.x ? middle : height - middle;
  return Math.max(0, Math.min(0.13 * length, HIGHEST_ARC, room - 3));
}

function covers(span, frame) {
  return frame >= span.first && frame <= span.last;
}

function headCells(layout) {
  return ({span, question, colour, opacity}) => outlines(span, 'head', question, colour, opacity, layout);
}

/** The box of a span on every shown frame that it covers; the player shows a tail of any frame, faintly. */
function outlines(span, role, question, colour, opacity, layout) {
  return layout.frames.flatMap((frame, position) => {
    const ghost = !covers(span, frame);
    if (ghost && !(role === 'tail' && layout.view === 'player')) return [];
    const {x, y} = corner(position, layout);
    const {size} = layout;
    const box = {
      x: x + span.left * size, y: y + span.top * size,
      width: (span.right - span.left) * size, height: (span.bottom - span.top) * size,
    };
    return [{kind: 'cell', role, frame, box, colour, opacity: ghost ? 0.45 : opacity, question}];
  });
}

function markOf(question, span, start, look, layout) {
  const at = question.pin === null ? null : onStage(span, start, layout);
  if (!at) return [];
  const lift = (span.bottom - span.top) * layout.size / 2 + MARK;
  const inside = (at.y % (layout.size + layout.caption)) > lift + MARK;
  const present = layout.view === 'strip' || covers(span, layout.frames[0]);
  return [{
    kind: 'mark', question: question.id, pin: question.pin, cell: question.cell, x: at.x, y: inside ? at.y - lift : at.y + lift, ...look,
    active: question.active, opacity: present ? 1 : 0.55,
  }];
}

/** One map per shown frame, from the time cell that covers it; one scale for all of them. */
function heatOf(weights, {state, world, layout}) {
  const grid = answeringGrid(blockOf(state, world), state.direction);
  const {low, high} = rangeOf(weights);
  const plane = grid.h * grid.w;
  return layout.frames.map((frame, position) => {
    const t = Math.floor(frame * grid.t / world.total);
    const values = Array.from(weights.subarray(t * plane, (t + 1) * plane), (p) => (p - low) / (high - low || 1));
    return {
      kind: 'heat', frame, ...corner(position, layout), size: layout.size,
      grid: {h: grid.h, w: grid.w}, values, opacity: state.opacity,
    };
  });
}

/** The ends of the colour scale of a map: 0 or the lowest weight, and the highest. */
export function rangeOf(weights) {
  let low = 0, high = -Infinity;
  for (const weight of weights) {
    if (weight < low) low = weight;
    if (weight > high) high = weight;
  }
  return {low, high};
}

/** How much of the answer lies in each frame of the clip: the sum over a time cell, spread over its frames. */
export function massByFrame(weights, grid, total) {
  const plane = grid.h * grid.w;
  const sums = new Float64Array(grid.t);
  weights.forEach((weight, n) => { sums[Math.floor(n / plane)] += Math.max(0, weight); });
  return Array.from({length: total}, (_, frame) => sums[Math.floor(frame * grid.t / total)]);
}
