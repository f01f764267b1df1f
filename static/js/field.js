/**
 * The affinity of one block in one clip: theta and phi are kept, never the matrix.
 *
 * A row is the answer to "what does x_i look at?", a column to "who looks at x_j?"; both cost one pass of
 * multiply-adds, fast enough for 60 questions a second. The formulas are those of nonlocal_core/affinity
 * (tests/fixtures/affinity.json holds both to them):
 *
 *     logit_ij = scale * theta_i . phi_j
 *     gaussian, embedded_gaussian   p_ij = exp(logit_ij - lse_i)      rows sum to 1
 *     dot_product                   p_ij = logit_ij / K
 *     concatenation                 p_ij = max(logit_ij, 0) / K
 *
 * Wang et al. 2018, equations 2 to 5. Both grids may be cut into groups (boxes along time, height and width);
 * x_i then sees only the keys of its own box, K counts those alone, and a weight between two boxes is 0.
 */
import {cellOf, cellsOf, flatIndex} from './geometry.js';

const SOFTMAX_KINDS = ['gaussian', 'embedded_gaussian'];
const KINDS = [...SOFTMAX_KINDS, 'dot_product', 'concatenation'];

/** Features that do not fit each other; the message says which. */
export class FieldError extends Error {}

/**
 * An AffinityField from a parsed features file.
 * Returns {block, kind, softmax, scale, channels, queryGrid, keyGrid, theta [Q*C], phi [K*C], lse [Q] or null,
 * meanRow [K], meanColumn [Q], carried [K]: |W_z g_j|, added [Q]: |W_z y_i| / |x_i|, each null where it is not known}.
 * Throws FieldError when a shape contradicts its grid.
 */
export function fieldOf({metadata, tensors}) {
  const kind = metadata.kind;
  if (!KINDS.includes(kind)) throw new FieldError(`affinity kind ${kind} is unknown; known are ${KINDS.join(', ')}`);
  const queryGrid = gridOf(metadata.query_grid);
  const keyGrid = gridOf(metadata.key_grid);
  const softmax = SOFTMAX_KINDS.includes(kind);
  const {theta, phi, lse} = tensors;
  if (!theta || !phi || (softmax && !lse)) throw new FieldError('theta, phi or lse is missing');
  const channels = theta.shape[1];
  expectShape('theta', theta.shape, [cellsOf(queryGrid), channels]);
  expectShape('phi', phi.shape, [cellsOf(keyGrid), channels]);
  if (softmax) expectShape('lse', lse.shape, [cellsOf(queryGrid)]);
  return {
    block: metadata.block, kind, softmax, scale: Number(metadata.scale), channels, queryGrid, keyGrid,
    ...boxesOf(queryGrid, keyGrid, gridOf(metadata.groups ?? '1,1,1')),
    theta: theta.data, phi: phi.data, lse: softmax ? lse.data : null,
    meanRow: optional(tensors.mean_row, keyGrid), meanColumn: optional(tensors.mean_column, queryGrid),
    carried: optional(tensors.carried, keyGrid), added: optional(tensors.added, queryGrid),
  };
}

/** One number a cell, where the file has it: clips analysed by earlier versions do not. */
function optional(tensor, grid) {
  if (!tensor) return null;
  expectShape('one number a cell', tensor.shape, [cellsOf(grid)]);
  return tensor.data;
}

function gridOf(text) {
  const [t, h, w] = String(text).split(',').map(Number);
  if (!(t > 0 && h > 0 && w > 0)) throw new FieldError(`"${text}" is not a grid t,h,w`);
  return {t, h, w};
}

function expectShape(name, found, expected) {
  if (String(found) !== String(expected)) {
    throw new FieldError(`${name} has shape [${found}], the grids want [${expected}]`);
  }
}

/** {seenKeys: keys that one query sees, queryBox, keyBox: the box of each cell, or null when there is only one}. */
function boxesOf(queryGrid, keyGrid, groups) {
  const count = cellsOf(groups);
  const whole = {queryBox: null, keyBox: null};
  const boxes = count > 1 ? {queryBox: boxOfEachCell(queryGrid, groups), keyBox: boxOfEachCell(keyGrid, groups)} : whole;
  return {seenKeys: cellsOf(keyGrid) / count, ...boxes};
}

function boxOfEachCell(grid, groups) {
  return Int32Array.from({length: cellsOf(grid)}, (_, index) => {
    const {t, h, w} = cellOf(grid, index);
    const part = (place, cells, boxes) => Math.floor(place * boxes / cells);
    return flatIndex(groups, {t: part(t, grid.t, groups.t), h: part(h, grid.h, groups.h), w: part(w, grid.w, groups.w)});
  });
}

