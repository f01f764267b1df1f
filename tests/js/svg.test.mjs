import assert from 'node:assert/strict';
import {inflateSync} from 'node:zlib';
import {test} from 'node:test';
import {arrowShape} from '../../static/js/arrow-shape.js';
import {figureOf, planOf, shotOf} from '../../static/js/figure.js';
import {base64, pngUrl} from '../../static/js/png.js';
import {escaped, svgOf} from '../../static/js/svg.js';
import {randomField, WORLD as BARE} from './help.mjs';

const CLIP = {id: 'c'.repeat(24), filename: 'a <b> & "c".mp4', sha256: '0123456789abcdef'.repeat(4), start_s: 1.5};
const WORLD = {...BARE, clip: CLIP};
const FIELD = randomField(WORLD.blocks[0], 7);
const PICTURES = Object.fromEntries(Array.from({length: 32}, (_, frame) => [frame, `data:image/png;base64,${frame}`]));
const MODEL = {name: 'default', weights: {'a.safetensors': 'feed'.repeat(16)}};
const LINK = 'block=res3_1&q=4.2.7,0.0.0-1.2.2&heat=1&k=5';

const figure = (search, change = {}) => figureOf({
  search, world: WORLD, field: FIELD, pictures: PICTURES, model: MODEL, version: '9.9', made: '2026-01-02T03:04:05Z', width: 1000, ...change});
const told = (svg) => JSON.parse(svg.match(/<metadata>(.*)<\/metadata>/)[1]
  .replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'));
const texts = (svg) => [...svg.matchAll(/<text [^>]*>([^<]*)</g)].map(([, text]) => text);
const ink = {colour: '#000000', size: 11};

test('a tiny PNG holds its pixels, rows from the top', () => {
  const rgba = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24];
  const bytes = Buffer.from(pngUrl(3, 2, rgba).split(',')[1], 'base64');
  const data = bytes.subarray(8 + 25 + 8, bytes.length - 12 - 4);
  assert.deepEqual([bytes.readUInt32BE(16), bytes.readUInt32BE(20)], [3, 2]);
  assert.deepEqual([...inflateSync(data)], [0, ...rgba.slice(0, 12), 0, ...rgba.slice(12)]);
});

test('a PNG of more than one stored block is read back', () => {
  const rgba = Array.from({length: 4 * 200 * 100}, (_, n) => n % 251);
  const bytes = Buffer.from(pngUrl(200, 100, rgba).split(',')[1], 'base64');
  assert.equal(inflateSync(bytes.subarray(41, bytes.length - 16)).length, 100 * 801);
});

test('base64 is that of everybody', () => {
  for (const length of [0, 1, 2, 3, 4, 5]) {
    const bytes = Array.from({length}, (_, n) => 250 - 40 * n);
    assert.equal(base64(bytes), Buffer.from(bytes).toString('base64'));
  }
});

test('an arrow is the polygons of the canvas, and one out of sight is not drawn', () => {
  const arrow = {kind: 'arrow', shown: true, from: {x: 10, y: 20}, to: {x: 90, y: 40}, bend: 8, width: 3, dashed: true, colour: '#123456', opacity: 0.5};
  const svg = svgOf([arrow, {...arrow, shown: false}], {picture: null, ink});
  const paths = [...svg.matchAll(/<path d="([^"]*)"/g)].map(([, d]) => d);
  const numbers = paths[1].split(/[MLZ,]+/).filter(Boolean).map(Number);
  const expected = arrowShape(arrow).flat(2);
  assert.equal(paths.length, 2);                                            // casing and colour of one arrow
  assert.equal(numbers.length, expected.length);
  assert.ok(numbers.every((number, n) => Math.abs(number - expected[n]) < 6e-4));
});

test('an arrow that ends where it starts is a ring', () => {
  const svg = svgOf([{kind: 'arrow', shown: true, from: {x: 5, y: 5}, to: {x: 6, y: 5}, bend: 0, width: 2, dashed: false, colour: '#123456', opacity: 1}], {ink});
  assert.match(svg, /<circle cx="6" cy="5" r="9" fill="none" stroke="#123456"/);
});

test('text from outside is text', () => {
  assert.equal(escaped('<script>"&\u0000\ud800'), '&lt;script&gt;&quot;&amp;\ufffd\ufffd');
});

