/**
 * The whole video as a strip of pictures, what the network sees of each, and the window of time that a clip is: drag
 * it, or use the arrow keys or the number, and analyse the video from there. Frames are counted from the video's
 * start; the strip is even in frames. The pure part comes first, openWindow() puts it on the page.
 */
import {analyseFrom, clipPage, readOverview} from './api.js';
import {fit} from './canvas.js';
import {find, loadImage, make, setText} from './dom.js';
import {carried} from './networks.js';
import {secondsText} from './words.js';

const HIGH = {wide: 56, narrow: 40};   // CSS pixels of a picture, about
const NARROW = 600;       // CSS pixels of the strip
const LEAST = 14;         // CSS pixels of the window's frame: what a finger can take hold of
const OUTSIDE = 'rgba(10, 13, 17, .5)';

/** The last frame at which a window fits; 0 when the video is too short to choose. */
export const latestFirst = ({frames, spanned}) => Math.max(0, frames - spanned);

/** A first frame as near to `first` as fits. */
export function fitting(first, overview) {
  return Math.min(latestFirst(overview), Math.max(0, Math.round(first)));
}

/** Where the window's frame lies: {left, width} as shares of the strip; `least` is its smallest width. */
export function placeWindow(first, overview, least = 0) {
  const width = Math.min(1, Math.max(least, overview.spanned / overview.frames));
  return {left: first / Math.max(1, latestFirst(overview)) * (1 - width), width};
}

/** The inverse of placeWindow(): the first frame of a window whose frame's left edge is at `left`. */
export function firstAt(left, overview, least = 0) {
  const {width} = placeWindow(0, overview, least);
  return width === 1 ? 0 : fitting(left / (1 - width) * latestFirst(overview), overview);
}

/** The first frame after a key on the window's frame; null for a key that does not move it. */
export function afterKey({key, shiftKey}, first, overview) {
  const tenth = Math.max(1, Math.round(overview.rate_hz / (shiftKey ? 1 : 10)));
  const by = {
    ArrowLeft: -tenth, ArrowDown: -tenth, ArrowRight: tenth, ArrowUp: tenth,
    PageDown: -overview.spanned, PageUp: overview.spanned, Home: -overview.frames, End: overview.frames,
  }[key];
  return by === undefined ? null : fitting(first + by, overview);
}

/** For each of `slots` even parts of the strip the picture nearest to its middle. */
export function picturesFor(slots, {frames, indices}) {
  return Array.from({length: slots}, (_, slot) => {
    const middle = (slot + 0.5) / slots * frames - 0.5;
    return indices.reduce((best, index, n) => (Math.abs(index - middle) < Math.abs(indices[best] - middle) ? n : best), 0);
  });
}

/** Whether two clips of one video differ in their windows only. */
const seenAlike = (one, other) => one.model === other.model && one.variant === other.variant;

/** The other windows of the video, one for each first frame, of the same network where there is one; in order. */
export function otherWindows({window: own, others}) {
  const byFirst = new Map();
  for (const other of others) {
    if (other.first === own.first) continue;
    const known = byFirst.get(other.first);
    if (!known || (!seenAlike(known, own) && seenAlike(other, own))) byFirst.set(other.first, other);
  }
  return [...byFirst.values()].sort((a, b) => a.first - b.first);
}

/** What can be done with the window at `first`: {deed: 'none' | 'open' | 'analyse', id, words}. */
export function offer(first, overview) {
  const {window: own} = overview;
  if (first === own.first) return {deed: 'none', id: own.id, words: 'Shown below'};
  const start = secondsText(timeOf(first, overview));
  const there = overview.others.find((other) => other.first === first && seenAlike(other, own));
  if (there) return {deed: 'open', id: there.id, words: `Open from ${start}`};
  return {deed: 'analyse', id: null, words: `Analyse from ${start}`};
}

/** A frame's time in seconds, as the server counts it. */
export const timeOf = (frame, {rate_hz: rate}) => frame / rate;

/** The window in words: the times of its first and last frame. */
export function windowText(first, overview) {
  return `${secondsText(timeOf(first, overview))} ${endText(first, overview)} of ${secondsText(overview.duration_s)}`;
}

function endText(first, overview) {
  return `to ${secondsText(timeOf(Math.min(overview.frames, first + overview.spanned) - 1, overview))}`;
}

/**
 * Fills `root` (templates/_window.html) for a finished `clip` whose network has `blocks`; stays away when the video
 * has no strip. `mayAsk` is whether this server still runs the network. `note` tells the person what went wrong.
 */
export async function openWindow(root, clip, {blocks, mayAsk, note}) {
  root.hidden = false;
  try {
    const overview = await readOverview(clip.id);
    const image = await loadImage(overview.url);
    fill(root, {clip, overview, image, blocks, mayAsk, note});
    root.removeAttribute('aria-busy');
  } catch (error) {
    root.hidden = true;
    if (error.code !== 'NoOverview') note(`The strip of the whole video is missing. ${error.message}`);
  }
}

function fill(root, {clip, overview, image, blocks, mayAsk, note}) {
  const strip = find('.window-strip', root), canvas = find('canvas', root);
  canvas.ariaLabel = `Pictures of the whole video, ${secondsText(overview.duration_s)}`;
  const drawn = new ResizeObserver(() => paint(canvas, strip, {overview, image}));
  drawn.observe(strip);
  setText(find('.window-seen', root), seenText(clip, overview));
  showOwn(find('.window-own', root), clip, overview);
  showOthers(find('.window-others', root), overview, blocks);
  if (mayAsk && latestFirst(overview) > 0) openChoice(root, {clip, overview, blocks, note});
}

