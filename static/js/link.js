/**
 * The whole question in the address bar: state <-> query string. Cells are integers on the grid that the
 * direction asks from, never pixels; defaults are left out; what is not understood is named, not guessed.
 *
 *     ?block=mixed_4c&q=4.10.12,5.3.3&on=1&dir=reverse&k=10&view=player&frame=9&frames=0.8.16&heat=1&opacity=40
 *     ?n=4&step=8        the same as frames=0.8.16.24
 */
import {centreOf, hasCell} from './geometry.js';
import {cellFor, gridOf, initialState, MOST_ARROWS, MOST_PINS} from './state.js';
import {evenFrames} from './transform.js';

/** The query string of `state`, without "?"; empty when everything is as on a first visit. */
export function encodeLink(state, world) {
  const usual = initialState(world);
  const parts = [];
  const add = (key, value, standard) => { if (value !== standard) parts.push(`${key}=${value}`); };
  if (state.block !== usual.block || state.pins?.length) add('block', encodeURIComponent(state.block));
  if (state.pins) add('q', state.pins.map((point) => cellText(cellFor(point, state, world))).join(','));
  add('on', state.active + 1, Math.max(1, state.pins?.length ?? 1));
  add('dir', state.direction, usual.direction);
  add('k', state.k, usual.k);
  add('view', state.view, usual.view);
  add('frame', state.frame, usual.frame);
  add('frames', framesText(state.frames), framesText(usual.frames));
  add('heat', Number(state.heat), 0);
  add('opacity', Math.round(state.opacity * 100), Math.round(usual.opacity * 100));
  return parts.map((part) => part.replace(/^frames=(n=)/, '$1')).join('&');
}

function cellText({t, h, w}) {
  return `${t}.${h}.${w}`;
}

function framesText(frames) {
  const step = frames[1] - frames[0];
  const even = frames.length > 2 && frames.every((frame, n) => frame === n * step);
  return even ? `n=${frames.length}&step=${step}` : frames.join('.');
}

/** The question of a query string: {question: part of a state, notes: what was not understood, in words}. */
export function decodeLink(search, world) {
  const parameters = new URLSearchParams(search);
  const notes = [];
  const question = initialState(world);
  for (const [key, text] of parameters) {
    if (!READERS[key] && !LATER.includes(key)) notes.push(`The link's “${key}” is not known here and was ignored.`);
    if (READERS[key]?.(question, text, world) === false) notes.push(`The link's ${key}=${text} does not fit this clip.`);
  }
  readFrames(question, parameters, world, notes);
  readPins(question, parameters, world, notes);              // last: cells need block and direction
  const {cursor, suggested, ...kept} = question;
  return {question: kept, notes};
}

const LATER = ['q', 'on', 'frames', 'n', 'step'];

const READERS = {
  block: (question, text, world) => world.blocks.some(({name}) => name === text) && assign(question, {block: text}),
  dir: (question, text) => ['forward', 'reverse'].includes(text) && assign(question, {direction: text}),
  k: (question, text) => within(text, 1, MOST_ARROWS) && assign(question, {k: Number(text)}),
  view: (question, text) => ['strip', 'player'].includes(text) && assign(question, {view: text}),
  frame: (question, text, world) => within(text, 0, world.total - 1) && assign(question, {frame: Number(text)}),
  heat: (question, text) => within(text, 0, 1) && assign(question, {heat: text === '1'}),
  opacity: (question, text) => within(text, 10, 100) && assign(question, {opacity: Number(text) / 100}),
};

function assign(question, change) {
  Object.assign(question, change);
  return true;
}

function within(text, low, high) {
  return /^\d+$/.test(text) && Number(text) >= low && Number(text) <= high;
}

function readFrames(question, parameters, world, notes) {
  const list = parameters.get('frames');
  const count = parameters.get('n'), step = parameters.get('step');
  if (list === null && count === null) return;
  let frames = [];
  if (list !== null && /^\d+(\.\d+)*$/.test(list)) frames = [...new Set(list.split('.').map(Number))];
  else if (within(count ?? '', 1, world.total) && within(step ?? '', 1, world.total)) {
    frames = evenFrames(Number(count), Number(step), world.total);
  }
  const kept = frames.filter((frame) => frame < world.total).sort((a, b) => a - b);
  if (kept.length) question.frames = kept;
  if (!kept.length || kept.length < frames.length) notes.push('Some frames of the link are not in this clip.');
}

function readPins(question, parameters, world, notes) {
  const text = parameters.get('q');
  if (text === null || !question.block) return;
  const grid = gridOf(question, world);
  const cells = text.split(',').filter(Boolean).map((part) => {
    const [t, h, w] = /^\d+\.\d+\.\d+$/.test(part) ? part.split('.').map(Number) : [];
    return {t, h, w};
  });
  const kept = cells.filter((cell) => hasCell(grid, cell)).slice(0, MOST_PINS);
  if (kept.length < cells.length) {
    notes.push(`Of the link's ${cells.length} questions, ${kept.length} lie within the grid of ${question.block} and are asked.`);
  }
  question.pins = kept.map((cell) => centreOf(grid, cell, world.total));
  const on = parameters.get('on') ?? '';
  question.active = within(on, 1, kept.length) ? Number(on) - 1 : Math.max(0, kept.length - 1);
}
