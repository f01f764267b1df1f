/**
 * Mouse, pen, fingers and wheel on an element, told apart: hover, click, drag, box and pinch. Places are CSS pixels
 * from the element's corner. What they mean is for stage.js.
 */
import {placeOn} from './dom.js';

const SLOP = 5;            // CSS pixels that a press may wander and still be a click
const WHEEL = 0.008;       // a notch of a mouse wheel, 50 after the cut below, zooms by exp(0.4) = 1.5
const NOTCH = 50;

/**
 * Listens on `root`. `on` has
 *
 *     hover(at, event), leave(), click(at)
 *     dragKind(event)             what a drag that starts now would be: 'drag', 'box', or null for nothing
 *     drag(dx, dy), box(from, to), boxed(from, to), unboxed()
 *     pinch(factor, at, dx, dy)   two fingers, or the wheel with Ctrl, which is what touch pads send
 */
export function listenTo(root, on) {
  const fingers = new Map();   // by pointer id, those that are down
  let press = null;            // {id, from, last, kind, moved}: the one finger or button that is down
  let spent = false;           // the press was a gesture; the click that ends it means nothing

  const position = (event) => placeOn(root, event);

  function drop() {
    if (press?.kind === 'box') on.unboxed();
    press = null;
  }

  root.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    const at = position(event);
    fingers.set(event.pointerId, at);
    spent = fingers.size > 1;
    if (spent) return drop();
    press = {id: event.pointerId, from: at, last: at, kind: on.dragKind(event), moved: false};
    on.hover(at, event);
  });

  root.addEventListener('pointermove', (event) => {
    const at = position(event);
    if (!event.buttons) lift(event.pointerId);               // let go somewhere else
    if (fingers.size > 1 && fingers.has(event.pointerId)) return pinched(event.pointerId, at);
    if (press?.id !== event.pointerId || !press.kind) return on.hover(at, event);
    dragged(at);
  });

  function dragged(at) {
    if (!press.moved && away(at, press.from) < SLOP) return;
    if (!press.moved) {
      root.setPointerCapture(press.id);
      on.leave();
    }
    press.moved = spent = true;
    if (press.kind === 'box') on.box(press.from, at);
    else on.drag(at.x - press.last.x, at.y - press.last.y);
    press.last = at;
  }

  function pinched(id, at) {
    const before = spread([...fingers.values()]);
    fingers.set(id, at);
    const now = spread([...fingers.values()]);
    on.pinch(now.apart / Math.max(1, before.apart), now.middle, now.middle.x - before.middle.x, now.middle.y - before.middle.y);
  }

  function lift(id) {
    fingers.delete(id);
    if (press?.id === id) drop();
  }

  root.addEventListener('pointerup', (event) => {
    if (press?.id === event.pointerId && press.moved && press.kind === 'box') on.boxed(press.from, position(event));
    lift(event.pointerId);
  });
  root.addEventListener('pointercancel', (event) => { lift(event.pointerId); on.leave(); });
  root.addEventListener('pointerleave', () => on.leave());
  root.addEventListener('click', (event) => {
    if (!spent) on.click(position(event));
    spent = false;
  });

  root.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.metaKey) return;            // without, the wheel scrolls the page
    event.preventDefault();
    const at = position(event);
    const turned = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 20);
    on.pinch(Math.exp(-WHEEL * Math.min(NOTCH, Math.max(-NOTCH, turned))), at, 0, 0);
    on.hover(at, event);                                     // another place may lie there now
  }, {passive: false});
  root.addEventListener('touchmove', (event) => {
    if (event.touches.length > 1 && event.cancelable) event.preventDefault();    // else the browser would scroll and take the fingers away
  }, {passive: false});
}

function away(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function spread([a, b]) {
  return {apart: away(a, b), middle: {x: (a.x + b.x) / 2, y: (a.y + b.y) / 2}};
}
