import {test} from 'node:test';
import assert from 'node:assert/strict';
import {movedText, pointsText, rowsOf, wishOf, wishText} from '../../static/js/cut.js';
import {networkText, withoutNulls} from '../../static/js/networks.js';
import {WORLD} from './help.mjs';

const [block] = WORLD.blocks;                                   // queries 16x10x12, keys 16x5x6
const arrow = (rank, cell) => ({rank, cell});
const active = {
  cells: [{t: 0, h: 1, w: 2}], arrows: [arrow(1, {t: 1, h: 0, w: 0}), arrow(2, {t: 0, h: 0, w: 5}), arrow(3, {t: 15, h: 4, w: 5})],
};
const asked = (direction = 'forward', question = active) => ({active: question, block, direction});
const wish = (what, {rank = 1, everywhere = false, ...rest} = {}) => wishOf({what, rank, everywhere}, asked(rest.direction, rest.active));

test('one arrow is its end taken from its start', () => {
  assert.deepEqual(wish('arrow', {rank: 3}), {block: 'res3_1', keys: [479], queries: [14]});
});

test('the top is every end, once and in order', () => {
  assert.deepEqual(wish('top').keys, [5, 30, 479]);
  assert.deepEqual(wish('top', {everywhere: true}), {block: 'res3_1', keys: [5, 30, 479], queries: null});
});

test('an arrow that looks at the asked place starts where it ends', () => {
  const looked = {cells: [{t: 0, h: 1, w: 2}], arrows: [arrow(1, {t: 1, h: 0, w: 0})]};
  assert.deepEqual(wish('top', {direction: 'reverse', active: looked}), {block: 'res3_1', keys: [8], queries: [120]});
  assert.deepEqual(wish('top', {direction: 'reverse', active: looked, everywhere: true}).queries, null);
});

test('every cell of a region loses the keys', () => {
  const region = {...active, cells: [{t: 0, h: 0, w: 0}, {t: 0, h: 0, w: 1}]};
  assert.deepEqual(wish('top', {active: region}).queries, [0, 1]);
});

test('the comparison takes as many keys, others, and the same ones each time', () => {
  const {keys, queries} = wish('random');
  assert.equal(new Set(keys).size, 3);
  assert.ok(keys.every((key) => key >= 0 && key < 480 && ![5, 30, 479].includes(key)));
  assert.deepEqual(queries, [14]);
  assert.deepEqual(wish('random').keys, keys);
});

test('a whole block or all other frames need no question when every place loses them', () => {
  assert.deepEqual(wishOf({what: 'block', everywhere: true}, asked('forward', null)), {block: 'res3_1', keys: 'block', queries: null});
  assert.equal(wishOf({what: 'other_frames', everywhere: false}, asked('forward', null)), null);
  assert.deepEqual(wish('other_frames'), {block: 'res3_1', keys: 'other_frames', queries: [14]});
});

test('without a question, or without that arrow, there is nothing to cut', () => {
  assert.equal(wishOf({what: 'top', everywhere: true}, asked('forward', null)), null);
  assert.equal(wish('arrow', {rank: 4}), null);
});

test('what is removed is said in words', () => {
  assert.equal(wishText(wish('arrow'), 'arrow'), 'res3_1: one key, for one place');
  assert.equal(wishText(wish('random', {everywhere: true}), 'random'), 'res3_1: 3 keys drawn at random, for every place');
  assert.equal(wishText({block: 'res3_1', keys: 'block', queries: null}, 'block'), 'res3_1 as a whole, for every place');
});

test('changes are in points with their sign, and the smallest do not become nothing', () => {
  assert.deepEqual([0.0082, -0.0056, 0, 2e-7, -0.00004].map(pointsText), ['+0.82', '−0.56', '0', '+2e-5', '−0.004']);
});

test('the longest bar is the largest change', () => {
  const changes = [{label: 'a', before: 0.9, after: 0.8}, {label: 'b', before: 0.05, after: 0.1}];
  assert.deepEqual(rowsOf({changes}).map(({share}) => Math.round(100 * share)), [-100, 50]);
  assert.deepEqual(rowsOf({changes})[0].before, '90.00 %');
  assert.match(movedText(0), /does not change/);
  assert.match(movedText(0.0107), /^1.07 % of the probability/);
});

test('null models do not stand beside their clip in the gallery', () => {
  const clip = (id, variant, model = 'default') => ({id, variant, model, sha256: 'a', start_s: 0});
  const shown = withoutNulls([clip(1, 'shuffled'), clip(2, 'none'), clip(3, 'frozen', 'other')]);
  assert.deepEqual(shown.map(({id}) => id), [2, 3]);
  assert.deepEqual(shown.map(networkText), ['default', 'other, frozen']);
});
