import assert from 'node:assert/strict';
import {test} from 'node:test';
import {answerTo} from '../../static/js/ask.js';
import {askingGrid, columnOf, fieldOf, FieldError, rowOf, topIndices, weightsOf} from '../../static/js/field.js';
import {cellOf, cellsOf} from '../../static/js/geometry.js';
import {fixture, goldenField, seeded} from './help.mjs';

const {cases: CASES, ties: TIES} = fixture('affinity');

function close(found, expected) {
  assert.equal(found.length, expected.length);
  expected.forEach((value, n) => assert.ok(Math.abs(found[n] - value) <= 2e-6 * Math.max(1, Math.abs(value)), `${found[n]} is not ${value}`));
}

function sameAnswers(found, expected) {
  assert.deepEqual(found.map(({rank, cell}) => ({rank, cell})), expected.map(({rank, cell}) => ({rank, cell})));
  close(found.map(({weight}) => weight), expected.map(({weight}) => weight));
  close(found.map(({mass}) => mass), expected.map(({mass}) => mass));
}

for (const golden of CASES) {
  test(`${golden.kind} over ${golden.channels} channels: rows and their top answers are NumPy's`, () => {
    const field = goldenField(golden);
    for (const {cell, weights, top} of golden.rows) {
      const row = weightsOf(field, 'forward', cell);
      close(row, weights);
      sameAnswers(answerTo(field, 'forward', [cell], {k: top.length, total: golden.frames}).top, top);
    }
  });

  test(`${golden.kind} over ${golden.channels} channels: columns and their top answers are NumPy's`, () => {
    const field = goldenField(golden);
    for (const {cell, weights, top} of golden.columns) {
      const column = weightsOf(field, 'reverse', cell);
      close(column, weights);
      sameAnswers(answerTo(field, 'reverse', [cell], {k: top.length, total: golden.frames}).top, top);
    }
  });
}

test('the same pair has one weight, asked from either end', () => {
  const field = goldenField(CASES[1]);
  const p = rowOf(field, 17)[5];
  assert.ok(Math.abs(columnOf(field, 5)[17] - p) < 1e-6);
});

test('theta and phi exchanged, or the scale lost, would be noticed', () => {
  const golden = CASES[2], field = goldenField(golden);                  // query and key grids are equal here
  const {cell, weights} = golden.rows[0];
  for (const wrong of [{...field, theta: field.phi, phi: field.theta}, {...field, scale: 1}]) {
    assert.throws(() => close(weightsOf(wrong, 'forward', cell), weights));
  }
});

test('forward asks from the queries, reverse from the keys', () => {
  const field = goldenField(CASES[0]);
  assert.deepEqual(askingGrid(field, 'forward'), CASES[0].query_grid);
  assert.deepEqual(askingGrid(field, 'reverse'), CASES[0].key_grid);
  assert.equal(weightsOf(field, 'reverse', {t: 3, h: 2, w: 1}).length, cellsOf(field.queryGrid));
});

test('of equal weights the lower flat index comes first', () => {
  const order = topIndices(Float32Array.from(TIES.weights), TIES.top.length);
  assert.deepEqual(order.map((index) => cellOf(TIES.grid, index)), TIES.top.map(({cell}) => cell));
});

test('topIndices agrees with a full sort', () => {
  const random = seeded(3);
  const weights = Float32Array.from({length: 500}, () => Math.floor(random() * 60));
  const sorted = [...weights.keys()].sort((a, b) => weights[b] - weights[a] || a - b);
  for (const k of [1, 20, 100, 500, 900]) assert.deepEqual(topIndices(weights, k), sorted.slice(0, k));
});

test('features that contradict their grids are refused', () => {
  const tensors = {theta: {shape: [4, 2], data: new Float32Array(8)}, phi: {shape: [3, 2], data: new Float32Array(6)}};
  const metadata = {kind: 'dot_product', scale: '1', query_grid: '1,2,2', key_grid: '1,1,3', block: 'b'};
  assert.equal(fieldOf({metadata, tensors}).channels, 2);
  assert.throws(() => fieldOf({metadata: {...metadata, key_grid: '1,2,2'}, tensors}), FieldError);
  assert.throws(() => fieldOf({metadata: {...metadata, kind: 'gaussian'}, tensors}), /lse is missing/);
  assert.throws(() => fieldOf({metadata: {...metadata, kind: 'cosine'}, tensors}), /cosine is unknown/);
});

/** Four time steps of one cell asking four of one cell; `groups` cuts them along time. */
function timeField(kind, groups) {
  const random = seeded(3);
  const numbers = () => ({shape: [4, 2], data: Float32Array.from({length: 8}, () => random())});
  const [theta, phi] = [numbers(), numbers()];
  const metadata = {block: 'b', kind, scale: '1', query_grid: '4,1,1', key_grid: '4,1,1', groups};
  const logit = (i, j) => theta.data[2 * i] * phi.data[2 * j] + theta.data[2 * i + 1] * phi.data[2 * j + 1];
  const lse = (i) => Math.log([0, 1].reduce((sum, j) => sum + Math.exp(logit(i, 2 * Math.floor(i / 2) + j)), 0));
  return {logit, field: fieldOf({metadata, tensors: {theta, phi, lse: {shape: [4], data: Float32Array.from([0, 1, 2, 3], lse)}}})};
}

test('in a block of groups a query sees the keys of its own group alone, and its row sums to 1 there', () => {
  const {field, logit} = timeField('embedded_gaussian', '2,1,1');
  const row = weightsOf(field, 'forward', {t: 3, h: 0, w: 0});
  const f = [2, 3].map((j) => Math.exp(logit(3, j)));
  close(row, [0, 0, f[0] / (f[0] + f[1]), f[1] / (f[0] + f[1])]);
  const column = weightsOf(field, 'reverse', {t: 2, h: 0, w: 0});
  close(column.slice(0, 2), [0, 0]);
  assert.ok(Math.abs(column[3] - row[2]) < 1e-6);
});

test('arrows never leave their group, and the dot product is divided by the keys of one group', () => {
  const {field, logit} = timeField('dot_product', '2,1,1');
  const cell = {t: 0, h: 0, w: 0};
  const row = weightsOf(field, 'forward', cell);
  close(row, [logit(0, 0) / 2, logit(0, 1) / 2, 0, 0]);
  const {top} = answerTo(field, 'forward', [cell], {total: 4});
  assert.deepEqual(top.map(({cell: {t}}) => t).sort(), [0, 1]);
});
