/**
 * The same question shown a second time: through another block, or on another clip, on canvases of its own and by
 * the same painters. There is one cursor: the pointer on a companion moves the lens's, and the companion follows it.
 *
 * Between two clips a place is the same fraction of the crop, and the frame that lies at the same share of the clip;
 * with as many frames on both sides that is the very same frame. Pure functions first, the canvases below.
 */
import {fit, paintAnswers} from './canvas.js';
import {find, placeOn} from './dom.js';
import {centreOf} from './geometry.js';
import {openPictures} from './pictures.js';
import {sceneOf} from './scene.js';
import {markNear} from './stage.js';
import {cellFor, gridOf} from './state.js';
import {locate} from './transform.js';

const CLIP_AND_BLOCK = /^([0-9a-f]{24})\.(.+)$/;

/** What state.beside says: {clip: an id, or null for the lens's own, block}. */
export function readBeside(text) {
  const [, clip = null, block = text] = CLIP_AND_BLOCK.exec(text) ?? [];
  return {clip, block};
}

/** The inverse of readBeside(). */
export function besideText({clip, block}) {
  return clip === null ? block : `${clip}.${block}`;
}

/** The block to show beside the lens's when nobody has chosen: the one before it, or after the first. */
export function neighbourBlock(state, world) {
  const names = world.blocks.map(({name}) => name);
  const at = names.indexOf(state.block);
  return names[at > 0 ? at - 1 : Math.min(1, names.length - 1)];
}

/** `wanted` if `world` has a block of that name, else its last block's name; null when it has no block. */
export function blockIn(world, wanted) {
  return world.blocks.some(({name}) => name === wanted) ? wanted : world.blocks.at(-1)?.name ?? null;
}

/** The frame at the same share of a clip of `others` frames as `frame` is of a clip of `total`. */
export function frameBeside(frame, total, others) {
  return Math.floor((frame + 0.5) * others / total);
}

/** A place or region {frame, x, y, to?} of a clip of `total` frames in one of `others`. */
export function pointBeside(point, total, others) {
  const there = {...point, frame: frameBeside(point.frame, total, others)};
  return point.to ? {...there, to: pointBeside(point.to, total, others)} : there;
}

/**
 * The lens's `state` in `world` as the state of `block` in `other`, another world or the same one: the same places,
 * frames and cursor, each on the other's grid. The cursor's cell is the one under the centre of the lens's.
 */
export function stateBeside(state, world, block, other) {
  const counts = [world.total, other.total];
  const next = {...state, block, ask: {...state.ask, when: whenBeside(state.ask.when, ...counts)}};
  const cell = (own) => own && cellFor(pointBeside(centreOf(gridOf(state, world), own, world.total), ...counts), next, other);
  return {
    ...next,
    frames: [...new Set(state.frames.map((frame) => frameBeside(frame, ...counts)))],
    frame: frameBeside(state.frame, ...counts),
    pins: state.pins?.map((pin) => pointBeside(pin, ...counts)) ?? null,
    cursor: cell(state.cursor), anchor: cell(state.anchor),
  };
}

/** all, others and same stay; a range of frames is the same share of the other clip. */
function whenBeside(when, total, others) {
  const range = /^(\d+)-(\d+)$/.exec(when);
  return range ? range.slice(1).map((frame) => frameBeside(Number(frame), total, others)).join('-') : when;
}

/** Only the active question of a state: what small pictures have room for. */
export function activeOnly(state) {
  const pin = state.pins?.[state.active];
  return {...state, pins: state.cursor || !pin ? [] : [pin], active: 0, suggested: false};
}

/**
 * A companion of `lens` on the two canvases in `root`. Returns {show, clear, listen}.
 * show({world, sheet, state, layout, ask}) draws in the next frame, and of many calls only the latest: the arguments of
 * sceneOf() and the sprite sheet. listen() lets the pointer on it move the lens's cursor, and a click pin.
 */
export function openCompanion(root, lens) {
  const frames = openPictures(find('.pictures', root), root), answers = find('.answers', root);
  let view = null, items = [], due = false;

  function show(next) {
    view = next;
    if (due) return;
    due = true;
    requestAnimationFrame(paint);
  }

  function paint() {
    due = false;
    if (!view) return;
    const {sheet, layout} = view;
    ({items} = sceneOf(view));
    frames.paint(items, layout, sheet);
    paintAnswers(fit(answers, layout.width, layout.height), items, null);
  }

  /** Lets go of everything that was shown. */
  function clear() {
    [view, items] = [null, []];
    frames.again();
  }

  /** The cell of the lens that is asked about at a place of the companion. */
  function cellUnder(at) {
    const point = view && locate(at, view.layout);
    return point && cellFor(pointBeside(point, view.world.total, lens.world.total), lens.state(), lens.world);
  }

  function listen() {
    const point = (event) => lens.dispatch({type: 'point', cell: cellUnder(placeOn(root, event))});
    const leave = () => lens.dispatch({type: 'point', cell: null});
    root.addEventListener('pointermove', point);
    root.addEventListener('pointerdown', point);
    root.addEventListener('pointerleave', leave);
    root.addEventListener('pointercancel', leave);
    root.addEventListener('click', (event) => {
      const at = placeOn(root, event), cell = cellUnder(at);
      const mark = markNear(at, items);
      if (mark) lens.dispatch({type: 'unpin', at: mark.pin});
      else if (cell) lens.dispatch({type: 'pin', cell});
    });
  }

  return {show, clear, listen};
}
