// What a job will take, by POST /api/jobs/estimate, in the page's own words.
import { describe, post } from './api.js';
import { $, h, say, write } from './dom.js';

/** @typedef {{low: number, typical: number, ceiling: number}} Range */
const count = (/** @type {number} */ n) => n.toLocaleString('en-US', { maximumFractionDigits: 0 });
const money = (/** @type {number} */ sum) => sum.toLocaleString('en-US', sum > 0 && sum < 0.1 ? { maximumSignificantDigits: 3 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const time = (/** @type {number} */ s) => (s < 60 ? `${Math.max(1, Math.round(s))} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`);

/** @param {Range} range @param {(n: number) => string} form @param {string} [unit] */
const within = ({ low, ceiling }, form, unit = '') => (form(low) === form(ceiling) ? '' : `${form(low)} to ${form(ceiling)}${unit}`);

/** Of each line: what is expected, and more of it; null: it is left out. @type {Record<string, (told: any) => [string, string]|null>} */
const LINES = {
  queries: ({ queries, report_queries: report }) => [count(queries.typical), `at most ${count(queries.ceiling)}; the report asks ${count(report)} more`],
  generations: ({ generations }) => [count(generations), 'fit into the budget'],
  seconds: ({ seconds }) => (seconds ? [`about ${time(seconds.typical)}`, within(seconds, time)] : ['not known yet', 'no job has ended on this endpoint']),
  tokens: ({ tokens }) => tokens && [count(tokens.typical), within(tokens, count)],
  cost: ({ cost, currency }) => cost && [`${money(cost.typical)} ${currency}`, within(cost, money, ` ${currency}`)],
  effect: ({ effects: { dev, test } }) => [`${test.points.toFixed(1)} points`, `on ${count(test.rows)} test rows; ${dev.points.toFixed(1)} on ${count(dev.rows)} dev rows, which pick the prompt`],
};

/** @param {any} told null: nothing is */
function draw(told) {
  for (const [name, line] of Object.entries(LINES)) {
    const place = $(`[data-told=${name}]`);
    const said = told ? line(told) : ['–', ''];
    place.hidden = !said;
    if (!said) continue;
    write($('b', place), said[0]);
    write($('small', place), said[1]);
  }
  const warnings = (told?.warnings ?? []).map((/** @type {{message: string}} */ { message }) => h('li', {}, message));
  $('#warnings').replaceChildren(...warnings);
  $('#warnings').hidden = !warnings.length;
}

let last = 0; // of the questions asked: answers to earlier ones are late

/** @param {any} body what would be sent */
export async function estimate(body) {
  last += 1;
  const mine = last;
  const whole = body.dataset && body.endpoint && body.method?.name; // or else the form itself says what is missing
  const [told, problem] = whole ? await post('/api/jobs/estimate', body).then((answer) => [answer, ''], (error) => [null, error.status === 422 ? error.message : describe(error)]) : [null, ''];
  if (mine !== last) return;
  draw(told);
  say('#spec-problem', problem);
}
