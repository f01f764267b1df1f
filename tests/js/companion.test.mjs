import assert from 'node:assert/strict';
import {test} from 'node:test';
import {clipLabel, comparison} from '../../static/js/bench/beside.js';
import {telling} from '../../static/js/bench/ladder.js';
import {
  activeOnly, besideText, blockIn, frameBeside, neighbourBlock, pointBeside, readBeside, stateBeside,
} from '../../static/js/companion.js';
import {centreOf} from '../../static/js/geometry.js';
import {cellFor, gridOf, initialState, questionsOf, reduce} from '../../static/js/state.js';
import {randomField, WORLD} from './help.mjs';

const ID = '51c9d6f0e7bda0a3fed7f895';
const SHORT = {...WORLD, total: 8, times: WORLD.times.slice(0, 8), blocks: [
  {name: 'late', kind: 'dot_product', softmax: false, queryGrid: {t: 4, h: 7, w: 7}, keyGrid: {t: 4, h: 7, w: 7}},
]};

function asked(...actions) {
  return actions.reduce((state, action) => reduce(state, action, WORLD), {...initialState(WORLD), block: 'res3_1'});
}

test('what stands beside is a block, or a clip and its block, and the text says it back', () => {
  assert.deepEqual(readBeside('mixed_4c'), {clip: null, block: 'mixed_4c'});
  assert.deepEqual(readBeside(`${ID}.mixed_4c`), {clip: ID, block: 'mixed_4c'});
  assert.deepEqual(readBeside('res3.block1'), {clip: null, block: 'res3.block1'});        // a dot, but no clip
  for (const text of ['mixed_4c', `${ID}.mixed_4c`, `${ID}.a.b`]) assert.equal(besideText(readBeside(text)), text);
});

test('with as many frames on both sides every frame stands beside itself', () => {
  for (let frame = 0; frame < 32; frame += 1) assert.equal(frameBeside(frame, 32, 32), frame);
});

test('a frame stands beside one of the other clip, in order, from its first to its last share', () => {
  for (const [total, others] of [[32, 8], [8, 32], [5, 7], [1, 64], [64, 1]]) {
    const frames = Array.from({length: total}, (_, frame) => frameBeside(frame, total, others));
    assert.ok(frames.every((frame, n) => frame >= 0 && frame < others && (n === 0 || frame >= frames[n - 1])));
  }
  assert.deepEqual([0, 3, 4, 31].map((frame) => frameBeside(frame, 32, 8)), [0, 0, 1, 7]);
  assert.deepEqual([0, 1].map((frame) => frameBeside(frame, 2, 8)), [2, 6]);    // the middle of its share
});

test('there and back again is the same frame when the other clip is longer', () => {
  for (let frame = 0; frame < 8; frame += 1) assert.equal(frameBeside(frameBeside(frame, 8, 32), 32, 8), frame);
});

test('a place keeps its fractions of the crop, both corners of a region too', () => {
  const region = {frame: 8, x: 0.25, y: 0.75, to: {frame: 31, x: 0.5, y: 0.9}};
  assert.deepEqual(pointBeside(region, 32, 8), {frame: 2, x: 0.25, y: 0.75, to: {frame: 7, x: 0.5, y: 0.9}});
});

test('through another block of the same clip the companion asks what the lens asks when it chooses that block', () => {
  const state = asked({type: 'pin', cell: {t: 4, h: 2, w: 7}}, {type: 'point', cell: {t: 9, h: 5, w: 11}});
  const chosen = reduce(state, {type: 'block', name: 'res4_1'}, WORLD);
  assert.deepEqual(questionsOf(stateBeside(state, WORLD, 'res4_1', WORLD), WORLD), questionsOf(chosen, WORLD));
});

test('the own block beside itself is the very same state', () => {
  const state = asked({type: 'pin', cell: {t: 4, h: 2, w: 7}}, {type: 'point', cell: {t: 9, h: 5, w: 11}}, {type: 'ask', change: {when: '8-15'}});
  assert.deepEqual(stateBeside(state, WORLD, 'res3_1', WORLD), state);
});

