/** `node benchmarks/row.mjs`: the arithmetic of one hovered row in the page's own module, by block size. */
import {cellsOf} from '../static/js/geometry.js';
import {rowOf} from '../static/js/field.js';

const ROWS = 200;
const BLOCKS = [
  ['default, 14x14 cells', {t: 8, h: 14, w: 14}, {t: 8, h: 7, w: 7}, 128],
  ['default, 28x28 cells', {t: 16, h: 28, w: 28}, {t: 16, h: 14, w: 14}, 128],
  ['gluoncv, res3: keys as many as queries', {t: 4, h: 28, w: 28}, {t: 4, h: 28, w: 28}, 256],
];

for (const [name, queryGrid, keyGrid, channels] of BLOCKS) {
  const numbers = (grid) => Float32Array.from({length: cellsOf(grid) * channels}, () => Math.random() - 0.5);
  const field = {kind: 'embedded_gaussian', softmax: true, scale: channels ** -0.5, channels, queryGrid, keyGrid, theta: numbers(queryGrid), phi: numbers(keyGrid)};
  const times = Array.from({length: 2 * ROWS}, (_, n) => {
    const begin = performance.now();
    rowOf(field, n);
    return performance.now() - begin;
  }).slice(ROWS).sort((a, b) => a - b);                       // the first half warms the compiler up
  const at = (share) => times[Math.floor(share * ROWS)].toFixed(2);
  console.log(`${name.padEnd(40)} ${cellsOf(keyGrid)} keys x ${channels}: median ${at(0.5)} ms, p95 ${at(0.95)} ms`);
}
