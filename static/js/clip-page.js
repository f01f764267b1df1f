/** The clip page: the job while it runs, the reason when it failed, the lens when it is done. */
import {deleteClip, galleryPage, readBlocks, readPredictions} from './api.js';
import {find, loadImage, make, setText} from './dom.js';
import {openBenches} from './benches.js';
import {openLens} from './lens.js';
import {listen} from './listen.js';
import {openNetworks, showGrids} from './networks.js';
import {showPredictions} from './panel.js';
import {showProgress} from './progress.js';
import {isFinal} from './watch.js';
import {openWindow} from './window.js';
import {bytesText, lengthText} from './words.js';
import {worldOf} from './world.js';

const ADVICE = {
  UnreadableVideo: 'Most players and phones can export H.264 in an MP4 file; that is always read.',
  VideoTooLarge: 'Cut or scale the video down and upload it again.',
};

open(JSON.parse(find('#clip').textContent));

function open(clip) {
  setText(find('.clip-facts'), facts(clip));
  offerDelete(clip);
  const networks = document.querySelector('.networks');   // only where there is a choice
  if (networks) openNetworks(networks, clip, note);
  if (!isFinal(clip)) showProgress(find('.job'), clip, (end) => (end.state === 'done' ? arrive(end) : fail(end)));
  else if (clip.state === 'done') arrive(clip);
  else fail(clip);
}

function facts({video, frames, bytes}) {
  if (!video || !frames) return bytesText(bytes);
  const span = `${frames.count} frames from ${frames.times_s[0].toFixed(2)} to ${frames.times_s.at(-1).toFixed(2)} s`;
  return `${span} of ${lengthText(video.duration_s)}, ${video.width} × ${video.height}, seen as ${frames.size_px} × ${frames.size_px}`;
}

function fail(clip) {
  find('.job').hidden = true;
  find('.failure').hidden = false;
  setText(find('.failure h2'), clip.state === 'cancelled' ? 'The analysis was cancelled.' : 'This video could not be analysed.');
  setText(find('.failure-text'), clip.error?.message ?? '');
  setText(find('.failure-advice'), clip.error ? ADVICE[clip.error.code] ?? 'Try it once more; if it fails again, another video may do.' : '');
}

async function arrive(clip) {
  find('.job').hidden = true;
  setText(find('.clip-facts'), facts(clip));
  find('.clip-facts').append(...clip.notes.map((text) => make('span', {}, text)));
  try {
    const [blocks, image] = await Promise.all([readBlocks(clip.id), loadImage(clip.frames.url)]);
    if (document.querySelector('.network-blocks')) showGrids(document, blocks);
    if (!blocks.length) throw new Error('This network has no non-local block.');
    const world = worldOf(clip, blocks);
    const root = find('.lens');
    const lens = openLens(root, {world, sheet: {image, frames: clip.frames}, note, benches: openBenches});
    listen(root, lens);
    const strip = find('.window');
    openWindow(strip, clip, {blocks: blocks.map(({name}) => name), mayAsk: 'mayAsk' in strip.dataset, note});
    window.lens = {drawList: () => JSON.parse(JSON.stringify(lens.scene().items)), state: lens.state, ready: lens.ready};
    showPredictions(root, await readPredictions(clip.id));
  } catch (error) {
    note(error.message);
  }
}

/** A line above the lens, once per text; `remedy` = {label, act} gives it a button. */
function note(text, remedy = null) {
  const board = find('.notices');
  for (const other of [...board.children]) if (other.firstChild.textContent === text) other.remove();
  const button = make('button', {type: 'button', className: 'quiet', ariaLabel: remedy ? remedy.label : 'Dismiss'}, remedy?.label ?? '×');
  const line = make('p', {className: 'notice'}, make('span', {}, text), button);
  button.addEventListener('click', () => { line.remove(); remedy?.act(); });
  board.append(line);
}

function offerDelete(clip) {
  const button = find('#delete');
  button.hidden = clip.sample;
  button.addEventListener('click', async () => {
    if (!window.confirm(`Delete ${clip.filename} and all that was made from it?`)) return;
    try {
      await deleteClip(clip.id);
      location.assign(galleryPage());
    } catch (error) {
      note(error.message);
    }
  });
}
