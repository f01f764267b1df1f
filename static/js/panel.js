/** The question in numbers: who asks, the pins, the table of answers, predictions, and what is said aloud. */
import {CURSOR, PINS} from './colour.js';
import {markShape} from './arrow-shape.js';
import {find, make, setText} from './dom.js';
import {flatIndex} from './geometry.js';
import {blockOf, cellFor, cellsFor} from './state.js';
import {differenceText, framesText, gridText, hiddenText, kindText, secondsText, weightText} from './words.js';

/** The panel in `root`; returns {show(state, scene), say(scene)}. */
export function openPanel(root, lens) {
  const body = find('.answers-table tbody', root);
  const rankOf = (event) => Number(event.target.closest('tr')?.dataset.rank) || null;
  body.addEventListener('pointerover', (event) => lens.inspectRank(rankOf(event)));
  body.addEventListener('pointerleave', () => lens.inspectRank(null));
  let pinned = '';
  return {
    show: (state, scene, inspected) => {
      showAsked(root, state, scene, lens.world, lens.fieldNow(state.block));
      showHidden(root, scene);
      showTable(root, body, state, scene, inspected);
      const key = JSON.stringify([state.pins, state.active, state.block, state.direction]);
      if (key !== pinned) showPins(root, state, lens);
      pinned = key;
    },
    say: (state, scene) => setText(find('.live', root), spoken(state, scene)),
  };
}

function cellText({t, h, w}) {
  return `t ${t}, row ${h}, column ${w}`;
}

/** One cell, or a region by its corners. */
function boxText(cells) {
  if (cells.length === 1) return `cell ${cellText(cells[0])}`;
  return `${cells.length} cells from ${cellText(cells[0])} to ${cellText(cells.at(-1))}`;
}

/** How much the block adds to its input at the cells that ask: |z - x| / |x|, which only queries have. */
function addsText(field, {direction}, cells) {
  if (!field?.added || direction !== 'forward') return '';
  const sum = cells.reduce((total, cell) => total + field.added[flatIndex(field.queryGrid, cell)], 0);
  return `Here the block adds ${(100 * sum / cells.length).toFixed(1)} % of its input's length to it.`;
}

function showAsked(root, state, scene, world, field) {
  const asked = find('.asked', root);
  if (!scene.active) {
    setText(asked, 'Point at a place in the frames.');
    setText(find('.asked-adds', root), '');
    return;
  }
  const {span, start, cells} = scene.active;
  const place = cells.length > 1 ? 'region' : 'place';
  const verb = state.direction === 'forward' ? `What does this ${place} look at?` : `Who looks at this ${place}?`;
  setText(find('.asked-adds', root), addsText(field, state, cells));
  setText(asked, `${verb} Frame ${framesText(span)} at ${secondsText(world.times[start.frame])}, ${boxText(cells)}.`);
}

function showHidden(root, scene) {
  const line = find('.out-of-sight', root);
  const words = hiddenText(scene.hidden, scene.active?.arrows.length ?? 0, scene.asked);
  find('#show-all', root).hidden = !words;
  setText(find('span', line), words && `${words}.`);
}

function showTable(root, body, state, scene, inspected) {
  const arrows = scene.active?.arrows ?? [];
  const ways = state.direction === 'forward' ? ['place it looks at most', 'places it looks at most'] : ['place that looks at it most', 'places that look at it most'];
  setText(find('#answers-title', root), arrows.length > 1 ? `The ${arrows.length} ${ways[1]}` : arrows.length ? `The ${ways[0]}` : 'Answers');
  while (body.rows.length > arrows.length) body.lastChild.remove();
  while (body.rows.length < arrows.length) body.append(emptyRow(body.rows.length + 1));
  arrows.forEach((arrow, n) => {
    const row = body.rows[n];
    const {t, h, w} = arrow.cell;
    row.dataset.picked = String(inspected?.question === arrow.question && inspected.rank === arrow.rank);
    const swatch = row.cells[0].firstChild;
    if (swatch.style.background !== arrow.colour) swatch.style.background = arrow.colour;
    [
      null, weightText(arrow.weight, scene.share), weightText(arrow.mass, scene.share), secondsText(arrow.endSeconds),
      differenceText(arrow.seconds), framesText(arrow.span), `${t}, ${h}, ${w}`,
    ].forEach((text, column) => { if (column) setText(row.cells[column], text); });
  });
}

