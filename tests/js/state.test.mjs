import assert from 'node:assert/strict';
import {test} from 'node:test';
import {cellFor, initialState, MOST_PINS, questionsOf, reduce} from '../../static/js/state.js';
import {WORLD} from './help.mjs';

const START = reduce(initialState(WORLD), {type: 'block', name: 'res3_1'}, WORLD);
const run = (...actions) => actions.reduce((state, action) => reduce(state, action, WORLD), START);
const pin = (t, h, w) => ({type: 'pin', cell: {t, h, w}});
const point = (t, h, w) => ({type: 'point', cell: {t, h, w}});

test('a pin on a pinned cell takes the pin away', () => {
  assert.equal(run(pin(1, 2, 3)).pins.length, 1);
  assert.equal(run(pin(1, 2, 3), pin(1, 2, 3)).pins.length, 0);
});

test('a region that the keyboard pinned is what the cursor is on, until it moves, and goes as it came', () => {
  const stretch = {type: 'extend', rows: 0, columns: 1};
  const region = {type: 'region', from: {t: 1, h: 2, w: 3}, to: {t: 1, h: 2, w: 4}};
  const pinned = run(point(1, 2, 3), stretch, region);
  assert.deepEqual(questionsOf(pinned, WORLD).map(({id, active}) => [id, active]), [['pin1', true]]);
  assert.equal(questionsOf(reduce(pinned, {type: 'move', rows: 1, columns: 0}, WORLD), WORLD).at(-1).cells.length, 1);
  const next = reduce(pinned, {type: 'frameStep', by: 1}, WORLD);
  assert.equal(next.anchor.t, next.cursor.t);
  const gone = reduce(pinned, region, WORLD);
  assert.deepEqual([gone.pins, gone.cursor, gone.anchor], [[], null, null]);
});

test('there are at most eight pins', () => {
  assert.equal(run(...Array.from({length: 12}, (_, w) => pin(0, 0, w))).pins.length, MOST_PINS);
});

test('the hovered question is the active one and comes last', () => {
  const questions = questionsOf(run(pin(1, 2, 3), pin(4, 4, 4), point(0, 0, 0)), WORLD);
  assert.deepEqual(questions.map(({id}) => id), ['pin1', 'pin2', 'cursor']);
  assert.deepEqual(questions.map(({active}) => active), [false, false, true]);
});

test('a cursor on a pinned cell makes that pin the active one', () => {
  const questions = questionsOf(run(pin(1, 2, 3), pin(4, 4, 4), point(1, 2, 3)), WORLD);
  assert.deepEqual(questions.map(({id}) => id), ['pin2', 'pin1']);
});

test('the suggestion gives way to the first own question', () => {
  const suggested = run({type: 'suggest', cell: {t: 0, h: 1, w: 1}});
  assert.equal(questionsOf(suggested, WORLD).length, 1);
  assert.deepEqual(questionsOf(reduce(suggested, point(0, 2, 2), WORLD), WORLD).map(({id}) => id), ['cursor']);
  assert.deepEqual(cellFor(reduce(suggested, pin(0, 2, 2), WORLD).pins[0], suggested, WORLD), {t: 0, h: 2, w: 2});
  assert.equal(reduce(suggested, pin(0, 2, 2), WORLD).pins.length, 1);
});

test('another block asks about the same place, and the first block again about the same cell', () => {
  const there = run(pin(5, 9, 7), {type: 'block', name: 'res4_1'});
  assert.deepEqual(cellFor(there.pins[0], there, WORLD), {t: 1, h: 5, w: 3});
  const back = reduce(there, {type: 'block', name: 'res3_1'}, WORLD);
  assert.deepEqual(cellFor(back.pins[0], back, WORLD), {t: 5, h: 9, w: 7});
});

test('the cursor moves by a cell and stays on the grid', () => {
  const at = (state) => state.cursor;
  assert.deepEqual(at(run(point(3, 0, 11), {type: 'move', rows: 1, columns: -1})), {t: 3, h: 1, w: 10});
  assert.deepEqual(at(run(point(3, 0, 11), {type: 'move', rows: -1, columns: 1})), {t: 3, h: 0, w: 11});
});

test('in the strip a frame step goes to the next picture, in the player to the next frame', () => {
  assert.equal(run(point(4, 0, 0), {type: 'frameStep', by: 1}).cursor.t, 8);
  assert.equal(run({type: 'view', view: 'player'}, {type: 'frameStep', by: 1}).frame, 1);
  assert.equal(run({type: 'view', view: 'player'}, {type: 'frameStep', by: -1}).frame, 0);
});

test('clear leaves nothing asked', () => {
  assert.deepEqual(questionsOf(run(pin(1, 2, 3), point(0, 0, 0), {type: 'clear'}), WORLD), []);
});

test('frames are sorted, within the clip and never none', () => {
  assert.deepEqual(run({type: 'frames', frames: [9, 3, 3, 40]}).frames, [3, 9]);
  assert.deepEqual(run({type: 'frames', frames: []}).frames, START.frames);
});
