/**
 * The second painter: draw-list items (scene.js) as SVG text, with the same looks as canvas.js and no DOM, so that
 * the browser, Node and the server draw one figure. Opacity stands on each fill and stroke: PDF writers know no other.
 */
import {arrowShape, grown, markShape, RIM} from './arrow-shape.js';
import {heatPixel} from './colour.js';
import {pngUrl} from './png.js';

const CASING = 'fill="none" stroke="#080a0e"';   // near black, as in canvas.js
const FINER = 8;                                 // a smooth heat map has so many pixels a cell and side
export const FONT = 'Bitstream Vera Sans, DejaVu Sans, Verdana, sans-serif';

/** A whole document; `body` and `head` are SVG text, `width` the size it asks for, in CSS pixels. */
export function svgDocument({title, head = '', body, box, width = box.width}) {
  const height = round(box.height * width / box.width);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${round(width)}" height="${height}" viewBox="0 0 ${round(box.width)} ${round(box.height)}" role="img">`,
    `<title>${escaped(title)}</title>`, head, body, '</svg>', '',
  ].filter((line, n) => line || n === 6).join('\n');
}

/** The items in paint order; `picture(frame)` gives a frame's URL or null for none, `ink` is {colour, size} of captions. */
export function svgOf(items, {picture, ink}) {
  const kinds = {
    frame: (item) => (picture(item.frame) ? image(item, picture(item.frame)) : ''),
    caption: ({text, x, y}) => svgText(text, {x, y, ...ink}),
    heat: heatMap, cell: cellBox, arrow: (item) => (item.shown ? arrow(item) : ''), mark,
  };
  return items.map((item) => kinds[item.kind](item)).filter(Boolean).join('\n');
}

/** One line of text, its baseline at y. */
export function svgText(text, {x, y, colour, size}) {
  return `<text x="${round(x)}" y="${round(y)}" fill="${colour}" font-family="${FONT}" font-size="${size}">${escaped(text)}</text>`;
}

/** Text for XML; signs that XML 1.0 cannot hold become U+FFFD. */
export function escaped(text) {
  const names = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'};
  return String(text)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/g, (sign) => names[sign]);
}

function image({x, y, size}, url, rendering = '') {
  return `<image x="${round(x)}" y="${round(y)}" width="${round(size)}" height="${round(size)}" preserveAspectRatio="none"${rendering} xlink:href="${escaped(url)}"/>`;
}

function heatMap({x, y, size, grid, values, opacity, palette, smooth}) {
  const pixels = values.map((value) => heatPixel(palette, value)).map(([red, green, blue, alpha]) => [red, green, blue, alpha * opacity]);
  const {w, h, rgba} = smooth ? smoothed(grid, pixels) : {...grid, rgba: pixels.flat()};
  return image({x, y, size}, pngUrl(w, h, rgba.map(Math.round)), ' image-rendering="pixelated"');
}

/** Between the centres of four cells their mean, weighted: done here, for PDF readers and SVG viewers do it variously. */
function smoothed({w, h}, pixels) {
  const at = (place, cells) => {
    const inside = Math.min(Math.max((place + 0.5) / FINER - 0.5, 0), cells - 1);
    const low = Math.min(Math.floor(inside), Math.max(0, cells - 2));
    return {low, high: Math.min(low + 1, cells - 1), share: inside - low};
  };
  const rgba = [];
  for (let y = 0; y < FINER * h; y += 1) {
    const row = at(y, h);
    for (let x = 0; x < FINER * w; x += 1) {
      const column = at(x, w);
      const mixed = (r) => pixels[r * w + column.low].map((value, n) => (
        value + (pixels[r * w + column.high][n] - value) * column.share));
      const upper = mixed(row.low), lower = mixed(row.high);
      rgba.push(...upper.map((value, n) => value + (lower[n] - value) * row.share));
    }
  }
  return {w: FINER * w, h: FINER * h, rgba};
}

function cellBox({role, box, colour, opacity}) {
  const tail = role === 'tail';
  const alpha = tail ? opacity : opacity * 0.8;
  const place = `x="${round(box.x)}" y="${round(box.y)}" width="${round(box.width)}" height="${round(box.height)}"`;
  return [
    `<rect ${place} ${CASING} stroke-width="${tail ? 4.5 : 2.5}" stroke-opacity="${round(alpha * (tail ? 0.85 : 0.5))}"/>`,
    `<rect ${place} fill="none" stroke="${colour}" stroke-width="${tail ? 2 : 1}" stroke-opacity="${round(alpha)}"/>`,
    tail ? '' : `<rect ${place} fill="${colour}" fill-opacity="${round(alpha * 0.22)}"/>`,
  ].filter(Boolean).join('\n');
}

/** One arrow; one that ends where it starts is a ring. */
function arrow({from, to, bend, width, dashed, colour, opacity}) {
  if (Math.hypot(to.x - from.x, to.y - from.y) < 3) {
    const ring = `<circle cx="${round(to.x)}" cy="${round(to.y)}" r="${round(7 + width)}"`;
    return [
      `${ring} ${CASING} stroke-width="${round(width + 2)}" stroke-opacity="${round(0.6 * opacity)}"/>`,
      `${ring} fill="none" stroke="${colour}" stroke-width="${round(width)}" stroke-opacity="${round(opacity)}"/>`,
    ].join('\n');
  }
  const outline = arrowShape({from, to, bend, width, dashed});
  return [
    `<path d="${path(outline.map((polygon) => grown(polygon, RIM)))}" fill="#080a0e" fill-opacity="${round(0.6 * opacity)}"/>`,
    `<path d="${path(outline)}" fill="${colour}" fill-opacity="${round(opacity)}"/>`,
  ].join('\n');
}

/** The mark of a question: its pin's shape and colour; the active one is larger. */
function mark({x, y, shape, colour, active, opacity}) {
  const outline = path([markShape(shape, active ? 6 : 5).map(([dx, dy]) => [x + dx, y + dy])]);
  return [
    `<path d="${outline}" ${CASING} stroke-width="4" stroke-linejoin="round" stroke-opacity="${round(0.9 * opacity)}"/>`,
    `<path d="${outline}" fill="${colour}" fill-opacity="${round(opacity)}"/>`,
    active ? `<circle cx="${round(x)}" cy="${round(y)}" r="1.8" fill="#080a0e" fill-opacity="${round(0.9 * opacity)}"/>` : '',
  ].filter(Boolean).join('\n');
}

function path(polygons) {
  return polygons.map((polygon) => `M${polygon.map(([x, y]) => `${round(x)},${round(y)}`).join('L')}Z`).join('');
}

/** Three decimals are finer than any printer, and the same in every engine. */
function round(value) {
  return Number(value.toFixed(3));
}
