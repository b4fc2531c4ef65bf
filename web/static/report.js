// @ts-check
// The report of a job that succeeded: the result in plain words, its tables and its figure. Draws all figures.
import { describe, get } from './api.js';
import { $, fill, fillTable, h, show } from './dom.js';
import { count, counted, duration, interval, nats, pValue, percent, points } from './format.js';

const CAP = 10; // examples shown before "show all"
/** @type {any} */ let report = null;
let asked = false;

/** The plotly of the page, once it has loaded. @returns {Promise<any>} */
const plotly = new Promise((loaded) => {
  const script = $('#plotly');
  const ready = () => loaded(/** @type {any} */ (window).Plotly);
  if (/** @type {any} */ (window).Plotly) ready();
  else script.addEventListener('load', ready);
});

/** @param {string} base @param {string} name */
export async function drawFigure(base, name) {
  const place = $(`#figure-${name}`);
  const dark = (document.documentElement.dataset.theme
    ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  try {
    const figure = await get(`${base}/figures/${name}?theme=${dark ? 'dark' : 'light'}`);
    const still = { displayModeBar: false, responsive: true };
    await (await plotly).react(place, figure.data, figure.layout, still);
  } catch (error) {
    if (!place.firstChild) place.textContent = describe(error);
  }
}

function drawScores() {
  const { baseline, tuned, labels } = report;
  const rows = [['Baseline', baseline], ['Tuned', tuned]].map(([name, of]) => [
    name, percent(of.accuracy), interval(of), count(of.n), nats(of.loss)]);
  fillTable($('#scores'), ['Prompt', '#Test accuracy', '#95 % interval', '#Rows', '#Loss'], rows);
  fill(document, {
    difference: points(tuned.accuracy - baseline.accuracy),
    p: pValue(report.p_value),
    fixed: counted(report.fixed, 'row'),
    broken: counted(report.broken, 'row'),
    changedCount: `${count(report.changed.length)} of ${counted(tuned.n, 'test row')}, ${counted(labels.length, 'label')}`,
  });
}

function drawConfusion() {
  const which = $('#which input:checked').value;
  const { confusion } = report[which];
  fillTable($('#confusion'), ['True label', ...report.labels.map((/** @type {string} */ label) => `#${label}`)],
    confusion.map((/** @type {number[]} */ row, /** @type {number} */ i) => {
      const total = Math.max(1, row.reduce((sum, n) => sum + n, 0));
      return [report.labels[i], ...row.map((n, k) => {
        const cell = h('span', { class: k === i ? 'heat right' : 'heat wrong' }, String(n));
        cell.style.setProperty('--share', String(n / total));
        return cell;
      })];
    }));
}

/** @param {number} cap */
function drawChanged(cap) {
  const { changed } = report;
  fillTable($('#changed'), ['Example', 'True label', 'Baseline', 'Tuned', 'Change'],
    changed.slice(0, cap).map((/** @type {any} */ example) => {
      const kind = example.tuned === example.label ? 'fixed' : example.baseline === example.label ? 'broken' : 'still wrong';
      return [Object.values(example.inputs).join(' · '), example.label, example.baseline, example.tuned,
        h('span', { class: 'tag', 'data-kind': kind }, kind)];
    }));
  const button = $('#show-all');
  button.hidden = changed.length <= cap;
  button.textContent = `Show all ${count(changed.length)}`;
}

/** @param {string} base @param {any} job */
export async function showReport(base, job) {
  if (asked) return;
  asked = true;
  const improved = job.result?.outcome === 'improved';
  $('#verdict').dataset.outcome = job.result?.outcome;
  fill(document, {
    outcome: improved ? 'The tuned prompt is better than the baseline' : 'No improvement over the baseline',
    message: job.result?.message ?? '',
  });
  show('#verdict', Boolean(job.result));
  try {
    report = await get(`${base}/report`);
  } catch (error) {
    asked = false;
    fill(document, { flips: describe(error) });
    return;
  }
  fill(document, {
    flips: `Of ${counted(report.tuned.n, 'test row')}, ${count(report.fixed)} that the baseline got wrong are now right, `
      + `and ${count(report.broken)} that it got right are now wrong. Spent: ${count(report.usage.queries)} queries in ${duration(report.usage.seconds)}.`,
  });
  show('#report');
  drawScores();
  drawConfusion();
  drawChanged(CAP);
  $('#which').addEventListener('change', drawConfusion);
  $('#show-all').addEventListener('click', () => drawChanged(Infinity));
  document.addEventListener('themechange', () => drawFigure(base, 'comparison'));
  drawFigure(base, 'comparison');
}
