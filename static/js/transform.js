/**
 * ClipPoint <-> CSS pixel, and nothing else: one tested pair, place() and locate(), for both views.
 *
 * A layout says where frames lie on the stage. Strip: many frames in rows, as in Fig. 3 of the paper.
 * Player: one frame, onto which places of every other frame are projected. A zoom {scale, x, y} magnifies the
 * pictures of a layout and slides them; what comes out is a layout again, so the pair never hears of it.
 */

const GAP = 6;              // CSS pixels between frames
const CAPTION = 24;         // CSS pixels under each frame for its number and time
const ONE_ROW_FROM = 150;   // below this size a strip wraps rather than shrink further
const SMALLEST = 64;
const ABOUT = 0.95;         // of the largest size: as good
export const MOST_ZOOM = 8; // 28 cells over a strip's 300 pixels are then 86 pixels each
export const NO_ZOOM = {scale: 1, x: 0, y: 0};

/**
 * The strip of `frames` on a stage `width` wide that should not be taller than `tallest`.
 * Returns {view, frames, columns, rows, size, gap, caption, left, top, width, height, tallest}; sizes in CSS pixels.
 */
export function stripLayout({frames, width, tallest}) {
  const columns = bestColumns(frames.length, width, tallest);
  const rows = Math.ceil(frames.length / columns);
  const size = sizeFor(columns, frames.length, width, tallest);
  const used = columns * (size + GAP) - GAP;
  return {
    view: 'strip', frames, columns, rows, size, gap: GAP, caption: CAPTION,
    left: Math.floor((width - used) / 2), top: 0, width, height: rows * (size + CAPTION), tallest,
  };
}

function sizeFor(columns, count, width, tallest) {
  const rows = Math.ceil(count / columns);
  const broad = Math.floor((width - (columns - 1) * GAP) / columns);
  const high = Math.floor(tallest / rows) - CAPTION;
  return Math.max(Math.min(broad, Math.max(high, SMALLEST)), 1);
}

/** Of the columns that make pictures about as large as can be, those with the fewest rows: a phone scrolls less. */
function bestColumns(count, width, tallest) {
  const size = (columns) => sizeFor(columns, count, width, tallest);
  if (size(count) >= ONE_ROW_FROM) return count;
  const all = Array.from({length: count}, (_, n) => n + 1);
  const enough = ABOUT * Math.max(...all.map(size));
  const rows = (columns) => Math.ceil(count / columns);
  const fewest = Math.min(...all.filter((columns) => size(columns) >= enough).map(rows));
  return all.filter((columns) => rows(columns) === fewest).reduce((best, columns) => (size(columns) > size(best) ? columns : best));
}

/** One `frame`, as large as `width` and `tallest` allow. Same shape as a strip of one. */
export function playerLayout({frame, width, tallest}) {
  const size = Math.max(Math.min(width, tallest - CAPTION), SMALLEST);
  return {
    view: 'player', frames: [frame], columns: 1, rows: 1, size, gap: GAP, caption: CAPTION,
    left: Math.floor((width - size) / 2), top: 0, width, height: size + CAPTION, tallest,
  };
}

/**
 * `layout` through `zoom` = {scale, x, y}: pictures `scale` times as large, the first one's corner at (x, y) or as
 * near to it as leaves no empty edge. Gaps and captions keep their size. The stage grows up to `tallest`.
 */
export function zoomed(layout, {scale, x, y}) {
  if (scale <= 1) return layout;
  const {columns, rows, gap, caption, width} = layout;
  const size = layout.size * scale;
  const broad = columns * (size + gap) - gap, high = rows * (size + caption);
  const height = Math.max(layout.height, Math.min(high, layout.tallest));
  return {...layout, size, height, left: slid(x, broad, width), top: slid(y, high, height)};
}

/** An offset that leaves no empty edge; what is smaller than its room stands in the middle. */
function slid(offset, length, room) {
  return length <= room ? Math.floor((room - length) / 2) : Math.min(0, Math.max(room - length, offset));
}

