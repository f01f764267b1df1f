/** The bench "Step by step": the picked arrow, else the strongest, as six cards with its real numbers. */
import {fit, spriteBox} from '../canvas.js';
import {find, make, setText} from '../dom.js';
import {centreOf, spanOf} from '../geometry.js';
import {endsOf, pairOf, strongestOf} from '../pair.js';
import {stepsOf} from '../steps.js';
import {framesText} from '../words.js';

const BARS = 32;           // of the first channels: more would be thinner than a pixel on a phone
const PICTURE = 96;        // CSS pixels
const AROUND = 1.5;        // cells of neighbourhood on each side of a pictured cell

/** Wire the bench in `root`; returns {show(state, scene)}. */
export function openBench(root, lens) {
  let rank = 1, asked = '';
  const step = (by) => { rank += by; lens.inspectRank(rank); };
  find('.steps-back', root).addEventListener('click', () => step(-1));
  find('.steps-on', root).addEventListener('click', () => step(1));
  const cards = Array.from({length: 6}, () => emptyCard());
  find('.steps-cards', root).replaceChildren(...cards);

  return {
    show(state, scene) {
      const field = lens.fieldNow(state.block);
      const arrows = scene.active?.arrows ?? [];
      const question = JSON.stringify([state.block, state.direction, scene.active?.cells]);
      const picked = lens.inspected();
      if (question !== asked) rank = 1;
      if (picked && picked.question === scene.active?.id) ({rank} = picked);
      asked = question;
      rank = Math.min(Math.max(1, rank), Math.max(1, arrows.length));
      const arrow = field ? arrows[rank - 1] : null;
      root.dataset.empty = String(!arrow);
      setText(find('.steps-asked', root), introduction(arrow, scene, state));
      if (!arrow) return;
      showRank(root, rank, arrows.length);
      const {cells} = scene.active;
      const asOne = cells.length > 1 && state.ask.pool !== 'each';
      const tail = asOne ? strongestOf(field, state.direction, cells, arrow.cell) : arrow.tail;
      const ends = endsOf({...arrow, tail}, state.direction);
      showPlace(root, 'query', {cell: ends.query, grid: field.queryGrid, name: 'xᵢ asks', lens});
      showPlace(root, 'key', {cell: ends.key, grid: field.keyGrid, name: 'xⱼ answers', lens});
      const pair = pairOf(field, ends.query, ends.key);
      stepsOf(pair).forEach((card, n) => fill(cards[n], card));
      showBars(find('.step-picture', cards[0]), pair);
      find('i', cards[4]).style.width = `${(100 * Math.min(1, Math.abs(pair.p))).toFixed(2)}%`;
    },
  };
}

function introduction(arrow, scene, state) {
  if (!arrow) return 'Point at a place in the frames: one of its arrows is then taken apart here.';
  const {cells} = scene.active;
  const region = cells.length > 1 && state.ask.pool !== 'each' ? ` A region is asked about; of its ${cells.length} cells this one has the highest weight there.` : '';
  const other = state.ask.value !== 'weight' || state.ask.minus ? ' The steps show the plain weight.' : '';
  return `One arrow, from features to output, in its own numbers.${region}${other}`;
}

function showRank(root, rank, count) {
  setText(find('.steps-rank', root), `arrow ${rank} of ${count}`);
  find('.steps-back', root).disabled = rank <= 1;
  find('.steps-on', root).disabled = rank >= count;
}

/** A cell with some of its neighbourhood, cut from its middle frame. */
function showPlace(root, role, {cell, grid, name, lens}) {
  const {sheet, world} = lens;
  const span = spanOf(grid, cell, world.total);
  const {frame} = centreOf(grid, cell, world.total);
  setText(find(`.steps-${role}-words`, root), `${name}: frame ${framesText(span)}, t ${cell.t}, h ${cell.h}, w ${cell.w}`);
  const from = spriteBox(sheet.frames, frame);
  const width = (1 + 2 * AROUND) / grid.w, height = (1 + 2 * AROUND) / grid.h;
  const left = Math.min(1 - width, Math.max(0, span.left - AROUND / grid.w));
  const top = Math.min(1 - height, Math.max(0, span.top - AROUND / grid.h));
  const context = fit(find(`.steps-${role}`, root), PICTURE, PICTURE);
  context.imageSmoothingQuality = 'high';
  context.drawImage(sheet.image, from.x + left * from.size, from.y + top * from.size, width * from.size, height * from.size, 0, 0, PICTURE, PICTURE);
  const box = [(span.left - left) / width, (span.top - top) / height, 1 / grid.w / width, 1 / grid.h / height].map((share) => share * PICTURE);
  for (const [colour, line] of [['rgba(8, 10, 14, .85)', 4], ['#fff', 2]]) {
    Object.assign(context, {strokeStyle: colour, lineWidth: line});
    context.strokeRect(...box);
  }
}

function emptyCard() {
  return make('li', {className: 'step'},
    make('h3', {}, make('span', {className: 'step-title'}), make('small', {className: 'step-source'})),
    make('p', {className: 'step-formula'}), make('p', {className: 'step-value'}),
    make('div', {className: 'step-picture', ariaHidden: 'true'}, make('i')), make('p', {className: 'step-words'}));
}

function fill(card, {title, source, formula, value, words}) {
  for (const [name, text] of Object.entries({title, source, formula, value, words})) setText(find(`.step-${name}`, card), text);
}

/** The first channels: theta, phi, and under them their products, each row to its own scale. */
function showBars(box, {theta, phi, products, kind}) {
  const [own, other] = kind === 'gaussian' ? ['xᵢ', 'xⱼ'] : ['θ', 'φ'];
  const rows = [[own, theta], [other, phi], [`${own}·${other}`, products]];
  box.replaceChildren(...rows.map(([name, values]) => make('span', {className: 'bars'}, make('b', {}, name), bars([...values].slice(0, BARS)))),
    make('small', {}, theta.length > BARS ? `the first ${BARS} of ${theta.length} channels` : `all ${theta.length} channels`));
}

function bars(values) {
  const most = Math.max(...values.map(Math.abs), 1e-30);
  const svg = drawn('svg', {viewBox: `0 0 ${values.length * 4} 24`, preserveAspectRatio: 'none'});
  svg.append(drawn('rect', {x: 0, y: 11.75, width: values.length * 4, height: 0.5, class: 'bars-zero'}));
  values.forEach((value, n) => {
    const height = 11 * Math.abs(value) / most;
    svg.append(drawn('rect', {x: 4 * n + 0.5, y: value > 0 ? 12 - height : 12, width: 3, height}));
  });
  return svg;
}

function drawn(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
