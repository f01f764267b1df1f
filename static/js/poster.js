/**
 * A clip's poster: two of its frames and the top arrows of one question, asked of the server so that a page of
 * cards loads no features. The second frame is the one, other than the first, in which most arrows end.
 */
import {readArrows, readBlocks} from './api.js';
import {fit, paintArrow, paintMark, spriteBox} from './canvas.js';
import {CURSOR, timeColour} from './colour.js';
import {loadImage} from './dom.js';

const ASKED = {x: 0.5, y: 0.5, k: 12};
const FRAMES_APART = 3;  // nearer frames look alike

/** Paint the poster of a finished `clip` on `canvas`: the frames at once, the arrows when they are known. */
export async function drawPoster(canvas, clip) {
  const image = await loadImage(clip.frames.url);
  const frame = Math.min(8, clip.frames.count - 1);
  const draw = (answer) => paintPoster(canvas, {clip, image, frame, answer});
  draw(null);
  const block = (await readBlocks(clip.id)).at(-1);
  if (!block) return;
  const answer = await readArrows(clip.id, {block: block.name, frame, ...ASKED}).catch(() => null);   // the frames say enough
  draw(answer);
  new ResizeObserver(() => draw(answer)).observe(canvas.parentElement);
}

/** The frame, at least FRAMES_APART from `frame`, nearest to which the heaviest arrows end. */
export function secondFrame(arrows, frame, count) {
  const mass = new Map();
  for (const {weight, end} of arrows) {
    if (Math.abs(end.frame - frame) >= FRAMES_APART) mass.set(end.frame, (mass.get(end.frame) ?? 0) + weight);
  }
  const heaviest = [...mass].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0];
  return heaviest ? heaviest[0] : Math.min(count - 1, frame + 8);
}

function paintPoster(canvas, {clip, image, frame, answer}) {
  const width = canvas.parentElement.clientWidth;
  const size = (width - 4) / 2;
  const arrows = answer?.arrows ?? [];
  const other = secondFrame(arrows, frame, clip.frames.count);
  const pair = [frame, other].sort((a, b) => a - b);
  const context = fit(canvas, width, width / 2);
  pair.forEach((one, n) => {
    const box = spriteBox(clip.frames, one);
    context.drawImage(image, box.x, box.y, box.size, box.size, n * (size + 4), 0, size, size);
  });
  if (!answer) return;
  const spot = (point, shown) => ({x: pair.indexOf(shown) * (size + 4) + point.x * size, y: point.y * size});
  const from = spot(answer.start, frame);
  const strongest = arrows[0]?.weight || 1;
  for (const {end, weight} of arrows.toReversed()) {
    const near = Math.abs(end.frame - frame) < Math.abs(end.frame - other) ? frame : other;
    const to = spot(end, near);
    const away = (end.frame - answer.start.frame) / clip.frames.count;
    const share = weight / strongest;
    paintArrow(context, {
      from, to, bend: Math.min(0.13 * Math.hypot(to.x - from.x, to.y - from.y), 22), width: 1 + 2 * share,
      opacity: 0.45 + 0.5 * share, colour: timeColour(away), dashed: away < 0,
    }, 1);
  }
  paintMark(context, {...from, ...CURSOR, active: true, opacity: 1});
}