function emptyRow(rank) {
  const row = make('tr', {}, make('td', {}, make('span', {className: 'swatch'}), String(rank)));
  row.dataset.rank = rank;
  for (const className of ['', 'mass', '', 'far', '', '']) row.append(make('td', {className}));
  return row;
}

function showPins(root, state, lens) {
  find('.pins', root).replaceChildren(...(state.pins ?? []).map((point, at) => {
    const {t, h, w} = cellFor(point, state, lens.world);
    const size = cellsFor(point, state, lens.world).length;
    const name = `frame ${point.frame}, ${size > 1 ? `${size} cells from` : 'cell'} ${t}, ${h}, ${w}`;
    const choose = make('button', {type: 'button', title: 'Make this the active question'}, icon(PINS[at]), name);
    choose.addEventListener('click', () => lens.dispatch({type: 'activate', at}));
    const remove = make('button', {type: 'button', className: 'pin-remove', ariaLabel: `Remove the pin at ${name}`}, '×');
    remove.addEventListener('click', () => lens.dispatch({type: 'unpin', at}));
    const chip = make('li', {className: 'pin'}, choose, remove);
    choose.setAttribute('aria-pressed', String(at === state.active));
    chip.dataset.active = String(at === state.active);
    return chip;
  }));
}

function icon({shape, colour} = CURSOR) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [name, value] of Object.entries({viewBox: '-9 -9 18 18', width: 15, height: 15, 'aria-hidden': 'true'})) svg.setAttribute(name, value);
  const polygon = document.createElementNS('http://www.w3.org/2000/svg', 'polygon');
  polygon.setAttribute('points', markShape(shape, 6).map((point) => point.map((value) => value.toFixed(2)).join(',')).join(' '));
  for (const [name, value] of Object.entries({fill: colour, stroke: '#0b0e12', 'stroke-width': 1.6})) polygon.setAttribute(name, value);
  svg.append(polygon);
  return svg;
}

/** What the live region says after a key or a pin: the place, the strongest answer, what is out of sight. */
export function spoken(state, scene) {
  if (!scene.active) return 'No question.';
  const {span, cells, arrows} = scene.active;
  const [first] = arrows;
  const parts = [
    `Frame ${framesText(span)}, ${boxText(cells)}.`,
    first && `Strongest: ${weightText(first.weight, scene.share)}, frame ${framesText(first.span)}, ${differenceText(first.seconds)}.`,
    scene.hidden ? `${hiddenText(scene.hidden, arrows.length, scene.asked)}.` : null,
  ];
  return parts.filter(Boolean).join(' ');
}

/** The network's top classes with bars. */
export function showPredictions(root, predictions) {
  find('.predictions', root).replaceChildren(...predictions.map(({label, probability}) => {
    const bar = make('i');
    bar.style.width = `${(100 * probability).toFixed(1)}%`;
    return make('li', {}, make('span', {}, label), make('span', {}, `${(100 * probability).toFixed(1)} %`),
      make('span', {className: 'share', ariaHidden: 'true'}, bar));
  }));
}

/** The block in one sentence. */
export function showBlock(root, state, world) {
  const block = blockOf(state, world);
  const {queryGrid, keyGrid} = block;
  setText(find('.block-facts', root), `${block.name}${block.stage === block.name ? '' : ` (stage ${block.stage})`}: ${kindText(block.kind)} affinity over ${block.channels} channels; `
    + `asks from ${gridText(queryGrid)} cells, answers lie on ${gridText(keyGrid)} (time × rows × columns).`);
}
