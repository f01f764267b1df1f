/** The first page: cards of all clips, and the drop zone from the file to the clip page. */
import {clipPage, readClips} from './api.js';
import {find, make, setText} from './dom.js';
import {drawPoster} from './poster.js';
import {openDrop} from './drop.js';
import {networkText, sideBySide, tellFrames, withoutNulls} from './networks.js';
import {watchClip, isFinal} from './watch.js';
import {lengthText, stageText} from './words.js';

const models = new Map(JSON.parse(find('#models-data').textContent).map((model) => [model.name, model]));

openDrop(find('.drop'), find('#limits-data'));
if (models.size > 1) tellFrames(find('.drop-model select'), find('.frames-seen'));
showClips();

async function showClips() {
  const note = find('.gallery-note');
  try {
    const clips = await readClips();
    const shown = withoutNulls(clips);
    const choice = models.size > 1 || new Set(shown.map(networkText)).size > 1;
    find('.cards').replaceChildren(...sideBySide(shown).map((clip) => card(clip, choice)));
    setText(note, clips.length ? '' : 'No clips yet. The first one you drop above will stand here.');
  } catch (error) {
    setText(note, `The clips could not be listed. ${error.message}`);
  }
}

/** A clip's card; `choice` when it must be told which network it is of. */
function card(clip, choice) {
  const poster = make('span', {className: 'poster'});
  const link = make('a', {className: 'card', href: clipPage(clip.id)}, poster,
    make('span', {className: 'card-title'}, clip.filename), make('span', {className: 'card-facts'}, facts(clip)),
    choice ? make('span', {className: 'card-model'}, network(clip)) : null);
  fill(poster, clip);
  if (!isFinal(clip)) {
    watchClip(clip.id, (next) => {
      fill(poster, next);
      setText(find('.card-facts', link), facts(next));
    }, () => {});
  }
  return make('li', {}, link);
}

function facts(clip) {
  if (clip.state === 'failed') return 'could not be analysed';
  if (clip.state !== 'done') return clip.state;
  return `${lengthText(clip.video.duration_s)}, ${clip.video.width} × ${clip.video.height}${clip.sample ? ', sample' : ''}`;
}

function network(clip) {
  return models.get(clip.model)?.random_weights ? `${networkText(clip)}, random weights` : networkText(clip);
}

/** The picture of a finished clip; of any other, how far it has come or what went wrong. */
function fill(poster, clip) {
  if (clip.state === 'done') {
    const canvas = make('canvas');
    poster.replaceChildren(canvas);
    drawPoster(canvas, clip).catch((error) => poster.append(make('span', {className: 'card-state'}, error.message)));
    return;
  }
  const state = make('span', {className: 'card-state'});
  if (clip.state === 'failed') state.append(clip.error?.message ?? 'failed');
  else if (clip.state === 'cancelled') state.append('cancelled');
  else {
    const bar = make('progress', {max: 1, ariaLabel: 'Progress'});
    if (clip.state === 'running') bar.value = clip.progress;
    state.append(clip.state === 'queued' ? stageText('queued') : `${stageText(clip.stage)}, ${Math.round(100 * clip.progress)} %`, bar);
  }
  poster.replaceChildren(state);
}
