/**
 * The only file that paints: draw-list items (scene.js) onto 2D canvases. Decides nothing.
 * The device pixel ratio is dealt with once, in resize().
 */
import {arrowShape, grown, markShape, RIM} from './arrow-shape.js';
import {heatPixel} from './colour.js';

const CASING = '8, 10, 14';   // near black around everything bright, so that it reads on any picture

/** Size the canvas in CSS pixels and return a cleared context in which one unit is one CSS pixel. */
export function fit(canvas, width, height) {
  const ratio = resize(canvas, width, height);
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/**
 * fit() for a canvas that will lie still: `draw(context)` paints a bitmap, which is handed over whole. Chromium copies
 * each 2D canvas of a page whenever one of them changes; it leaves bitmaps alone.
 */
export function paintStill(canvas, width, height, draw) {
  const ratio = resize(canvas, width, height);
  const sheet = new OffscreenCanvas(canvas.width, canvas.height);
  const context = sheet.getContext('2d');
  context.scale(ratio, ratio);
  draw(context);
  canvas.getContext('bitmaprenderer').transferFromImageBitmap(sheet.transferToImageBitmap());
}

/** Give the canvas its size; returns how many device pixels a CSS pixel has. */
function resize(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const pixels = (length) => Math.max(1, Math.round(length * ratio));     // a canvas of no pixels cannot be drawn from
  const device = {width: pixels(width), height: pixels(height)};
  if (canvas.width !== device.width || canvas.height !== device.height) {
    Object.assign(canvas, device);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  return ratio;
}

/** Where frame `index` lies in the sprite sheet, in pixels of the image. */
export function spriteBox(frames, index) {
  const {columns, size_px: size} = frames;
  return {x: (index % columns) * size, y: Math.floor(index / columns) * size, size};
}

/** Paint frames and captions from the sprite `sheet` = {image, frames}; `ink` is the captions' colour and font. */
export function paintPictures(context, items, sheet, ink) {
  context.imageSmoothingQuality = 'high';
  context.font = ink.font;
  for (const item of items) {
    if (item.kind === 'frame') paintFrame(context, item, sheet);
  }
  for (const item of items) if (item.kind === 'caption') paintCaption(context, item, ink);
}

/** The caption of a picture; one that had to move onto its picture to stay in sight has a plate behind it. */
function paintCaption(context, {text, x, y, over}, {colour}) {
  if (over) {
    context.fillStyle = `rgba(${CASING}, 0.72)`;
    context.fillRect(x - 5, y - 14, context.measureText(text).width + 10, 20);
  }
  context.fillStyle = over ? '#f2f4f6' : colour;
  context.fillText(text, x, y);
}

function paintFrame(context, {frame, x, y, size}, {image, frames}) {
  const from = spriteBox(frames, frame);
  context.drawImage(image, from.x, from.y, from.size, from.size, x, y, size, size);
}

/** What paintAnswers() paints of one question of a scene. */
export function itemsOf({boxes, arrows, marks}) {
  return [...boxes, ...arrows.toReversed(), ...marks];
}

/** Paint heat, cells, arrows and marks. `inspected` is {question, rank} of the arrow to set off, or null. */
export function paintAnswers(context, items, inspected) {
  const picked = ({question, rank}) => inspected && question === inspected.question && rank === inspected.rank;
  for (const item of items) {
    if (item.kind === 'heat') paintHeat(context, item);
    if (item.kind === 'cell') paintCell(context, item);
    if (item.kind === 'arrow' && item.shown && !picked(item)) paintArrow(context, item, inspected ? 0.22 : 1);
  }
  for (const item of items) {
    if (item.kind === 'arrow' && item.shown && picked(item)) paintArrow(context, {...item, opacity: 1}, 1);
    if (item.kind === 'mark') paintMark(context, item);
  }
}

function paintHeat(context, {x, y, size, grid, values, opacity, palette, smooth}) {
  const pixels = new ImageData(grid.w, grid.h);
  values.forEach((value, n) => pixels.data.set(heatPixel(palette, value), 4 * n));
  const map = Object.assign(document.createElement('canvas'), {width: grid.w, height: grid.h});
  map.getContext('2d').putImageData(pixels, 0, 0);
  context.save();
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = smooth;                    // else cells are cells
  if (smooth) clipTo(context, {x, y, size});                 // a smoothed edge runs out over its box
  context.drawImage(map, x, y, size, size);
  context.restore();
}

function clipTo(context, {x, y, size}) {
  context.beginPath();
  context.rect(x, y, size, size);
  context.clip();
}

function paintCell(context, {role, box, colour, opacity}) {
  context.save();
  context.globalAlpha = role === 'tail' ? opacity : opacity * 0.8;
  context.lineWidth = role === 'tail' ? 4.5 : 2.5;
  context.strokeStyle = `rgba(${CASING}, ${role === 'tail' ? 0.85 : 0.5})`;
  context.strokeRect(box.x, box.y, box.width, box.height);
  context.lineWidth = role === 'tail' ? 2 : 1;
  context.strokeStyle = colour;
  context.strokeRect(box.x, box.y, box.width, box.height);
  if (role === 'head') {
    context.globalAlpha *= 0.22;
    context.fillStyle = colour;
    context.fillRect(box.x, box.y, box.width, box.height);
  }
  context.restore();
}

/** One arrow; one that ends where it starts is a ring. */
export function paintArrow(context, arrow, strength) {
  context.save();
  context.globalAlpha = arrow.opacity * strength;
  if (Math.hypot(arrow.to.x - arrow.from.x, arrow.to.y - arrow.from.y) < 3) strokeRing(context, ringPath(arrow), arrow);
  else {
    const outline = arrowShape(arrow);
    context.fillStyle = `rgba(${CASING}, 0.6)`;
    trace(context, outline.map((polygon) => grown(polygon, RIM)));
    context.fill();
    context.fillStyle = arrow.colour;
    trace(context, outline);
    context.fill();
  }
  context.restore();
}

function ringPath({to, width}) {
  const path = new Path2D();
  path.arc(to.x, to.y, 7 + width, 0, 2 * Math.PI);
  return path;
}

function strokeRing(context, path, {colour, width}) {
  context.strokeStyle = `rgba(${CASING}, 0.6)`;
  context.lineWidth = width + 2;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

/** Make the polygons the context's path; a fill closes them. */
function trace(context, polygons) {
  context.beginPath();
  for (const polygon of polygons) {
    context.moveTo(polygon[0][0], polygon[0][1]);
    for (let n = 1; n < polygon.length; n += 1) context.lineTo(polygon[n][0], polygon[n][1]);
  }
}

/** The mark of a question: its pin's shape and colour; the active one is larger. */
export function paintMark(context, {x, y, shape, colour, active, opacity}) {
  context.save();
  trace(context, [markShape(shape, active ? 6 : 5).map(([dx, dy]) => [x + dx, y + dy])]);
  context.closePath();
  context.globalAlpha = opacity;
  context.lineJoin = 'round';
  context.strokeStyle = `rgba(${CASING}, 0.9)`;
  context.lineWidth = 4;
  context.stroke();
  context.fillStyle = colour;
  context.fill();
  if (active) {
    context.fillStyle = `rgba(${CASING}, 0.9)`;
    context.beginPath();
    context.arc(x, y, 1.8, 0, 2 * Math.PI);
    context.fill();
  }
  context.restore();
}
