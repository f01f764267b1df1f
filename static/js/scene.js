/**
 * State + answers -> draw list: plain objects in paint order, nothing drawn yet. The same state gives the
 * same list, whoever asks; canvas.js paints it, tests and exports read it.
 *
 *     frame    {frame, x, y, size}                                     a picture of the sprite sheet
 *     caption  {frame, text, x, y, over}                               over: moved onto its picture, to stay in sight
 *     heat     {frame, x, y, size, grid, values, opacity, palette, smooth}     values in [0, 1], rows then columns
 *     cell     {role: head|tail, frame, box, colour, opacity, question}
 *     arrow    {question, rank, weight, mass, cell, span, seconds, shown, from, to, bend, width, opacity, ...}
 *     mark     {question, pin, x, y, shape, colour, active}            a pin's sign, above its cell
 */
import {boxSpanOf, centreOf, spanOf} from './geometry.js';
import {answeringGrid} from './field.js';
import {CURSOR, PINS, timeColour} from './colour.js';
import {blockOf, gridOf, questionsOf} from './state.js';
import {boxOf, corner, place, shownFrame} from './transform.js';
import {secondsText} from './words.js';

const FAINT = 0.2;       // opacity of arrows that do not concern the player's present frame
const RESTING = 0.5;     // opacity of arrows of pins that are not the active one
const MARK = 8;          // CSS pixels between a cell and the middle of its pin's mark
const DRAWINGS = 8;      // of one answer: on the stage, on a rung of the ladder, in the figure
const HIGHEST_ARC = 34;  // CSS pixels between an arrow's middle and the straight line

/**
 * The draw list of `state` on `layout`. `ask(cells)` gives {values, top} as ask.js does, or is null while
 * the block's features are still on their way. Returns {items, questions, active, hidden, asked}: `questions` are those on
 * show with their parts of `items`, the `active` one last (null where there is none); `hidden` counts those of its
 * arrows that the strip cannot show, of which `asked` says whether any starts in sight. A question whose answer and layout are the ones of before is the object of before.
 */
export function sceneOf({state, world, layout, ask}) {
  const items = layout.frames.flatMap((frame, position) => picture(frame, position, layout, world));
  const questions = ask ? questionsOf(state, world) : [];
  const lie = JSON.stringify(layout);
  const drawn = questions.map((question) => remembered(question, ask(question.cells), {state, world, layout, lie}));
  const active = drawn.at(-1) ?? null;
  if (active && state.heat) items.push(...heatOf(active.values, {state, world, layout}));
  items.push(...drawn.flatMap(({boxes}) => boxes), ...drawn.flatMap(({arrows}) => arrows.toReversed()));
  items.push(...drawn.flatMap(({marks}) => marks));
  const arrows = active?.arrows ?? [];
  return {items, questions: drawn, active, hidden: arrows.filter(({shown}) => !shown).length, asked: arrows.some(({from}) => from)};
}

function picture(frame, position, layout, world) {
  const {x, y} = corner(position, layout);
  const text = `${frame} · ${secondsText(world.times[frame])}`;
  return [
    {kind: 'frame', frame, x, y, size: layout.size},
    {kind: 'caption', frame, text, ...captionPlace(x, y, layout)},
  ];
}

/** Below the picture; where a zoom has pushed that out of sight, at the edge of what is left of the picture. */
function captionPlace(x, y, {size, width, height}) {
  const below = {x: x + 1, y: y + size + 16, over: false};
  const inSight = x < width && x + size > 80 && y + 24 < height;     // CSS pixels that a caption needs
  if (!inSight || (x >= 0 && below.y <= height)) return below;
  return {x: Math.max(x, 0) + 6, y: Math.min(below.y, height - 8), over: below.y > height - 8};
}

const drawings = new WeakMap();      // by answer: goes when the answer is forgotten

/** drawQuestion(), done once as long as question, answer and layout stay: pins rest while the pointer moves. */
function remembered(question, answer, context) {
  const key = `${question.id} ${question.active} ${context.state.ask.pool} ${context.lie}`;
  const known = drawings.get(answer) ?? new Map();
  drawings.set(answer, known);
  if (known.size > DRAWINGS && !known.has(key)) known.clear();
  if (!known.has(key)) known.set(key, drawQuestion(question, answer, context));
  return known.get(key);
}

