/**
 * One entry p_ij of the affinity matrix, taken apart: every number between theta, phi and what the weight carries.
 * The arithmetic is that of field.js for a single pair; stepsOf() in steps.js puts it into words.
 */
import {askingGrid, reachOf, rowOf} from './field.js';
import {cellOf, flatIndex} from './geometry.js';

/** The query x_i and the key x_j of an arrow: {query, key}, cells of their grids; in reverse it ends where the query is. */
export function endsOf(arrow, direction) {
  return direction === 'forward' ? {query: arrow.tail, key: arrow.cell} : {query: arrow.cell, key: arrow.tail};
}

/** The one of `cells`, a region that asks as one, whose own weight at `end` is highest: the first of equal ones. */
export function strongestOf(field, direction, cells, end) {
  const {lse, softmax, scale} = field;
  const weight = (cell) => {
    const own = flatIndex(askingGrid(field, direction), cell);
    const other = flatIndex(direction === 'forward' ? field.keyGrid : field.queryGrid, end);
    const [i, j] = direction === 'forward' ? [own, other] : [other, own];
    return scale * dotOf(field, i, j) - (softmax ? lse[i] : 0);      // its logarithm, or N times it: the order is the same
  };
  const weights = cells.map(weight);
  return cells[weights.indexOf(Math.max(...weights))];
}

/**
 * f(x_i, x_j) / C(x) step by step, for the cells `query` and `key` of `field`:
 *
 *     theta, phi, products     Float32Array [C]; products sum to `dot`
 *     logit = scale * dot
 *     f     = exp(logit - peak)     Gaussian kinds (Eq. 2, 3); `peak` is the row's highest logit, so its f is 1
 *             logit                 dot product (Eq. 4)
 *             max(logit, 0)         concatenation (Eq. 5)
 *     norm  = C(x) in the same units: the sum of f over the row, or N, the number of keys that x_i sees
 *     p     = f / norm;  rank among the row's keys;  even = 1 / N
 *     carried = |W_z g_j|, contribution = p * carried, added = |W_z y_i| / |x_i|; null where the file has none
 *
 * Two cells of different groups have f = 0 and p = 0; `seen` is false then.
 */
export function pairOf(field, query, key) {
  const {channels, scale, softmax, kind, seenKeys: keys} = field;
  const i = flatIndex(field.queryGrid, query), j = flatIndex(field.keyGrid, key);
  const reach = reachOf(field, 'forward', query);
  const row = rowOf(field, i, reach);                        // [K]
  const strongest = row.indexOf(row.reduce((most, p) => Math.max(most, p)));
  const theta = field.theta.subarray(i * channels, (i + 1) * channels);
  const phi = field.phi.subarray(j * channels, (j + 1) * channels);
  const products = theta.map((value, n) => value * phi[n]);
  const dot = dotOf(field, i, j), logit = scale * dot;
  const seen = !reach || reach[j] === 1;
  const peak = softmax ? scale * dotOf(field, i, strongest) : null;
  const f = !seen ? 0 : softmax ? Math.exp(logit - peak) : kind === 'concatenation' ? Math.max(logit, 0) : logit;
  const norm = softmax ? 1 / row[strongest] : keys;          // p of the strongest is 1 / C, for its f is 1
  const p = f / norm, carried = field.carried?.[j] ?? null;
  return {
    kind, softmax, channels, scale, keys, seen, theta, phi, products, dot, logit, peak, f, norm, p,
    strongest: cellOf(field.keyGrid, strongest), rank: 1 + row.filter((other) => other > row[j]).length, even: 1 / keys,
    carried, contribution: carried === null ? null : Math.abs(p) * carried, added: field.added?.[i] ?? null,
  };
}

function dotOf({theta, phi, channels}, i, j) {
  let total = 0;
  for (let c = 0; c < channels; c += 1) total += theta[i * channels + c] * phi[j * channels + c];
  return total;
}
