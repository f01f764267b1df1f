// The decisions inside the files that otherwise only touch the page.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {apiError, uploadUrl} from '../../static/js/api.js';
import {spoken} from '../../static/js/panel.js';
import {secondFrame} from '../../static/js/poster.js';
import {cornersOf, layoutFor, tipNear} from '../../static/js/stage.js';
import {suggestedCell} from '../../static/js/suggest.js';
import {objection} from '../../static/js/upload.js';
import {bytesText} from '../../static/js/words.js';
import {initialState} from '../../static/js/state.js';
import {randomField, WORLD} from './help.mjs';

test('a file that the server would refuse is refused before it is sent, with the limit', () => {
  const limits = {upload_bytes: 1e6};
  assert.equal(objection({name: 'a.mp4', size: 9e5, type: 'video/mp4'}, limits, bytesText), null);
  assert.equal(objection({name: 'a.mkv', size: 9e5, type: ''}, limits, bytesText), null);
  assert.match(objection({name: 'a.mp4', size: 2e6, type: 'video/mp4'}, limits, bytesText), /2\.0 MB; the limit here is 1\.0 MB/);
  assert.match(objection({name: 'a.mp4', size: 0, type: 'video/mp4'}, limits, bytesText), /empty/);
  assert.match(objection({name: 'a.txt', size: 5, type: 'text/plain'}, limits, bytesText), /not a video/);
});

test('file names are escaped in the upload address', () => {
  assert.equal(uploadUrl('a b&c=ü.mp4', ''), '/api/v1/clips?filename=a+b%26c%3D%C3%BC.mp4');
});

test('an error answer speaks with the server\'s words, a proxy\'s page with its status', () => {
  assert.equal(apiError(429, '{"error": {"code": "QueueFull", "message": "full"}}', '30').message, 'full');
  assert.equal(apiError(429, '{"error": {"code": "QueueFull", "message": "full"}}', '30').retryAfter, 30);
  assert.equal(apiError(502, '<html>').message, 'The server answered 502.');
});

test('a poster shows the other frame in which most of the weight ends', () => {
  const arrow = (frame, weight) => ({weight, end: {frame}});
  assert.equal(secondFrame([arrow(8, 0.9), arrow(9, 0.8), arrow(20, 0.2), arrow(20, 0.2), arrow(2, 0.3)], 8, 32), 20);
  assert.equal(secondFrame([arrow(8, 0.9)], 8, 32), 16);
});

test('only the tip of a drawn arrow of the active pin is named, the nearest one', () => {
  const tip = (question, x, shown = true) => ({kind: 'arrow', question, shown, to: shown ? {x, y: 0} : null});
  const items = [tip('pin1', 10), tip('pin2', 11), tip('pin2', 14), tip('pin2', 0, false)];
  assert.equal(tipNear({x: 12, y: 0}, items, {active: 1}), items[1]);
  assert.equal(tipNear({x: 60, y: 0}, items, {active: 1}), null);
});

test('the suggestion is a cell of the first shown frame, and always the same one', () => {
  const field = randomField(WORLD.blocks[0], 2);
  const cell = suggestedCell(field, 'forward', [8, 16], 32);
  assert.equal(cell.t, 4);
  assert.deepEqual(suggestedCell(field, 'forward', [8, 16], 32), cell);
});

test('what is said aloud names the place, the strongest answer and what is out of sight', () => {
  const span = {first: 8, last: 9};
  const scene = {share: true, hidden: 1, active: {span, cells: [{t: 4, h: 2, w: 7}], arrows: [{weight: 0.04, span: {first: 2, last: 3}, seconds: -0.4}]}};
  assert.equal(spoken({}, scene),
    'Frame 8–9, cell t 4, row 2, column 7. Strongest: 4.00 %, frame 2–3, −0.40 s. 1 of 1 end in frames not shown.');
  assert.equal(spoken({}, {active: null}), 'No question.');
});

test('the player shows its one frame, the strip the chosen ones', () => {
  const state = {...initialState(WORLD), frame: 9};
  assert.deepEqual(layoutFor({...state, view: 'player'}, 1000, 800).frames, [9]);
  assert.deepEqual(layoutFor(state, 1000, 800).frames, [0, 8, 16, 24]);
});

test('a box may be drawn from any of its corners', () => {
  const box = {from: {t: 1, h: 2, w: 3}, to: {t: 1, h: 7, w: 4}};
  assert.deepEqual(cornersOf({t: 1, h: 7, w: 3}, {t: 1, h: 2, w: 4}), box);
  assert.deepEqual(cornersOf(box.from, box.to), box);
});
