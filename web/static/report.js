// The tables of a report: confusion, and the examples that changed. Draws all figures.
import { describe, get } from './api.js';
import { $, each, fillTable, h, show } from './dom.js';
import { percent } from './format.js';

const CAP = 10; // examples shown that changed; all of them are on the page of the report
const STILL = { displayModeBar: false, responsive: true };
/** @type {Record<string, number>} */ const turns = {}; // of each figure: an answer that was overtaken is not drawn

export const base = `/api/jobs/${encodeURIComponent($('#job').dataset.job)}`;

/** The plotly of the page, once it has loaded. @type {Promise<any>} */
const plotly = new Promise((loaded) => {
  if (window.Plotly) loaded(window.Plotly);
  else $('#plotly').addEventListener('load', () => loaded(window.Plotly));
});

/** Draws a figure, now and whenever the theme changes. @param {string} name */
export async function drawFigure(name) {
  const place = $(`#figure-${name}`);
  const turn = turns[name] = (turns[name] ?? 0) + 1;
  const theme = document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  try {
    const { data, layout } = await get(`${base}/figures/${name}?theme=${theme}`);
    const drawn = await plotly;
    if (turn === turns[name]) await drawn.react(place, data, layout, STILL);
  } catch (error) {
    if (!place.firstElementChild) place.textContent = describe(error);
  }
}

function drawConfusion({ labels, ...sides }) {
  const { confusion } = sides[$('#which input:checked').value];
  const heat = (n, total, right) => h('span', { class: `heat ${right ? 'right' : 'wrong'}`, style: `--share: ${n / Math.max(1, total)}` }, String(n));
  fillTable($('#confusion'), ['True label', ...labels.map((label) => `#${label}`)], confusion.map((row, i) => [
    labels[i], ...row.map((n, k) => heat(n, row.reduce((sum, one) => sum + one, 0), k === i))]));
}

/** An example as a page shows it. @param {any} inputs @param {string} dataset @param {string|null} column the one that names images */
export const shown = (inputs, dataset, column) => ({
  image: String(column) in inputs ? `/api/datasets/${encodeURIComponent(dataset)}/images/${encodeURIComponent(inputs[String(column)])}?width=64` : '',
  example: Object.keys(inputs).filter((name) => name !== column).map((name) => inputs[name]).join(' · '),
});

/** @param {any} report @param {string} dataset @param {string|null} column */
function drawChanged({ changed, kept = [], metric }, dataset, column) {
  const kind = (was, now) => (now > was ? 'fixed' : now < was ? 'broken' : now ? 'as right' : 'still wrong');
  const share = (right) => (metric === 'accuracy' ? '' : percent(right));
  each($('#changed tbody'), [...changed.slice(0, CAP), ...kept].map(({ inputs, baseline, tuned, baseline_right: was, tuned_right: now, label }, id) => (
    { id, label, baseline: baseline || '(empty)', tuned: tuned || '(empty)', ...shown(inputs, dataset, column), kind: kind(was, now), was: share(was), now: share(now) })));
  $('#changed').classList.toggle('texts', metric !== 'accuracy');
  show({ '#changed-box': changed.length + kept.length, '#show-all': changed.length > CAP });
}

/** Once, when the report is there. @param {any} report @param {string} dataset @param {string|null} column */
export function drawReport(report, dataset, column) {
  if (report.labels.length) drawConfusion(report);
  drawChanged(report, dataset, column);
  drawFigure('comparison');
  $('#which').addEventListener('change', () => drawConfusion(report));
}

document.addEventListener('themechange', () => Object.keys(turns).forEach(drawFigure));
