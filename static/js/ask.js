/**
 * From a question to its arrows: the same choices, in the same order, as nonlocal_core/affinity/query.py
 * (tests/fixtures/query.json holds both to it).
 *
 *     values = p_ij, or what it carries, or either minus the mean row          one question cell
 *            -> mean or max over the cells of a region, or each cell for itself
 *     allowed = same group, wanted frames, outside the neighbourhood
 *     top     = the k highest allowed values, or the fewest that hold a share of the allowed mass
 */
import {averageOf, answeringGrid, askingGrid, reachOf, topIndices, weightsOf} from './field.js';
import {cellOf, cellsOf, flatIndex, spanOf} from './geometry.js';

export const MOST_ARROWS = 1000;   // the API's limit too: what one answer may hold

const KEPT = 64;                   // answers: 8 pins in 5 blocks, and then some; 1 to 3 MB

/** How a first question is asked; `mass` in per cent replaces k when it is set. */
export const USUAL = Object.freeze({
  k: 20,                           // Wang et al. 2018, Fig. 3: "the 20 highest weighted arrows"
  mass: null, near: null, when: 'all', value: 'weight', minus: false, pool: 'mean',
});

/** Whether the block's file has what the question needs; files of earlier versions have neither means nor g. */
export function canAnswer(field, {direction, ask}) {
  return !(ask.minus && !averageOf(field, direction)) && !(ask.value === 'contribution' && !field.carried);
}

/** The cells of the box between two opposite corners of a grid, in flat order. */
export function cellsBetween(from, to) {
  const [low, high] = [Math.min, Math.max].map((pick) => ({t: pick(from.t, to.t), h: pick(from.h, to.h), w: pick(from.w, to.w)}));
  const cells = [];
  for (let {t} = low; t <= high.t; t += 1) {
    for (let {h} = low; h <= high.h; h += 1) {
      for (let {w} = low; w <= high.w; w += 1) cells.push({t, h, w});
    }
  }
  return cells;
}

/**
 * The answer to the question of `cells` (one, or the cells of a box in flat order) in a clip of `total` frames.
 * Returns {values, top}: values as Float32Array over the answering grid (the strongest of each where every cell
 * asks for itself), top as [{rank, start, cell, weight, mass}], weights falling, mass cumulated (as a share of what
 * all cells look at, where each asks for itself).
 */
export function answerTo(field, direction, cells, {total, ...options}) {
  const ask = {...USUAL, ...options};
  const grid = answeringGrid(field, direction);
  const rows = cells.map((cell) => valuesOf(field, direction, cell, ask));
  const allowed = allowedBy(field, direction, cells, total, ask);
  const values = pooled(rows, ask.pool);
  const pairs = ask.pool === 'each' && rows.length > 1 ? inOne(rows) : values;
  const mask = pairs === values ? allowed : repeated(allowed, rows.length);
  let mass = 0;
  const top = chosen(pairs, mask, ask).map((index, n) => {
    mass += pairs[index] / (pairs.length / values.length);   // of all cells that ask, each for itself
    const asked = pairs === values ? 0 : Math.floor(index / values.length);
    return {rank: n + 1, start: cells[asked], cell: cellOf(grid, index % values.length), weight: pairs[index], mass};
  });
  return {values, top};
}

/** p_ij of one cell, times |W_z g_j| for its contribution, minus the mean of all questions where that is asked. */
function valuesOf(field, direction, cell, {value, minus}) {
  const values = weightsOf(field, direction, cell);
  if (minus) {
    const mean = averageOf(field, direction);
    for (let n = 0; n < values.length; n += 1) values[n] -= mean[n];
  }
  if (value !== 'contribution') return values;
  const {carried} = field;
  const own = direction === 'reverse' ? carried[flatIndex(field.keyGrid, cell)] : null;
  for (let n = 0; n < values.length; n += 1) values[n] *= own ?? carried[n];
  return values;
}

function pooled(rows, pool) {
  if (rows.length === 1) return rows[0];
  const out = new Float32Array(rows[0].length);
  for (let n = 0; n < out.length; n += 1) {
    let sum = 0, top = -Infinity;
    for (const row of rows) {
      sum += row[n];
      if (row[n] > top) top = row[n];
    }
    out[n] = pool === 'mean' ? sum / rows.length : top;
  }
  return out;
}

function inOne(rows) {
  const all = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, n) => all.set(row, n * row.length));
  return all;
}

