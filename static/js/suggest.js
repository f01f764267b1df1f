/**
 * A first question, so that the page shows arrows before anyone has pointed at anything: among a few places
 * of the frames on show, the one with the most to see, that is with many strong arrows into other shown frames.
 */
import {answerTo} from './ask.js';
import {cellAt, spanOf} from './geometry.js';
import {answeringGrid, askingGrid} from './field.js';

const PLACES = [0.2, 0.35, 0.5, 0.65, 0.8];

/** The cell to suggest, asked in the first of the `frames` on show, in a clip of `total` frames. */
export function suggestedCell(field, direction, frames, total) {
  const grid = askingGrid(field, direction);
  let best = null;
  for (const y of PLACES) {
    for (const x of PLACES) {
      const cell = cellAt(grid, {frame: frames[0], x, y}, total);
      const worth = worthOf(field, direction, cell, frames, total);
      if (!best || worth > best.worth) best = {cell, worth};
    }
  }
  return best.cell;
}

/** Counts shown arrows into other frames; the square root keeps one strong arrow from outweighing many. */
function worthOf(field, direction, cell, frames, total) {
  const ends = answeringGrid(field, direction);
  return answerTo(field, direction, [cell], {total}).top.reduce((sum, {weight, cell: end}) => {
    const {first, last} = spanOf(ends, end, total);
    const seen = frames.slice(1).some((frame) => frame >= first && frame <= last);
    return sum + (seen && weight > 0 ? Math.sqrt(weight) : 0);
  }, 0);
}
