/**
 * The safetensors container: 8 bytes of header length (little endian), a JSON header, the tensors.
 * Only what a block's features need: F16 and F32, both handed out as Float32Array.
 * Format: https://github.com/huggingface/safetensors#format
 */
import {decodeHalves} from './half.js';

const HEADER_LIMIT = 100_000_000; // bytes; the limit of the reference implementation

/** A file that is not what it claims to be; the message says where. */
export class SafetensorsError extends Error {}

/**
 * Parse `buffer` (an ArrayBuffer).
 * Returns {metadata: {name: string}, tensors: {name: {shape: number[], data: Float32Array}}}.
 * Throws SafetensorsError for a truncated file, a broken header, an unknown type or offsets that do not fit.
 */
export function parseSafetensors(buffer) {
  const {header, start} = readHeader(buffer);
  const {__metadata__: metadata = {}, ...entries} = header;
  const tensors = {};
  for (const [name, entry] of Object.entries(entries)) {
    tensors[name] = readTensor(buffer, start, name, entry);
  }
  return {metadata, tensors};
}

function readHeader(buffer) {
  if (buffer.byteLength < 8) throw new SafetensorsError(`${buffer.byteLength} bytes are too few for a header`);
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > HEADER_LIMIT || 8 + length > buffer.byteLength) {
    throw new SafetensorsError(`the header claims ${length} bytes, the file has ${buffer.byteLength}`);
  }
  const text = new TextDecoder().decode(new Uint8Array(buffer, 8, length));
  try {
    return {header: JSON.parse(text), start: 8 + length};
  } catch (error) {
    throw new SafetensorsError(`the header is not JSON: ${error.message}`);
  }
}

function readTensor(buffer, start, name, {dtype, shape, data_offsets: offsets}) {
  const width = {F16: 2, F32: 4}[dtype];
  if (!width) throw new SafetensorsError(`tensor ${name} has type ${dtype}; F16 and F32 are known`);
  const [begin, end] = offsets ?? [];
  const count = shape.reduce((product, size) => product * size, 1);
  if (end - begin !== count * width || start + end > buffer.byteLength || begin < 0) {
    throw new SafetensorsError(`tensor ${name} of shape [${shape}] does not fit its offsets [${offsets}]`);
  }
  const bytes = buffer.slice(start + begin, start + end);     // a copy: typed arrays need alignment
  return {shape, data: dtype === 'F16' ? decodeHalves(new Uint16Array(bytes)) : new Float32Array(bytes)};
}
