/**
 * IEEE 754 half floats (binary16) to float32, by one table of all 65536 values.
 * Browsers before Float16Array need this; so does everyone on plain http today.
 */

/** The number that the 16 bits `bits` stand for: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
export function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;     // zero and subnormal
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let table = null;

/** Half floats as a Float32Array; every half is exact in float32. */
export function decodeHalves(halves) {
  table ??= Float32Array.from({length: 65536}, (_, bits) => halfToNumber(bits));
  const numbers = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i += 1) numbers[i] = table[halves[i]];
  return numbers;
}
