// @ts-check
// The report of a job that succeeded: the result in plain words, its tables and its figure. Draws all figures.
import { describe, get } from './api.js';
import { $, fill, fillTable, h, say, show } from './dom.js';
import { count, counted, interval, nats, percent, points, pValue } from './format.js';

const CAP = 10; // examples shown before "show all"
const STILL = { displayModeBar: false, responsive: true };
/** @type {any} */ let report = null;
let asked = false;
/** @type {Record<string, number>} */ const turns = {}; // of each figure: an answer that was overtaken is not drawn

/** The plotly of the page, once it has loaded. @type {Promise<any>} */
const plotly = new Promise((loaded) => {
  const ready = () => loaded(window.Plotly);
  if (window.Plotly) ready();
  else $('#plotly').addEventListener('load', ready);
});

/** @param {string} base address of the job @param {string} name */
export async function drawFigure(base, name) {
  const place = $(`#figure-${name}`);
  const turn = turns[name] = (turns[name] ?? 0) + 1;
  const dark = (document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : '')) === 'dark';
  try {
    const { data, layout } = await get(`${base}/figures/${name}?theme=${dark ? 'dark' : 'light'}`);
    const drawn = await plotly;
    if (turn === turns[name]) await drawn.react(place, data, layout, STILL);
  } catch (error) {
    if (!place.firstElementChild) place.textContent = describe(error);
  }
}

/** @param {any} result of the job */
function drawVerdict({ outcome, message, baseline, tuned, p_value: p }) {
  const within = (of) => `${interval(of)}, 95\u00a0%\u00a0interval`;
  $('#verdict').dataset.outcome = outcome;
  show({ '#verdict': true });
  fill(document, {
    outcome: outcome === 'improved' ? 'Improved' : 'No improvement', message,
    testBaseline: percent(baseline.accuracy), testBaselineInterval: within(baseline),
    testTuned: percent(tuned.accuracy), testTunedInterval: within(tuned), testRows: count(tuned.n),
    difference: points(tuned.accuracy - baseline.accuracy), p: pValue(p),
  });
}

function drawScores() {
  const { baseline, tuned } = report;
  fillTable($('#scores'), ['Prompt', '#Test accuracy', '#95 % interval', '#Rows', '#Loss'], [['Baseline', baseline], ['Tuned', tuned]]
    .map(([name, of]) => [name, percent(of.accuracy), interval(of), count(of.n), nats(of.loss)]));
  fill(document, {
    fixed: counted(report.fixed, 'row'), broken: counted(report.broken, 'row'),
    changedCount: `${count(report.changed.length)} of ${counted(tuned.n, 'test row')}`,
  });
}

function drawConfusion() {
  const { labels } = report;
  const { confusion } = report[$('#which input:checked').value];
  const heat = (n, total, right) => h('span', { class: `heat ${right ? 'right' : 'wrong'}`, style: `--share: ${n / Math.max(1, total)}` }, String(n));
  fillTable($('#confusion'), ['True label', ...labels.map((label) => `#${label}`)], confusion.map((row, i) => [
    labels[i], ...row.map((n, k) => heat(n, row.reduce((sum, one) => sum + one, 0), k === i))]));
}

/** @param {number} cap */
function drawChanged(cap) {
  const { changed } = report;
  const kind = ({ label, baseline, tuned }) => (tuned === label ? 'fixed' : baseline === label ? 'broken' : 'still wrong');
  fillTable($('#changed'), ['Example', 'True label', 'Baseline', 'Tuned', 'Change'], changed.slice(0, cap).map((one) => [
    Object.values(one.inputs).join(' · '), one.label, one.baseline, one.tuned, h('span', { class: 'tag', 'data-kind': kind(one) }, kind(one))]));
  show({ '#changed-box': changed.length, '#show-all': changed.length > cap });
  $('#show-all').textContent = `Show all ${count(changed.length)}`;
}

/** Asks for the report once, and draws it. @param {string} base @param {any} job */
export async function showReport(base, job) {
  if (asked) return;
  asked = true;
  drawVerdict(job.result);
  try {
    report = await get(`${base}/report`);
  } catch (error) {
    asked = false; // the next look tries again
    say('#report-problem', describe(error));
    return;
  }
  say('#report-problem');
  show({ '#report': true });
  drawScores();
  drawConfusion();
  drawChanged(CAP);
  drawFigure(base, 'comparison');
  $('#which').addEventListener('change', drawConfusion);
  $('#show-all').addEventListener('click', () => drawChanged(Infinity));
  document.addEventListener('themechange', () => drawFigure(base, 'comparison'));
}
