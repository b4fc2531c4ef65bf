// @ts-check
// A text asked of the tuned prompt and of the baseline, side by side.
import { describe, post } from './api.js';
import { $, h, say } from './dom.js';
import { percent } from './format.js';

const MOST = 8; // labels shown

/** @param {string} title @param {{label: string, probabilities: Record<string, number>}} answer */
function card(title, answer) {
  const ranked = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]).slice(0, MOST);
  const bars = ranked.map(([label, share]) => {
    const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.setProperty('--share', String(share));
    return h('li', { class: label === answer.label ? 'chosen' : null }, h('span', {}, label), h('span', { class: 'number' }, percent(share)), bar);
  });
  return h('div', {}, h('h3', {}, title), h('p', { class: 'answer' }, answer.label), h('ul', { class: 'bars' }, ...bars));
}

/** Sets up the form; gives back the function to call with each new state of the job.
 * @param {string} base @returns {(job: any) => void} */
export function setUpTrying(base) {
  const fields = $('#try-fields');

  $('#try').addEventListener('submit', async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const inputs = Object.fromEntries([...fields.querySelectorAll('textarea')].map((area) => [area.name, area.value]));
    $('#try-button').disabled = true;
    say('#try-problem');
    try {
      const { data: [answer] } = await post(`${base}/predict`, { inputs: [inputs], baseline: true });
      $('#answers').replaceChildren(card('Tuned', answer), ...(answer.baseline ? [card('Baseline', answer.baseline)] : []));
    } catch (error) {
      say('#try-problem', describe(error));
    }
    $('#try-button').disabled = false;
  });

  return (job) => {
    const columns = [...(job.spec.task?.template ?? '{text}').matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      .filter((name) => name !== 'prompt' && name !== 'label');
    if (!fields.children.length) {
      fields.append(...columns.map((name) => h('p', { class: 'field' }, h('label', { for: `try-${name}` }, name),
        h('textarea', { id: `try-${name}`, name, rows: 2, required: true }))));
    }
    const ready = Boolean(job.incumbent);
    if ($('#try-button').dataset.ready !== String(ready)) {
      $('#try-button').dataset.ready = String(ready);
      $('#try-button').disabled = !ready;
      $('#try-note').textContent = ready ? '' : 'works as soon as there is an incumbent';
    }
  };
}
