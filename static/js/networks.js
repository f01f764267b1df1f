/** One video, several networks: clips side by side, and the way from one to the other with the question in hand. */
import {analyseAgain, clipPage} from './api.js';
import {find, make, setText} from './dom.js';
import {gridText} from './words.js';

const OF_PLACES = ['block', 'q', 'on'];
const OF_FRAMES = ['frame', 'frames', 'n', 'step'];

/**
 * What of a query string holds for another network too. `blocks` are its blocks when its frames and grids are the
 * same; undefined when they are not, and then neither frames nor places mean the same.
 */
export function carried(search, blocks) {
  const parts = search.replace(/^\?/, '').split('&').filter(Boolean);
  const keyOf = (part) => part.split('=')[0];
  const block = parts.find((part) => keyOf(part) === 'block')?.slice('block='.length);
  const lost = [...(blocks ? [] : OF_FRAMES), ...(blocks?.includes(block ?? blocks[0]) ? [] : OF_PLACES)];
  const kept = parts.filter((part) => !lost.includes(keyOf(part)));
  return kept.length ? `?${kept.join('&')}` : '';
}

/** Clips in their order, but those of one video and start together, where the first of them stands. */
export function sideBySide(clips) {
  const groups = new Map();
  for (const clip of clips) {
    const key = `${clip.sha256} ${clip.start_s}`;
    groups.set(key, [...(groups.get(key) ?? []), clip]);
  }
  return [...groups.values()].flat();
}

/** Clips without the null models of one that is there too: those are reached from its page. */
export function withoutNulls(clips) {
  const keyOf = ({sha256, model, start_s: start}) => `${sha256} ${model} ${start}`;
  const own = new Set(clips.filter(({variant}) => variant === 'none').map(keyOf));
  return clips.filter((clip) => clip.variant === 'none' || !own.has(keyOf(clip)));
}

/** The network of a clip, and which null model the clip is: "default, random weights". */
export function networkText({model, variant}) {
  return variant === 'none' ? model : `${model}, ${variant.replaceAll('_', ' ')}`;
}

/** The chips of `root`: links keep the question, buttons ask for an analysis without another upload. */
export function openNetworks(root, clip, note) {
  const shared = JSON.parse(find('#shared-blocks').textContent);
  for (const link of root.querySelectorAll('a')) {
    link.addEventListener('click', () => { link.search = carried(location.search, shared[link.dataset.model]); });
  }
  for (const form of root.querySelectorAll('form')) {
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const button = find('button', form);
      button.disabled = true;
      try {
        const {id, model} = await analyseAgain(clip.id, button.value);
        location.assign(clipPage(id) + carried(location.search, shared[model]));
      } catch (error) {
        button.disabled = false;
        note(error.message);
      }
    });
  }
}

/** Each block of the network with its grids, which are known once a clip was analysed. */
export function showGrids(root, blocks) {
  const table = find('.network-blocks', root);
  find('thead', table).hidden = false;
  find('tbody', table).replaceChildren(...blocks.map(({name, queryGrid, keyGrid}) => make('tr', {},
    make('th', {scope: 'row'}, name), make('td', {}, gridText(queryGrid)), make('td', {}, gridText(keyGrid)))));
}

/** The upload's choice of network says how many frames it looks at. */
export function tellFrames(select, frames) {
  select.addEventListener('change', () => setText(frames, select.selectedOptions[0].dataset.frames));
}
