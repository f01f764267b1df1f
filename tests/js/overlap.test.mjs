import assert from 'node:assert/strict';
import {test} from 'node:test';
import {cellOf, cellsOf} from '../../static/js/geometry.js';
import {overlap, overlaps} from '../../static/js/overlap.js';
import {seeded} from './help.mjs';

const FINE = {t: 4, h: 6, w: 8}, COARSE = {t: 2, h: 3, w: 4};
const ends = (grid, ...indices) => indices.map((index) => ({cell: cellOf(grid, index)}));

function drawn(grid, count, random) {
  const all = Array.from({length: cellsOf(grid)}, (_, n) => n);
  return ends(grid, ...Array.from({length: count}, () => all.splice(Math.floor(random() * all.length), 1)[0]));
}

test('on equal grids the overlap is the number of shared cells over k', () => {
  assert.equal(overlap(ends(FINE, 0, 1, 2, 3), FINE, ends(FINE, 2, 3, 4, 5), FINE), 0.5);
  assert.equal(overlap(ends(FINE, 0, 1), FINE, ends(FINE, 2, 3), FINE), 0);
});

test('an answer agrees wholly with itself', () => {
  const answers = drawn(FINE, 20, seeded(3));
  assert.equal(overlap(answers, FINE, answers, FINE), 1);
});

test('a cell meets every one of the eight cells that it was pooled from, and no other', () => {
  const large = [{cell: {t: 1, h: 2, w: 0}}];
  for (let index = 0; index < cellsOf(FINE); index += 1) {
    const {t, h, w} = cellOf(FINE, index);
    const within = t >> 1 === 1 && h >> 1 === 2 && w >> 1 === 0;
    assert.equal(overlap(ends(FINE, index), FINE, large, COARSE), within ? 1 : 0, `${t} ${h} ${w}`);
  }
});

test('on grids that do not nest, the centre decides', () => {
  const two = {t: 1, h: 1, w: 2}, three = {t: 1, h: 1, w: 3};
  const shared = [0, 1, 2].map((a) => [0, 1].map((b) => overlap(ends(three, a), three, ends(two, b), two)));
  assert.deepEqual(shared, [[1, 0], [0, 1], [0, 1]]);                      // a centre on an edge belongs to the later cell
});

test('the two shares are averaged when they differ', () => {
  const fine = [{cell: {t: 0, h: 0, w: 0}}, {cell: {t: 1, h: 1, w: 1}}, {cell: {t: 3, h: 5, w: 7}}];   // two of three lie in it
  assert.equal(overlap(fine, FINE, [{cell: {t: 0, h: 0, w: 0}}], COARSE), (2 / 3 + 1) / 2);
});

test('exchanging the two answers changes nothing', () => {
  const random = seeded(11);
  for (let trial = 0; trial < 20; trial += 1) {
    const a = drawn(FINE, 9, random), b = drawn(COARSE, 5, random);
    assert.equal(overlap(a, FINE, b, COARSE), overlap(b, COARSE, a, FINE));
  }
});

test('time, height and width are not exchanged', () => {
  const grid = {t: 2, h: 3, w: 5};
  assert.equal(overlap([{cell: {t: 1, h: 2, w: 0}}], grid, [{cell: {t: 1, h: 2, w: 0}}], grid), 1);
  assert.equal(overlap([{cell: {t: 1, h: 2, w: 0}}], grid, [{cell: {t: 1, h: 0, w: 2}}], grid), 0);
});

test('an empty answer has no overlap with anything', () => {
  assert.equal(overlap([], FINE, ends(FINE, 1), FINE), null);
});

test('the matrix has ones on its diagonal, is symmetric, and leaves out what is not known', () => {
  const a = {top: ends(FINE, 0, 1, 2, 3), grid: FINE}, b = {top: ends(FINE, 3, 4, 5, 6), grid: FINE};
  assert.deepEqual(overlaps([a, null, b]), [[1, null, 0.25], [null, null, null], [0.25, null, 1]]);
});
