/**
 * The whole question in the address bar: state <-> query string. Cells are integers on the grid that the
 * direction asks from, never pixels; defaults are left out; what is not understood is named, not guessed.
 *
 *     ?block=mixed_4c&q=4.10.12,5.3.3-5.4.6&on=1&dir=reverse&view=player&frame=9&frames=0.8.16&heat=1&opacity=40
 *     ?k=10 | mass=50    ten arrows, or the fewest that hold half of the mass
 *     ?near=1.4&when=others&value=contribution&minus=1&pool=max      as nonlocal_core/affinity/query.py has them
 *     ?heat=1&opacity=40&palette=magma&scale=each&smooth=1       each: every map has its own scale
 *     ?n=4&step=8        the same as frames=0.8.16.24
 *     ?beside=BLOCK | CLIP.BLOCK
 */
import {MOST_ARROWS} from './ask.js';
import {PALETTES} from './colour.js';
import {centreOf, hasCell} from './geometry.js';
import {cellFor, gridOf, initialState, MOST_PINS} from './state.js';
import {evenFrames} from './transform.js';

/** The query string of `state`, without "?"; empty when everything is as on a first visit. */
export function encodeLink(state, world) {
  const usual = initialState(world);
  const parts = [];
  const add = (key, value, standard) => { if (value !== standard) parts.push(`${key}=${value}`); };
  if (state.block !== usual.block || state.pins?.length) add('block', encodeURIComponent(state.block));
  if (state.pins) add('q', state.pins.map((pin) => pinText(pin, state, world)).join(','));
  add('on', state.active + 1, Math.max(1, state.pins?.length ?? 1));
  add('dir', state.direction, usual.direction);
  addAsk(add, state.ask, usual.ask);
  add('view', state.view, usual.view);
  add('frame', state.frame, usual.frame);
  add('frames', framesText(state.frames), framesText(usual.frames));
  add('heat', Number(state.heat), 0);
  add('beside', state.beside, null);
  add('opacity', Math.round(state.opacity * 100), Math.round(usual.opacity * 100));
  add('palette', state.palette, usual.palette);
  add('scale', state.scale, usual.scale);
  add('smooth', Number(state.smooth), 0);
  return parts.map((part) => part.replace(/^frames=(n=)/, '$1')).join('&');
}

function addAsk(add, ask, usual) {
  if (ask.mass === null) add('k', ask.k, usual.k);
  else add('mass', ask.mass, null);
  add('near', ask.near && `${ask.near.cells}.${ask.near.frames}`, null);
  add('when', ask.when, usual.when);
  add('value', ask.value, usual.value);
  add('minus', Number(ask.minus), 0);
  add('pool', ask.pool, usual.pool);
}

function pinText(pin, state, world) {
  const from = cellText(cellFor(pin, state, world));
  return pin.to ? `${from}-${cellText(cellFor(pin.to, state, world))}` : from;
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
  const {cursor, anchor, suggested, ...kept} = question;
  return {question: kept, notes};
}

const LATER = ['q', 'on', 'frames', 'n', 'step'];

const READERS = {
  __proto__: null,                                          // or a link's “constructor” would be a reader
  block: (question, text, world) => world.blocks.some(({name}) => name === text) && assign(question, {block: text}),
  dir: (question, text) => ['forward', 'reverse'].includes(text) && assign(question, {direction: text}),
  k: (question, text) => within(text, 1, MOST_ARROWS) && ask(question, {k: Number(text)}),
  mass: (question, text) => within(text, 1, 100) && ask(question, {mass: Number(text)}),
  near: (question, text) => {
    const [, cells, frames] = /^(\d{1,2})\.(\d{1,3})$/.exec(text) ?? [];
    return cells !== undefined && ask(question, {near: {cells: Number(cells), frames: Number(frames)}});
  },
  when: (question, text, world) => readWhen(text, world) && ask(question, {when: text}),
  value: (question, text) => ['weight', 'contribution'].includes(text) && ask(question, {value: text}),
  minus: (question, text) => within(text, 0, 1) && ask(question, {minus: text === '1'}),
  pool: (question, text) => ['mean', 'max', 'each'].includes(text) && ask(question, {pool: text}),
  beside: (question, text) => /^([0-9a-f]{24}\.)?[\w.-]{1,64}$/.test(text) && assign(question, {beside: text}),
  view: (question, text) => ['strip', 'player'].includes(text) && assign(question, {view: text}),
  frame: (question, text, world) => within(text, 0, world.total - 1) && assign(question, {frame: Number(text)}),
  heat: (question, text) => within(text, 0, 1) && assign(question, {heat: text === '1'}),
  opacity: (question, text) => within(text, 10, 100) && assign(question, {opacity: Number(text) / 100}),
  palette: (question, text) => Object.hasOwn(PALETTES, text) && assign(question, {palette: text}),
  scale: (question, text) => ['shared', 'each'].includes(text) && assign(question, {scale: text}),
  smooth: (question, text) => within(text, 0, 1) && assign(question, {smooth: text === '1'}),
};

function assign(question, change) {
  Object.assign(question, change);
  return true;
}

function ask(question, change) {
  return assign(question, {ask: {...question.ask, ...change}});
}

function readWhen(text, world) {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  return ['all', 'others', 'same'].includes(text) || (from !== undefined && Number(from) <= Number(to) && Number(to) < world.total);
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
  const boxes = text.split(',').filter(Boolean).map((part) => part.split('-').map(readCell));
  const fits = (box) => box.length <= 2 && box.every((cell) => hasCell(grid, cell));
  const kept = boxes.filter(fits).slice(0, MOST_PINS);
  if (kept.length < boxes.length) {
    notes.push(`Of the link's ${boxes.length} questions, ${kept.length} lie within the grid of ${question.block} and are asked.`);
  }
  question.pins = kept.map((box) => {
    const [from, to] = box.map((cell) => centreOf(grid, cell, world.total));
    return to ? {...from, to} : from;
  });
  const on = parameters.get('on') ?? '';
  question.active = within(on, 1, kept.length) ? Number(on) - 1 : Math.max(0, kept.length - 1);
}

function readCell(text) {
  const [t, h, w] = /^\d+\.\d+\.\d+$/.test(text) ? text.split('.').map(Number) : [];
  return {t, h, w};
}
