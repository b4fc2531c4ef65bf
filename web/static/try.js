// @ts-check
// A text asked of the tuned prompt and of the baseline, side by side.
import { describe, post } from './api.js';
import { $, h, say, write } from './dom.js';
import { percent } from './format.js';

const MOST = 8; // labels shown

/** @param {string} title @param {{label: string, probabilities: Record<string, number>}} answer */
function card(title, { label, probabilities }) {
  const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, MOST);
  const bars = ranked.map(([name, share]) => h('li', { class: name === label && 'chosen' }, h('span', {}, name),
    h('span', { class: 'number' }, percent(share)), h('span', { class: 'bar', style: `--share: ${share}` })));
  return h('div', {}, h('h3', {}, title), h('p', { class: 'answer' }, label), h('ul', { class: 'bars' }, ...bars));
}

/** Sets up the form. @param {string} base address of the job @returns {(job: any) => void} to call with each new state of the job */
export function setUpTrying(base) {
  const [fields, button] = [$('#try-fields'), $('#try-button')];
  let [ready, busy] = [false, false];
  const enable = () => { button.disabled = busy || !ready; };

  $('#try').addEventListener('submit', async (event) => {
    event.preventDefault();
    busy = true;
    enable();
    say('#try-problem');
    const inputs = Object.fromEntries([...fields.querySelectorAll('textarea')].map((area) => [area.name, area.value]));
    try {
      const { data: [answer] } = await post(`${base}/predict`, { inputs: [inputs], baseline: true });
      $('#answers').replaceChildren(card('Tuned', answer), ...(answer.baseline ? [card('Baseline', answer.baseline)] : []));
    } catch (error) { say('#try-problem', describe(error)); }
    busy = false;
    enable();
  });

  return (job) => {
    ready = Boolean(job.incumbent);
    enable();
    write($('#try-note'), ready ? '' : 'works as soon as there is an incumbent');
    if (fields.children.length) return;
    const columns = (job.spec.task?.template ?? '{text}').match(/(?<=\{)\w+(?=\})/g) ?? [];
    fields.append(...columns.filter((name) => !['prompt', 'label'].includes(name)).map((name) => h('p', { class: 'field' },
      h('label', { for: `try-${name}` }, name), h('textarea', { id: `try-${name}`, name, rows: 2, required: true }))));
  };
}
