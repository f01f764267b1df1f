/** The page to take home: the same lens over what its own file holds. No server is asked; figures are drawn in place. */
import {find, loadImage, make, setText} from './dom.js';
import {openLens} from './lens.js';
import {listen} from './listen.js';
import {showPredictions} from './panel.js';

const {clip, blocks, predictions, frames, search} = JSON.parse(find('#home').textContent);

open();

async function open() {
  const world = {total: clip.frames.count, times: clip.frames.times_s, blocks: blocks.map(camel), clip};
  const root = find('.lens');
  const lens = openLens(root, {world, sheet: {image: await loadImage(frames), frames: clip.frames}, note, search: location.search || search});
  listen(root, lens);
  window.lens = {drawList: () => JSON.parse(JSON.stringify(lens.scene().items)), state: lens.state, ready: lens.ready};
  showPredictions(root, predictions);
}

/** A block as api.js gives it; its features are a data: URL. */
function camel({query_grid: queryGrid, key_grid: keyGrid, features_url: featuresUrl, features_bytes: featuresBytes, ...rest}) {
  return {...rest, queryGrid, keyGrid, featuresUrl, featuresBytes};
}

function note(text) {
  const line = make('p', {className: 'notice'});
  setText(line, text);
  find('.notices').append(line);
}
