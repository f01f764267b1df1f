/**
 * Side by side: the lens's question on the left, and on the right through another block, on another clip, or on the
 * same video as another network or a null model saw it. At most one other clip is held; dropping it frees it.
 */
import {canAnswer, rememberedAnswers} from '../ask.js';
import {readBlocks, readClips} from '../api.js';
import {besideText, blockIn, neighbourBlock, openCompanion, readBeside, stateBeside} from '../companion.js';
import {find, loadImage, make, setText} from '../dom.js';
import {answeringGrid, askingGrid} from '../field.js';
import {openFields} from '../fields.js';
import {spanOf} from '../geometry.js';
import {overlap} from '../overlap.js';
import {layoutFor} from '../stage.js';
import {blockOf, countsShares, questionsOf} from '../state.js';
import {shownFrame} from '../transform.js';
import {countText, framesText, hiddenText, weightText} from '../words.js';
import {worldOf} from '../world.js';

const COMPARED = 20;   // answers of each whose places are compared

/** Wire the bench in `root`; returns {show(state)}. */
export function openBench(root, lens) {
  const {clip} = lens.world;
  const own = {world: lens.world, sheet: lens.sheet, load: lens.load, now: lens.fieldNow, words: (name) => `Loading ${name}`, askWith: lens.askWith};
  const panes = {own: openPane(root, 'own', lens), other: openPane(root, 'other', lens)};
  const choices = openChoices(root, lens);
  let other = own, wanted = null, trouble = '';

  /** The clip of that id (null: the lens's own), or null while it is on its way. The one before is let go at once. */
  function clipFor(id) {
    if (id === wanted) return other;
    [wanted, other, trouble] = [id, id === null ? own : null, ''];
    if (id !== null) fetchClip(id);
    return other;
  }

  async function fetchClip(id) {
    let opened = null, words = '';
    try {
      opened = await openClip(id, again, lens.note);
    } catch (error) {
      words = `That clip cannot be shown here. ${error.message}`;
    }
    if (wanted !== id) return;                               // something else was chosen meanwhile
    [other, trouble] = [opened, words];
    again();
  }

  function again() {
    if (!root.hidden) show(lens.state());
  }

  function show(state) {
    const chosen = state.beside === null ? {clip: null, block: neighbourBlock(state, lens.world)} : readBeside(state.beside);
    const beside = clipFor(chosen.clip === clip.id ? null : chosen.clip);
    const block = beside && blockIn(beside.world, chosen.block);
    setText(find('#pane-own', root), `${state.block}, ${clip.model}`);
    choices.show(wanted, beside, block ?? chosen.block);
    const left = panes.own.show(own, state);
    const right = block ? panes.other.show(beside, stateBeside(state, lens.world, block, beside.world))
      : panes.other.blank(trouble || (beside ? 'Its network has no non-local block.' : 'Loading the clip'));
    setText(find('.beside-words', root), block ? comparison(left, right, own.world, beside.world) : '');
  }

  again();   // both lists have a value before anybody can choose
  return {show};
}

/** Everything of another clip that a companion needs; a block's features are loaded when it is first shown. */
async function openClip(id, onChange, note) {
  const clip = (await readClips()).find((one) => one.id === id);
  if (clip?.state !== 'done') throw new Error(clip ? `Its analysis is ${clip.state}.` : 'It is no longer kept.');
  const [blocks, image] = await Promise.all([readBlocks(id), loadImage(clip.frames.url)]);
  const fields = openFields(blocks, onChange, (words, act) => note(words, {label: 'Try again', act}));
  return {
    world: worldOf(clip, blocks), sheet: {image, frames: clip.frames},
    load: fields.load, now: fields.now, words: fields.words, askWith: rememberedAnswers(),
  };
}

/** One of the two views: show(clip, state) gives its active question's answer, {top, grid}, or null; blank(words) shows none. */
function openPane(root, name, lens) {
  const stage = find(`.pane-${name}`, root), words = find(`#pane-${name}-words`, root);
  const companion = openCompanion(stage, lens);
  companion.listen();

  function show(shown, state) {
    stage.hidden = false;
    const {world, sheet} = shown;
    const layout = layoutFor(state, stage.clientWidth, window.innerHeight);
    const field = shown.now(state.block);
    if (!field) shown.load(state.block).catch(() => {});     // whoever holds the fields tells
    const able = field && canAnswer(field, state);
    const ask = able ? shown.askWith(field, state, world.total) : null;
    companion.show({world, sheet, state, ask, layout});
    const question = ask && questionsOf(state, world).at(-1);
    const answer = question && {cells: question.cells, top: ask(question.cells).top, grid: answeringGrid(blockOf(state, world), state.direction)};
    if (!field) setText(words, shown.words(state.block));
    else setText(words, able ? answerText(answer, state, world, layout) : 'This block’s file does not hold what the question needs.');
    return answer;
  }

  function blank(text) {
    stage.hidden = true;
    companion.clear();
    setText(words, text);
    return null;
  }

  return {show, blank};
}

