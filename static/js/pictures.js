/** Frames and their captions on a canvas, painted again only when something about them has changed. */
import {paintPictures, paintStill} from './canvas.js';

let inks = new WeakMap();   // by element: to ask for a style between writes would make the browser work it out each time

/** How text in `element` looks: {colour of captions, colour of text, font}. */
export function inkOf(element) {
  if (!inks.has(element)) {
    const style = getComputedStyle(element);
    inks.set(element, {colour: style.getPropertyValue('--ink-3'), text: style.color, font: `12px ${style.fontFamily}`});
  }
  return inks.get(element);
}

/** The theme has changed. */
export function forgetInks() {
  inks = new WeakMap();
}

/**
 * A painter for `canvas`, whose captions look as text in `root` does: paint(items, layout, sheet) -> whether it did;
 * again() makes the next call paint.
 */
export function openPictures(canvas, root) {
  let done = {key: '', sheet: null};
  return {
    paint: (items, layout, sheet) => {
      const ink = inkOf(root);
      const key = JSON.stringify([layout, window.devicePixelRatio, ink]);
      if (done.key === key && done.sheet === sheet) return false;
      paintStill(canvas, layout.width, layout.height, (context) => paintPictures(context, items, sheet, ink));
      done = {key, sheet};
      return true;
    },
    again: () => { done = {key: '', sheet: null}; },
  };
}
