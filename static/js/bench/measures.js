/**
 * Every block in numbers, with its hubs as places to ask about, and a tour of good questions to the chosen block. The
 * server measures, one block after the other; words and bars are made in measures.js.
 */
import {readMeasures, readTour} from '../api.js';
import {fit, spriteBox} from '../canvas.js';
import {find, make, setText} from '../dom.js';
import {cellsOf} from '../geometry.js';
import {framesShowing, MEASURES, numberText, shareText, sidesText, timeBars} from '../measures.js';
import {framesText, secondsText} from '../words.js';

const CHART = {width: 200, height: 54};  // CSS pixels
const PICTURE = 44;                      // CSS pixels: a hub's frame is a button, and large enough for a finger

/** Wire the bench in `root`; returns {show(state)}. */
export function openBench(root, lens) {
  const rows = lens.world.blocks.map((block) => openRow(block, lens));
  find('thead tr', root).replaceChildren(heading('Block', ''), ...MEASURES.map(({name, sentence}) => heading(name, sentence)));
  find('tbody', root).replaceChildren(...rows.map(({element}) => element));
  fillInTurn(rows, lens);
  const tour = openTour(find('.tour', root), lens);
  return {
    show: (state) => {
      for (const {block, element} of rows) element.setAttribute('aria-current', String(block.name === state.block));
      tour.show(state);
    },
  };
}

function heading(name, sentence) {
  const element = make('th', {scope: 'col', role: 'columnheader'}, name, make('small', {}, sentence));
  return element;
}

function openRow(block, lens) {
  const choose = make('button', {type: 'button', className: 'quiet', title: `Look through ${block.name}`}, block.name);
  choose.addEventListener('click', () => lens.dispatch({type: 'block', name: block.name}));
  const cells = MEASURES.map(({name}) => make('td', {role: 'cell'}, '…'));
  cells.forEach((cell, n) => { cell.dataset.name = MEASURES[n].name; });
  const element = make('tr', {role: 'row'}, make('th', {scope: 'row', role: 'rowheader'}, choose), ...cells);
  return {block, element, cells};
}

/** One after the other, in the network's order: each takes the server up to a second. */
async function fillInTurn(rows, lens) {
  for (const row of rows) {
    try {
      fill(row, await readMeasures(lens.world.clip.id, row.block.name), lens);
    } catch (error) {
      const left = rows.slice(rows.indexOf(row));
      lens.note(`${row.block.name} could not be measured. ${error.message}`, {label: 'Try again', act: () => fillInTurn(left, lens)});
      return;
    }
  }
}

function fill({block, cells}, measures, lens) {
  MEASURES.forEach(({key}, n) => cells[n].replaceChildren(...contentOf(key, measures, block, lens)));
}

function contentOf(key, measures, block, lens) {
  if (key === 'time') return timeChart(measures.by_time, lens.world);
  const {value, beside} = numberText(key, measures, cellsOf(block.keyGrid));
  const number = [make('strong', {}, value), make('small', {}, beside)];
  return key === 'hubs' ? [...number, hubList(measures.hubs, block, lens)] : number;
}

function timeChart(byTime, {times, total}) {
  const {bars, line} = timeBars(byTime, CHART);
  const words = sidesText(byTime);
  const chart = drawing('svg', {viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: 'img', class: 'time-chart'});
  chart.setAttribute('aria-label', `Weight by time difference: ${words}.`);
  chart.append(...bars.map(({x, y, width, height, colour}) => drawing('rect', {x, y, width, height, fill: colour})));
  chart.append(drawing('polyline', {points: line.map((point) => point.join()).join(' ')}));
  const reach = byTime.at(-1).frames * (times.at(-1) - times[0]) / Math.max(1, total - 1);
  const ends = [`−${secondsText(reach)}`, '0', `+${secondsText(reach)}`].map((text) => make('span', {}, text));
  return [chart, make('span', {className: 'time-ends', ariaHidden: 'true'}, ...ends), make('small', {}, words)];
}

