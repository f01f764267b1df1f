import assert from 'node:assert/strict';
import {test} from 'node:test';
import {afterKey, firstAt, fitting, latestFirst, offer, otherWindows, picturesFor, placeWindow, seenText, timeOf, windowText} from '../../static/js/window.js';

const own = {id: 'a', model: 'default', variant: 'none', state: 'done', start_s: 2, first: 48};
const OVERVIEW = {
  frames: 240, rate_hz: 24, duration_s: 10, spanned: 63, indices: [0, 60, 120, 180, 239],
  crop: [0.2, 0, 0.8, 1], window: own, others: [],
};
const LONG = {...OVERVIEW, frames: 14_400, duration_s: 600};
const SHORT = {...OVERVIEW, frames: 20, duration_s: 20 / 24, window: {...own, first: 0}};

test('where the frame of a window is drawn, it is found again, also when it is wider than the window', () => {
  for (const [overview, least] of [[OVERVIEW, 0], [OVERVIEW, 0.04], [LONG, 0.04], [LONG, 0], [SHORT, 0.04]]) {
    for (let first = 0; first <= latestFirst(overview); first += 1) {
      const {left, width} = placeWindow(first, overview, least);
      assert.ok(left >= 0 && left + width <= 1 + 1e-12);
      assert.equal(firstAt(left, overview, least), first);
    }
  }
});

test('a window is drawn over its own frames', () => {
  const {left, width} = placeWindow(48, OVERVIEW);
  assert.ok(Math.abs(left - 48 / 240) < 1e-12);
  assert.ok(Math.abs(width - 63 / 240) < 1e-12);
});

test('a window stays within the video', () => {
  assert.equal(fitting(-5, OVERVIEW), 0);
  assert.equal(fitting(1e6, OVERVIEW), 240 - 63);
  assert.equal(firstAt(-0.3, OVERVIEW), 0);
  assert.equal(firstAt(3, OVERVIEW), 240 - 63);
  assert.equal(fitting(7, SHORT), 0);
});

test('arrow keys move by a tenth of a second, with Shift by a second, Page by a window', () => {
  const after = (key, shiftKey = false) => afterKey({key, shiftKey}, 100, OVERVIEW);
  assert.equal(after('ArrowRight'), 102);
  assert.equal(after('ArrowLeft'), 98);
  assert.equal(after('ArrowRight', true), 124);
  assert.equal(after('PageDown'), 37);
  assert.equal(after('Home'), 0);
  assert.equal(after('End'), 177);
  assert.equal(after('x'), null);
});

test('a slow video moves by a frame at least', () => {
  assert.equal(afterKey({key: 'ArrowRight'}, 3, {...OVERVIEW, rate_hz: 2}), 4);
});

test('each part of the strip shows the picture nearest to its middle', () => {
  assert.deepEqual(picturesFor(5, OVERVIEW), [0, 1, 2, 3, 4]);
  assert.deepEqual(picturesFor(2, OVERVIEW), [1, 3]);
  assert.deepEqual(picturesFor(3, {frames: 300, indices: [0, 250]}), [0, 1, 1]);
});

test('another window is offered once, with the same network where it is known', () => {
  const others = [
    {id: 'b', model: 'late', state: 'done', start_s: 5, first: 120},
    {id: 'c', model: 'default', variant: 'none', state: 'done', start_s: 5.001, first: 120},
    {id: 'd', model: 'late', state: 'done', start_s: 0, first: 0},
    {id: 'e', model: 'late', state: 'done', start_s: 2, first: 48},
    {id: 'f', model: 'default', variant: 'frozen', state: 'done', start_s: 5, first: 120},
  ];
  assert.deepEqual(otherWindows({...OVERVIEW, others}).map(({id}) => id), ['d', 'c']);
});

test('what is there is opened, what is not is analysed, what is shown is neither', () => {
  const overview = {...OVERVIEW, others: [{...own, id: 'b', start_s: 5, first: 120}, {...own, id: 'c', variant: 'frozen', first: 60}]};
  assert.equal(offer(48, overview).deed, 'none');
  assert.deepEqual(offer(120, overview), {deed: 'open', id: 'b', words: 'Open from 5.00 s'});
  assert.deepEqual(offer(60, overview), {deed: 'analyse', id: null, words: 'Analyse from 2.50 s'});
});

test('a window in words ends at its last frame, and not after the video', () => {
  assert.equal(windowText(48, OVERVIEW), '2.00 s to 4.58 s of 10.00 s');
  assert.equal(windowText(0, SHORT), '0.00 s to 0.79 s of 0.83 s');
});

test('the time of a frame is sent so exactly that the server finds the frame again', () => {
  const rate = 30_000 / 1001;
  for (let frame = 0; frame < 18_000; frame += 1) {
    const sent = Number(String(timeOf(frame, {rate_hz: rate})));
    assert.equal(Math.floor(sent * rate + 1e-6), frame);
  }
});

test('the strip says how many frames there really are', () => {
  assert.match(seenText({frames: {indices: [0, 2, 4, 4, 4]}}, SHORT), /3 frames of this clip, the whole video/);
  assert.match(seenText({frames: {indices: [0, 0, 0]}}, SHORT), /Tick: the one frame of this clip/);
  assert.doesNotMatch(seenText({frames: {indices: [0, 2]}}, {...OVERVIEW, crop: null}), /square/);
});