function repeated(mask, times) {
  if (!mask) return null;
  const all = new Uint8Array(mask.length * times);
  for (let n = 0; n < times; n += 1) all.set(mask, n * mask.length);
  return all;
}

/** Which answering cells may be answers: Uint8Array of 0 and 1, or null when all may. */
export function allowedBy(field, direction, cells, total, {near, when}) {
  const reaches = field.keyBox ? cells.map((cell) => reachOf(field, direction, cell)) : null;
  if (!reaches && !near && when === 'all') return null;
  const grid = answeringGrid(field, direction);
  const asked = askedBox(askingGrid(field, direction), cells, grid, total);
  const plane = grid.h * grid.w;
  const allowed = new Uint8Array(cellsOf(grid));
  for (let t = 0; t < grid.t; t += 1) {
    const span = spanOf(grid, {t, h: 0, w: 0}, total);
    if (!wanted(span, asked, when)) continue;
    const close = near && Math.max(span.first - asked.last, asked.first - span.last, 0) <= near.frames;
    for (let n = 0; n < plane; n += 1) {
      const h = Math.floor(n / grid.w), w = n % grid.w;
      const beside = close && h >= asked.top - near.cells && h <= asked.bottom + near.cells
        && w >= asked.left - near.cells && w <= asked.right + near.cells;
      if (!beside) allowed[t * plane + n] = 1;
    }
  }
  if (reaches) for (let n = 0; n < allowed.length; n += 1) allowed[n] &= reaches.some((reach) => reach[n]);
  return allowed;
}

/** The frames of the asked box, and the rows and columns of the answering grid that it touches. */
function askedBox(asking, cells, answering, total) {
  const {h: h0, w: w0} = cells[0], {h: h1, w: w1} = cells.at(-1);
  return {
    first: spanOf(asking, cells[0], total).first, last: spanOf(asking, cells.at(-1), total).last,
    top: Math.floor(h0 * answering.h / asking.h), bottom: Math.ceil((h1 + 1) * answering.h / asking.h) - 1,
    left: Math.floor(w0 * answering.w / asking.w), right: Math.ceil((w1 + 1) * answering.w / asking.w) - 1,
  };
}

/** all; others: no frame shared with the question; same: one shared; "8-15": one of these frames. */
function wanted({first, last}, asked, when) {
  if (when === 'all') return true;
  const shares = (a, b) => first <= b && a <= last;
  if (when === 'same') return shares(asked.first, asked.last);
  if (when === 'others') return !shares(asked.first, asked.last);
  const [from, to] = when.split('-').map(Number);
  return shares(from, to);
}

/** Indices of the answers, falling: the k highest, or the fewest that hold `mass` per cent of what is positive. */
function chosen(values, allowed, {k, mass}) {
  if (mass === null) return topIndices(values, k, allowed);
  let whole = 0;
  for (let n = 0; n < values.length; n += 1) if (values[n] > 0 && (!allowed || allowed[n])) whole += values[n];
  const best = [];
  let held = 0;
  for (const index of fallingFrom(values, allowed)) {
    if (best.length && (held >= whole * mass / 100 || !(values[index] > 0))) break;
    best.push(index);
    held += values[index];
  }
  return best;
}

function fallingFrom(values, allowed) {
  const order = [];
  for (let n = 0; n < values.length; n += 1) if (!allowed || allowed[n]) order.push(n);
  order.sort((a, b) => values[b] - values[a] || a - b);
  return order.slice(0, MOST_ARROWS);
}

/**
 * answerTo() that remembers: (field, {direction, ask} of a state, total) -> ask(cells) for sceneOf(). The answers asked
 * for last are kept, so that pins cost nothing while the pointer moves; whoever drops it drops the fields with it.
 */
export function rememberedAnswers() {
  const kept = new Map();
  return (field, {direction, ask}, total) => {
    const how = JSON.stringify([field.block, direction, ask, total]);
    return (cells) => {
      const key = how + JSON.stringify([cells[0], cells.at(-1)]);
      const known = kept.get(key);
      const answer = known?.field === field ? known : {field, ...answerTo(field, direction, cells, {...ask, total})};
      kept.delete(key);
      kept.set(key, answer);                                 // the latest last: the first is forgotten
      if (kept.size > KEPT) kept.delete(kept.keys().next().value);
      return answer;
    };
  };
}
