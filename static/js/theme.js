// Dark and light, before the first paint: a classic script in <head>, so that no wrong theme flashes up.
// The choice is kept in this browser; without one the system's preference rules (css/base.css).
(() => {
  const root = document.documentElement;
  root.classList.add('scripted');
  const kept = () => { try { return localStorage.getItem('theme'); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem('theme', theme); } catch { /* private mode: for this page only */ } };
  if (['dark', 'light'].includes(kept())) root.dataset.theme = kept();
  addEventListener('DOMContentLoaded', () => {
    const button = document.querySelector('#theme');
    button.hidden = false;
    button.addEventListener('click', () => {
      const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
      root.dataset.theme = (root.dataset.theme ?? system) === 'dark' ? 'light' : 'dark';
      keep(root.dataset.theme);
      dispatchEvent(new Event('themechange'));
    });
  });
})();