/** Which answering cells lie in the group of `cell`: Uint8Array of 0 and 1, or null when all do. */
export function reachOf(field, direction, cell) {
  if (!field.keyBox) return null;
  const [asking, answering] = direction === 'forward' ? [field.queryBox, field.keyBox] : [field.keyBox, field.queryBox];
  const box = asking[flatIndex(askingGrid(field, direction), cell)];
  return Uint8Array.from(answering, (other) => Number(other === box));
}

/** The grid that questions are asked from: queries forward, keys in reverse. */
export function askingGrid(block, direction) {
  return direction === 'forward' ? block.queryGrid : block.keyGrid;
}

/** The grid that the ends of the arrows lie on: keys forward, queries in reverse. */
export function answeringGrid(block, direction) {
  return direction === 'forward' ? block.keyGrid : block.queryGrid;
}

/** The weights p of one question as Float32Array over the answering grid: a row forward, a column in reverse. */
export function weightsOf(field, direction, cell) {
  const index = flatIndex(askingGrid(field, direction), cell);
  const seen = reachOf(field, direction, cell);
  return direction === 'forward' ? rowOf(field, index, seen) : columnOf(field, index, seen);
}

/** p_i., what query i looks at: Float32Array [K]; `seen` as reachOf gives it. */
export function rowOf(field, i, seen = null) {
  const {theta, phi, channels, scale, kind, softmax, seenKeys} = field;
  const logits = products(phi, theta.subarray(i * channels, (i + 1) * channels), scale);   // [K]
  blind(logits, seen, softmax);
  if (softmax) return normalised(logits);
  return averaged(logits, kind, seenKeys);
}

/** p_.j, which queries look at key j, each normalised as its own row was: Float32Array [Q]. */
export function columnOf(field, j, seen = null) {
  const {theta, phi, channels, scale, kind, softmax, lse, seenKeys} = field;
  const logits = products(theta, phi.subarray(j * channels, (j + 1) * channels), scale);   // [Q]
  blind(logits, seen, softmax);
  if (!softmax) return averaged(logits, kind, seenKeys);
  for (let i = 0; i < logits.length; i += 1) logits[i] = Math.exp(logits[i] - lse[i]);
  return logits;
}

/** scale * rows . vector for each row: one reading of the vector serves four rows, which is what makes hovering live. */
function products(rows, vector, scale) {
  const channels = vector.length, count = rows.length / channels;
  const result = new Float32Array(count);
  for (let n = 0; n < count; n += 4) {
    const first = Math.max(0, Math.min(n, count - 4));       // the last four may overlap those before
    let a = 0, b = 0, c = 0, d = 0;
    for (let m = 0, at = first * channels; m < channels; m += 1, at += 1) {
      const value = vector[m];
      a += rows[at] * value;
      b += rows[at + channels] * value;
      c += rows[at + 2 * channels] * value;
      d += rows[at + 3 * channels] * value;
    }
    result[first] = scale * a;
    result[first + 1] = scale * b;
    result[first + 2] = scale * c;
    result[first + 3] = scale * d;
  }
  return result;
}

/** What is not seen has f = 0, in place. */
function blind(logits, seen, softmax) {
  if (!seen) return;
  for (let n = 0; n < logits.length; n += 1) if (!seen[n]) logits[n] = softmax ? -Infinity : 0;
}

function normalised(logits) {
  let top = -Infinity;
  for (const logit of logits) if (logit > top) top = logit;
  let sum = 0;
  for (let j = 0; j < logits.length; j += 1) sum += logits[j] = Math.exp(logits[j] - top);
  for (let j = 0; j < logits.length; j += 1) logits[j] /= sum;
  return logits;
}

function averaged(logits, kind, keys) {
  const floor = kind === 'concatenation' ? 0 : -Infinity;
  for (let n = 0; n < logits.length; n += 1) logits[n] = Math.max(logits[n], floor) / keys;
  return logits;
}

/** The flat indices of the k highest weights that are `seen`, falling; of equal ones the lower index comes first. */
export function topIndices(weights, k, seen = null) {
  const best = [];
  const size = Math.min(k, weights.length);
  for (let n = 0; n < weights.length; n += 1) {
    if (seen && !seen[n]) continue;
    if (best.length === size && !(weights[n] > weights[best[size - 1]])) continue;
    let place = best.length;
    while (place > 0 && weights[n] > weights[best[place - 1]]) place -= 1;
    best.splice(place, 0, n);
    if (best.length > size) best.pop();
  }
  return best;
}

/** The mean of weightsOf() over all cells that may ask in a direction: what every question has in common. */
export function averageOf(field, direction) {
  return direction === 'forward' ? field.meanRow : field.meanColumn;
}
