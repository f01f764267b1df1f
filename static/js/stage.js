/**
 * The stage: two canvases over each other (pictures below, answers above) and the pointer on them.
 * Pixels become ClipPoints and cells here; what they mean is for state.js.
 */
import {fit, paintAnswers, paintPictures} from './canvas.js';
import {find} from './dom.js';
import {cellFor} from './state.js';
import {locate, playerLayout, stripLayout} from './transform.js';
import {differenceText, framesText, secondsText, weightText} from './words.js';

const REACH = 8; // CSS pixels around an arrow's tip that name the arrow

/** The layout for `state` on an element `width` wide in a window `windowHeight` high. */
export function layoutFor(state, width, windowHeight) {
  if (state.view === 'player') return playerLayout({frame: state.frame, width, tallest: Math.max(300, 0.66 * windowHeight)});
  return stripLayout({frames: state.frames, width, tallest: Math.max(420, 0.85 * windowHeight)});
}

/** The stage in `root`. `lens` gives state(), scene(), layout(), world and dispatch(action). */
export function openStage(root, lens, sheet) {
  const pictures = find('.pictures', root), answers = find('.answers', root), tip = find('.tip', root);
  let painted = '';

  root.addEventListener('pointermove', (event) => pointed(event));
  root.addEventListener('pointerdown', (event) => pointed(event));
  root.addEventListener('pointerleave', () => { lens.inspect(null); lens.dispatch({type: 'point', cell: null}); });
  root.addEventListener('pointercancel', () => lens.dispatch({type: 'point', cell: null}));
  root.addEventListener('click', (event) => {
    const mark = markNear(position(event), lens.scene().items);
    const cell = cellUnder(event);
    if (mark) lens.dispatch({type: 'unpin', at: mark.pin});
    else if (cell) lens.dispatch({type: 'pin', cell});
  });

  function position(event) {
    const box = root.getBoundingClientRect();
    return {x: event.clientX - box.left, y: event.clientY - box.top};
  }

  function cellUnder(event) {
    const point = lens.ready() ? locate(position(event), lens.layout()) : null;
    return point && cellFor(point, lens.state(), lens.world);
  }

  function pointed(event) {
    const near = event.pointerType === 'mouse' ? tipNear(position(event), lens.scene().items, lens.state()) : null;
    lens.inspect(near && {question: near.question, rank: near.rank});
    lens.dispatch({type: 'point', cell: near ? null : cellUnder(event)});
  }

  /** Frames and captions only when they change; answers each time. */
  function paint(scene, layout, inspected) {
    const key = JSON.stringify([layout, window.devicePixelRatio, document.documentElement.dataset.theme]);
    if (key !== painted) {
      const style = getComputedStyle(root);
      const ink = {colour: style.getPropertyValue('--ink-3'), font: `12px ${style.fontFamily}`};
      paintPictures(fit(pictures, layout.width, layout.height), scene.items, sheet, ink);
      painted = key;
    }
    paintAnswers(fit(answers, layout.width, layout.height), scene.items, inspected);
    showTip(tip, scene, layout, inspected);
  }

  return {paint, repaint: () => { painted = ''; }};
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

function markNear(at, items) {
  return items.find(({kind, x, y}) => kind === 'mark' && Math.hypot(x - at.x, y - at.y) < REACH) ?? null;
}

function showTip(tip, scene, layout, inspected) {
  const arrow = inspected && scene.items.find((item) => (
    item.kind === 'arrow' && item.shown && item.question === inspected.question && item.rank === inspected.rank));
  tip.hidden = !arrow;
  if (!arrow) return;
  const softmax = scene.softmax;
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
