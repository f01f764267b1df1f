import assert from 'node:assert/strict';
import {test} from 'node:test';
import {arrowShape, grown, markShape} from '../../static/js/arrow-shape.js';
import {heatPixel, hex, magma, PALETTES, PINS, timeColour, viridis} from '../../static/js/colour.js';
import {actionFor, KEYS} from '../../static/js/keys.js';
import {bytesText, countText, differenceText, durationText, hiddenText, lengthText, weightText} from '../../static/js/words.js';

const ARROW = {from: {x: 10, y: 50}, to: {x: 200, y: 80}, bend: 20, width: 3, dashed: false};

test('the tip of an arrow is exactly at its end', () => {
  assert.deepEqual(arrowShape(ARROW)[0][0], [200, 80]);
});

test('an arrow to the right passes above the straight line, one to the left below', () => {
  const middle = ([, shaft]) => shaft.reduce((sum, [, y]) => sum + y, 0) / shaft.length;
  assert.ok(middle(arrowShape(ARROW)) < 65);
  assert.ok(middle(arrowShape({...ARROW, from: ARROW.to, to: ARROW.from})) > 65);
});

test('a dashed arrow has a head and many pieces, a short one has no wild points', () => {
  assert.ok(arrowShape({...ARROW, dashed: true}).length > 8);
  for (const [x, y] of arrowShape({...ARROW, to: {x: 13, y: 50}, bend: 0}).flat()) {
    assert.ok(x > 0 && x < 25 && y > 40 && y < 60);
  }
});

test('the casing of an arrow lies around it by as many pixels on every side, and turns as it does', () => {
  const area = (polygon) => polygon.reduce((sum, [x, y], n) => {
    const [u, v] = polygon[(n + 1) % polygon.length];
    return sum + (x * v - u * y) / 2;
  }, 0);
  assert.deepEqual(grown([[0, 0], [10, 0], [10, 4], [0, 4]], 1), [[-1, -1], [11, -1], [11, 5], [-1, 5]]);
  for (const dashed of [false, true]) {
    for (const polygon of arrowShape({...ARROW, dashed})) {
      const wider = grown(polygon, 0.9);
      assert.ok(area(wider) > area(polygon) && area(polygon) > 0);
      wider.forEach(([x, y], n) => assert.ok(Math.hypot(x - polygon[n][0], y - polygon[n][1]) <= 1.8 + 1e-9));   // no spikes
    }
  }
});

test('every pin has its own colour and its own shape', () => {
  assert.equal(new Set(PINS.map(({colour}) => colour)).size, 8);
  assert.equal(new Set(PINS.map(({shape}) => String(markShape(shape, 6)))).size, 8);
});

test('viridis runs from dark blue over green to yellow', () => {
  const near = (found, wanted) => found.every((value, n) => Math.abs(value - wanted[n]) <= 4);
  assert.ok(near(viridis(0), [68, 1, 84]) && near(viridis(0.5), [33, 145, 140]) && near(viridis(1), [253, 231, 37]));
});

test('magma runs from black over red to pale yellow', () => {
  const near = (found, wanted) => found.every((value, n) => Math.abs(value - wanted[n]) <= 6);
  assert.ok(near(magma(0), [0, 0, 4]) && near(magma(0.5), [183, 55, 121]) && near(magma(1), [252, 253, 191]));
});

test('both palettes grow lighter all the way, and more of the picture is seen where the weight is low', () => {
  const light = ([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  for (const palette of Object.keys(PALETTES)) {
    const pixels = Array.from({length: 21}, (_, n) => heatPixel(palette, n / 20));
    pixels.slice(1).forEach((pixel, n) => assert.ok(light(pixel) > light(pixels[n]) && pixel[3] > pixels[n][3], `${palette} ${n}`));
  }
});

test('the past is blue, the future orange, the same time neither', () => {
  const [past, same, future] = [-1, 0, 1].map(timeColour);
  assert.equal(new Set([past, same, future]).size, 3);
  assert.equal(hex([255, 0, 16]), '#ff0010');
});

test('a key does what the help says, and plain typing shortcuts are left alone', () => {
  const press = (key, more = {}) => actionFor({key, ...more}, {onStage: true});
  assert.deepEqual(press('ArrowUp'), {type: 'move', rows: -1, columns: 0});
  assert.deepEqual(press('.'), {type: 'frameStep', by: 1});
  assert.equal(press('[', {ctrlKey: true}), null);
  assert.equal(actionFor({key: 'ArrowUp'}, {onStage: false}), null);
  const named = {'←': 'ArrowLeft', '→': 'ArrowRight', '↑': 'ArrowUp', '↓': 'ArrowDown', Esc: 'Escape', Space: ' ', '−': '-'};
  for (const [keys] of KEYS) {
    for (const key of keys) {
      const bare = key.replace('Shift ', '');
      assert.ok(press(named[bare] ?? bare, {shiftKey: bare !== key}), key);
    }
  }
});

test('Shift and an arrow stretch the cursor; zooming works wherever the focus is', () => {
  assert.deepEqual(actionFor({key: 'ArrowLeft', shiftKey: true}, {onStage: true}), {type: 'extend', rows: 0, columns: -1});
  assert.deepEqual(actionFor({key: '0'}, {onStage: false}), {type: 'zoom', by: 0});
  assert.ok(actionFor({key: '+', shiftKey: true}, {onStage: false}).by > 1);
  assert.ok(actionFor({key: '-'}, {onStage: false}).by < 1);
  assert.equal(actionFor({key: '-', ctrlKey: true}, {onStage: true}), null);   // the browser's own zoom
});

test('numbers in words', () => {
  assert.equal(weightText(0.0312, true), '3.12 %');
  assert.equal(weightText(-0.0312, false), '-0.0312');
  assert.equal(differenceText(0), 'same time');
  assert.equal(differenceText(-0.533), '−0.53 s');
  assert.equal(hiddenText(6, 20), '6 of 20 end in frames not shown');
  assert.equal(hiddenText(20, 20, false), '20 of 20 start in a frame not shown');
  assert.equal(hiddenText(0, 20), '');
  assert.equal(bytesText(3_210_000), '3.2 MB');
  assert.equal(durationText(125), '2 min 5 s');
  assert.equal(lengthText(0.36), '0.36 s');
  assert.deepEqual([1, 2, 0].map((count) => countText(count, 'cell')), ['1 cell', '2 cells', '0 cells']);
  assert.equal(lengthText(125), '2 min 5 s');
});
