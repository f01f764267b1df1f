/**
 * Cut the arrow: ask the server to run the network without some keys and show its top 5 before and after; and the
 * null models of the clip, each an analysis of its own that can be opened beside it.
 */
import {analyseVariant, askCut, cancelCut, clipPage, readClips, readCut} from '../api.js';
import {movedText, rowsOf, VARIANTS, WHATS, wishOf, wishText} from '../cut.js';
import {find, make, setText} from '../dom.js';
import {carried} from '../networks.js';
import {blockOf} from '../state.js';
import {isFinal, watchClip} from '../watch.js';
import {stageText} from '../words.js';

const POLL_MS = 400;
const KEPT = 4;          // results on show

/** Wire the bench in `root`; returns {show(state, scene)}. */
export function openBench(root, lens) {
  const form = openForm(find('.cut-form', root), lens, find('.cut-results', root));
  openVariants(find('.null-models', root), lens);
  return {show: form.show};
}

function openForm(form, lens, results) {
  const rank = make('input', {type: 'number', min: 1, value: 1, step: 1, ariaLabel: 'Rank of the arrow'});
  find('.cut-whats', form).append(...WHATS.flatMap(([value, label], n) => [
    make('label', {}, make('input', {type: 'radio', name: 'cut-what', value, checked: n === 1}), label),
    ...(value === 'arrow' ? [make('label', {}, 'rank', rank)] : []),
  ]));
  const button = find('button', form), wished = find('.cut-wish', form), said = find('.cut-state', form);
  let busy = false;

  const chosen = () => ({
    what: form.elements['cut-what'].value, rank: rank.valueAsNumber, everywhere: form.elements['cut-for'].value === 'everywhere',
  });
  const wish = () => {
    const state = lens.state();
    return wishOf(chosen(), {active: lens.scene().active, block: blockOf(state, lens.world), direction: state.direction});
  };

  function show() {
    const {active} = lens.scene();
    rank.max = active?.arrows.length || 1;
    const now = wish();
    button.disabled = busy || !now;
    setText(wished, now ? `${wishText(now, chosen().what)}.` : 'Click a place in the frames first.');
  }

  rank.addEventListener('focus', () => { form.elements['cut-what'].value = 'arrow'; lens.inspectRank(rank.valueAsNumber); show(); });
  rank.addEventListener('input', () => lens.inspectRank(rank.valueAsNumber));
  rank.addEventListener('blur', () => lens.inspectRank(null));
  form.addEventListener('input', show);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const now = wish();
    if (!now || busy) return;
    const {what} = chosen();
    busy = true;
    show();
    try {
      const cut = await finished(await askCut(lens.world.clip.id, now), said, lens);
      setText(said, cut.state === 'cancelled' ? 'Cancelled.' : '');
      if (cut.state === 'done') {
        results.prepend(table(cut, wishText(now, what)));
        while (results.children.length > KEPT) results.lastChild.remove();
        results.firstChild.focus();                        // its caption is read out, and says what came of it
      }
    } catch (error) {
      setText(said, `It could not be cut. ${error.message}`);
    } finally {
      busy = false;
      show();
      if (document.activeElement === document.body) button.focus();  // it stood on a button that is no more
    }
  });
  return {show};
}

/** The cut once it is done or cancelled; on the way `said` tells what it waits for, beside a button to cancel it. Throws when it failed. */
async function finished(cut, said, lens) {
  let latest = cut, hurry = null;
  const stop = make('button', {type: 'button', className: 'quiet'}, 'Cancel');
  stop.addEventListener('click', async () => {
    try {
      await cancelCut(cut);
      hurry?.();
    } catch (error) {
      lens.note(error.message);
    }
  });
  try {
    while (latest.state === 'queued' || latest.state === 'running') {
      setText(said, latest.state === 'queued' ? 'Waiting for the worker …' : 'Running the network …');
      if (!stop.isConnected) said.after(stop);
      await new Promise((resume) => { hurry = resume; setTimeout(resume, POLL_MS); });
      latest = await readCut(latest);
    }
  } finally {
    stop.remove();
  }
  if (latest.state === 'failed') throw new Error(latest.error.message);
  return latest;
}

