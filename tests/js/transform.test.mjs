import assert from 'node:assert/strict';
import {test} from 'node:test';
import {
  boxOf, corner, evenFrames, figureFrames, locate, locateOn, MOST_ZOOM, NO_ZOOM, panned, place, playerLayout, revealing, shownFrame, stripLayout,
  zoomAt, zoomed,
} from '../../static/js/transform.js';
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

/** Layouts of every shape, each with zooms as a person might make them. */
function zoomedLayouts() {
  const random = seeded(9);
  const all = stripLayout({frames: evenFrames(32, 1, 32), width: 375, tallest: 500});
  return [FIGURE, all, playerLayout({frame: 9, width: 700, tallest: 600})].flatMap((layout) => Array.from({length: 60}, () => {
    let zoom = NO_ZOOM;
    for (let n = 0; n < 5; n += 1) {
      zoom = zoomAt(layout, zoom, zoom.scale * (0.7 + 2 * random()), {x: random() * layout.width, y: random() * layout.height});
      zoom = panned(layout, zoom, 300 * (random() - 0.5), 300 * (random() - 0.5));
    }
    return {layout, zoom, seen: zoomed(layout, zoom), random};
  }));
}

test('locate is the inverse of place under any zoom, for what is in sight', () => {
  let inSight = 0;
  for (const {seen, random} of zoomedLayouts()) {
    for (const frame of seen.frames) {
      const point = {frame, x: random(), y: random()};
      const at = place(point, seen);
      const back = locate(at, seen);
      if (at.x < 0 || at.y < 0 || at.x >= seen.width || at.y >= seen.height) assert.equal(back, null);
      else {
        inSight += 1;
        assert.equal(back.frame, frame);
        assert.ok(Math.abs(back.x - point.x) < 1e-9 && Math.abs(back.y - point.y) < 1e-9);
      }
    }
  }
  assert.ok(inSight > 100);
});

test('a zoom leaves no empty edge where there is picture to fill it', () => {
  for (const {seen} of zoomedLayouts()) {
    const {left, top, columns, rows, size, gap, caption, width, height} = seen;
    const broad = columns * (size + gap) - gap, high = rows * (size + caption);
    if (broad > width) assert.ok(left <= 0 && left + broad >= width - 1e-9);
    else assert.ok(left >= 0 && left + broad <= width);
    if (high > height) assert.ok(top <= 0 && top + high >= height - 1e-9);
  }
});

test('zooming keeps what lies under the pointer where it is, as far as the edges allow', () => {
  const at = place({frame: 8, x: 0.5, y: 0.5}, FIGURE);
  for (const scale of [1.5, 3, 6]) {
    const found = place({frame: 8, x: 0.5, y: 0.5}, zoomed(FIGURE, zoomAt(FIGURE, NO_ZOOM, scale, at)));
    assert.ok(Math.abs(found.x - at.x) < 1e-6, `${scale}`);
    if (scale === 6) assert.ok(Math.abs(found.y - at.y) < 1e-6);           // below that the stage shows all of its height
  }
});

test('a zoom goes from the whole to the most, and the whole is the layout itself', () => {
  assert.equal(zoomed(FIGURE, NO_ZOOM), FIGURE);
  assert.equal(zoomAt(FIGURE, NO_ZOOM, 900, {x: 5, y: 5}).scale, MOST_ZOOM);
  assert.equal(zoomAt(FIGURE, NO_ZOOM, 0.1, {x: 5, y: 5}).scale, 1);
});

test('a stage grows with its pictures, up to the tallest it may be', () => {
  assert.ok(zoomed(FIGURE, {scale: 1.5, x: 0, y: 0}).height > FIGURE.height);
  assert.equal(zoomed(FIGURE, {scale: 8, x: 0, y: 0}).height, FIGURE.tallest);
});

test('a drag to and fro comes back, also after it met the edge', () => {
  const zoom = zoomAt(FIGURE, NO_ZOOM, 6, {x: 600, y: 150});
  const before = zoomed(FIGURE, zoom);
  const there = panned(FIGURE, zoom, -40, -30);
  assert.deepEqual(zoomed(FIGURE, panned(FIGURE, there, 40, 30)), before);
  const edge = panned(FIGURE, zoom, 1e6, 0);
  assert.equal(zoomed(FIGURE, panned(FIGURE, edge, -10, 0)).left, -10);
});

test('what the keyboard reaches is brought into sight, and then stays', () => {
  const box = (zoom) => boxOf({left: 0.9, top: 0.9, right: 1, bottom: 1}, 3, zoomed(FIGURE, zoom));
  const zoom = zoomAt(FIGURE, NO_ZOOM, 4, {x: 0, y: 0});
  assert.ok(box(zoom).x > FIGURE.width);
  const moved = revealing(FIGURE, zoom, box(zoom));
  const {x, y, width, height} = box(moved);
  const seen = zoomed(FIGURE, moved);
  assert.ok(x >= 0 && y >= 0 && x + width <= seen.width + 1e-9 && y + height <= seen.height + 1e-9);
  assert.equal(revealing(FIGURE, zoom, {x: 5, y: 5, width: 10, height: 10}), zoom);
  assert.equal(revealing(FIGURE, zoom, {x: 0, y: 0, width: 5000, height: 5000}), zoom);    // too large to be in sight: its start is
});

test('a drag that leaves its picture means the nearest place on it', () => {
  const {x, y} = corner(1, FIGURE);
  assert.deepEqual(locateOn({x: x - 50, y: y + FIGURE.size / 2}, 8, FIGURE), {frame: 8, x: 0, y: 0.5});
  const beyond = locateOn({x: 5000, y: 5000}, 8, FIGURE);
  assert.ok(beyond.x < 1 && beyond.x > 0.999 && beyond.y < 1);
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
  assert.equal(stripLayout({frames: [0, 8, 16, 24], width: 328, tallest: 765}).columns, 2);   // one column is 6 px larger, and twice as high
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
