// A text asked of the tuned prompt and of the baseline, side by side.
import { post } from './api.js';
import { $, h, write } from './dom.js';
import { field, onSubmit } from './form.js';
import { percent } from './format.js';

const MOST = 8; // labels shown

/** @param {string} title @param {any} answer a label with its probabilities, or a text */
function card(title, { label, probabilities, text }) {
  if (label === null) return h('div', {}, h('h3', {}, title), h('blockquote', {}, text || '(an empty answer)'));
  const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, MOST);
  const bars = ranked.map(([name, share]) => h('li', { class: name === label && 'chosen' }, h('span', {}, name),
    h('span', { class: 'number' }, percent(share)), h('span', { class: 'bar', style: `--share: ${share}` })));
  return h('div', {}, h('h3', {}, title), h('p', { class: 'answer' }, label), h('ul', { class: 'bars' }, ...bars));
}

/** Sets up the form. @param {string} base address of the job @returns {(job: any) => void} to call with each new state of the job */
export function setUpTrying(base) {
  const fields = $('#try-fields');
  onSubmit($('#try'), async ({ inputs }) => {
    const { data: [answer] } = await post(`${base}/predict`, { inputs: [inputs], baseline: true });
    $('#answers').replaceChildren(card('Tuned', answer), ...(answer.baseline ? [card('Baseline', answer.baseline)] : []));
  });
  return ({ incumbent, spec }) => {
    $('#try-button').disabled = !incumbent;
    write($('#try-note'), incumbent ? '' : 'works as soon as there is an incumbent');
    if (fields.children.length) return;
    const columns = (spec.task?.template ?? '{text}').match(/(?<=\{)\w+(?=\})/g) ?? [];
    fields.append(...columns.filter((name) => !['prompt', 'label'].includes(name)).map((name) => (
      field(name, h('textarea', { id: `try-${name}`, name: 'inputs', 'data-key': name, rows: 2, required: true })))));
  };
}
