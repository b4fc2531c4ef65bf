// A text or an image asked of the tuned prompt and of the baseline, side by side.
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

/** A box that takes an image file, shows it, and says it as a data URL. @param {string} id @param {string} name of its column */
function imageBox(id, name) {
  const picker = h('input', { id, type: 'file', accept: 'image/png,image/jpeg,image/webp', required: true });
  const [said, seen, reader] = [h('input', { type: 'hidden', name: 'inputs', 'data-key': name }), h('img', { alt: '', hidden: true }), new FileReader()];
  reader.addEventListener('loadend', () => { said.value = seen.src = reader.result ?? ''; seen.hidden = !said.value; });
  picker.addEventListener('change', () => { if (picker.files[0]) reader.readAsDataURL(picker.files[0]); });
  return h('div', { class: 'field' }, h('label', { class: 'drop' }, seen, picker, h('span', {}, `Choose an ${name} or drop it here`)), said);
}

/** Sets up the form. @param {string} base address of the job @returns {(job: any, column: string|null) => void} to call with each new state of the job */
export function setUpTrying(base) {
  const fields = $('#try-fields');
  onSubmit($('#try'), async ({ inputs }) => {
    const { data: [answer] } = await post(`${base}/predict`, { inputs: [inputs], baseline: true });
    $('#answers').replaceChildren(card('Tuned', answer), ...(answer.baseline ? [card('Baseline', answer.baseline)] : []));
  });
  return ({ incumbent, spec }, column) => {
    $('#try-button').disabled = !incumbent;
    write($('#try-note'), incumbent ? '' : 'works as soon as there is an incumbent');
    if (fields.children.length) return;
    const columns = (spec.task?.template ?? '{text}').match(/(?<=\{)\w+(?=\})/g) ?? [];
    fields.append(...columns.filter((name) => !['prompt', 'label'].includes(name)).map((name) => (
      name === column ? imageBox(`try-${name}`, name)
        : field(name, h('textarea', { id: `try-${name}`, name: 'inputs', 'data-key': name, rows: 2, required: true })))));
  };
}
