import assert from 'node:assert/strict';
import {test} from 'node:test';
import {answerTo} from '../../static/js/ask.js';
import {weightsOf} from '../../static/js/field.js';
import {centreOf} from '../../static/js/geometry.js';
import {massByFrame, sceneOf} from '../../static/js/scene.js';
import {initialState, reduce} from '../../static/js/state.js';
import {evenFrames, NO_ZOOM, place, playerLayout, stripLayout, zoomAt, zoomed} from '../../static/js/transform.js';
import {randomField, WORLD} from './help.mjs';

const FIELD = randomField(WORLD.blocks[0], 7);
const ALL = evenFrames(32, 1, 32);

function drawn(actions, {frames = [0, 8, 16, 24], view = 'strip'} = {}) {
  const start = {...initialState(WORLD), block: 'res3_1', frames, view};
  const state = actions.reduce((before, action) => reduce(before, action, WORLD), start);
  const layout = view === 'strip'
    ? stripLayout({frames, width: 1232, tallest: 700}) : playerLayout({frame: state.frame, width: 800, tallest: 700});
  const ask = (cells) => answerTo(FIELD, state.direction, cells, {...state.ask, total: 32});
  return {...sceneOf({state, world: WORLD, layout, ask}), layout, state};
}

const ASKED = {type: 'pin', cell: {t: 4, h: 2, w: 7}};
const of = (scene, kind) => scene.items.filter((item) => item.kind === kind);

test('k arrows for k, their weights falling', () => {
  for (const k of [1, 20, 100]) {
    const arrows = of(drawn([ASKED, {type: 'ask', change: {k}}]), 'arrow').sort((a, b) => a.rank - b.rank);
    assert.equal(arrows.length, k);
    assert.ok(arrows.every(({weight}, n) => n === 0 || weight <= arrows[n - 1].weight));
  }
});

test('the same question gives the same draw list', () => {
  assert.deepEqual(drawn([ASKED, {type: 'heat', heat: true}]).items, drawn([ASKED, {type: 'heat', heat: true}]).items);
});

test('the draw list is plain JSON', () => {
  const {items} = drawn([ASKED, {type: 'heat', heat: true}]);
  assert.deepEqual(JSON.parse(JSON.stringify(items)), items);
});

test('with all frames shown no arrow is out of sight, and each ends at the centre of its cell', () => {
  const scene = drawn([ASKED], {frames: ALL});
  assert.equal(scene.hidden, 0);
  for (const {cell, to} of of(scene, 'arrow')) {
    assert.deepEqual(to, place(centreOf(FIELD.keyGrid, cell, 32), scene.layout));
  }
});

test('arrows whose end has no shown frame are kept, not drawn, and counted', () => {
  const scene = drawn([ASKED]);
  const unseen = of(scene, 'arrow').filter(({span}) => ![0, 8, 16, 24].some((frame) => frame >= span.first && frame <= span.last));
  assert.equal(scene.hidden, unseen.length);
  assert.ok(unseen.length > 0 && unseen.every(({shown, to}) => !shown && to === null));
});

test('the head covers a cell of the answering grid, the tail one of the asking grid', () => {
  const scene = drawn([ASKED], {frames: ALL});
  const {size} = scene.layout;
  const widths = (role) => new Set(of(scene, 'cell').filter((cell) => cell.role === role).map(({box}) => Math.round(1000 * box.width / size)));
  assert.deepEqual([...widths('tail')], [Math.round(1000 / 12)]);
  assert.deepEqual([...widths('head')], [Math.round(1000 / 6)]);
});

test('a cell that spans two frames is outlined on both', () => {
  const tails = of(drawn([ASKED], {frames: ALL}), 'cell').filter(({role}) => role === 'tail');
  assert.deepEqual(tails.map(({frame}) => frame), [8, 9]);
});

test('an arrow is dashed when it goes backwards, white when both ends share a frame', () => {
  for (const {seconds, dashed, colour, span} of of(drawn([ASKED, {type: 'ask', change: {k: 100}}]), 'arrow')) {
    assert.equal(dashed, seconds < 0);
    assert.equal(colour === '#f6f3ec', span.first <= 9 && span.last >= 8);
    assert.equal(Math.sign(seconds), span.last < 8 ? -1 : span.first > 9 ? 1 : 0);
  }
});

