/**
 * What can be cut, as the server wants to hear it, and what came of it in words. Pure; the bench is bench/cut.js.
 *
 * Keys are cells of the key grid, queries cells of the query grid, both flat. A forward question asks from queries,
 * a reverse one from a key: then the ends of its arrows are the queries that lose it.
 */
import {cellsOf, flatIndex} from './geometry.js';

/** Null models in the order they are offered: [variant, name, sentence]. */
export const VARIANTS = [
  ['shuffled', 'Frames shuffled', 'The same pictures in a random order: arrows that follow a motion must lose it.'],
  ['reversed', 'Frames reversed', 'The film runs backwards: what only looks alike stays, what depends on the direction of time goes.'],
  ['frozen', 'Frozen', 'The first frame in place of every other: nothing moves, so no arrow can follow anything.'],
  ['random_weights', 'Random weights', 'Theta and phi with their own numbers in random order: what nobody learnt.'],
  ['none', 'As it is', 'The clip itself, with nothing taken away.'],
];

/** What may be cut: [value, label] with the arrow's rank chosen beside it. */
export const WHATS = [
  ['arrow', 'one arrow'], ['top', 'all arrows on show'], ['random', 'as many at random, to compare'],
  ['other_frames', 'all other frames'], ['block', 'the whole block'],
];

/**
 * The wish {block, keys, queries} to cut `what` (a value of WHATS) of a drawn question, null where there is nothing
 * to cut. `active` is the scene's question with its arrows, `rank` names one of them; `everywhere`: not from the
 * asked place only but from every place. Where each cell of a region asked for itself, every one of the cells loses
 * every one of the keys.
 */
export function wishOf({what, rank, everywhere}, {active, block, direction}) {
  const whole = what === 'block' || what === 'other_frames';
  if (whole && everywhere) return {block: block.name, keys: what, queries: null};
  if (!active?.arrows.length) return null;
  const reverse = direction === 'reverse';
  const arrows = what === 'arrow' ? active.arrows.filter((arrow) => arrow.rank === rank) : active.arrows;
  if (!arrows.length) return null;
  const asked = flat(active.cells, reverse ? block.keyGrid : block.queryGrid);
  let ends = flat(arrows.map(({cell}) => cell), reverse ? block.queryGrid : block.keyGrid);
  if (what === 'random') ends = othersThan(ends, cellsOf(reverse ? block.queryGrid : block.keyGrid));
  const [queries, keys] = reverse ? [ends, asked] : [asked, ends];
  return {block: block.name, keys: whole ? what : keys, queries: everywhere ? null : queries};
}

/** What the wish removes, in words. */
export function wishText({block, keys, queries}, what) {
  const places = queries === null ? 'every place' : queries.length === 1 ? 'one place' : `${queries.length} places`;
  if (keys === 'block') return `${block} as a whole, for ${places}`;
  if (keys === 'other_frames') return `${block}: all keys of other time steps, for ${places}`;
  const count = keys.length === 1 ? 'one key' : `${keys.length} keys`;
  return `${block}: ${count}${what === 'random' ? ' drawn at random' : ''}, for ${places}`;
}

/** The rows of a cut that is done: [{label, before, after, change, share}], numbers as text; share of the longest bar, signed. */
export function rowsOf({changes}) {
  const longest = Math.max(...changes.map(({before, after}) => Math.abs(after - before)), 1e-9);
  return changes.map(({label, before, after}) => ({
    label, before: percentText(before), after: percentText(after), change: pointsText(after - before), share: (after - before) / longest,
  }));
}

/** How much came of it, in one sentence. */
export function movedText(moved) {
  if (moved < 5e-7) return 'The prediction does not change: the block adds nothing to what it reads, or nothing was left to lose.';
  return `${percentText(moved)} of the probability went to other classes.`;
}

/** A change of probability in points, with its sign: "+0.82", "−0.56"; the smallest by one digit. */
export function pointsText(change) {
  const points = Math.abs(100 * change);
  const sign = change > 0 ? '+' : '−';
  if (points === 0) return '0';
  return sign + (points >= 0.005 ? points.toFixed(2) : smallText(points));
}

function percentText(probability) {
  const percent = 100 * probability;
  if (percent >= 0.005) return `${percent.toFixed(2)} %`;
  return percent === 0 ? '0 %' : `${smallText(percent)} %`;
}

/** One digit, and not in powers of ten before they are shorter: 0.004, 2e-5. */
function smallText(number) {
  return number >= 1e-4 ? String(Number(number.toPrecision(1))) : number.toExponential(0);
}

function flat(cells, grid) {
  return [...new Set(cells.map((cell) => flatIndex(grid, cell)))].sort((a, b) => a - b);
}

/** As many cells of `count` as `taken` has, none of them in it, drawn by a number that depends on them only. */
function othersThan(taken, count) {
  const without = new Set(taken);
  const others = Array.from({length: count}, (_, n) => n).filter((n) => !without.has(n));
  let state = taken.reduce((mixed, n) => Math.imul(mixed ^ n, 0x9E3779B1) >>> 0, 1);
  for (let n = 0; n < Math.min(taken.length, others.length); n += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;              // Numerical Recipes' linear congruence
    const at = n + Math.floor(state / 2 ** 32 * (others.length - n));
    [others[n], others[at]] = [others[at], others[n]];
  }
  return others.slice(0, taken.length).sort((a, b) => a - b);
}
