/** The page to take home: which blocks go into it, and how large it gets. Part of the bench "take". */
import {homeUrl} from '../api.js';
import {find, make, setText} from '../dom.js';
import {bytesText} from '../words.js';

const MOST_BYTES = 12e6;       // what goes through mail and chat
const PAGE_BYTES = 250e3;      // scripts and styles; the pictures are about as large again
const AS_TEXT = 4 / 3;         // base64

/** Wire the part of the bench `root`; returns {show(state, query)}. */
export function openHome(root, {world}) {
  const link = find('[data-home]', root), size = find('.home-size', root), list = find('.home-blocks', root);
  const boxes = world.blocks.map(({name}) => make('input', {type: 'checkbox', value: name, name: 'home-block'}));
  list.append(...boxes.map((box, n) => make('label', {className: 'how-line'}, box, ` ${world.blocks[n].name}`)));
  let query = '', touched = false;
  list.addEventListener('change', () => { touched = true; show(); });

  function show() {
    const chosen = boxes.filter(({checked}) => checked).map(({value}) => value);
    const bytes = homeBytes(world, chosen);
    const fits = bytes <= MOST_BYTES && chosen.length > 0;
    link.hidden = !fits;
    link.href = homeUrl(world.clip.id, chosen, query);
    setText(size, chosen.length ? `about ${bytesText(bytes)}${fits ? '' : `, more than ${bytesText(MOST_BYTES)}: choose fewer`}` : 'choose a block');
  }

  return {
    show: (state, link) => {
      query = link;
      if (!touched) {
        const chosen = blocksThatFit(world, state.block);
        for (const box of boxes) box.checked = chosen.includes(box.value);
      }
      show();
    },
  };
}

/** About how large the page gets with these blocks: theta and phi as float16, one number a cell besides, the pictures. */
export function homeBytes({total, blocks, clip}, chosen) {
  const pictures = total * clip.frames.size_px ** 2 * 0.4;   // JPEG of quality 92: 0.2 to 0.4 bytes a pixel
  const features = blocks.filter(({name}) => chosen.includes(name)).reduce(
    (sum, {queryGrid, keyGrid, channels}) => sum + cells(queryGrid) * (2 * channels + 12) + cells(keyGrid) * (2 * channels + 8), 0);
  return PAGE_BYTES + AS_TEXT * (pictures + features);
}

/** The block in question, and the smaller ones after it, as long as the page stays small enough. */
export function blocksThatFit(world, block) {
  const others = world.blocks.filter(({name}) => name !== block)
    .sort((a, b) => homeBytes(world, [a.name]) - homeBytes(world, [b.name])).map(({name}) => name);
  return others.reduce((chosen, name) => (homeBytes(world, [...chosen, name]) <= MOST_BYTES ? [...chosen, name] : chosen), [block]);
}

function cells({t, h, w}) {
  return t * h * w;
}
