/** "Copy as": one question in five notations, and the data behind it as files. Part of the bench "take". */
import {dataUrl} from '../api.js';
import {notationsOf, queryOf} from '../copy.js';
import {find, make, setText} from '../dom.js';

const NOTATIONS = [
  ['link', 'Link'], ['curl', 'curl'], ['json', 'JSON'], ['python', 'Python'], ['cli', 'Command line'],
];

/** Wire the part of the bench `root`; returns {show(state)}. */
export function openCopy(root, lens) {
  const {world} = lens;
  const body = find('.take-copy', root), data = find('.take-data', root), need = find('.take-need', root);
  const boxes = new Map(NOTATIONS.map(([name, title]) => [name, notation(name, title, lens.note)]));
  find('.notations', body).append(...[...boxes.values()].map(({item}) => item));
  const links = [...data.querySelectorAll('[data-export]')];
  return {
    show: (state) => {
      const written = notationsOf(state, world, location.origin);
      const query = queryOf(state, world);
      need.hidden = Boolean(written);
      find('.notations', body).hidden = !written;
      for (const [name, {area}] of boxes) {
        const text = written?.[name] ?? '';
        if (area.value !== text) area.value = text;
        area.rows = Math.min(8, text.split('\n').length + Math.floor(text.length / 90));
      }
      for (const link of links) {
        link.hidden = !query && link.dataset.export !== 'features';
        link.href = dataUrl(world.clip.id, link.dataset.export, state.block, query ?? {});
      }
    },
  };
}

function notation(name, title, note) {
  const area = make('textarea', {id: `as-${name}`, readOnly: true, rows: 1, spellcheck: false});
  const button = make('button', {type: 'button', className: 'quiet', ariaLabel: `Copy as ${title}`}, 'Copy');
  button.addEventListener('click', async () => {
    const done = await copied(area);
    setText(button, done ? 'Copied' : 'Copy');
    if (done) setTimeout(() => setText(button, 'Copy'), 1500);
    else note('The browser did not let the text be copied; it is selected: press Ctrl and C.');
  });
  area.addEventListener('focus', () => area.select());
  const label = make('label', {htmlFor: area.id}, title);
  return {area, item: make('div', {className: 'notation'}, label, area, button)};
}

/** On plain http there is no clipboard API: the old command still works on a selection. */
async function copied(area) {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(area.value);
      return true;
    }
  } catch {
    // refused: try the other way
  }
  area.select();
  return document.execCommand('copy');
}