/** The zoom to `scale` that keeps what lies under `at` where it is, as far as the edges allow. */
export function zoomAt(layout, zoom, scale, at) {
  const next = Math.min(MOST_ZOOM, Math.max(1, scale));
  const now = zoomed(layout, zoom), size = layout.size * next;
  const grown = (offset, space) => {                         // of pictures and the spaces between them, only pictures grow
    const before = Math.floor(offset / (now.size + space));
    const inside = Math.min(1, (offset - before * (now.size + space)) / now.size);
    return before * (size + space) + inside * size;
  };
  return {scale: next, x: at.x - grown(at.x - now.left, layout.gap), y: at.y - grown(at.y - now.top, layout.caption)};
}

/** The zoom after the pictures were dragged by (dx, dy); never farther than they go. */
export function panned(layout, zoom, dx, dy) {
  const {left, top} = zoomed(layout, zoom);
  return {...zoom, x: left + dx, y: top + dy};
}

/** The zoom that brings `box` {x, y, width, height} on the stage into sight; the same object when it is in sight. */
export function revealing(layout, zoom, box) {
  const {width, height} = zoomed(layout, zoom);
  const shift = (from, length, room) => (from < 0 ? -from : Math.max(-from, Math.min(0, room - from - length)));
  const dx = shift(box.x, box.width, width), dy = shift(box.y, box.height, height);
  return dx || dy ? panned(layout, zoom, dx, dy) : zoom;
}

/** The top left corner of the picture at `position` in the layout, in CSS pixels. */
export function corner(position, {columns, size, gap, caption, left, top}) {
  const column = position % columns;
  return {x: left + column * (size + gap), y: top + Math.floor(position / columns) * (size + caption)};
}

/** The box that a span covers on the picture at `position`, in CSS pixels. */
export function boxOf(span, position, layout) {
  const {x, y} = corner(position, layout);
  const {size} = layout;
  return {
    x: x + span.left * size, y: y + span.top * size,
    width: (span.right - span.left) * size, height: (span.bottom - span.top) * size,
  };
}

/** Where `point` lies on the stage, in CSS pixels; null when a strip does not show its frame. */
export function place(point, layout) {
  const position = layout.view === 'player' ? 0 : layout.frames.indexOf(point.frame);
  if (position < 0) return null;
  const {x, y} = corner(position, layout);
  return {x: x + point.x * layout.size, y: y + point.y * layout.size};
}

/** The inverse of place(): null between frames, on captions and outside the stage. */
export function locate({x, y}, layout) {
  const {size, gap, caption, columns, left, top, width, height, frames} = layout;
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  const column = Math.floor((x - left) / (size + gap));
  const row = Math.floor((y - top) / (size + caption));
  const position = row * columns + column;
  if (column < 0 || column >= columns || row < 0 || position >= frames.length) return null;
  const from = corner(position, layout);
  const inside = {x: (x - from.x) / size, y: (y - from.y) / size};
  if (inside.x >= 1 || inside.y >= 1 || inside.x < 0 || inside.y < 0) return null;
  return {frame: frames[position], ...inside};
}

/** The place on the picture of `frame` that is nearest to (x, y): what a drag that left the picture still means. */
export function locateOn({x, y}, frame, layout) {
  const from = corner(layout.view === 'player' ? 0 : layout.frames.indexOf(frame), layout);
  const inside = (offset) => Math.min(1 - 1e-9, Math.max(0, offset / layout.size));
  return {frame, x: inside(x - from.x), y: inside(y - from.y)};
}

/**
 * The frame of `span` whose picture stands for it: its centre frame if shown, else the nearest shown frame
 * that the span covers (the earlier of two), else null. The player shows every span on its one picture.
 */
export function shownFrame(span, layout) {
  const centre = Math.floor((span.first + span.last) / 2);
  if (layout.view === 'player') return centre;
  let best = null;
  for (const frame of layout.frames) {
    if (frame < span.first || frame > span.last) continue;
    if (best === null || Math.abs(frame - centre) < Math.abs(best - centre)) best = frame;
  }
  return best;
}

/** `count` frames, `step` apart, from the first on; never past a clip of `total` frames. */
export function evenFrames(count, step, total) {
  return Array.from({length: count}, (_, n) => n * step).filter((frame) => frame < total);
}

/** What the paper's Fig. 3 shows: 4 frames with a stride of 8 in a clip of 32. */
export function figureFrames(total) {
  return evenFrames(4, Math.max(1, Math.floor(total / 4)), total);
}
