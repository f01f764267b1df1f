/** A job in sight: stage, percent, elapsed time, queue place and a way to stop it; on both pages. */
import {cancelClip} from './api.js';
import {find, setText} from './dom.js';
import {durationText, stageText} from './words.js';
import {isFinal, watchClip} from './watch.js';

/**
 * Shows the job of `clip` in `root` (the markup of templates/_progress.html) until it ends.
 * Calls onEnd(clip) with the final clip.
 */
export function showProgress(root, clip, onEnd) {
  const started = performance.now() - 1000 * (clip.elapsed_s ?? 0);
  let latest = clip;
  root.hidden = false;
  const draw = () => drawJob(root, latest, (performance.now() - started) / 1000);
  const clock = setInterval(draw, 500);
  const stop = watchClip(clip.id, (next) => {
    latest = next;
    setText(find('.job-trouble', root), '');
    draw();
    if (!isFinal(next)) return;
    clearInterval(clock);
    onEnd(next);
  }, (error) => setText(find('.job-trouble', root), `${error.message} Trying again.`));
  find('.job-cancel', root).onclick = async (event) => {
    event.target.disabled = true;
    try {
      await cancelClip(clip.id);
    } catch (error) {
      setText(find('.job-trouble', root), error.message);
      event.target.disabled = false;
    }
  };
  draw();
  return () => { clearInterval(clock); stop(); };
}

function drawJob(root, clip, elapsed) {
  const percent = Math.round(100 * clip.progress);
  setText(find('.job-stage', root), clip.state === 'queued' ? stageText('queued') : stageText(clip.stage));
  setText(find('.job-percent', root), clip.state === 'queued' ? queueText(clip) : `${percent} %`);
  setText(find('.job-elapsed', root), durationText(elapsed));
  const bar = find('progress', root);
  if (clip.state === 'queued') bar.removeAttribute('value');
  else bar.value = clip.progress;
}

function queueText({queue_place: place}) {
  if (place === null || place === undefined) return 'queued';
  return place <= 1 ? 'next in the queue' : `place ${place} in the queue`;
}
