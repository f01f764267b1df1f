/** The legend under the stage, drawn with the very arrows and scales of the stage. */
import {fit, paintArrow} from './canvas.js';
import {PALETTES, timeColour} from './colour.js';
import {find, setText} from './dom.js';
import {rangeOf} from './scene.js';
import {weightText} from './words.js';

/** Draw what does not change: the hue scale over `seconds` of clip, and the sample arrows. */
export function drawLegend(root, seconds) {
  setText(find('[data-end="past"]', root), `−${seconds.toFixed(1)} s`);
  setText(find('[data-end="future"]', root), `+${seconds.toFixed(1)} s`);
  scale(find('.hue', root), (share) => timeColour(Math.abs(share - 0.5) < 0.02 ? 0 : 2 * share - 1));
  samples(find('.thick', root), [{width: 1.4, opacity: 0.55, dashed: false}, {width: 4.3, opacity: 1, dashed: false}], 0);
  samples(find('.dashed', root), [{width: 2.4, opacity: 1, dashed: true}], -0.6);
}

function scale(canvas, colourAt) {
  const context = fit(canvas, 110, 10);
  for (let x = 0; x < 110; x += 1) {
    context.fillStyle = colourAt(x / 109);
    context.fillRect(x, 0, 1.5, 10);
  }
}

function samples(canvas, looks, share) {
  const context = fit(canvas, looks.length * 48, 16);
  looks.forEach((look, n) => {
    const from = {x: 48 * n + 2, y: 8}, to = {x: 48 * n + 42, y: 8};
    paintArrow(context, {...look, from, to, bend: 0, colour: timeColour(share)}, 1);
  });
}

/** The heat map's palette and the ends of its scale, for the active question. */
export function showHeatScale(root, state, scene) {
  const item = find('.heat-legend', root);
  item.hidden = !(state.heat && scene.active);
  if (item.hidden) return;
  const canvas = find('.heat-scale', root);
  const look = `${state.palette} ${window.devicePixelRatio}`;
  if (canvas.dataset.look !== look) scale(canvas, (share) => `rgb(${PALETTES[state.palette](share).join(' ')})`);
  canvas.dataset.look = look;
  const {low, high} = rangeOf(scene.active.values);
  const each = state.scale === 'each';
  setText(find('.heat-low', root), each ? 'lowest' : weightText(low, scene.share));
  setText(find('.heat-high', root), each ? 'highest' : weightText(high, scene.share));
  setText(find('.legend-words', item), each ? 'heat: weight within each frame' : 'heat: weight');
}
