/**
 * Colours that carry meaning; the page's own colours are in css/base.css.
 *
 * Time: blue is the past, orange the future, near white the same moment (safe for all common kinds of
 * colour blindness, and arrows backwards in time are dashed besides). Heat: viridis or magma, both of evenly
 * rising lightness. Pins: Okabe and Ito, each with its own shape.
 */

const SAME_TIME = '#f6f3ec';
const PAST = [[176, 217, 255], [46, 134, 255]];
const FUTURE = [[255, 221, 166], [255, 116, 20]];

/** The hue of a time difference; `share` is the difference over the clip's length, in [-1, 1]. */
export function timeColour(share) {
  if (share === 0) return SAME_TIME;
  const [near, far] = share < 0 ? PAST : FUTURE;
  const reach = Math.min(1, Math.abs(share)) ** 0.6;         // near differences are the common ones: spread them
  return hex(near.map((value, n) => value + (far[n] - value) * reach));
}

/** Pins in the order in which they are handed out: the colour, and a shape for those who do not see it. */
export const PINS = [
  {colour: '#00b98a', shape: 'circle'},
  {colour: '#e08fc0', shape: 'square'},
  {colour: '#f0e442', shape: 'triangle'},
  {colour: '#56b4e9', shape: 'diamond'},
  {colour: '#f07a3a', shape: 'hexagon'},
  {colour: '#9a8cff', shape: 'star'},
  {colour: '#c9cdd2', shape: 'cross'},
  {colour: '#e0a500', shape: 'drop'},
];

/** The mark of a question that is only hovered. */
export const CURSOR = {colour: '#ffffff', shape: 'circle'};

// Polynomial fits to matplotlib's maps by Matt Zucker (shadertoy.com/view/WlfXRN), CC0.
const VIRIDIS = [
  [0.2777273272234177, 0.005407344544966578, 0.3340998053353061],
  [0.1050930431085774, 1.404613529898575, 1.384590162594685],
  [-0.3308618287255563, 0.214847559468213, 0.09509516302823659],
  [-4.634230498983486, -5.799100973351585, -19.33244095627987],
  [6.228269936347081, 14.17993336680509, 56.69055260068105],
  [4.776384997670288, -13.74514537774601, -65.35303263337234],
  [-5.435455855934631, 4.645852612178535, 26.3124352495832],
];

const MAGMA = [
  [-0.002136485053939582, -0.000749655052795221, -0.005386127855323933],
  [0.2516605407371642, 0.6775232436837668, 2.494026599312351],
  [8.353717279216625, -3.577719514958484, 0.3144679030132573],
  [-27.66873308576866, 14.26473078096533, -13.64921318813922],
  [52.17613981234068, -27.94360607168351, 12.94416944238394],
  [-50.76852536473588, 29.04658282127291, 4.23415299384598],
  [18.65570506591883, -11.48977351997711, -5.601961508734096],
];

/** The palettes of heat maps, by the names that state and link use. */
export const PALETTES = {viridis, magma};

/** viridis at `share` in [0, 1] as [red, green, blue], 0 to 255. */
export function viridis(share) {
  return polynomial(VIRIDIS, share);
}

/** magma at `share` in [0, 1] as [red, green, blue], 0 to 255. */
export function magma(share) {
  return polynomial(MAGMA, share);
}

function polynomial(coefficients, share) {
  const at = Math.min(1, Math.max(0, share));
  return [0, 1, 2].map((channel) => {
    const value = coefficients.reduceRight((sum, terms) => sum * at + terms[channel], 0);
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  });
}

/** One pixel of a heat map, [red, green, blue, alpha], 0 to 255: the lower the value, the more of the picture is seen. */
export function heatPixel(palette, value) {
  return [...PALETTES[palette](value), Math.round(255 * (0.45 + 0.55 * Math.sqrt(Math.max(0, value))))];
}

/** [red, green, blue] as #rrggbb. */
export function hex(rgb) {
  return `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`;
}