function drawing(name, attributes) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, typeof value === 'number' ? value.toFixed(2) : value);
  return element;
}

function hubList(hubs, block, lens) {
  return make('ol', {className: 'hubs'}, ...hubs.map(({mass, place}, n) => {
    const {t, h, w} = place.cell;
    const where = `frame ${framesText({first: place.frames[0], last: place.frames[1]})}, cell ${t}, ${h}, ${w}`;
    const name = `Hub ${n + 1} of ${block.name}: ${shareText(mass)} of the weight, ${where}. Who looks at it?`;
    const canvas = make('canvas', {ariaHidden: 'true'});
    paintPlace(canvas, place, lens.sheet);
    const button = make('button', {type: 'button', className: 'hub', ariaLabel: name, title: name}, canvas);
    button.addEventListener('click', () => ask(lens, {block: block.name, direction: 'reverse', places: [place]}));
    return make('li', {}, button);
  }));
}

/** The frame of a place, small, with its cell outlined. */
function paintPlace(canvas, {frame, box: [left, top, right, bottom]}, {image, frames}) {
  const context = fit(canvas, PICTURE, PICTURE);
  const {x, y, size} = spriteBox(frames, frame);
  context.drawImage(image, x, y, size, size, 0, 0, PICTURE, PICTURE);
  const cell = [left, top, right - left, bottom - top].map((share) => share * PICTURE);
  for (const [colour, width] of [['#0b0e12', 3.5], ['#ffffff', 1.5]]) {
    Object.assign(context, {strokeStyle: colour, lineWidth: width});
    context.strokeRect(...cell);
  }
}

/** Asks about the first of `places` and nothing else, with the stage in sight and all of them in it. */
function ask(lens, {block, direction, places, frames = lens.state().frames}) {
  const [{frame, cell}] = places;
  lens.dispatch({type: 'block', name: block});
  lens.dispatch({type: 'direction', direction});
  if (lens.state().view === 'player') lens.dispatch({type: 'frame', frame});
  else lens.dispatch({type: 'frames', frames: framesShowing(frames, places)});
  lens.dispatch({type: 'clear'});
  lens.dispatch({type: 'pin', cell});
  find('.stage').scrollIntoView({block: 'nearest'});
}

/** The tour of the chosen block: its bar stays in sight while the stage is looked at. */
function openTour(root, lens) {
  const bar = find('.tour-bar', root), start = find('.tour-start', root);
  let stops = [], at = 0, block = null, frames = [];         // the frames on show when the tour began

  async function begin() {
    const {block: name, frames: shown} = lens.state();
    start.disabled = true;
    try {
      ({stops} = await readTour(lens.world.clip.id, name));
      [block, at, frames] = [name, 0, shown];
      if (stops.length) go(0);
      else lens.note(`${name} has no places that stand out in this clip: its rows are even, or all alike.`);
    } catch (error) {
      lens.note(`No tour could be made. ${error.message}`, {label: 'Try again', act: begin});
    }
    start.disabled = false;
    if (stops.length) find('.tour-on', root).focus();
  }

  function go(by) {
    at = (at + by + stops.length) % stops.length;
    const {far, place, end: target} = stops[at];
    bar.hidden = false;
    ask(lens, {block, direction: 'forward', places: [place, target], frames});
    setText(find('.tour-words', root), `Question ${at + 1} of ${stops.length} to ${block}: ${shareText(far)} of its weight goes far, most of it to frame ${framesText({first: target.frames[0], last: target.frames[1]})}.`);
  }

  function end() {
    bar.hidden = true;
    start.focus();
  }

  start.addEventListener('click', begin);
  find('.tour-back', root).addEventListener('click', () => go(-1));
  find('.tour-on', root).addEventListener('click', () => go(1));
  find('.tour-end', root).addEventListener('click', end);
  bar.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();                                 // elsewhere it clears the questions
    end();
  });
  return {show: (state) => setText(start, bar.hidden ? `Show me good questions to ${state.block}` : `Start again with ${state.block}`)};
}
