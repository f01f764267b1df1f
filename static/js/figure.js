/**
 * A link -> a figure: the paper's layout with a caption that says what was asked of which network and video, and
 * the same as JSON in <metadata>. Pure: no DOM, no requests; the page, Node and the server draw the same bytes.
 */
import {answerTo, canAnswer} from './ask.js';
import {fieldOf} from './field.js';
import {decodeLink} from './link.js';
import {parseSafetensors} from './safetensors.js';
import {sceneOf} from './scene.js';
import {countsShares, initialState, questionsOf, reduce} from './state.js';
import {suggestedCell} from './suggest.js';
import {escaped, svgDocument, svgOf, svgText} from './svg.js';
import {playerLayout, stripLayout} from './transform.js';
import {countText, framesText, gridText, hiddenText, kindText, secondsText, weightText} from './words.js';
import {blockFrom, worldOf} from './world.js';

const STRIP = 1000, PLAYER = 560, FILM = 480;    // CSS pixels; a film's sides must be even
const TALLEST = 0.75;                            // of the width: many frames go into rows
const INK = {colour: '#3c444d', size: 11};
const LINE = 16, MARGIN = 12;
const LETTER = 0.6;                              // an average sign of Vera Sans is this wide, in ems
const LONGEST_NAME = 60;

/** What links are read against, from the API's JSON of a clip and of its blocks. */
export function worldFrom(clip, blocks) {
  return worldOf(clip, blocks.map(blockFrom));
}

/** A block's field from its features file, an ArrayBuffer. */
export function fieldFrom(buffer) {
  return fieldOf(parseSafetensors(buffer));
}

/** What drawing the link needs: {block, frames, notes}, the frames whose pictures are shown. */
export function planOf({search, world}) {
  const {question, notes} = decodeLink(search, world);
  return {block: question.block, frames: question.view === 'player' ? [question.frame] : question.frames, notes};
}

/**
 * The figure of a link as SVG text.
 *
 * `pictures` gives each shown frame's URL by its number, `model` is {name, weights: {file: sha256}}, `made` the
 * date as text, `width` in CSS pixels (the design is scaled, not laid out anew).
 */
export function figureOf({search, world, field, pictures, model, version, made, width}) {
  const {state, notes} = stateOf({search, world, field});
  const layout = layoutOf(state);
  const scene = sceneOf({state, world, layout, ask: askOf(field, state, world)});
  const told = provenanceOf({search, state, world, field, model, version, made});
  const lines = captionOf({told, scene, state, world, notes}).flatMap((text) => wrapped(text, layout.width));
  const top = layout.height + MARGIN + LINE;
  const body = [
    svgOf(scene.items, {picture: (frame) => pictures[frame], ink: INK}),
    ...lines.map((text, n) => svgText(text, {x: layout.left, y: top + n * LINE, ...INK})),
  ].join('\n');
  const box = {width: layout.width + 2 * MARGIN, height: top + lines.length * LINE + MARGIN};
  const title = `${told.video.filename}, ${told.block}`;
  const head = `<metadata>${escaped(JSON.stringify(told))}</metadata>\n${paper(box)}`;
  return svgDocument({title, head, body: `<g transform="translate(${MARGIN},${MARGIN})">\n${body}\n</g>`, box, width});
}

/** What lies over the picture in one frame of the film of a link: the player's view, its number and time below. */
export function shotOf({search, world, field, frame}) {
  const state = {...stateOf({search, world, field}).state, view: 'player', frame};
  const layout = playerLayout({frame, width: FILM, tallest: 2 * FILM});
  const scene = sceneOf({state, world, layout, ask: askOf(field, state, world)});
  const body = svgOf(scene.items, {picture: () => null, ink: INK});
  return svgDocument({title: `frame ${frame}`, body, box: layout});
}

function paper({width, height}) {
  return `<rect width="${width}" height="${height}" fill="#ffffff"/>`;
}

/** The link's state; a link that asks nothing gets the question that the page would suggest. */
function stateOf({search, world, field}) {
  const {question, notes} = decodeLink(search, world);
  const state = reduce(initialState(world), {type: 'restore', question}, world);
  if (state.pins) return {state, notes};
  const cell = suggestedCell(field, state.direction, state.frames, world.total);
  return {state: reduce(state, {type: 'suggest', cell}, world), notes};
}

function layoutOf(state) {
  if (state.view === 'player') return playerLayout({frame: state.frame, width: PLAYER, tallest: 2 * PLAYER});
  return stripLayout({frames: state.frames, width: STRIP, tallest: TALLEST * STRIP});
}

/** ask(cells) for scene.js; null when the block's file lacks what the question needs. */
function askOf(field, {direction, ask}, world) {
  if (!canAnswer(field, {direction, ask})) return null;
  return (cells) => answerTo(field, direction, cells, {...ask, total: world.total});
}

