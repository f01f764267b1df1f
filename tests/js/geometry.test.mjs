import assert from 'node:assert/strict';
import {test} from 'node:test';
import {cellAt, cellOf, cellsOf, centreOf, flatIndex, spanOf} from '../../static/js/geometry.js';
import {fixture} from './help.mjs';

const CASES = fixture('geometry');

test('a point lies in the cell that Python finds for it', () => {
  for (const {grid, frames, points} of CASES) {
    for (const {point, cell} of points) assert.deepEqual(cellAt(grid, point, frames), cell);
  }
});

test('a cell has the index, centre and span that Python gives it', () => {
  for (const {grid, frames, cells} of CASES) {
    for (const {index, cell, centre, span} of cells) {
      assert.equal(flatIndex(grid, cell), index);
      assert.deepEqual(cellOf(grid, index), cell);
      assert.deepEqual(centreOf(grid, cell, frames), centre);
      assert.deepEqual(spanOf(grid, cell, frames), span);
    }
  }
});

test('the centre of every cell lies in that cell', () => {
  for (const {grid, frames} of CASES) {
    for (let index = 0; index < cellsOf(grid); index += 1) {
      const cell = cellOf(grid, index);
      assert.deepEqual(cellAt(grid, centreOf(grid, cell, frames), frames), cell);
    }
  }
});

test('the spans of the time cells share out the frames without gap or overlap', () => {
  for (const {grid, frames} of CASES) {
    const spans = Array.from({length: grid.t}, (_, t) => spanOf(grid, {t, h: 0, w: 0}, frames));
    assert.deepEqual(spans.flatMap(({first, last}) => Array.from({length: last - first + 1}, (_, n) => first + n)),
      Array.from({length: frames}, (_, n) => n));
  }
});

test('a place outside the clip or the grid has no cell', () => {
  const grid = {t: 2, h: 3, w: 4};
  assert.throws(() => cellAt(grid, {frame: 8, x: 0, y: 0}, 8), RangeError);
  assert.throws(() => cellAt(grid, {frame: 0, x: 1, y: 0}, 8), RangeError);
  assert.throws(() => flatIndex(grid, {t: 0, h: 3, w: 0}), RangeError);
  assert.throws(() => cellOf(grid, 24), RangeError);
});