test('on a shorter clip, frames, the cursor, a drawn box and the wanted frames are at the same share', () => {
  const state = {...asked({type: 'point', cell: {t: 9, h: 5, w: 11}}, {type: 'ask', change: {when: '8-15'}}), frames: [0, 1, 16, 24], frame: 31, anchor: {t: 12, h: 9, w: 1}};
  const there = stateBeside(state, WORLD, 'late', SHORT);
  assert.deepEqual(there.frames, [0, 4, 6]);                                 // 0 and 1 are the same frame there
  assert.equal(there.frame, 7);
  assert.equal(there.ask.when, '2-3');
  const {x, y} = centreOf(gridOf(state, WORLD), state.cursor, WORLD.total);
  assert.deepEqual(there.cursor, cellFor({frame: 4, x, y}, there, SHORT));
  assert.deepEqual(there.anchor, {t: 3, h: 6, w: 0});                        // frame 24 of 32 is 6 of 8; 9.5 / 10 of 7 rows
});

test('nothing asked stays nothing asked', () => {
  const there = stateBeside(initialState(WORLD), WORLD, 'late', SHORT);
  assert.equal(there.pins, null);
  assert.deepEqual(questionsOf(there, SHORT), []);
});

test('small pictures show the cursor, or else the active pin, and no other', () => {
  const pins = asked({type: 'pin', cell: {t: 0, h: 0, w: 0}}, {type: 'pin', cell: {t: 4, h: 2, w: 7}}, {type: 'activate', at: 0});
  assert.deepEqual(questionsOf(activeOnly(pins), WORLD).map(({cells}) => cells), [[{t: 0, h: 0, w: 0}]]);
  const hovering = reduce(pins, {type: 'point', cell: {t: 1, h: 1, w: 1}}, WORLD);
  assert.deepEqual(questionsOf(activeOnly(hovering), WORLD).map(({cells}) => cells), [[{t: 1, h: 1, w: 1}]]);
  assert.deepEqual(questionsOf(activeOnly(asked()), WORLD), []);
});

test('without a choice the neighbouring block stands beside; a block that is not there becomes the last', () => {
  assert.equal(neighbourBlock({block: 'res4_1'}, WORLD), 'res3_1');
  assert.equal(neighbourBlock({block: 'res3_1'}, WORLD), 'res4_1');
  assert.equal(neighbourBlock({block: 'late'}, SHORT), 'late');
  assert.equal(blockIn(WORLD, 'res3_1'), 'res3_1');
  assert.equal(blockIn(WORLD, 'mixed_4f'), 'res4_1');
  assert.equal(blockIn({blocks: []}, 'res3_1'), null);
});

test('a strip of few frames is shown whole', () => {
  assert.deepEqual(telling([0, 8, 16, 24], 8, [], 32), [0, 8, 16, 24]);
});

test('of many frames, the asked one and those in which most answers end, each time cell once', () => {
  const grid = {t: 8, h: 1, w: 1};                                           // a cell covers four frames
  const answer = {grid, top: [[5, 0.5], [7, 0.3], [1, 0.1], [0, 0.05]].map(([t, weight]) => ({cell: {t, h: 0, w: 0}, weight}))};
  const even = Array.from({length: 16}, (_, n) => 2 * n);
  const shown = telling(even, 1, [{answer}, {answer: null}], 32);
  assert.equal(shown.length, 4);
  assert.deepEqual(shown.map((frame) => Math.floor(frame / 4)), [0, 1, 5, 7]);
  assert.equal(shown[0], 0);                                                 // the nearest to frame 1, the earlier of two
});

test('answers are compared where both saw the same frames, and only there', () => {
  const clip = {sha256: 'a', variant: 'none', frames: {size_px: 224}};
  const own = {...WORLD, clip}, answer = {grid: {t: 2, h: 2, w: 2}, top: [{cell: {t: 0, h: 0, w: 0}}, {cell: {t: 1, h: 0, w: 0}}]};
  assert.match(comparison(answer, answer, own, own), /2 strongest answers, 100 %/);
  assert.match(comparison(answer, answer, own, {...own, clip: {...clip, sha256: 'b'}}), /same share/);
  assert.match(comparison(answer, answer, own, {...own, clip: {...clip, variant: 'shuffled'}}), /same share/);
  assert.match(comparison(answer, answer, own, {...SHORT, clip}), /32 and 8 frames/);
  assert.equal(comparison(null, answer, own, own), '');
});

test('a clip is named by what sets it apart', () => {
  const own = {sha256: 'a', model: 'default', start_s: 0, variant: 'none', filename: 'kick.mp4'};
  assert.equal(clipLabel({...own, model: 'i3d-observers'}, own), 'i3d-observers');
  assert.equal(clipLabel({...own, start_s: 12.4, variant: 'shuffled'}, own), 'default, from 12.40 s, shuffled');
  assert.equal(clipLabel({...own, sha256: 'b', filename: 'cat.mp4'}, {...own, start_s: 3}), 'cat.mp4, default');
});
