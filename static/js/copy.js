/**
 * One question in five notations: the page's link, curl, the API's JSON, Python, the command line. All of them are
 * written from the same flat object, whose names are the API's; tests/browser/test_take.py runs them all.
 */
import {USUAL} from './ask.js';
import {centreOf} from './geometry.js';
import {encodeLink} from './link.js';
import {cellsFor, gridOf} from './state.js';

/** The active pinned question by the API's names, without what is usual; null where nothing is pinned. */
export function queryOf(state, world) {
  const pin = state.pins?.[state.active] ?? state.pins?.at(-1);
  if (!pin) return null;
  const cells = cellsFor(pin, state, world);
  const [from, to] = [cells[0], cells.at(-1)].map((cell) => rounded(centreOf(gridOf(state, world), cell, world.total)));
  const {k, mass, near, when, value, minus, pool} = state.ask;
  const usual = {direction: 'forward', k: USUAL.k, pool: USUAL.pool, when: USUAL.when, value: USUAL.value};
  const query = {
    block: state.block, ...from,
    ...(cells.length > 1 ? {to_frame: to.frame, to_x: to.x, to_y: to.y, pool} : {}),
    direction: state.direction, ...(mass === null ? {k} : {mass}),
    ...(near ? {near_cells: near.cells, near_frames: near.frames} : {}),
    when, value, ...(minus ? {minus_mean: true} : {}),
  };
  return Object.fromEntries(Object.entries(query).filter(([name, given]) => usual[name] !== given));
}

/** A centre, written shortly: six digits tell cells of a 1000 x 1000 grid apart. */
function rounded({frame, x, y}) {
  return {frame, x: Number(x.toFixed(6)), y: Number(y.toFixed(6))};
}

/** {link, curl, json, python, cli} of the active question; `origin` is the server's, as in http://host:8000. */
export function notationsOf(state, world, origin) {
  const query = queryOf(state, world);
  if (!query) return null;
  const {clip} = world;
  const api = `${origin}/api/v1/clips/${clip.id}/arrows`;
  return {
    link: `${origin}/clips/${clip.id}?${encodeLink(state, world)}`,
    curl: `curl ${shell(`${api}?${new URLSearchParams(query)}`)}`,
    json: JSON.stringify(query),
    python: pythonOf(query, clip),
    cli: cliOf(query, clip),
  };
}

function cliOf(query, {filename, model, start_s: start, variant}) {
  const flags = Object.entries(query).map(([name, value]) => {
    const flag = `--${name.replaceAll('_', '-')}`;
    return value === true ? flag : `${flag} ${shell(String(value))}`;
  });
  return ['nonlocal-lens arrows', shell(filename), ...subject({model, start, variant}, (name, text) => `--${name.replace('_', '-')} ${shell(text)}`), ...flags].join(' ');
}

function pythonOf(query, {filename, model, start_s: start, variant}) {
  const {block, frame, x, y, to_frame: toFrame, to_x: toX, to_y: toY, near_cells: cells, near_frames: frames, ...rest} = query;
  const parts = [
    text(block), `nl.ClipPoint(${frame}, ${x}, ${y})`,
    toFrame === undefined ? null : `to=nl.ClipPoint(${toFrame}, ${toX}, ${toY})`,
    ...Object.entries(rest).map(([name, value]) => `${name}=${value === true ? 'True' : typeof value === 'string' ? text(value) : value}`),
    cells === undefined ? null : `near=nl.Near(${cells}, ${frames})`,
  ];
  const given = subject({model: 'default', start, variant}, (name, value) => `${name}=${name === 'variant' ? text(value) : value}`);
  return [
    'import nonlocal_core as nl', '',
    `analysis = nl.analyse(${[text(filename), `nl.load_model(${text(model)})`, ...given].join(', ')})`,
    `query = nl.Query(${parts.filter(Boolean).join(', ')})`,
    'for arrow in analysis.ask(query).arrows:',
    '    print(arrow)',
  ].join('\n');
}

/** What differs from the usual analysis of a video. */
function subject({model, start, variant}, write) {
  return [
    model === 'default' ? null : write('model', model),
    start ? write('start_s', String(start)) : null,
    variant && variant !== 'none' ? write('variant', variant) : null,
  ].filter(Boolean);
}

/** A string literal that Python reads as JavaScript wrote it. */
function text(value) {
  return JSON.stringify(value);
}

/** One word of a shell's command line. */
function shell(word) {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
