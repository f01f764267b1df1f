/**
 * How far two answers to one question agree: of the places they name, how many are the same places. The answers may
 * come from blocks on unlike grids, so cells are compared as boxes in the clip. Pure arithmetic, no DOM.
 *
 *     overlap(A, B) = (share of A's ends that meet an end of B + share of B's ends that meet an end of A) / 2
 *
 * Two ends meet when the centre of one lies in the cell of the other. On equal grids that is the same cell, and the
 * overlap is |A and B| / k; between a grid and one pooled from it, it is "one cell lies within the other".
 */
const AXES = ['t', 'h', 'w'];

/**
 * The overlap of two answers, in [0, 1]; null when one of them is empty. `answersA` = [{cell}, ...] on `gridA`, the
 * same for B; both grids must tile the same frames and the same crop.
 */
export function overlap(answersA, gridA, answersB, gridB) {
  if (!answersA.length || !answersB.length) return null;
  const met = (ones, others, meet) => ones.filter((one) => others.some((other) => meet(one, other))).length / ones.length;
  const meets = (a, b) => inside(a.cell, gridA, b.cell, gridB) || inside(b.cell, gridB, a.cell, gridA);
  return (met(answersA, answersB, meets) + met(answersB, answersA, (b, a) => meets(a, b))) / 2;
}

/** True when the centre of `cell` lies in `box`, a cell of another grid; boxes hold their lower faces, not their upper. */
function inside(cell, grid, box, boxGrid) {
  return AXES.every((axis) => Math.floor((cell[axis] + 0.5) * boxGrid[axis] / grid[axis]) === box[axis]);
}

/** The matrix of overlaps of `answers` = [{top, grid} or null, ...]; null where one of the two is not known. */
export function overlaps(answers) {
  return answers.map((a) => answers.map((b) => (a && b ? overlap(a.top, a.grid, b.top, b.grid) : null)));
}
