import assert from 'node:assert/strict';
import {test} from 'node:test';
import {evenFrames, figureFrames, locate, place, playerLayout, shownFrame, stripLayout} from '../../static/js/transform.js';
import {seeded} from './help.mjs';

const FIGURE = stripLayout({frames: [0, 8, 16, 24], width: 1232, tallest: 800});

test('locate is the inverse of place, in a row, in a wrapped strip and in the player', () => {
  const random = seeded(1);
  const all = stripLayout({frames: evenFrames(32, 1, 32), width: 375, tallest: 500});
  for (const layout of [FIGURE, all, playerLayout({frame: 9, width: 700, tallest: 600})]) {
    for (const frame of layout.frames) {
      const point = {frame, x: random(), y: random()};
      const back = locate(place(point, layout), layout);
      assert.equal(back.frame, frame);
      assert.ok(Math.abs(back.x - point.x) < 1e-9 && Math.abs(back.y - point.y) < 1e-9);
    }
  }
});

test('the corners of a picture belong to it, the gap and the caption to none', () => {
  const {size, left} = FIGURE;
  assert.deepEqual(locate({x: left, y: 0}, FIGURE), {frame: 0, x: 0, y: 0});
  assert.equal(locate({x: left + size, y: 10}, FIGURE), null);
  assert.equal(locate({x: left + size + FIGURE.gap, y: 10}, FIGURE).frame, 8);
  assert.equal(locate({x: left + 10, y: size}, FIGURE), null);
  assert.equal(locate({x: -1, y: 10}, FIGURE), null);
  assert.equal(locate({x: 10, y: -1}, FIGURE), null);
});

test('x runs to the right and y runs down', () => {
  const at = place({frame: 8, x: 0.75, y: 0.25}, FIGURE);
  assert.equal(at.x, FIGURE.left + FIGURE.size + FIGURE.gap + 0.75 * FIGURE.size);
  assert.equal(at.y, 0.25 * FIGURE.size);
});

test('a frame that the strip does not show has no place', () => {
  assert.equal(place({frame: 3, x: 0.5, y: 0.5}, FIGURE), null);
});

test('the player shows places of every frame on its one picture', () => {
  const layout = playerLayout({frame: 9, width: 700, tallest: 600});
  assert.deepEqual(place({frame: 3, x: 0.5, y: 0.5}, layout), place({frame: 9, x: 0.5, y: 0.5}, layout));
});

test('a span is shown by its centre frame, else by the nearest frame it covers, else not', () => {
  assert.equal(shownFrame({first: 8, last: 9}, FIGURE), 8);
  assert.equal(shownFrame({first: 14, last: 16}, FIGURE), 16);
  assert.equal(shownFrame({first: 0, last: 8}, {...FIGURE, frames: [2, 3, 7]}), 3);
  assert.equal(shownFrame({first: 2, last: 7}, FIGURE), null);
});

test('four frames stand in one row on a desk and two by two on a phone', () => {
  assert.equal(FIGURE.columns, 4);
  assert.equal(stripLayout({frames: [0, 8, 16, 24], width: 343, tallest: 560}).columns, 2);
});

test('pictures never run over the stage', () => {
  for (const width of [280, 343, 700, 1232, 1800]) {
    for (const count of [1, 2, 3, 4, 8, 16, 31, 32]) {
      const {columns, size, gap, left} = stripLayout({frames: evenFrames(count, 1, 32), width, tallest: 700});
      assert.ok(left >= 0 && left + columns * (size + gap) - gap <= width, `${count} frames in ${width} px`);
    }
  }
});

test('the figure shows frames 0, 8, 16, 24 of 32, and what there is of a shorter clip', () => {
  assert.deepEqual(figureFrames(32), [0, 8, 16, 24]);
  assert.deepEqual(figureFrames(8), [0, 2, 4, 6]);
  assert.deepEqual(figureFrames(3), [0, 1, 2]);
});
