/**
 * The block ladder: the active question through every block at once, small, with the overlap of their strongest
 * answers. All rungs show the same frames, so that they can be compared.
 */
import {canAnswer} from '../ask.js';
import {activeOnly, openCompanion, stateBeside} from '../companion.js';
import {find, make, setText} from '../dom.js';
import {answeringGrid} from '../field.js';
import {spanOf} from '../geometry.js';
import {overlaps} from '../overlap.js';
import {questionsOf} from '../state.js';
import {playerLayout, stripLayout} from '../transform.js';
import {gridText, kindText} from '../words.js';

const COMPARED = 20;     // answers of each block whose places are compared
const MOST_PICTURES = 4; // of one rung
const CAPTION = 24;      // CSS pixels, as in transform.js

/** Wire the bench in `root`; returns {show(state)}. */
export function openBench(root, lens) {
  const {blocks} = lens.world;
  const rungs = blocks.map((block, n) => openRung(block, n + 1, lens));
  find('.rungs', root).replaceChildren(...rungs.map(({element}) => element));
  loadInTurn(rungs, lens);
  return {show: (state) => show(root, rungs, state, lens)};
}

/** One after the other, in the network's order; the lens draws again after each, and offers to try again. */
async function loadInTurn(rungs, lens) {
  for (const rung of rungs) await lens.load(rung.block.name).catch(() => { rung.failed = true; });
}

function openRung(block, number, lens) {
  const stage = make('span', {className: 'companion'}, make('canvas', {className: 'pictures'}), make('canvas', {className: 'answers'}));
  const words = make('span', {className: 'rung-words'});
  const button = make('button', {type: 'button', className: 'rung'},
    make('span', {className: 'rung-name'}, `${number}. ${block.name}`, make('small', {}, `${gridText(block.queryGrid)}, ${kindText(block.kind)}`)),
    stage, words);
  stage.ariaHidden = 'true';
  button.addEventListener('click', () => lens.dispatch({type: 'block', name: block.name}));
  return {block, element: make('li', {}, button), button, stage, words, failed: false, companion: openCompanion(stage, lens)};
}

function show(root, rungs, state, lens) {
  const {world} = lens;
  const views = rungs.map(({block}) => viewOf(block, state, lens));
  const frames = state.view === 'player' ? [state.frame] : telling(state.frames, askedFrame(views, state, world), views, world.total);
  const matrix = overlaps(views.map((view) => view.answer && {...view.answer, top: view.answer.top.slice(0, COMPARED)}));
  const chosen = rungs.findIndex(({block}) => block.name === state.block);
  rungs.forEach((rung, n) => {
    const layout = smallLayout(frames, rung.stage.clientWidth, state.view);
    rung.companion.show({...views[n], world, sheet: lens.sheet, layout, state: {...views[n].state, frames}});
    rung.button.setAttribute('aria-pressed', String(n === chosen));
    setText(rung.words, rungWords({...views[n], failed: rung.failed}, n === chosen ? null : matrix[n][chosen], state.block));
  });
  const count = Math.min(COMPARED, Math.max(0, ...views.map(({answer}) => answer?.top.length ?? 0)));
  setText(find('#overlap-title', root), count ? `Of the ${count} strongest answers of two blocks, the share that are the same places` : '');
  showMatrix(root, rungs.map(({block}) => block.name), matrix, chosen);
}

/** What a block is asked and answers: {state, ask, answer: {top, grid}, waits}; ask and answer null while there are none. */
function viewOf(block, state, lens) {
  const own = stateBeside(activeOnly(state), lens.world, block.name, lens.world);
  const field = lens.fieldNow(block.name);
  if (!field || !canAnswer(field, own)) return {state: own, ask: null, answer: null, waits: !field};
  const ask = lens.askWith(field, own);
  const question = questionsOf(own, lens.world)[0];
  return {state: own, ask, waits: false, answer: question ? {top: ask(question.cells).top, grid: answeringGrid(block, own.direction)} : null};
}

/** The frame that the question is asked in, in the grid of the first block; the first on show when nothing is asked. */
function askedFrame([{state}], lensState, world) {
  const [question] = questionsOf(state, world);
  if (!question) return lensState.frames[0];
  const block = world.blocks.find(({name}) => name === state.block);
  return spanOf(state.direction === 'forward' ? block.queryGrid : block.keyGrid, question.cells[0], world.total).first;
}

/**
 * At most MOST_PICTURES of `frames`, rising: the one nearest to `asked`, then one by one the frame in which most of
 * the weight ends that no chosen frame shows; of equals the one farthest from the chosen. `views` hold the blocks'
 * answers, each of which counts alike.
 */
export function telling(frames, asked, views, total) {
  if (frames.length <= MOST_PICTURES) return frames;
  let ends = views.flatMap(({answer}) => endsOf(answer, total));
  const chosen = [], shows = (frame) => ({first, last}) => frame >= first && frame <= last;
  const distance = (frame) => Math.min(...(chosen.length ? chosen : [asked]).map((other) => Math.abs(other - frame)));
  const choose = (frame) => { chosen.push(frame); ends = ends.filter((end) => !shows(frame)(end)); };
  choose(frames.reduce((best, frame) => (distance(frame) < distance(best) ? frame : best)));
  while (chosen.length < MOST_PICTURES) {
    const weighed = frames.filter((frame) => !chosen.includes(frame)).map((frame) => (
      {frame, weight: ends.filter(shows(frame)).reduce((sum, {weight}) => sum + weight, 0), away: distance(frame)}));
    choose(weighed.sort((a, b) => b.weight - a.weight || b.away - a.away || a.frame - b.frame)[0].frame);
  }
  return chosen.sort((a, b) => a - b);
}

/** The frames that each answer's cell covers, with its share of the weight of all. */
function endsOf(answer, total) {
  const whole = answer?.top.reduce((sum, {weight}) => sum + Math.max(0, weight), 0);
  return whole ? answer.top.map(({cell, weight}) => ({...spanOf(answer.grid, cell, total), weight: Math.max(0, weight) / whole})) : [];
}

/** As square a strip as the count allows, as wide as the rung. */
function smallLayout(frames, width, view) {
  if (view === 'player') return playerLayout({frame: frames[0], width, tallest: width + CAPTION});
  const columns = Math.ceil(Math.sqrt(frames.length));
  const tallest = Math.ceil(frames.length / columns) * (Math.floor(width / columns) + CAPTION);
  return stripLayout({frames, width, tallest});
}

function rungWords({answer, ask, waits, failed}, shared, chosen) {
  if (waits) return failed ? 'Could not be loaded' : 'Loading';
  if (!ask) return 'This block’s file does not hold what the question needs.';
  if (!answer) return 'Nothing is asked yet.';
  return shared === null ? 'Shown above' : `${percent(shared)} shared with ${chosen}`;
}

function showMatrix(root, names, matrix, chosen) {
  const table = find('.overlap', root);
  const head = names.map((name, n) => heading(name, 'col', n === chosen));
  find('thead tr', table).replaceChildren(make('td'), ...head);
  find('tbody', table).replaceChildren(...matrix.map((row, n) => make('tr', {}, heading(names[n], 'row', n === chosen), ...row.map(cell))));
}

function heading(name, scope, chosen) {
  const element = make('th', {scope}, name);
  if (chosen) element.setAttribute('aria-current', 'true');
  return element;
}

function cell(share) {
  const element = make('td', {}, share === null ? '–' : percent(share));
  element.style.setProperty('--share', share ?? 0);
  return element;
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}
