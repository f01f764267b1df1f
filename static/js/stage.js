/**
 * The stage: canvases over each other (pictures, heat, resting pins, the active question), the pointer on them, and the zoom. Pixels
 * become ClipPoints and cells here; what they mean is for state.js. The zoom is no part of the question, so it lives
 * here and not in the state.
 */
import {fit, itemsOf, paintAnswers, paintStill} from './canvas.js';
import {find, placeOn, setText} from './dom.js';
import {boxSpanOf} from './geometry.js';
import {listenTo} from './gestures.js';
import {openPictures} from './pictures.js';
import {cellFor, gridOf, sameCell} from './state.js';
import {boxOf, locate, locateOn, MOST_ZOOM, NO_ZOOM, panned, playerLayout, revealing, stripLayout, zoomAt, zoomed} from './transform.js';
import {differenceText, framesText, secondsText, weightText} from './words.js';

const REACH = 8; // CSS pixels around an arrow's tip that name the arrow

/** The layout for `state` on an element `width` wide in a window `windowHeight` high. */
export function layoutFor(state, width, windowHeight) {
  if (state.view === 'player') return playerLayout({frame: state.frame, width, tallest: Math.max(300, 0.66 * windowHeight)});
  return stripLayout({frames: state.frames, width, tallest: Math.max(420, 0.85 * windowHeight)});
}

/**
 * The stage in `root`. `lens` gives state(), scene(), layout(), world, draw(), inspect(arrow) and dispatch(action).
 * Returns {paint, repaint, through(layout): the layout as zoomed now, zoom(by): magnify, or 0 for the whole}.
 */
export function openStage(root, lens, sheet) {
  const frames = openPictures(find('.pictures', root), root), answers = find('.answers', root), tip = find('.tip', root), band = find('.band', root);
  const tools = find('.stage-tools', root.parentElement);
  const heat = layer(find('.heat', root)), resting = layer(find('.resting', root)), chosen = layer(find('.chosen', root));
  let base = null, zoom = NO_ZOOM, byKey = false;

  listenTo(root, {
    hover: pointed,
    leave: () => { lens.inspect(null); lens.dispatch({type: 'point', cell: null}); },
    click: (at) => {
      const mark = markNear(at, lens.scene().items);
      const cell = cellUnder(at);
      if (mark) lens.dispatch({type: 'unpin', at: mark.pin});
      else if (cell) lens.dispatch({type: 'pin', cell});
    },
    dragKind: (event) => {
      if (event.shiftKey || boxing()) return cellUnder(placeOn(root, event)) ? 'box' : null;
      return zoom.scale > 1 ? 'drag' : null;
    },
    drag: (dx, dy) => change(panned(base, zoom, dx, dy)),
    box: (from, to) => showBand(boxBetween(from, to)),
    boxed: (from, to) => {
      const {cells} = boxBetween(from, to);
      lens.dispatch(sameCell(cells.from, cells.to) ? {type: 'pin', cell: cells.from} : {type: 'region', ...cells});
    },
    unboxed: () => { band.hidden = true; },
    pinch: (factor, at, dx, dy) => change(zoomAt(base, panned(base, zoom, dx, dy), zoom.scale * factor, at)),
  });
  root.addEventListener('pointermove', () => { byKey = false; });
  document.addEventListener('keydown', () => { byKey = true; });
  for (const [name, by] of [['in', 1.5], ['out', 1 / 1.5], ['whole', 0]]) {
    find(`[data-zoom=${name}]`, tools).addEventListener('click', () => zoomBy(by));
  }
  find('.box-mode', tools).addEventListener('click', ({currentTarget: button}) => {
    root.dataset.box = String(!boxing());
    button.setAttribute('aria-pressed', root.dataset.box);
  });

  function boxing() {
    return root.dataset.box === 'true';
  }

  function cellUnder(at) {
    const point = lens.ready() ? locate(at, lens.layout()) : null;
    return point && cellFor(point, lens.state(), lens.world);
  }

  function pointed(at, event) {
    const near = event.pointerType === 'mouse' ? tipNear(at, lens.scene().items, lens.state()) : null;
    lens.inspect(near && {question: near.question, rank: near.rank});
    lens.dispatch({type: 'point', cell: near ? null : cellUnder(at)});
  }

  /** The cells between two places on the stage, on the picture where the first one lies, and their outline. */
  function boxBetween(from, to) {
    const state = lens.state(), layout = lens.layout();
    const start = locate(from, layout);
    const [a, b] = [start, locateOn(to, start.frame, layout)].map((point) => cellFor(point, state, lens.world));
    const cells = cornersOf(a, b);
    const span = boxSpanOf(gridOf(state, lens.world), cells.from, cells.to, lens.world.total);
    return {cells, box: boxOf(span, Math.max(0, layout.frames.indexOf(start.frame)), layout)};
  }

  function showBand({cells: {from, to}, box}) {
    band.hidden = false;
    for (const [side, value] of [['left', box.x], ['top', box.y], ['width', box.width], ['height', box.height]]) band.style[side] = `${value}px`;
    setText(band.firstElementChild, `${to.h - from.h + 1} × ${to.w - from.w + 1}`);
  }

  function change(next) {
    zoom = next.scale > 1 ? next : NO_ZOOM;
    root.dataset.zoomed = String(zoom.scale > 1);
    find('[data-zoom=whole]', tools).disabled = find('[data-zoom=out]', tools).disabled = zoom.scale === 1;
    find('[data-zoom=in]', tools).disabled = zoom.scale === MOST_ZOOM;
    setText(find('.zoom-now', tools), `${Math.round(100 * zoom.scale)} %`);
    lens.draw();
  }

  /** Magnify about what is asked, else about the middle; 0 shows the whole again. */
  function zoomBy(by) {
    const asked = tailOf(lens.scene())?.box ?? {x: 0, y: 0, width: base.width, height: lens.layout().height};
    const at = {x: asked.x + asked.width / 2, y: asked.y + asked.height / 2};
    change(by === 0 ? NO_ZOOM : zoomAt(base, zoom, zoom.scale * by, at));
  }

  /** The layout as zoomed now; the other view starts whole. */
  function through(layout) {
    if (base && layout.view !== base.view && zoom !== NO_ZOOM) change(NO_ZOOM);
    base = layout;
    return zoomed(layout, zoom);
  }

  /** Frames and captions, heat and resting pins only when they change; the active question each time. */
  function paint(scene, layout, inspected) {
    const fresh = frames.paint(scene.items, layout, sheet);          // the layout is new: nothing of before holds
    const [asleep, awake] = [false, true].map((active) => scene.questions.filter((question) => question.active === active));
    const pin = `pin${lens.state().active + 1}`;             // it rests and wakes as the pointer comes and goes
    heat.paint(scene.items.filter(({kind}) => kind === 'heat'), layout, fresh);
    resting.paint(asleep.filter(({id}) => id !== pin), layout, fresh);
    chosen.paint(asleep.filter(({id}) => id === pin), layout, fresh);
    for (const {canvas} of [resting, chosen]) canvas.style.opacity = inspected ? '0.22' : '';
    paintAnswers(fit(answers, layout.width, layout.height), awake.flatMap(itemsOf), inspected);
    showTip(tip, scene, layout, inspected);
    const tail = byKey && zoom !== NO_ZOOM && lens.state().cursor ? tailOf(scene) : null;
    byKey = false;
    const revealed = tail ? revealing(base, zoom, tail.box) : zoom;
    if (revealed !== zoom) change(revealed);                 // the keyboard's cursor stays in sight
  }

  return {paint, repaint: frames.again, through, zoom: zoomBy};
}