/** All that one needs to draw the figure again. */
function provenanceOf({search, state, world, field, model, version, made}) {
  const {clip} = world;
  return {
    software: 'Nonlocal Lens', version, made,
    link: `${clip.id ? `/clips/${clip.id}` : ''}${search ? `?${search.replace(/^\?/, '')}` : ''}`,
    video: {filename: clip.filename, sha256: clip.sha256, start_s: clip.start_s, variant: clip.variant ?? 'none', times_s: world.times},
    model: model.name, weights_sha256: model.weights,
    block: field.block, kind: field.kind, scale: field.scale, query_grid: field.queryGrid, key_grid: field.keyGrid,
    direction: state.direction, ...state.ask, view: state.view, frames: state.view === 'player' ? [state.frame] : state.frames,
    cells: questionsOf(state, world).map(({cells}) => (cells.length > 1 ? [cells[0], cells.at(-1)] : cells)),
  };
}

function captionOf({told, scene, state, world, notes}) {
  const {video} = told;
  const digests = Object.values(told.weights_sha256).map((digest) => digest.slice(0, 12)).join(' and ');
  const origin = video.sha256 ? ` (SHA-256 ${video.sha256.slice(0, 12)})` : '';
  const times = `${world.total} frames from ${secondsText(video.times_s[0])} to ${secondsText(video.times_s.at(-1))}`;
  return [
    `${shortName(video.filename)}${origin}, ${times}${video.variant === 'none' ? '' : `; null model: ${video.variant.replace('_', ' ')}`}.`,
    `Model ${shortName(told.model)}${digests ? ` (weights ${digests})` : ''}; block ${told.block}: ${kindText(told.kind)}, `
      + `queries ${gridText(told.query_grid)}, keys ${gridText(told.key_grid)}.`,
    questionText(told, scene, state, world),
    'Hue: time difference (blue earlier, orange later, white the same time); width: weight; dashes: backwards in time.',
    ...notes,
    `Nonlocal Lens ${told.version}`,
  ].filter(Boolean);
}

/** The questions, how they were asked, and how much the arrows of the active one hold. */
function questionText(told, scene, state, world) {
  const {active, hidden, asked} = scene;
  if (!active) return told.cells.length ? 'The stored block lacks what this question needs.' : 'No question is asked.';
  const others = told.cells.length - 1;
  const many = active.cells.length > 1, {first, last} = active.span;
  const place = `${cellsText(active.cells)}, ${first === last ? 'frame' : 'frames'} ${framesText(active.span)}`;
  const top = active.arrows.at(-1);
  const sums = !told.minus && !(many && told.pool !== 'mean');   // else the sum of the weights means nothing
  const share = countsShares(state, world);
  const held = top && sums ? `, together ${weightText(top.mass, share)}` : '';
  const count = `${countText(active.arrows.length, 'arrow')} of highest ${told.value}${held}`;
  return [
    told.direction === 'forward' ? `What ${many ? 'do' : 'does'} ${place}, look at?` : `Who looks at ${place}?`,
    `${[count, ...howText(told), hiddenText(hidden, active.arrows.length, asked)].filter(Boolean).join('; ')}.`,
    others > 0 ? `With ${others} more ${others > 1 ? 'questions' : 'question'}, in the colours of their marks.` : '',
  ].filter(Boolean).join(' ');
}

function cellsText(cells) {
  const [from, to] = [cells[0], cells.at(-1)];
  const axis = (name) => (from[name] === to[name] ? `${name} ${from[name]}` : `${name} ${from[name]}–${to[name]}`);
  return `${cells.length > 1 ? 'cells' : 'cell'} ${['t', 'h', 'w'].map(axis).join(', ')}`;
}

/** The options that are not as usual, each in words. */
function howText({mass, near, when, minus, pool, cells}) {
  const windows = {all: '', others: 'only other frames', same: 'only the same frames'};
  return [
    mass === null ? '' : `the fewest that hold ${mass} %`,
    near ? `without the neighbourhood of ${countText(near.cells, 'cell')} and ${countText(near.frames, 'frame')}` : '',
    windows[when] ?? `only frames ${when.replace('-', '–')}`,
    minus ? 'minus the mean of all questions' : '',
    cells.some((box) => box.length > 1) ? `regions by their ${pool === 'each' ? 'cells, each for itself' : pool}` : '',
  ];
}

/** A name that fits: the middle of a long one is left out. */
function shortName(name) {
  const signs = [...name];
  if (signs.length <= LONGEST_NAME) return name;
  return `${signs.slice(0, LONGEST_NAME / 2 - 1).join('')}…${signs.slice(1 - LONGEST_NAME / 2).join('')}`;
}

/** Lines of `text` that fit into `width`; a word that is longer than a line is cut. */
function wrapped(text, width) {
  const room = Math.floor(width / (LETTER * INK.size));
  const lines = [''];
  for (const word of text.split(' ').flatMap((one) => one.match(new RegExp(`.{1,${room}}`, 'gsu')) ?? [])) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (longer.length <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
