/**
 * ClipPoint <-> CSS pixel, and nothing else: one tested pair, place() and locate(), for both views.
 *
 * A layout says where frames lie on the stage. Strip: many frames in rows, as in Fig. 3 of the paper.
 * Player: one frame, onto which places of every other frame are projected.
 */

const GAP = 6;              // CSS pixels between frames
const CAPTION = 24;         // CSS pixels under each frame for its number and time
const ONE_ROW_FROM = 150;   // below this size a strip wraps rather than shrink further
const SMALLEST = 64;

/**
 * The strip of `frames` on a stage `width` wide that should not be taller than `tallest`.
 * Returns {view, frames, columns, rows, size, gap, caption, left, width, height}; sizes in CSS pixels.
 */
export function stripLayout({frames, width, tallest}) {
  const columns = bestColumns(frames.length, width, tallest);
  const rows = Math.ceil(frames.length / columns);
  const size = sizeFor(columns, frames.length, width, tallest);
  const used = columns * (size + GAP) - GAP;
  return {
    view: 'strip', frames, columns, rows, size, gap: GAP, caption: CAPTION,
    left: Math.floor((width - used) / 2), width, height: rows * (size + CAPTION),
  };
}

function sizeFor(columns, count, width, tallest) {
  const rows = Math.ceil(count / columns);
  const broad = Math.floor((width - (columns - 1) * GAP) / columns);
  const high = Math.floor(tallest / rows) - CAPTION;
  return Math.max(Math.min(broad, Math.max(high, SMALLEST)), 1);
}

function bestColumns(count, width, tallest) {
  if (sizeFor(count, count, width, tallest) >= ONE_ROW_FROM) return count;
  let best = 1;
  for (let columns = 2; columns <= count; columns += 1) {
    if (sizeFor(columns, count, width, tallest) > sizeFor(best, count, width, tallest)) best = columns;
  }
  return best;
}

/** One `frame`, as large as `width` and `tallest` allow. Same shape as a strip of one. */
export function playerLayout({frame, width, tallest}) {
  const size = Math.max(Math.min(width, tallest - CAPTION), SMALLEST);
  return {
    view: 'player', frames: [frame], columns: 1, rows: 1, size, gap: GAP, caption: CAPTION,
    left: Math.floor((width - size) / 2), width, height: size + CAPTION,
  };
}

/** The top left corner of the picture at `position` in the layout, in CSS pixels. */
export function corner(position, {columns, size, gap, caption, left}) {
  const column = position % columns;
  return {x: left + column * (size + gap), y: Math.floor(position / columns) * (size + caption)};
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
  const {size, gap, caption, columns, left, frames} = layout;
  const column = Math.floor((x - left) / (size + gap));
  const row = Math.floor(y / (size + caption));
  const position = row * columns + column;
  if (column < 0 || column >= columns || row < 0 || position >= frames.length) return null;
  const from = corner(position, layout);
  const inside = {x: (x - from.x) / size, y: (y - from.y) / size};
  if (inside.x >= 1 || inside.y >= 1 || inside.x < 0 || inside.y < 0) return null;
  return {frame: frames[position], ...inside};
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
