import assert from 'node:assert/strict';
import {test} from 'node:test';
import {carried, sideBySide} from '../../static/js/networks.js';

const LINK = '?block=mixed_4c&q=4.10.12&dir=reverse&k=10&frame=9';

test('a network with the same grids and that block is asked the same question', () => {
  assert.equal(carried(LINK, ['mixed_3c', 'mixed_4c']), LINK);
});

test('a network without that block keeps frames and view, not the place', () => {
  assert.equal(carried(LINK, ['mixed_4f']), '?dir=reverse&k=10&frame=9');
});

test('a network with other frames or grids keeps only what is not of the clip', () => {
  assert.equal(carried(LINK, undefined), '?dir=reverse&k=10');
  assert.equal(carried('?block=mixed_4c&q=1.2.3', undefined), '');
});

test('without a question there is nothing to lose', () => {
  assert.equal(carried('', ['mixed_4f']), '');
  assert.equal(carried('?n=4&step=8', ['mixed_4f']), '?n=4&step=8');
});

test('clips of one video and start stand together, where the newest of them is', () => {
  const clip = (id, sha256, start_s = 0) => ({id, sha256, start_s});
  const clips = [clip(1, 'a'), clip(2, 'b'), clip(3, 'a', 1.5), clip(4, 'a')];

  assert.deepEqual(sideBySide(clips).map(({id}) => id), [1, 4, 2, 3]);
});
