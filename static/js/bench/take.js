/** Take away: the figure of the question as it stands, and films that the server makes of it. */
import {askFilm, cancelFilm, figureUrl, readFilm} from '../api.js';
import {find, make, setText} from '../dom.js';
import {encodeLink} from '../link.js';
import {openCopy} from './copy.js';
import {openHome} from './home.js';

const LOOK_MS = 400;   // between two looks at a film that is being made

/** Wire the bench in `root`; returns {show(state)}. */
export function openBench(root, lens) {
  const {id} = lens.world.clip;
  const links = [...root.querySelectorAll('[data-figure]')];
  const width = find('#take-width', root);
  const films = find('.films', root), rows = new Map();
  const copy = openCopy(root, lens), home = openHome(root, lens);
  let query = '';

  const point = () => {
    const chosen = width.value && width.checkValidity() ? Number(width.value) : null;
    for (const link of links) link.href = figureUrl(id, link.dataset.figure, query, chosen);
  };
  width.addEventListener('input', point);
  for (const button of root.querySelectorAll('[data-film]')) button.addEventListener('click', () => order(button));

  async function order(button) {
    button.disabled = true;
    try {
      const film = await askFilm(id, query, button.dataset.film);
      if (!rows.has(film.id)) rows.set(film.id, openRow(film, lens.state().block));
      rows.get(film.id).follow(film);
    } catch (error) {
      lens.note(error.message);
    }
    button.disabled = false;
  }

  /** A film's line: how far it is, then the film itself. */
  function openRow({id: filmId, format}, block) {
    const words = make('span', {className: 'film-words', role: 'status'});
    const stop = make('button', {type: 'button', className: 'quiet'}, 'Cancel');
    const save = make('a', {className: 'button', hidden: true, download: ''}, `Save ${format.toUpperCase()}`);
    const bar = make('progress', {max: 1, value: 0, ariaLabel: 'Progress of the film'});
    const item = make('li', {}, make('div', {className: 'film-line'}, words, stop, save), bar);
    let clock = 0;
    films.prepend(item);
    stop.addEventListener('click', async () => {
      try {
        show(await cancelFilm(id, filmId));
      } catch (error) {
        lens.note(error.message);
      }
    });

    function show(film) {
      const going = film.state === 'queued' || film.state === 'running';
      setText(words, `${block}, ${format.toUpperCase()}: ${stateText(film)}`);
      bar.value = film.progress;
      bar.hidden = stop.hidden = !going;
      save.hidden = film.state !== 'done';
      if (film.file && save.href !== new URL(film.file, location.href).href) {
        save.href = film.file;
        item.append(pictureOf(film));
      }
      return going;
    }

    async function look() {
      try {
        if (show(await readFilm(id, filmId))) clock = setTimeout(look, LOOK_MS);
      } catch (error) {
        lens.note(error.message);
      }
    }

    return {follow: (film) => { clearTimeout(clock); if (show(film)) clock = setTimeout(look, LOOK_MS); }};
  }

  return {
    show: (state) => {
      query = encodeLink(state, lens.world);
      point();
      copy.show(state);
      home.show(state, query);
    },
  };
}

function stateText({state, progress, error}) {
  if (state === 'failed') return error.message;
  return {queued: 'waiting', running: `${Math.round(100 * progress)} %`, done: 'done', cancelled: 'cancelled'}[state];
}

function pictureOf({format, file}) {
  if (format === 'gif') return make('img', {src: file, alt: 'The film with its arrows'});
  return make('video', {src: file, controls: true, loop: true, muted: true, playsInline: true, ariaLabel: 'The film with its arrows'});
}
