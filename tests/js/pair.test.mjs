import assert from 'node:assert/strict';
import {test} from 'node:test';
import {weightsOf} from '../../static/js/field.js';
import {cellOf, flatIndex} from '../../static/js/geometry.js';
import {endsOf, pairOf, strongestOf} from '../../static/js/pair.js';
import {digits, stepsOf} from '../../static/js/steps.js';
import {fixture, goldenField, randomField, WORLD} from './help.mjs';

const {cases: CASES} = fixture('affinity');
const near = (found, wanted) => assert.ok(Math.abs(found - wanted) <= 2e-6 * Math.max(1, Math.abs(wanted)), `${found} is not ${wanted}`);

for (const golden of CASES) {
  test(`${golden.kind} over ${golden.channels} channels: each pair of a row comes to NumPy's weight`, () => {
    const field = goldenField(golden);
    for (const {cell, weights} of golden.rows) {
      weights.forEach((weight, j) => near(pairOf(field, cell, cellOf(field.keyGrid, j)).p, weight));
    }
  });
}

test('the steps written out: products, logit, exp, sum, weight', () => {
  const field = {
    kind: 'embedded_gaussian', softmax: true, scale: 0.5, channels: 2, seenKeys: 2, queryBox: null, keyBox: null,
    queryGrid: {t: 1, h: 1, w: 1}, keyGrid: {t: 1, h: 1, w: 2},
    theta: Float32Array.of(2, 3), phi: Float32Array.of(1, 2, 1, 0), carried: Float32Array.of(7, 4), added: Float32Array.of(0.25),
  };
  const pair = pairOf(field, {t: 0, h: 0, w: 0}, {t: 0, h: 0, w: 1});
  assert.deepEqual([...pair.products], [2, 0]);
  assert.deepEqual([pair.dot, pair.logit, pair.peak], [2, 1, 4]);
  near(pair.f, Math.exp(-3));
  near(pair.norm, 1 + Math.exp(-3));
  near(pair.p, Math.exp(-3) / (1 + Math.exp(-3)));
  near(pair.contribution, 4 * pair.p);
  assert.deepEqual([pair.rank, pair.even, pair.added, pair.strongest.w], [2, 0.5, 0.25, 0]);
});

test('the strongest place of a row has f = 1 exactly', () => {
  const field = goldenField(CASES[1]);
  const {strongest} = pairOf(field, {t: 1, h: 3, w: 5}, {t: 0, h: 0, w: 0});
  const pair = pairOf(field, {t: 1, h: 3, w: 5}, strongest);
  assert.deepEqual([pair.f, pair.rank], [1, 1]);
  assert.match(stepsOf(pair)[2].words, /It is this one/);
});

test('places of different groups have no affinity', () => {
  const grid = {t: 2, h: 1, w: 1};
  const field = {
    kind: 'dot_product', softmax: false, scale: 1, channels: 1, seenKeys: 1, queryBox: Int32Array.of(0, 1), keyBox: Int32Array.of(0, 1),
    queryGrid: grid, keyGrid: grid, theta: Float32Array.of(2, 3), phi: Float32Array.of(5, 7),
  };
  assert.equal(pairOf(field, {t: 0, h: 0, w: 0}, {t: 0, h: 0, w: 0}).p, 10);
  const apart = pairOf(field, {t: 0, h: 0, w: 0}, {t: 1, h: 0, w: 0});
  assert.deepEqual([apart.seen, apart.p], [false, 0]);
  assert.equal(stepsOf(apart)[2].title, 'Out of reach');
});

test('in reverse the arrow starts at the key and ends at the query', () => {
  const field = randomField(WORLD.blocks[0], 3);
  const arrow = {tail: {t: 4, h: 2, w: 3}, cell: {t: 7, h: 9, w: 11}};
  const {query, key} = endsOf(arrow, 'reverse');
  assert.deepEqual(query, arrow.cell);
  assert.deepEqual(endsOf(arrow, 'forward').query, arrow.tail);
  const row = weightsOf({...field, seenKeys: 480}, 'forward', query);
  near(pairOf({...field, seenKeys: 480}, query, key).p, row[flatIndex(field.keyGrid, key)]);
});

test('of a region, the cell is shown whose own weight at the end is highest', () => {
  for (const golden of CASES) {
    const field = goldenField(golden);
    const end = cellOf(field.keyGrid, 1);
    const cells = Array.from({length: field.queryGrid.w}, (_, w) => ({t: 0, h: 1, w}));
    const own = cells.map((cell) => weightsOf(field, 'forward', cell)[1]);
    assert.equal(own[cells.indexOf(strongestOf(field, 'forward', cells, end))], Math.max(...own), golden.kind);
  }
});

test('in reverse, of a region of keys, the one that the query looks at most', () => {
  const field = goldenField(CASES[1]);
  const cells = Array.from({length: field.keyGrid.w}, (_, w) => ({t: 1, h: 1, w}));
  const query = {t: 0, h: 2, w: 5};
  const own = cells.map((cell) => pairOf(field, query, cell).p);
  assert.equal(own[cells.indexOf(strongestOf(field, 'reverse', cells, query))], Math.max(...own));
});

test('the cards say what differs between the kinds', () => {
  const cards = (kind) => stepsOf(pairOf(goldenField(CASES.find((golden) => golden.kind === kind)), {t: 0, h: 0, w: 0}, {t: 0, h: 0, w: 0}));
  assert.match(cards('gaussian')[0].words, /features themselves/);
  assert.equal(cards('embedded_gaussian')[2].title, 'Exponential');
  assert.equal(cards('dot_product')[2].title, 'No exponential');
  assert.equal(cards('dot_product')[3].formula, 'C(x) = N');
  assert.equal(cards('concatenation')[2].title, 'ReLU');
  for (const kind of ['gaussian', 'embedded_gaussian', 'dot_product', 'concatenation']) assert.equal(cards(kind).length, 6);
});

test('a clip without lengths of g says so', () => {
  const pair = pairOf(goldenField(CASES[0]), {t: 0, h: 0, w: 0}, {t: 0, h: 0, w: 0});
  assert.match(stepsOf({...pair, carried: null, contribution: null})[5].words, /analyse it again/);
  assert.equal(stepsOf({...pair, carried: 2, contribution: 0.5, added: 0.031})[5].value, '0.5');
});

test('numbers keep four digits', () => {
  assert.deepEqual([12.3456, 0.00031204, 1.2e-9, 0, -3].map(digits), ['12.35', '0.000312', '1.20e-9', '0', '-3']);
});