function table(cut, words) {
  const head = make('tr', {}, ...['Class', 'before', 'after', 'points'].map((text) => make('th', {scope: 'col'}, text)), make('td', {className: 'cut-bar'}));
  const rows = rowsOf(cut).map(({label, before, after, change, share}) => {
    const bar = make('b');
    bar.style.left = `${50 + Math.min(0, 50 * share)}%`;
    bar.style.width = `${Math.abs(50 * share)}%`;
    return make('tr', {}, make('th', {scope: 'row'}, label), make('td', {}, before), make('td', {}, after), make('td', {}, change),
      make('td', {className: 'cut-bar', ariaHidden: 'true'}, make('i', {}, bar)));
  });
  return make('table', {className: 'cut-result', tabIndex: -1}, make('caption', {}, make('strong', {}, `Without ${words}`), movedText(cut.moved)),
    make('thead', {}, head), make('tbody', {}, ...rows));
}

/** One line for each null model: a button that makes it, its progress, then the ways to it. */
async function openVariants(list, lens) {
  const {clip} = lens.world;
  const lines = new Map(VARIANTS.filter(([variant]) => variant !== clip.variant).map(([variant, name, sentence]) => {
    const deeds = make('div', {className: 'null-do'});
    const line = make('li', {}, make('div', {}, make('strong', {}, name), make('small', {}, sentence)), deeds);
    offer(deeds, variant, name, lens);
    return [variant, {line, deeds, name}];
  }));
  list.replaceChildren(...[...lines.values()].map(({line}) => line));
  try {
    const same = (other) => other.sha256 === clip.sha256 && other.model === clip.model && other.start_s === clip.start_s;
    for (const other of await readClips()) {
      if (same(other) && lines.has(other.variant) && !['failed', 'cancelled'].includes(other.state)) {
        const {deeds, name} = lines.get(other.variant);
        follow(deeds, other, name, lens);
      }
    }
  } catch {
    // the buttons find an analysis that is there already
  }
}

function offer(deeds, variant, name, lens, trouble = '') {
  const button = make('button', {type: 'button', className: 'quiet', ariaLabel: `Analyse: ${name}`}, 'Analyse');
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      follow(deeds, await analyseVariant(lens.world.clip, variant), name, lens);
    } catch (error) {
      offer(deeds, variant, name, lens, error.message);
    }
  });
  deeds.replaceChildren(make('span', {role: 'status'}, trouble), button);
}

/** Shows the job of `clip` until it is done, then the links to it. */
function follow(deeds, clip, name, lens) {
  if (clip.state === 'done') {
    arrive(deeds, clip, name, lens);
    return;
  }
  const said = make('span', {role: 'status'}, stageText('queued'));
  deeds.replaceChildren(said);
  watchClip(clip.id, (next) => {
    setText(said, next.state === 'running' ? `${stageText(next.stage)}, ${Math.round(100 * next.progress)} %` : stageText('queued'));
    if (!isFinal(next)) return;
    if (next.state === 'done') arrive(deeds, next, name, lens);
    else offer(deeds, next.variant, name, lens, next.error?.message ?? 'cancelled');
  }, (error) => setText(said, error.message));
}

function arrive(deeds, clip, name, lens) {
  const link = make('a', {href: clipPage(clip.id), ariaLabel: `Open: ${name}`}, 'Open');
  link.addEventListener('click', () => { link.search = carried(location.search, lens.world.blocks.map((block) => block.name)); });
  const beside = make('button', {type: 'button', className: 'quiet', ariaLabel: `Side by side: ${name}`}, 'Side by side');
  beside.addEventListener('click', () => {
    lens.dispatch({type: 'beside', beside: `${clip.id}.${lens.state().block}`});
    find('[data-bench=beside]').click();
  });
  deeds.replaceChildren(link, beside);
}
