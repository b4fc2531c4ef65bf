// Light or dark: the system's choice, or the one kept in localStorage. A classic script, so that
// it runs before the first paint. Tells the page by the event "themechange".
(() => {
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const tell = () => document.dispatchEvent(new Event('themechange'));
  const kept = localStorage.getItem('theme');
  if (kept === 'light' || kept === 'dark') root.dataset.theme = kept;
  system.addEventListener('change', tell);
  addEventListener('DOMContentLoaded', () => document.getElementById('theme')?.addEventListener('click', () => {
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : system.matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    localStorage.setItem('theme', root.dataset.theme);
    tell();
  }));
})();
