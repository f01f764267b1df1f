import assert from 'node:assert/strict';
import {test} from 'node:test';
import {decodeHalves, halfToNumber} from '../../static/js/half.js';

/** A second way to the same number: widen the bits to float32 and let the machine read them. */
function widened(half) {
  const sign = (half & 0x8000) << 16, exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
  const view = new DataView(new ArrayBuffer(4));
  if (exponent === 0) {
    view.setUint32(0, (0x38800000 | (fraction << 13)) >>> 0);            // 2^-14 * (1 + fraction / 1024)
    const number = view.getFloat32(0) - 2 ** -14;
    return sign ? -number : number;
  }
  view.setUint32(0, (sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13)) >>> 0);
  return view.getFloat32(0);
}

test('all 65536 half floats are decoded as float32 widening gives them', () => {
  const decoded = decodeHalves(Uint16Array.from({length: 65536}, (_, bits) => bits));
  for (let bits = 0; bits < 65536; bits += 1) assert.ok(Object.is(decoded[bits], Math.fround(widened(bits))), `0x${bits.toString(16)}`);
});

test('known values: one, the largest, the smallest, minus zero', () => {
  assert.equal(halfToNumber(0x3c00), 1);
  assert.equal(halfToNumber(0x7bff), 65504);
  assert.equal(halfToNumber(0x0001), 2 ** -24);
  assert.ok(Object.is(halfToNumber(0x8000), -0));
});
