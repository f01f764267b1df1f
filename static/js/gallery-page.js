/** The first page: cards of all clips, and the drop zone from the file to the clip page. */
import {clipPage, readClips} from './api.js';
import {find, make, setText} from './dom.js';
import {drawPoster} from './poster.js';
import {openDrop} from './drop.js';
import {watchClip, isFinal} from './watch.js';
import {durationText, stageText} from './words.js';

openDrop(find('.drop'), find('#limits-data'));
showClips();

async function showClips() {
  const note = find('.gallery-note');
  try {
    const clips = await readClips();
    find('.cards').replaceChildren(...clips.map(card));
    setText(note, clips.length ? '' : 'No clips yet. The first one you drop above will stand here.');
  } catch (error) {
    setText(note, `The clips could not be listed. ${error.message}`);
  }
}

function card(clip) {
  const poster = make('span', {className: 'poster'});
  const link = make('a', {className: 'card', href: clipPage(clip.id)}, poster,
    make('span', {className: 'card-title'}, clip.filename), make('span', {className: 'card-facts'}, facts(clip)));
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
  return `${durationText(clip.video.duration_s)}, ${clip.video.width} × ${clip.video.height}${clip.sample ? ', sample' : ''}`;
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
