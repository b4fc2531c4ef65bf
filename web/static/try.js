// A text or an image asked of the tuned prompt and of the baseline, side by side.
import { post } from './api.js';
import { $, h } from './dom.js';
import { onSubmit } from './form.js';

const MOST = 8; // labels shown
const form = $('#try');

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

/** @param {string} title @param {any} answer a label with its probabilities, or a text */
function card(title, { label, probabilities, text }) {
  if (label === null) return h('div', {}, h('h3', {}, title), h('blockquote', {}, text || '(an empty answer)'));
  const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, MOST);
  const bars = ranked.map(([name, share]) => h('li', { class: name === label && 'chosen' }, h('span', {}, name),
    h('span', { class: 'number' }, percent(share)), h('span', { class: 'bar', style: `--share: ${share}` })));
  return h('div', {}, h('h3', {}, title), h('p', { class: 'answer' }, label), h('ul', { class: 'bars' }, ...bars));
}

/** Shows an image in its box, and says it as a data URL. @param {any} picker @param {Blob|undefined} file */
function take(picker, file) {
  if (!file) return;
  const [said, seen] = [picker.closest('.field').querySelector('[data-key]'), picker.parentElement.querySelector('img')];
  const reader = new FileReader();
  reader.addEventListener('load', () => { said.value = seen.src = String(reader.result); seen.hidden = false; });
  reader.readAsDataURL(file);
  picker.required = false; // a pasted one is not the picker's
}

if (form) {
  const pickers = [...form.querySelectorAll('input[type=file]')];
  for (const picker of pickers) picker.addEventListener('change', () => take(picker, picker.files[0]));
  document.addEventListener('paste', ({ clipboardData }) => {
    take(pickers[0], pickers.length ? [...clipboardData?.files ?? []].find(({ type }) => type.startsWith('image/')) : undefined);
  });
  onSubmit(form, async ({ inputs }) => {
    const { data: [answer] } = await post(`/api/jobs/${encodeURIComponent($('#job').dataset.job)}/predict`, { inputs: [inputs], baseline: true });
    $('#answers').replaceChildren(card('Tuned', answer), ...(answer.baseline ? [card('Baseline', answer.baseline)] : []));
  });
}
