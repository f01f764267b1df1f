import assert from 'node:assert/strict';
import {test} from 'node:test';
import {parseSafetensors, SafetensorsError} from '../../static/js/safetensors.js';
import {bytesOf, fixture} from './help.mjs';

function file(header, data = []) {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const buffer = new ArrayBuffer(8 + text.length + data.length);
  new DataView(buffer).setBigUint64(0, BigInt(text.length), true);
  new Uint8Array(buffer).set(text, 8);
  new Uint8Array(buffer).set(data, 8 + text.length);
  return buffer;
}

test('a file that the reference implementation wrote is read with shapes and metadata', () => {
  const [golden] = fixture('affinity').cases;
  const {metadata, tensors} = parseSafetensors(bytesOf(golden.safetensors));
  assert.equal(metadata.kind, golden.kind);
  assert.deepEqual(tensors.theta.shape, [120, golden.channels]);
  assert.equal(tensors.lse.data.length, 120);
});

test('data that starts at an odd byte is read all the same', () => {
  const header = JSON.stringify({a: {dtype: 'F16', shape: [1], data_offsets: [0, 2]}});
  const {tensors} = parseSafetensors(file(header.length % 2 ? header : `${header} `, [0x00, 0x3c]));
  assert.deepEqual([...tensors.a.data], [1]);
});

test('a broken file is refused with the reason', () => {
  const refused = (buffer, reason) => assert.throws(() => parseSafetensors(buffer),
    (error) => error instanceof SafetensorsError && reason.test(error.message));
  refused(new ArrayBuffer(3), /3 bytes are too few/);
  refused(file('{}').slice(0, 9), /claims 2 bytes, the file has 9/);
  refused(file('{"a": '), /not JSON/);
  refused(file({a: {dtype: 'I64', shape: [1], data_offsets: [0, 8]}}, new Array(8).fill(0)), /type I64/);
  refused(file({a: {dtype: 'F16', shape: [2], data_offsets: [0, 2]}}, [0, 0]), /does not fit/);
  refused(file({a: {dtype: 'F16', shape: [2], data_offsets: [0, 4]}}, [0, 0]), /does not fit/);
  refused(file({a: {dtype: 'F16', shape: [1]}}, [0, 0]), /does not fit/);
});