test('the player draws every arrow and sets off those that end in its frame', () => {
  const scene = drawn([ASKED, {type: 'frame', frame: 12}], {view: 'player'});
  const arrows = of(scene, 'arrow');
  assert.equal(scene.hidden, 0);
  assert.ok(arrows.every(({shown}) => shown));
  for (const {span, present} of arrows) assert.equal(present, span.first <= 12 && span.last >= 12);
  const strong = arrows.filter(({present}) => present), faint = arrows.filter(({present}) => !present);
  for (const {opacity} of faint) assert.ok(strong.every((other) => other.opacity > opacity));
});

test('reverse starts from a key and ends in queries', () => {
  const scene = drawn([{type: 'direction', direction: 'reverse'}, {type: 'pin', cell: {t: 4, h: 2, w: 3}}, {type: 'ask', change: {k: 100}}]);
  assert.ok(of(scene, 'arrow').some(({cell}) => cell.h >= FIELD.keyGrid.h || cell.w >= FIELD.keyGrid.w));
});

test('the heat map shows the time cell of each shown frame, rows then columns', () => {
  const scene = drawn([ASKED, {type: 'heat', heat: true}], {frames: [0, 8, 17]});
  const weights = weightsOf(FIELD, 'forward', ASKED.cell);
  const top = Math.max(...weights);
  const map = of(scene, 'heat')[2];                                      // frame 17: time cell 8
  assert.deepEqual(map.grid, {h: 5, w: 6});
  assert.ok(Math.abs(map.values[3 * 6 + 2] - weights[(8 * 5 + 3) * 6 + 2] / top) < 1e-6);
});

test('with a scale for each, every map reaches 1; with one scale only the highest does', () => {
  const tops = (scale) => of(drawn([ASKED, {type: 'heat', heat: true}, {type: 'scale', scale}], {frames: ALL}), 'heat').map(({values}) => Math.max(...values));
  assert.ok(tops('each').every((top) => Math.abs(top - 1) < 1e-6));
  assert.equal(tops('shared').filter((top) => Math.abs(top - 1) < 1e-6).length, 2);       // the two frames of one time cell
});

test('the heat map says its palette, and whether it is smoothed', () => {
  const [plain] = of(drawn([ASKED, {type: 'heat', heat: true}]), 'heat');
  assert.deepEqual([plain.palette, plain.smooth], ['viridis', false]);
  const [other] = of(drawn([ASKED, {type: 'heat', heat: true}, {type: 'palette', palette: 'magma'}, {type: 'smooth', smooth: true}]), 'heat');
  assert.deepEqual([other.palette, other.smooth], ['magma', true]);
});

test('under a zoom the draw list is larger, and captions of what is in sight stay in sight', () => {
  const state = reduce({...initialState(WORLD), block: 'res3_1'}, ASKED, WORLD);
  const layout = stripLayout({frames: [0, 8, 16, 24], width: 1232, tallest: 700});
  const seen = zoomed(layout, zoomAt(layout, NO_ZOOM, 5, {x: 650, y: 150}));
  const scene = sceneOf({state, world: WORLD, layout: seen, ask: (cells) => answerTo(FIELD, 'forward', cells, {total: 32})});
  for (const {box} of of(scene, 'cell').filter(({role}) => role === 'tail')) assert.ok(Math.abs(box.width - seen.size / 12) < 1e-9);
  const captions = of(scene, 'caption').filter(({x}) => x >= 0 && x < seen.width);
  assert.ok(captions.length > 0 && captions.every(({y, over}) => over && y <= seen.height - 8));
});

test('the mass of a row is shared out over the frames', () => {
  const weights = weightsOf(FIELD, 'forward', ASKED.cell);
  const mass = massByFrame(weights, FIELD.keyGrid, 32);
  assert.equal(mass.length, 32);
  assert.ok(Math.abs(mass.reduce((sum, value) => sum + value) - 2) < 1e-4);   // each time cell counts for its two frames
});

test('only the active question has head cells, the others keep their colour', () => {
  const scene = drawn([ASKED, {type: 'pin', cell: {t: 0, h: 0, w: 0}}]);
  assert.deepEqual(new Set(of(scene, 'cell').filter(({role}) => role === 'head').map(({question}) => question)), new Set(['pin2']));
  assert.equal(new Set(of(scene, 'arrow').filter(({question}) => question === 'pin1').map(({colour}) => colour)).size, 1);
});
