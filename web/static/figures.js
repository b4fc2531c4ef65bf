// Draws the figures of a page: `data-figure` is where plotly's JSON is, `data-version` what it depends on. Anew when the
// version or the theme has changed; in details that are closed, when they are opened. Each can be kept as a file.
import { describe, get } from './api.js';

const STILL = { displayModeBar: false, responsive: true };
const FILE = { width: 900, height: 520 }; // pixels of a figure that is kept
/** @type {Map<Element, string>} */ const asked = new Map(); // of each figure, what was asked for last

/** Plotly, once the page has nothing else to do: while it is read, for a second, no click is heard. @type {Promise<any>} */
const plotly = new Promise((loaded, failed) => {
  const load = () => {
    const script = document.createElement('script');
    script.src = /** @type {HTMLMetaElement} */ (document.querySelector('#plotly')).content;
    script.addEventListener('load', () => loaded(/** @type {any} */ (window).Plotly));
    script.addEventListener('error', () => failed(new Error('The library that draws did not load.')));
    document.head.append(script);
  };
  const idle = () => (window.requestIdleCallback ?? setTimeout)(load);
  if (document.readyState === 'complete') idle();
  else addEventListener('load', idle);
});

const theme = () => document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
const place = (/** @type {any} */ figure) => figure.querySelector('.plot');

/** @param {any} figure */
async function draw(figure) {
  const { figure: address, version = '' } = figure.dataset;
  const wanted = `${address} ${version} ${theme()}`;
  if (asked.get(figure) === wanted || figure.closest('details:not([open])')) return;
  asked.set(figure, wanted);
  try {
    const { data, layout } = await get(`${address}${address.includes('?') ? '&' : '?'}theme=${theme()}`);
    const { react } = await plotly;
    if (asked.get(figure) === wanted) await react(place(figure), data, layout, STILL); // or else it was overtaken
  } catch (error) {
    asked.delete(figure);
    if (!place(figure).firstElementChild) place(figure).textContent = describe(error);
  }
}

const drawAll = () => document.querySelectorAll('[data-figure]').forEach(draw);

document.addEventListener('click', async ({ target }) => {
  const { format } = target instanceof HTMLElement ? target.dataset : {};
  if (!format) return;
  /** @type {any} */ const figure = /** @type {HTMLElement} */ (target).closest('[data-figure]');
  (await plotly).downloadImage(place(figure), { format, filename: figure.dataset.file, scale: format === 'png' ? 2 : 1, ...FILE });
});
addEventListener('refreshed', drawAll);
document.addEventListener('themechange', drawAll);
document.addEventListener('toggle', drawAll, true); // of details; it does not bubble
drawAll();
