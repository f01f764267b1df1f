/** Frames and their captions on a canvas, painted again only when something about them has changed. */
import {fit, paintPictures} from './canvas.js';

/**
 * A painter for `canvas`, whose captions look as text in `root` does: paint(items, layout, sheet) -> whether it did;
 * again() makes the next call paint.
 */
export function openPictures(canvas, root) {
  let done = {key: '', sheet: null};
  return {
    paint: (items, layout, sheet) => {
      const style = getComputedStyle(root);
      const ink = {colour: style.getPropertyValue('--ink-3'), font: `12px ${style.fontFamily}`};
      const key = JSON.stringify([layout, window.devicePixelRatio, ink]);
      if (done.key === key && done.sheet === sheet) return false;
      paintPictures(fit(canvas, layout.width, layout.height), items, sheet, ink);
      done = {key, sheet};
      return true;
    },
    again: () => { done = {key: '', sheet: null}; },
  };
}