test('the same link gives the same figure, and another date changes the date alone', () => {
  const first = figure(LINK), later = figure(LINK, {made: '2027-01-02T03:04:05Z'});
  assert.equal(first, figure(LINK));
  assert.notEqual(first, later);
  assert.equal(first, later.replaceAll('2027-01', '2026-01'));
});

test('the plan names the block and the frames that the figure shows', () => {
  assert.deepEqual(planOf({search: LINK, world: WORLD}), {block: 'res3_1', frames: [0, 8, 16, 24], notes: []});
  assert.deepEqual(planOf({search: 'view=player&frame=5', world: WORLD}).frames, [5]);
  const shown = [...figure(LINK).matchAll(/xlink:href="data:image\/png;base64,(\d+)"/g)].map(([, frame]) => Number(frame));
  assert.deepEqual(shown, [0, 8, 16, 24]);
});

test('the figure tells where it comes from', () => {
  const {video, weights_sha256: weights, ...rest} = told(figure(LINK));
  assert.deepEqual([video.filename, video.sha256, video.start_s], [CLIP.filename, CLIP.sha256, 1.5]);
  assert.deepEqual(weights, MODEL.weights);
  assert.deepEqual([rest.block, rest.kind, rest.k, rest.version, rest.link], ['res3_1', FIELD.kind, 5, '9.9', `/clips/${CLIP.id}?${LINK}`]);
  assert.deepEqual(rest.cells, [[{t: 4, h: 2, w: 7}], [{t: 0, h: 0, w: 0}, {t: 1, h: 2, w: 2}]]);
});

test('its caption says so in words', () => {
  const caption = texts(figure(`${LINK}&on=1&when=others&minus=0`)).join(' ');
  for (const words of ['a &lt;b&gt; &amp; &quot;c&quot;.mp4', 'SHA-256 0123456789ab', 'weights feedfeedfeed', 'block res3_1',
    'What does cell t 4, h 2, w 7, frames 8–9, look at? 5 arrows of highest weight', 'only other frames', 'With 1 more question', 'Nonlocal Lens 9.9']) {
    assert.ok(caption.includes(words), `${words} in ${caption}`);
  }
});

test('what the link asks in vain is said in the caption', () => {
  assert.ok(texts(figure(`${LINK}&colour=red`)).some((text) => text.includes('“colour” is not known')));
});

test('a link without a question gets the one that the page suggests', () => {
  assert.equal(told(figure('block=res3_1')).cells.length, 1);
  assert.deepEqual(told(figure('block=res3_1&q=')).cells, []);
});

test('lines fit the figure, whatever a file is called', () => {
  const svg = figure(LINK, {world: {...WORLD, clip: {...CLIP, filename: 'é'.repeat(200)}}});
  for (const text of texts(svg)) assert.ok(text.length <= 1000 / (0.6 * 11) + 30, text);
});

test('what lies over a film frame is even in width and height, and has no picture of its own', () => {
  const svg = shotOf({search: LINK.replace('&heat=1', ''), world: WORLD, field: FIELD, frame: 9});
  assert.match(svg, /width="480" height="504"/);
  assert.ok(!svg.includes('<image') && svg.includes('>9 · '));
});

test('a smooth heat map passes from cell to cell, and keeps to its cells at their centres', () => {
  const item = {kind: 'heat', x: 0, y: 0, size: 80, grid: {h: 1, w: 2}, values: [0, 1], opacity: 1, palette: 'magma'};
  const pixels = (svg) => {
    const bytes = Buffer.from(svg.match(/base64,([^"]*)"/)[1], 'base64');
    return [...inflateSync(bytes.subarray(41, bytes.length - 16)).subarray(1, 1 + 4 * bytes.readUInt32BE(16))].filter((_, n) => n % 4 === 3);
  };
  const [nearest, smooth] = [false, true].map((on) => pixels(svgOf([{...item, smooth: on}], {ink})));
  assert.deepEqual(nearest, [115, 255]);
  assert.deepEqual([smooth.length, smooth[0], smooth.at(-1)], [16, 115, 255]);
  assert.ok(smooth.every((alpha, n) => n === 0 || alpha >= smooth[n - 1]));
  assert.ok(Math.abs((smooth[7] + smooth[8]) / 2 - 185) < 1);
});
