/**
 * All frames of the clip side by side, with the share of the answer that lies in each below them. In the
 * player it shows and moves the present frame; in the strip, which frames are shown, and a click changes that.
 */
import {timeColour} from './colour.js';
import {fit, spriteBox} from './canvas.js';
import {inkOf} from './pictures.js';
import {massByFrame} from './scene.js';

const kept = new WeakMap();   // thumbnails by the canvas that shows them
const BARS = 26; // CSS pixels for the bars below the pictures

/** The timeline on `canvas`; `lens` as for the stage. */
export function openTimeline(canvas, lens, sheet) {
  const {total} = lens.world;
  const frameAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return Math.min(total - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * total)));
  };
  const scrub = (event) => {
    if (event.buttons & 1 && lens.state().view === 'player') lens.dispatch({type: 'frame', frame: frameAt(event)});
  };
  canvas.addEventListener('pointerdown', (event) => { canvas.setPointerCapture(event.pointerId); scrub(event); });
  canvas.addEventListener('pointermove', scrub);
  canvas.addEventListener('click', (event) => {
    const state = lens.state();
    if (state.view === 'strip') lens.dispatch({type: 'frames', frames: toggled(state.frames, frameAt(event))});
  });
  return {paint: (scene, state, width) => paint(canvas, {scene, state, width, total, sheet, grid: lens.answers()})};
}

function toggled(frames, frame) {
  return frames.includes(frame) ? frames.filter((one) => one !== frame) : [...frames, frame];
}

function paint(canvas, {scene, state, width, total, sheet, grid}) {
  const pitch = width / total;
  const high = Math.min(pitch, 44) < 22 ? 26 : Math.min(pitch, 44);
  const context = fit(canvas, width, high + BARS);
  const shown = new Set(state.view === 'player' ? [state.frame] : state.frames);
  context.drawImage(thumbs(canvas, {width, high, pitch, total, sheet, shown}), 0, 0, width, high);
  if (scene.active) bars(context, scene.active, {grid, total, pitch, top: high, state});
  context.fillStyle = inkOf(canvas).text;
  for (const frame of shown) context.fillRect(frame * pitch + 1, high + 2, Math.max(1, pitch - 2), 2);
}

/** The row of thumbnails as one picture, painted again only when it changes. */
function thumbs(canvas, {width, high, pitch, total, sheet, shown}) {
  const row = kept.get(canvas) ?? {picture: document.createElement('canvas'), key: ''};
  kept.set(canvas, row);
  const key = JSON.stringify([width, high, window.devicePixelRatio, [...shown]]);
  if (row.key === key) return row.picture;
  const context = fit(row.picture, width, high);
  for (let frame = 0; frame < total; frame += 1) {
    thumb(context, sheet, frame, {x: frame * pitch, width: pitch, height: high, bright: shown.has(frame)});
  }
  row.key = key;
  return row.picture;
}

function thumb(context, {image, frames}, frame, {x, width, height, bright}) {
  const box = spriteBox(frames, frame);
  const slice = Math.min(box.size, box.size * width / height);
  context.globalAlpha = bright ? 1 : 0.42;
  context.drawImage(image, box.x + (box.size - slice) / 2, box.y, slice, box.size, x + 0.5, 0, width - 1, height);
  context.globalAlpha = 1;
}

/** One bar per frame, as high as the frame's share of the fullest frame; its hue is the time difference. */
function bars(context, {values, span, start}, {grid, total, pitch, top}) {
  const mass = massByFrame(values, grid, total);
  const fullest = Math.max(...mass, 1e-30);
  mass.forEach((value, frame) => {
    const here = frame >= span.first && frame <= span.last;
    const height = (BARS - 7) * value / fullest;
    context.fillStyle = 'rgba(10, 13, 17, .55)';
    context.fillRect(frame * pitch + 1, top + 6, Math.max(1, pitch - 2), height + 1);
    context.fillStyle = timeColour(here ? 0 : (frame - start.frame) / Math.max(1, total - 1));
    context.fillRect(frame * pitch + 1.5, top + 6, Math.max(0.5, pitch - 3), height);
  });
}
