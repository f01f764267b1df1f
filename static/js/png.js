/** Tiny pictures as PNG, uncompressed and without a DOM: heat maps have a few hundred pixels. RFC 2083, RFC 1950. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const LONGEST = 65535;   // bytes of a stored deflate block
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** `rgba` [height * width * 4], 0 to 255, rows from the top, as a data URL. */
export function pngUrl(width, height, rgba) {
  const raw = [];
  for (let y = 0; y < height; y += 1) raw.push(0, ...rgba.slice(4 * y * width, 4 * (y + 1) * width));   // 0: no filter
  const header = [...word(width), ...word(height), 8, 6, 0, 0, 0];                                      // 8 bits, RGBA
  const bytes = [...SIGNATURE, ...chunk('IHDR', header), ...chunk('IDAT', stored(raw)), ...chunk('IEND', [])];
  return `data:image/png;base64,${base64(bytes)}`;
}

/** Bytes in base64; V8 alone has no btoa. */
export function base64(bytes) {
  let text = '';
  for (let n = 0; n < bytes.length; n += 3) {
    const three = (bytes[n] << 16) | ((bytes[n + 1] ?? 0) << 8) | (bytes[n + 2] ?? 0);
    const signs = [18, 12, 6, 0].map((shift) => ALPHABET[(three >> shift) & 63]);
    text += signs.slice(0, Math.min(4, bytes.length - n + 1)).join('').padEnd(4, '=');
  }
  return text;
}

/** A zlib stream of blocks that are not compressed. */
function stored(raw) {
  const blocks = [];
  for (let at = 0; at < raw.length; at += LONGEST) {
    const piece = raw.slice(at, at + LONGEST), size = piece.length;
    blocks.push(Number(at + LONGEST >= raw.length), size & 255, size >> 8, ~size & 255, (~size >> 8) & 255, ...piece);
  }
  return [0x78, 0x01, ...blocks, ...word(adler32(raw))];
}

function chunk(name, data) {
  const body = [...Array.from(name, (sign) => sign.charCodeAt(0)), ...data];
  return [...word(data.length), ...body, ...word(crc32(body))];
}

function word(value) {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

function adler32(bytes) {
  let a = 1, b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}
