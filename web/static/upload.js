// @ts-check
// A dataset's counts as a table, and the box that uploads one and shows at once what was read.
import { post } from './api.js';
import { $, fillTable, h, say, show } from './dom.js';
import { count } from './format.js';

const OPTIONS = ['label_column', 'text_columns', 'split_column', 'shots'];

/** Rows per label and split. @param {any} dataset */
export function countsTable({ labels, splits }) {
  const names = Object.keys(splits);
  const table = h('table', { class: 'counts' });
  fillTable(table, ['Label', ...names.map((name) => `#${name}`)], [
    ...labels.map((label) => [label, ...names.map((name) => count(splits[name].per_label[label] ?? 0))]),
    ['All labels', ...names.map((name) => count(splits[name].rows))]]);
  return h('div', { class: 'scroll counts-box', tabindex: '0', role: 'region', 'aria-label': 'Rows per label and split' }, table);
}

/** @param {(dataset: any) => void} done called with what the API made of the file */
export function setUpUpload(done) {
  const [picker, drop, hint] = [$('#file'), $('.drop'), $('#file-hint')];
  /** @type {File|null} */ let file = null;

  async function send() {
    if (!file) return;
    const form = new FormData();
    form.append('file', file);
    for (const name of OPTIONS) if ($(`#${name}`).value) form.append(name, $(`#${name}`).value);
    drop.classList.add('busy');
    say('#file-error');
    hint.textContent = `Reading ${file.name}…`;
    try {
      const dataset = await post('/api/datasets', form);
      hint.textContent = `${file.name}: ${count(dataset.n_rows)} rows read, kept as ${dataset.id}`;
      show({ '#upload-again': false });
      done(dataset);
    } catch (error) {
      hint.textContent = `${file.name} was not taken`;
      say('#file-error', error.message);
      show({ '#upload-again': true });
      $('#upload details').open = true;
      if (OPTIONS.includes(error.param)) $(`#${error.param}`).focus();
    }
    drop.classList.remove('busy');
  }

  picker.addEventListener('change', () => { // picked, or dropped: the input covers the whole box
    [file] = picker.files;
    send().finally(() => { picker.value = ''; });
  });
  $('#upload-again').addEventListener('click', send);
}
