/** The drop zone: choose, check, send, watch, go. Without this script its form posts by itself. */
import {clipPage} from './api.js';
import {find, setText} from './dom.js';
import {showProgress} from './progress.js';
import {objection, startUpload} from './upload.js';
import {bytesText} from './words.js';

/** Wire the drop zone `root`; the limits are in its JSON block. */
export function openDrop(root, limitsBlock) {
  const limits = JSON.parse(limitsBlock.textContent);
  const input = find('#file', root);
  const parts = {ask: find('.drop-ask', root), send: find('.drop-send', root), job: find('.job', root), error: find('.drop-error', root)};
  const show = (name) => {
    for (const [key, part] of Object.entries(parts)) part.hidden = key !== name;
    root.classList.toggle('busy', name !== 'ask');
  };
  let chosen = null;
  const busy = () => !parts.send.hidden || !parts.job.hidden;

  const ask = () => { input.value = ''; show('ask'); };
  const refuse = (text) => { setText(find('.error-text', root), text); show('error'); };
  const begin = (file) => {
    if (!file || busy()) return;
    chosen = file;
    const reason = objection(file, limits, bytesText);
    if (reason) refuse(reason);
    else send(file);
  };

  async function send(file) {
    setText(find('.send-name', root), file.name);
    report(root, 0, file.size);
    show('send');
    const upload = startUpload(file, root.elements.model?.value ?? '', (got, total) => report(root, got, total));
    find('.send-cancel', root).onclick = upload.cancel;
    try {
      follow(await upload.done);
    } catch (error) {
      if (error.name === 'AbortError') ask();
      else refuse(error.retryAfter ? `${error.message} Try again in ${error.retryAfter} s.` : error.message);
    }
  }

  function follow(clip) {
    if (clip.state === 'done') return location.assign(clipPage(clip.id));
    show('job');
    return showProgress(parts.job, clip, (end) => {
      if (end.state === 'done') location.assign(clipPage(end.id));
      else if (end.state === 'cancelled') ask();
      else refuse(end.error?.message ?? 'The analysis failed.');
    });
  }

  input.addEventListener('change', () => begin(input.files[0]));
  root.addEventListener('submit', (event) => { event.preventDefault(); begin(input.files[0]); });
  find('.error-retry', root).addEventListener('click', () => begin(chosen));
  find('.error-close', root).addEventListener('click', ask);
  takeDrops(root, begin);
}

function report(root, got, total) {
  find('.drop-send progress', root).value = total ? got / total : 0;
  setText(find('.send-percent', root), `${total ? Math.floor(100 * got / total) : 0} %`);
  setText(find('.send-bytes', root), `${bytesText(got)} of ${bytesText(total)}`);
}

/** A file dropped anywhere on the page counts: a miss must not make the browser open the video. */
function takeDrops(root, begin) {
  const hasFile = (event) => event.dataTransfer?.types.includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    root.classList.add('over');
  });
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) root.classList.remove('over'); });
  document.addEventListener('drop', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    root.classList.remove('over');
    begin(event.dataTransfer.files[0]);
  });
}