/** One question: its tail, its top k as arrows (strongest first) and the cells they end in. */
function drawQuestion(question, {values, top}, {state, world, layout}) {
  const asking = gridOf(state, world);
  const ends = answeringGrid(blockOf(state, world), state.direction);
  const {cells: asked} = question;
  const span = boxSpanOf(asking, asked[0], asked.at(-1), world.total);
  const start = asked.length > 1 ? middleOf(span) : centreOf(asking, asked[0], world.total);
  const look = question.pin === null ? CURSOR : PINS[question.pin];
  const strongest = Math.max(...top.map(({weight}) => Math.abs(weight)), 1e-30);
  const each = state.ask.pool === 'each' && asked.length > 1;
  const tailOf = (cell) => (each ? {span: spanOf(asking, cell, world.total), start: centreOf(asking, cell, world.total)} : {span, start});
  const arrows = top.map((answer) => arrowOf(answer, {question, layout, world, look, strongest, ends, ...tailOf(answer.start)}));
  const tail = outlines(span, 'tail', question.id, look.colour, 1, layout);
  const heads = question.active ? arrows.toReversed().flatMap(headCells(layout)) : [];
  return {...question, span, start, values, arrows, boxes: [...heads, ...tail], marks: markOf(question, span, start, look, layout)};
}

/** The ClipPoint in the middle of a span of several cells. */
function middleOf({first, last, left, top, right, bottom}) {
  return {frame: Math.floor((first + last) / 2), x: (left + right) / 2, y: (top + bottom) / 2};
}

function arrowOf({rank, start: tail, cell, weight, mass}, {question, layout, world, look, span, start, strongest, ends}) {
  const endSpan = spanOf(ends, cell, world.total);
  const end = centreOf(ends, cell, world.total);
  const seconds = secondsBetween(span, start.frame, endSpan, end.frame, world.times);
  const from = onStage(span, start, layout), to = onStage(endSpan, end, layout);
  const share = Math.sqrt(Math.abs(weight) / strongest);      // a root: rows are peaked, and weak arrows must be seen
  const present = layout.view === 'strip' || covers(endSpan, layout.frames[0]);
  const length = world.times.at(-1) - world.times[0];
  return {
    kind: 'arrow', question: question.id, rank, weight, mass, tail, cell, span: endSpan, end,
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
function bendOf(from, to, {rows, size, caption, top}) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const middle = (from.y + to.y) / 2 - top;                   // below the top of the pictures, in sight or not
  const room = to.x >= from.x ? middle : rows * (size + caption) - middle;
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
    const box = boxOf(span, position, layout);
    return [{kind: 'cell', role, frame, box, colour, opacity: ghost ? 0.45 : opacity, question}];
  });
}

function markOf(question, span, start, look, layout) {
  const at = question.pin === null ? null : onStage(span, start, layout);
  if (!at) return [];
  const lift = (span.bottom - span.top) * layout.size / 2 + MARK;
  const inside = ((at.y - layout.top) % (layout.size + layout.caption)) > lift + MARK;
  const present = layout.view === 'strip' || covers(span, layout.frames[0]);
  return [{
    kind: 'mark', question: question.id, pin: question.pin, cell: question.cells[0], x: at.x, y: inside ? at.y - lift : at.y + lift, ...look,
    active: question.active, opacity: present ? 1 : 0.55,
  }];
}

/** One map per shown frame, from the time cell that covers it; one scale for the whole clip, or for each map its own. */
function heatOf(weights, {state, world, layout}) {
  const grid = answeringGrid(blockOf(state, world), state.direction);
  const plane = grid.h * grid.w;
  const whole = rangeOf(weights);
  return layout.frames.map((frame, position) => {
    const t = Math.floor(frame * grid.t / world.total);
    const map = weights.subarray(t * plane, (t + 1) * plane);
    const {low, high} = state.scale === 'each' ? rangeOf(map) : whole;
    const values = Array.from(map, (p) => (p - low) / (high - low || 1));
    return {
      kind: 'heat', frame, ...corner(position, layout), size: layout.size,
      grid: {h: grid.h, w: grid.w}, values, opacity: state.opacity, palette: state.palette, smooth: state.smooth,
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
  for (let t = 0; t < grid.t; t += 1) {
    for (let n = t * plane; n < (t + 1) * plane; n += 1) if (weights[n] > 0) sums[t] += weights[n];
  }
  return Array.from({length: total}, (_, frame) => sums[Math.floor(frame * grid.t / total)]);
}
