// Questions, whole: the page answers as NumPy's loops in scripts/make_fixtures.py do.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {answerTo, cellsBetween, rememberedAnswers, USUAL} from '../../static/js/ask.js';
import {askingGrid} from '../../static/js/field.js';
import {cellAt} from '../../static/js/geometry.js';
import {fixture, goldenField, randomField, WORLD} from './help.mjs';

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

test('an answer is remembered until the block or the way of asking changes', () => {
  const [first, second] = WORLD.blocks.map((block, n) => randomField(block, n));
  const ask = rememberedAnswers(), cells = [{t: 1, h: 2, w: 3}], state = {direction: 'forward', ask: USUAL};
  const answer = ask(first, state, 32)(cells);
  assert.equal(ask(first, state, 32)(cells), answer);
  assert.notDeepEqual(ask(second, state, 32)(cells).top, answer.top);
  assert.equal(ask(first, {...state, ask: {...state.ask, k: 3}}, 32)(cells).top.length, 3);
  for (let h = 0; h < 10; h += 1) for (let w = 0; w < 12; w += 1) {
    ask(first, state, 32)([{t: 0, h, w}]);                                   // far more than are kept
    assert.equal(ask(first, state, 32)(cells), answer);                      // but this one is asked for again and again
  }
});