/** What of the video the network saw, for this clip: how to read the strip. */
export function seenText({frames}, overview) {
  const crop = overview.crop ? 'The bright squares are what the network sees. ' : '';
  const distinct = new Set(frames.indices).size;
  const ticks = distinct === 1 ? 'Tick: the one frame' : `Ticks: the ${distinct} frames`;
  return `${crop}${ticks} of this clip${latestFirst(overview) ? '' : ', the whole video'}.`;
}

/** The frames that the network saw, as ticks below the strip. */
function showOwn(bar, {frames}, overview) {
  const first = overview.window.first / overview.frames;
  bar.style.left = `${100 * first}%`;
  bar.style.width = `${100 * Math.min(1 - first, overview.spanned / overview.frames)}%`;
  bar.style.setProperty('--frames', new Set(frames.indices).size);
}

function showOthers(line, overview, blocks) {
  const others = otherWindows(overview);
  line.hidden = others.length === 0;
  const track = find('.window-track', line.closest('.window'));
  line.replaceChildren('Other windows:', ...others.map((other) => {
    const link = make('a', {href: clipPage(other.id)}, secondsText(other.start_s));
    if (!seenAlike(other, overview.window)) link.append(` (${seerText(other)})`);
    const shared = other.model === overview.window.model ? blocks : undefined;
    link.addEventListener('click', () => { link.search = carried(location.search, shared); });
    const mark = make('i', {className: 'window-mark'});
    mark.style.left = `${100 * other.first / overview.frames}%`;
    track.append(mark);
    return link;
  }));
}

function seerText({model, variant}) {
  return variant === 'none' ? model : `${model}, ${variant}`;
}

/** The frame over the strip, the number and the button, which always say the same. */
function openChoice(root, {clip, overview, blocks, note}) {
  const strip = find('.window-strip', root), frame = find('.window-frame', root), form = find('.window-choice', root);
  const number = find('#window-start', root), button = find('button', form);
  let first = fitting(overview.window.first, overview);
  let grip = 0;                                              // where in the frame the pointer took hold, as a share of the strip

  const least = () => Math.min(1, LEAST / strip.clientWidth);
  const shareOf = (event) => {
    const box = strip.getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  };
  const show = () => {
    const {left, width} = placeWindow(first, overview, least());
    frame.style.left = `${100 * left}%`;
    frame.style.width = `${100 * width}%`;
    frame.ariaValueNow = timeOf(first, overview).toFixed(2);
    frame.ariaValueText = windowText(first, overview);
    number.value = timeOf(first, overview).toFixed(2);
    setText(find('.window-end', root), endText(first, overview));
    const {deed, words} = offer(first, overview);
    setText(button, words);
    button.disabled = deed === 'none';
  };
  const move = (to) => { first = to; show(); };
  const drag = (event) => move(firstAt(shareOf(event) - grip, overview, least()));

  strip.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    const {left, width} = placeWindow(first, overview, least());
    const at = shareOf(event) - left;
    grip = at >= 0 && at <= width ? at : width / 2;          // beside the frame: it comes to the pointer
    strip.setPointerCapture(event.pointerId);
    frame.focus({preventScroll: true});
    event.preventDefault();                                  // no selection, and the focus stays
    drag(event);
  });
  strip.addEventListener('pointermove', (event) => { if (strip.hasPointerCapture(event.pointerId)) drag(event); });
  frame.addEventListener('keydown', (event) => {
    const next = event.ctrlKey || event.altKey || event.metaKey ? null : afterKey(event, first, overview);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();                                 // the same keys move the cursor on the stage
    move(next);
  });
  number.addEventListener('change', () => move(fitting(number.valueAsNumber * overview.rate_hz || 0, overview)));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    button.disabled = true;
    go(offer(first, overview)).catch((error) => { note(error.message); show(); });
  });
  async function go({deed, id}) {
    const target = deed === 'open' ? id : (await analyseFrom(clip, timeOf(first, overview))).id;
    location.assign(clipPage(target) + carried(location.search, blocks));
  }

  number.max = timeOf(latestFirst(overview), overview).toFixed(2);
  frame.ariaValueMax = number.max;
  frame.hidden = form.hidden = false;
  strip.classList.add('window-movable');
  new ResizeObserver(show).observe(strip);
  show();
}

function paint(canvas, strip, {overview, image}) {
  const width = strip.clientWidth;
  const aspect = overview.width_px / overview.height_px;
  const usual = width < NARROW ? HIGH.narrow : HIGH.wide;
  const slots = Math.max(1, Math.round(width / (usual * aspect)));
  const wide = width / slots, high = wide / aspect;
  const context = fit(canvas, width, high);
  picturesFor(slots, overview).forEach((picture, slot) => {
    const column = picture % overview.columns, row = Math.floor(picture / overview.columns);
    context.drawImage(image, column * overview.width_px, row * overview.height_px, overview.width_px, overview.height_px,
      slot * wide, 0, wide, high);
    if (overview.crop) outline(context, {x: slot * wide, width: wide, height: high}, overview.crop);
  });
}

/** Darkens what the crop leaves out of a picture. */
function outline(context, {x, width, height}, [left, top, right, bottom]) {
  const hole = [x + left * width, top * height, (right - left) * width, (bottom - top) * height];
  const path = new Path2D();
  path.rect(x, 0, width, height);
  path.rect(...hole);
  context.fillStyle = OUTSIDE;
  context.fill(path, 'evenodd');
  context.strokeStyle = 'rgba(255, 255, 255, .6)';
  context.lineWidth = 1;
  context.strokeRect(hole[0] + 0.5, hole[1] + 0.5, hole[2] - 1, hole[3] - 1);
}
