// Small real things that the tests of the pure modules share.
import {readFileSync} from 'node:fs';
import {parseSafetensors} from '../../static/js/safetensors.js';
import {fieldOf} from '../../static/js/field.js';

/** A fixture that scripts/make_fixtures.py wrote. */
export function fixture(name) {
  return JSON.parse(readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url)));
}

/** The field of a golden case. */
export function goldenField(golden) {
  return fieldOf(parseSafetensors(bytesOf(golden.safetensors)));
}

/** base64 as an ArrayBuffer of its own. */
export function bytesOf(base64) {
  return new Uint8Array(Buffer.from(base64, 'base64')).buffer;
}

/** Numbers in [0, 1), the same in each run (mulberry32). */
export function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6D2B79F5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A clip of 32 frames at 15 per second with two blocks on unlike grids. */
export const WORLD = {
  total: 32,
  times: Array.from({length: 32}, (_, n) => n / 15),
  blocks: [
    {name: 'res3_1', kind: 'embedded_gaussian', softmax: true, queryGrid: {t: 16, h: 10, w: 12}, keyGrid: {t: 16, h: 5, w: 6}},
    {name: 'res4_1', kind: 'embedded_gaussian', softmax: true, queryGrid: {t: 4, h: 6, w: 5}, keyGrid: {t: 4, h: 3, w: 2}},
  ],
};

/** Features for a block of WORLD. */
export function randomField(block, seed) {
  const random = seeded(seed);
  const channels = 5;
  const numbers = (grid) => Float32Array.from({length: grid.t * grid.h * grid.w * channels}, () => 2 * random() - 1);
  const lse = new Float32Array(block.queryGrid.t * block.queryGrid.h * block.queryGrid.w).fill(5);
  return {...block, block: block.name, scale: 2, channels, theta: numbers(block.queryGrid), phi: numbers(block.keyGrid), lse};
}