function answerText(answer, state, world, layout) {
  if (!answer) return 'Nothing is asked yet.';
  const {top, grid, cells} = answer;
  if (!top.length) return 'No place answers.';
  const share = countsShares(state, world);
  const spans = top.map(({cell}) => spanOf(grid, cell, world.total));
  const seen = (span) => shownFrame(span, layout) !== null;
  const asked = cells.some((cell) => seen(spanOf(askingGrid(blockOf(state, world), state.direction), cell, world.total)));
  const hidden = hiddenText(asked ? spans.filter((span) => !seen(span)).length : top.length, top.length, asked);
  const together = top.length > 1 ? `; ${top.length} together ${weightText(top.at(-1).mass, share)}` : '';
  const most = `Strongest: ${weightText(top[0].weight, share)}, in frame ${framesText(spans[0])}${together}.`;
  return hidden ? `${most} ${hidden}.` : most;
}

/**
 * What two answers {top, grid} (or null) have in common, in words; `own` and `beside` are their worlds. Places are only
 * compared where both networks saw the same frames.
 */
export function comparison(left, right, own, beside) {
  if (!sameFrames(own, beside)) {
    const counts = own.total === beside.total ? '' : `The clips have ${own.total} and ${beside.total} frames. `;
    return `${counts}Each frame stands beside the one at the same share of the other clip.`;
  }
  if (!left?.top.length || !right?.top.length) return '';
  const [a, b] = [left, right].map(({top}) => top.slice(0, COMPARED));
  return `Of their ${countText(Math.max(a.length, b.length), 'strongest answer')}, ${Math.round(100 * overlap(a, left.grid, b, right.grid))} % are the same places.`;
}

function sameFrames(one, other) {
  const same = (key) => one.clip[key] === other.clip[key];
  return same('sha256') && same('variant') && String(one.times) === String(other.times) && one.clip.frames.size_px === other.clip.frames.size_px;
}

/** The two lists: clips, those of the same video first, and the blocks of the chosen one. */
function openChoices(root, lens) {
  const clips = find('#beside-clip', root), blocks = find('#beside-block', root);
  let wanted = '', listed = '';
  for (const list of [clips, blocks]) {
    list.addEventListener('change', () => (
      lens.dispatch({type: 'beside', beside: besideText({clip: clips.value || null, block: blocks.value})})));
  }
  fillClips();

  async function fillClips() {
    clips.replaceChildren(make('option', {value: ''}, 'This clip'));
    try {
      clips.append(...groupsOf(await readClips(), lens.world.clip));
      clips.value = wanted;
    } catch (error) {
      lens.note(`The clips could not be listed. ${error.message}`);
    }
  }

  /** `id` of the chosen clip, null for the lens's own; its blocks once it is here. */
  function show(id, shown, block) {
    wanted = id ?? '';
    if (clips.value !== wanted) clips.value = wanted;
    const names = shown ? shown.world.blocks.map(({name}) => name) : [block];
    if (listed !== String(names)) blocks.replaceChildren(...names.map((name) => make('option', {value: name}, name)));
    listed = String(names);
    if (blocks.value !== block) blocks.value = block;
  }

  return {show};
}

function groupsOf(clips, own) {
  const others = clips.filter(({id, state}) => id !== own.id && state === 'done');
  const groups = [
    ['The same video', others.filter(({sha256}) => sha256 === own.sha256)],
    ['Other videos', others.filter(({sha256}) => sha256 !== own.sha256)],
  ];
  return groups.filter(([, some]) => some.length).map(([label, some]) => (
    make('optgroup', {label}, ...some.map((clip) => make('option', {value: clip.id}, clipLabel(clip, own))))));
}

/** What sets a clip apart from the lens's own, in few words. */
export function clipLabel(clip, own) {
  const sameVideo = clip.sha256 === own.sha256;
  const start = clip.start_s === (sameVideo ? own.start_s : 0) ? null : `from ${clip.start_s.toFixed(2)} s`;
  const variant = clip.variant === 'none' ? null : clip.variant;
  return [sameVideo ? null : clip.filename, clip.model, start, variant].filter(Boolean).join(', ');
}
