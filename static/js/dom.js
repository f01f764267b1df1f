/** Elements in few words. Text is always set as text, never as HTML. */

/** The one element that `selector` finds under `root`; a template that lacks it is a mistake and throws. */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return element;
}

/** A new element: make('p', {className: 'note'}, 'text', child, ...). */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Set text only where it differs, in the text node that is there: spares layout work of 60 updates a second. */
export function setText(element, text) {
  const only = element.firstChild;
  if (only && only === element.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.data !== text) only.data = text;
  } else if (only || text) element.textContent = text;
}

/** Where a pointer event lies on an element, in CSS pixels from its corner. */
export function placeOn(element, event) {
  const box = element.getBoundingClientRect();
  return {x: event.clientX - box.left, y: event.clientY - box.top};
}

/** Loads an image; rejects with words that can be shown. */
export function loadImage(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.addEventListener('load', () => resolve(image));
    image.addEventListener('error', () => reject(new Error('The frames could not be loaded.')));
    image.src = url;
  });
}
