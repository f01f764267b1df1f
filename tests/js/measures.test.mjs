import test from 'node:test';
import assert from 'node:assert/strict';
import {framesShowing, MEASURES, numberText, shareText, sidesOf, sidesText, timeBars} from '../../static/js/measures.js';

const STEPS = [[-1, 0.5, 0.2], [0, 0.3, 0.4], [1, 0.2, 0.4]].map(([steps, mass, evenly]) => ({steps, frames: 4 * steps, mass, evenly}));
const NOTHING = STEPS.map((step) => ({...step, mass: null, evenly: null}));

test('a share says one digit below ten per cent, none above, and a dash for no number', () => {
  assert.deepEqual([0.0312, 0.0996, 0.316, 1, 0, null].map(shareText), ['3.1 %', '10 %', '32 %', '100 %', '0.0 %', '–']);
});

test('mass before, at and after the asked time is summed by the sign of the step', () => {
  assert.deepEqual(sidesOf(STEPS), {earlier: 0.5, same: 0.3, later: 0.2});
  assert.equal(sidesText(STEPS), '50 % earlier, 30 % same time, 20 % later');
});

test('a block without any row that counts says dashes and draws empty bars', () => {
  assert.equal(sidesText(NOTHING), '– earlier, – same time, – later');
  assert.deepEqual(timeBars(NOTHING, {width: 30, height: 10}).bars.map(({height}) => height), [0, 0, 0]);
  assert.equal(numberText('dependence', {dependence: null}, 100).value, '–');
});

test('the highest of bars and line fills the box and all stand on its ground', () => {
  const {bars, line} = timeBars(STEPS, {width: 30, height: 10});

  assert.deepEqual(bars.map(({y, height}) => y + height), [10, 10, 10]);
  assert.deepEqual(bars.map(({height}) => height), [10, 6, 4]);
  assert.deepEqual(line, [[5, 6], [15, 2], [25, 2]]);
});

test('bars of the past and of the future have other hues, and do not touch', () => {
  const {bars} = timeBars(STEPS, {width: 30, height: 10});

  assert.equal(new Set(bars.map(({colour}) => colour)).size, 3);
  assert.ok(bars[0].x + bars[0].width < bars[1].x);
});

test('a clip of one time step has one bar', () => {
  const {bars} = timeBars([{steps: 0, frames: 0, mass: 1, evenly: 1}], {width: 30, height: 10});

  assert.deepEqual(bars.map(({height}) => height), [10]);
});

test('what goes far and hubs stand beside what even rows would give', () => {
  const measures = {outside: 0.81, outside_evenly: 0.99, hub_mass: 0.06};

  assert.deepEqual(numberText('outside', measures, 392), {value: '81 %', beside: 'even: 99 %'});
  assert.deepEqual(numberText('hubs', measures, 392), {value: '6.0 %', beside: 'even: 1.0 %'});
});

test('every measure has one sentence', () => {
  for (const {sentence} of MEASURES) assert.match(sentence, /^[A-Z].*\.$/);
});

const seen = (first, last) => ({frame: first + 1, frames: [first, last]});

test('frames that show a place stay; else the nearest gives way to its frame', () => {
  assert.deepEqual(framesShowing([0, 8, 16, 24], [seen(8, 11)]), [0, 8, 16, 24]);
  assert.deepEqual(framesShowing([0, 8, 16, 24], [seen(28, 31)]), [0, 8, 16, 29]);
  assert.deepEqual(framesShowing([0, 8, 16, 24], [seen(4, 7)]), [0, 5, 16, 24]);
});

test('where a question ends is shown without hiding where it starts', () => {
  assert.deepEqual(framesShowing([0, 8, 16, 24], [seen(28, 31), seen(20, 23)]), [0, 8, 21, 29]);
  assert.deepEqual(framesShowing([0, 8], [seen(0, 3), seen(8, 11)]), [0, 8]);
  assert.deepEqual(framesShowing([3], [seen(4, 7), seen(12, 15)]), [5, 13]);
});
