/** Keys, play and the help dialog of a lens. */
import {find, make} from './dom.js';
import {actionFor, KEYS} from './keys.js';
import {openPlay} from './play.js';

/** Wire keys, play and help to the `lens` in `root`. */
export function listen(root, lens) {
  const play = openPlay(root, lens);
  const stage = find('.stage', root), dialog = find('.keys', root);
  find('tbody', dialog).replaceChildren(...KEYS.map(([keys, words]) => make('tr', {},
    make('td', {}, ...keys.map((key) => make('kbd', {}, key))), make('td', {}, words))));
  const help = find('#help');
  help.hidden = false;
  help.addEventListener('click', () => dialog.showModal());
  find('#play', root).addEventListener('click', play.toggle);
  const deeds = {
    play: play.toggle,
    help: () => dialog.showModal(),
    blockStep: ({by}) => lens.dispatch({type: 'block', name: neighbour(lens, by)}),
    pinCursor: () => {
      const {cursor, anchor} = lens.state();
      if (cursor) lens.dispatch(anchor ? {type: 'region', from: anchor, to: cursor} : {type: 'pin', cell: cursor});
    },
    zoom: ({by}) => lens.zoom(by),
  };
  document.addEventListener('keydown', (event) => {
    if (dialog.open || event.target.matches('input:not([type=radio], [type=checkbox], [type=range]), select, textarea')) return;
    const free = event.target === document.body && stage.matches(':hover');
    const action = actionFor(event, {onStage: event.target === stage || free});
    if (!action) return;
    event.preventDefault();
    (deeds[action.type] ?? lens.dispatch)(action);
  });
}

function neighbour(lens, by) {
  const names = lens.world.blocks.map(({name}) => name);
  const at = names.indexOf(lens.state().block) + by;
  return names[Math.min(names.length - 1, Math.max(0, at))];
}
