/**
 * Places in a clip and cells of a feature map, and the only conversions between them.
 *
 * The same functions as nonlocal_core/geometry.py, number for number; tests/fixtures/geometry.json holds
 * both to it. A Grid is {t, h, w} in cells, a GridPoint {t, h, w} is a cell, a ClipPoint {frame, x, y} is a
 * frame index and fractions of the crop, a Span is {first, last, left, top, right, bottom}.
 * Pixels are not known here: see transform.js.
 */

/** How many cells `grid` has; flat indices run time-major, then rows, then columns. */
export function cellsOf(grid) {
  return grid.t * grid.h * grid.w;
}

/** True when `cell` is a cell of `grid`. */
export function hasCell(grid, cell) {
  return [['t', grid.t], ['h', grid.h], ['w', grid.w]].every(
    ([axis, size]) => Number.isInteger(cell[axis]) && cell[axis] >= 0 && cell[axis] < size);
}

/** The index of `cell` in time-major, then row, then column order. Throws RangeError outside the grid. */
export function flatIndex(grid, cell) {
  if (!hasCell(grid, cell)) {
    throw new RangeError(`cell ${cell.t}.${cell.h}.${cell.w} is outside the grid ${grid.t}x${grid.h}x${grid.w}`);
  }
  return (cell.t * grid.h + cell.h) * grid.w + cell.w;
}

/** The inverse of flatIndex. Throws RangeError outside the grid. */
export function cellOf(grid, index) {
  if (!(Number.isInteger(index) && index >= 0 && index < cellsOf(grid))) {
    throw new RangeError(`index ${index} is outside the grid ${grid.t}x${grid.h}x${grid.w} of ${cellsOf(grid)} cells`);
  }
  const within = index % (grid.h * grid.w);
  return {t: Math.floor(index / (grid.h * grid.w)), h: Math.floor(within / grid.w), w: within % grid.w};
}

/**
 * The cell of `grid` that covers `point`, in a clip of `frames` frames.
 * Throws RangeError when the frame is not in [0, frames) or x, y are not in [0, 1).
 */
export function cellAt(grid, point, frames) {
  if (!(point.frame >= 0 && point.frame < frames)) {
    throw new RangeError(`frame ${point.frame} is outside the clip; it has frames 0 to ${frames - 1}`);
  }
  if (!(point.x >= 0 && point.x < 1 && point.y >= 0 && point.y < 1)) {
    throw new RangeError(`x=${point.x}, y=${point.y} lie outside the crop; both must be in [0, 1)`);
  }
  return {
    t: Math.floor(point.frame * grid.t / frames),
    h: Math.floor(point.y * grid.h),
    w: Math.floor(point.x * grid.w),
  };
}

/** What `cell` covers: every point for which cellAt gives `cell`, and no other. Frames are inclusive. */
export function spanOf(grid, cell, frames) {
  flatIndex(grid, cell);
  return {
    first: Math.ceil(cell.t * frames / grid.t),              // the first frame that cellAt sends here
    last: Math.ceil((cell.t + 1) * frames / grid.t) - 1,
    left: cell.w / grid.w,
    top: cell.h / grid.h,
    right: (cell.w + 1) / grid.w,
    bottom: (cell.h + 1) / grid.h,
  };
}

/** What the box of cells between two opposite corners `from` <= `to` covers. */
export function boxSpanOf(grid, from, to, frames) {
  const {first, left, top} = spanOf(grid, from, frames);
  const {last, right, bottom} = spanOf(grid, to, frames);
  return {first, last, left, top, right, bottom};
}

/** The centre of `cell`: its middle frame (the earlier of two) and the middle of its box. */
export function centreOf(grid, cell, frames) {
  const span = spanOf(grid, cell, frames);
  return {
    frame: Math.floor((span.first + span.last) / 2),
    x: (cell.w + 0.5) / grid.w,
    y: (cell.h + 0.5) / grid.h,
  };
}
