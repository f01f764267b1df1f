/** The page to take home: the same lens over what its own file holds. No server is asked; figures are drawn in place. */
import {find, loadImage, make, setText} from './dom.js';
import {openLens} from './lens.js';
import {listen} from './listen.js';
import {showPredictions} from './panel.js';
import {blockFrom, worldOf} from './world.js';

const {clip, blocks, predictions, frames, search} = JSON.parse(find('#home').textContent);

open();

async function open() {
  const world = worldOf(clip, blocks.map(blockFrom));     // their features are data: URLs
  const root = find('.lens');
  const lens = openLens(root, {world, sheet: {image: await loadImage(frames), frames: clip.frames}, note, search: location.search || search});
  listen(root, lens);
  window.lens = {drawList: () => JSON.parse(JSON.stringify(lens.scene().items)), state: lens.state, ready: lens.ready};
  showPredictions(root, predictions);
}

function note(text) {
  const line = make('p', {className: 'notice'});
  setText(line, text);
  find('.notices').append(line);
}
