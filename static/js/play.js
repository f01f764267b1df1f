/** Playing the frames in the player, at the speed at which they were filmed. */
import {find} from './dom.js';

/** Returns {toggle(), stop()} for the lens in `root`; stops by itself when the view changes. */
export function openPlay(root, lens) {
  const {times, total} = lens.world;
  const step = total > 1 ? 1000 * (times.at(-1) - times[0]) / (total - 1) : 100;
  const button = find('#play', root);
  let clock = null;
  const show = () => {
    button.setAttribute('aria-pressed', String(clock !== null));
    button.setAttribute('aria-label', clock === null ? 'Play' : 'Pause');
  };
  const stop = () => { clearInterval(clock); clock = null; show(); };
  const next = () => {
    const {view, frame} = lens.state();
    if (view === 'player') lens.dispatch({type: 'frame', frame: (frame + 1) % total});
    else stop();
  };
  const start = () => { clock = setInterval(next, Math.max(33, step)); show(); };
  return {toggle: () => (clock === null ? lens.state().view === 'player' && start() : stop()), stop};
}
