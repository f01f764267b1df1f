/**
 * The benches: tabs under the board, one open at a time, each a module in bench/ that is loaded when it is first
 * opened. `openBench(root, lens)` gives {show(state, scene)}, called while its tab is open.
 */
import {find} from './dom.js';

/** Wire the tabs of `root`; returns {show(state, scene)}, to be called when something was drawn. */
export function openBenches(root, lens) {
  const list = find('.bench-tabs', root);
  const tabs = [...list.querySelectorAll('[role=tab]')];
  const benches = new Map();
  let open = null;

  const panelOf = (tab) => document.getElementById(tab.getAttribute('aria-controls'));

  async function choose(tab) {
    open = tab === open ? null : tab;                        // a second press closes it
    for (const one of tabs) {
      one.setAttribute('aria-selected', String(one === open));
      one.tabIndex = one === (open ?? tabs[0]) ? 0 : -1;
      panelOf(one).hidden = one !== open;
    }
    if (!open) return;
    if (!benches.has(open)) benches.set(open, load(open));
    await benches.get(open);
    lens.redraw();
  }

  async function load(tab) {
    const {openBench} = await import(`./bench/${tab.dataset.bench}.js`);
    const bench = openBench(panelOf(tab), lens);
    benches.set(tab, bench);
    return bench;
  }

  for (const tab of tabs) tab.addEventListener('click', () => choose(tab));
  list.addEventListener('keydown', (event) => {
    const by = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    tabs[(tabs.indexOf(document.activeElement) + by + tabs.length) % tabs.length].focus();
  });
  if (lens.state().beside !== null) choose(tabs.find(({dataset}) => dataset.bench === 'beside'));   // the link shows two
  return {show: (state, scene) => benches.get(open)?.show?.(state, scene)};
}
