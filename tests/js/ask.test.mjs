// Questions, whole: the page answers as NumPy's loops in scripts/make_fixtures.py do.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {answerTo, cellsBetween} from '../../static/js/ask.js';
import {askingGrid} from '../../static/js/field.js';
import {cellAt} from '../../static/js/geometry.js';
import {fixture, goldenField} from './help.mjs';

const near = (found, expected) => Math.abs(found - expected) <= 1e-6 + 2e-4 * Math.abs(expected);

for (const golden of fixture('query')) {
  test(`${golden.name}: values and arrows are NumPy's`, () => {
    const field = goldenField(golden);
    const {direction, point, to, minus_mean: minus, block, ...options} = golden.query;
    const [from, end] = [point, to ?? point].map((place) => cellAt(askingGrid(field, direction), place, golden.frames));
    const cells = cellsBetween(from, end);
    assert.deepEqual(cells, golden.cells);

    const {values, top} = answerTo(field, direction, cells, {...options, minus, total: golden.frames});

    golden.values.forEach((value, n) => assert.ok(near(values[n], value), `${values[n]} is not ${value}`));
    assert.deepEqual(top.map(({rank, start, cell}) => ({rank, start, cell})), golden.top.map(({rank, start, cell}) => ({rank, start, cell})));
    top.forEach(({weight, mass}, n) => assert.ok(near(weight, golden.top[n].weight) && near(mass, golden.top[n].mass)));
  });
}

test('a box has the same cells from whichever corner it was drawn', () => {
  const [a, b] = [{t: 1, h: 4, w: 2}, {t: 0, h: 3, w: 5}];
  assert.deepEqual(cellsBetween(a, b), cellsBetween(b, a));
  assert.equal(cellsBetween(a, b).length, 16);
  assert.deepEqual(cellsBetween(a, b)[1], {t: 0, h: 3, w: 3});
});