/**
 * A canvas that is painted again only when other things are to be seen on it: paint(things, layout, fresh), things as
 * paintAnswers() takes them or with such parts (itemsOf). What it showed last is kept while nothing is to be seen.
 */
function layer(canvas) {
  let done = null;
  return {
    canvas,
    paint: (things, layout, fresh) => {
      const same = done && (!things.length || (things.length === done.length && things.every((thing, n) => thing === done[n])));
      if (fresh || !same) {
        const items = things.flatMap((thing) => (thing.arrows ? itemsOf(thing) : thing));
        paintStill(canvas, layout.width, layout.height, (context) => paintAnswers(context, items, null));
        done = things;
      }
      canvas.style.visibility = things.length ? '' : 'hidden';
    },
  };
}

/** Two cells as the first and the last corner of the box between them: {from, to}, from <= to on each axis. */
export function cornersOf(a, b) {
  const pick = (choose) => ({t: choose(a.t, b.t), h: choose(a.h, b.h), w: choose(a.w, b.w)});
  return {from: pick(Math.min), to: pick(Math.max)};
}

/** The first outline of the active question's place, or null. */
function tailOf({items, active}) {
  return (active && items.find(({kind, role, question}) => kind === 'cell' && role === 'tail' && question === active.id)) ?? null;
}

/** The arrow of the resting active pin whose tip is nearest to `at` within reach, or null. */
export function tipNear(at, items, state) {
  const active = `pin${state.active + 1}`;
  let best = null, least = REACH;
  for (const item of items) {
    if (item.kind !== 'arrow' || !item.shown || item.question !== active) continue;
    const away = Math.hypot(item.to.x - at.x, item.to.y - at.y);
    if (away < least) [best, least] = [item, away];
  }
  return best;
}

/** The pin's mark at `at`, or null. */
export function markNear(at, items) {
  return items.find(({kind, x, y}) => kind === 'mark' && Math.hypot(x - at.x, y - at.y) < REACH) ?? null;
}

function showTip(tip, scene, layout, inspected) {
  const arrow = inspected && scene.items.find((item) => (
    item.kind === 'arrow' && item.shown && item.question === inspected.question && item.rank === inspected.rank));
  const inSight = arrow && arrow.to.x >= 0 && arrow.to.x <= layout.width && arrow.to.y >= 0 && arrow.to.y <= layout.height;
  tip.hidden = !inSight;
  if (!inSight) return;
  const softmax = scene.share;
  const {cell: {t, h, w}, span} = arrow;
  tip.replaceChildren(
    Object.assign(document.createElement('strong'), {textContent: weightText(arrow.weight, softmax)}),
    ...[
      `rank ${arrow.rank}, sum so far ${weightText(arrow.mass, softmax)}`,
      `frame ${framesText(span)}, ${secondsText(arrow.endSeconds)} (${differenceText(arrow.seconds)})`,
      `cell t ${t}, h ${h}, w ${w}`,
    ].map((textContent) => Object.assign(document.createElement('span'), {textContent})));
  const left = arrow.to.x + 14 + tip.offsetWidth > layout.width ? arrow.to.x - 14 - tip.offsetWidth : arrow.to.x + 14;
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${Math.max(0, Math.min(arrow.to.y + 12, layout.height - tip.offsetHeight))}px`;
}
