import assert from 'node:assert/strict';
import {test} from 'node:test';
import {centreOf} from '../../static/js/geometry.js';
import {decodeLink, encodeLink} from '../../static/js/link.js';
import {cellFor, cellsFor, gridOf, initialState} from '../../static/js/state.js';
import {evenFrames} from '../../static/js/transform.js';
import {seeded, WORLD} from './help.mjs';

/** Any question that a person could have asked. */
function randomState(random) {
  const pick = (options) => options[Math.floor(random() * options.length)];
  const upTo = (count) => Math.floor(random() * count);
  const state = {
    ...initialState(WORLD), block: pick(WORLD.blocks).name, direction: pick(['forward', 'reverse']),
    view: pick(['strip', 'player']), frame: upTo(32), heat: pick([false, true]), opacity: (10 + upTo(91)) / 100,
    palette: pick(['viridis', 'magma']), scale: pick(['shared', 'each']), smooth: pick([false, true]),
    frames: pick([evenFrames(1 + upTo(32), 1 + upTo(4), 32), [1, 5, 9], [31], [0, 8]]),
  };
  const grid = gridOf(state, WORLD);
  const cells = Array.from({length: upTo(9)}, () => ({t: upTo(grid.t), h: upTo(grid.h), w: upTo(grid.w)}));
  const last = {t: grid.t - 1, h: grid.h - 1, w: grid.w - 1};
  const pins = cells.map((cell) => {
    const point = centreOf(grid, cell, WORLD.total);
    return upTo(4) ? point : {...point, to: centreOf(grid, last, WORLD.total)};       // one in four asks about a region
  });
  return {...state, pins, ask: randomAsk(random), beside: [null, 'res3_1', `${'0a1b2c3d'.repeat(3)}.res4_1`][upTo(3)], active: pins.length ? upTo(pins.length) : 0};
}

function randomAsk(random) {
  const pick = (...choices) => choices[Math.floor(random() * choices.length)];
  const mass = pick(null, 1, 50, 100);
  return {
    k: mass === null ? pick(1, 20, 1000) : 20, mass, near: pick(null, {cells: 0, frames: 0}, {cells: 2, frames: 31}),
    when: pick('all', 'others', 'same', '0-0', '8-15'), value: pick('weight', 'contribution'), minus: pick(true, false),
    pool: pick('mean', 'max', 'each'),
  };
}

test('any question survives the way through the address bar', () => {
  const random = seeded(5);
  for (let n = 0; n < 500; n += 1) {
    const {cursor, anchor, suggested, ...asked} = randomState(random);
    const {question, notes} = decodeLink(encodeLink(asked, WORLD), WORLD);
    assert.deepEqual(question, asked);
    assert.deepEqual(notes, []);
  }
});

test('the link of a first visit is empty', () => {
  assert.equal(encodeLink(initialState(WORLD), WORLD), '');
});

test('cells are whole numbers on the grid that is asked from, times first, then rows, then columns', () => {
  const state = {...initialState(WORLD), block: 'res3_1', pins: [centreOf({t: 16, h: 10, w: 12}, {t: 4, h: 9, w: 11}, 32)]};
  assert.equal(encodeLink(state, WORLD), 'block=res3_1&q=4.9.11');
  const {question} = decodeLink('block=res3_1&q=4.9.11', WORLD);
  assert.deepEqual(cellFor(question.pins[0], question, WORLD), {t: 4, h: 9, w: 11});
});

test('n and step say what a list of frames says', () => {
  assert.deepEqual(decodeLink('n=5&step=6', WORLD).question.frames, [0, 6, 12, 18, 24]);
  assert.deepEqual(decodeLink('frames=0.6.12.18.24', WORLD).question.frames, [0, 6, 12, 18, 24]);
});

test('what is not known is ignored and named', () => {
  const {question, notes} = decodeLink('utm_source=mail&k=7', WORLD);
  assert.equal(question.ask.k, 7);
  assert.equal(notes.length, 1);
  assert.match(notes[0], /utm_source/);
});

test('what does not fit the clip falls back and is named', () => {
  const {question, notes} = decodeLink('block=res9_9&k=9000&dir=up&q=0.0.0,99.0.0,x&frames=40', WORLD);
  assert.equal(question.block, 'res4_1');
  assert.equal(question.ask.k, 20);
  assert.equal(question.direction, 'forward');
  assert.equal(question.pins.length, 1);
  assert.deepEqual(question.frames, [0, 8, 16, 24]);
  assert.equal(notes.length, 5);
});

test('no question is not the same as none asked yet', () => {
  assert.deepEqual(decodeLink('q=', WORLD).question.pins, []);
  assert.equal(decodeLink('', WORLD).question.pins, null);
  assert.equal(encodeLink({...initialState(WORLD), pins: []}, WORLD), 'q=');
});

test('a region is two cells, and one that does not fit is named', () => {
  const {question, notes} = decodeLink('block=res3_1&q=4.1.2-4.3.5,4.1.2-4.10.5,1.1.1-1.2.2-1.3.3', WORLD);
  assert.equal(question.pins.length, 1);
  assert.deepEqual(cellsFor(question.pins[0], question, WORLD).length, 12);
  assert.equal(notes.length, 1);
});

test('a range of frames that ends before it starts, or after the clip, is refused', () => {
  for (const when of ['9-8', '0-32', 'never']) {
    const {question, notes} = decodeLink(`when=${when}`, WORLD);
    assert.equal(question.ask.when, 'all');
    assert.equal(notes.length, 1);
  }
});
