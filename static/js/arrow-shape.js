/**
 * The outline of an arrow: a bent shaft that swells towards a swept head. Points in, polygons out, so that
 * canvas and SVG draw the same.
 */

const OFF = 0.2;           // CSS pixels that straight pieces of a shaft may stray from its curve: points cost time
const DASH = 7, SPACE = 5; // CSS pixels
export const RIM = 0.9;    // CSS pixels of dark casing around an arrow
const CLEAR = 4;           // the shaft starts this far from the centre of its tail

/**
 * Polygons of an arrow {from, to, bend, width, dashed}: [[ [x, y], ... ], ...], the head first.
 *
 * The axis is a quadratic curve that passes `bend` pixels to the left of the straight line (so arrows to the
 * right pass above it and arrows to the left below). The tip is exactly at `to`.
 */
export function arrowShape({from, to, bend, width, dashed}) {
  const axis = axisOf(from, to, bend);
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const head = Math.min(5 + 2.7 * width, 0.55 * length);
  const start = Math.min(CLEAR, 0.2 * length) / Math.max(length, 1e-6);
  const neck = 1 - 0.72 * head / Math.max(length, 1e-6);
  const slices = dashed ? dashes(start, neck, length) : [[start, neck]];
  const pieces = dashed ? 1 : Math.max(1, Math.ceil(Math.sqrt(Math.abs(bend) / OFF)));   // each strays by bend / pieces ** 2; a dash is straight
  return [headOf(axis, head, length), ...slices.map(([a, b]) => shaftOf(axis, a, b, {width, pieces}))];
}

/** The point and unit normal at t in [0, 1] on the quadratic curve through the bent middle. */
function axisOf(from, to, bend) {
  const dx = to.x - from.x, dy = to.y - from.y;
  const length = Math.max(Math.hypot(dx, dy), 1e-6);
  const cx = (from.x + to.x) / 2 + 2 * bend * dy / length;   // the curve reaches half way to its control point
  const cy = (from.y + to.y) / 2 - 2 * bend * dx / length;
  return (t) => {
    const u = 1 - t;
    const tx = 2 * u * (cx - from.x) + 2 * t * (to.x - cx);
    const ty = 2 * u * (cy - from.y) + 2 * t * (to.y - cy);
    const speed = Math.max(Math.hypot(tx, ty), 1e-6);
    return {
      x: u * u * from.x + 2 * u * t * cx + t * t * to.x,
      y: u * u * from.y + 2 * u * t * cy + t * t * to.y,
      nx: ty / speed, ny: -tx / speed,
    };
  };
}

function dashes(start, end, length) {
  const period = (DASH + SPACE) / Math.max(length, 1e-6);
  const slices = [];
  for (let a = end; a > start; a -= period) {                // from the head: it never floats
    slices.push([Math.max(start, a - period * DASH / (DASH + SPACE)), a]);
  }
  return slices;
}

/** The shaft between t = a and t = b: down one side, back up the other; it swells from 0.5 to 1 of its width. */
function shaftOf(axis, a, b, {width, pieces}) {
  const outline = Array(2 * (pieces + 1));
  for (let n = 0; n <= pieces; n += 1) {
    const t = a + (b - a) * n / pieces;
    const {x, y, nx, ny} = axis(t);
    const half = width * (0.5 + 0.5 * t) / 2;
    outline[n] = [x + nx * half, y + ny * half];
    outline[outline.length - 1 - n] = [x - nx * half, y - ny * half];
  }
  return outline;
}

/** A head with a notch: tip, one barb, the notch, the other barb; it turns the way the shaft turns. */
function headOf(axis, head, length) {
  const reach = Math.max(length, 1e-6);
  const tip = axis(1), back = axis(1 - head / reach), notch = axis(1 - 0.72 * head / reach);
  const half = 0.42 * head;
  return [
    [tip.x, tip.y],
    [back.x - back.nx * half, back.y - back.ny * half],
    [notch.x, notch.y],
    [back.x + back.nx * half, back.y + back.ny * half],
  ];
}

/**
 * A polygon whose sides lie `by` pixels farther out, for those that turn as arrowShape()'s do. Its corners move along
 * their bisectors, at most twice as far. To fill it is half the work of stroking the outline, and looks the same.
 */
export function grown(polygon, by) {
  const normals = polygon.map(([x, y], n) => {
    const [nextX, nextY] = polygon[(n + 1) % polygon.length];
    const dx = nextX - x, dy = nextY - y;
    const length = Math.max(Math.sqrt(dx * dx + dy * dy), 1e-6);
    return [dy / length, -dx / length];
  });
  return polygon.map(([x, y], n) => {
    const [before, after] = [normals.at(n - 1), normals[n]];
    const reach = by / Math.max(1 + before[0] * after[0] + before[1] * after[1], 0.5);
    return [x + (before[0] + after[0]) * reach, y + (before[1] + after[1]) * reach];
  });
}

/** The outline of a pin's mark around (0, 0), about `radius` large, as a polygon. */
export function markShape(shape, radius) {
  const ring = (corners, turn, reach = () => radius) => Array.from({length: corners}, (_, n) => {
    const angle = turn + 2 * Math.PI * n / corners;
    return [reach(n) * Math.cos(angle), reach(n) * Math.sin(angle)];
  });
  const up = -Math.PI / 2;
  switch (shape) {
    case 'square': return ring(4, Math.PI / 4, () => radius * 1.2);
    case 'triangle': return ring(3, up, () => radius * 1.25);
    case 'diamond': return ring(4, up, () => radius * 1.2);
    case 'hexagon': return ring(6, up, () => radius * 1.1);
    case 'star': return ring(10, up, (n) => (n % 2 ? 0.62 : 1.35) * radius);
    case 'cross': return ring(12, up + Math.PI / 12, (n) => (n % 3 === 2 ? 0.55 : 1.2) * radius);
    case 'drop': return ring(24, up, (n) => (n === 0 ? 1.6 : 1) * radius);
    default: return ring(24, up);
  }
}
