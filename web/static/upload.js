// @ts-check
// A dataset's counts as a table, and the box that uploads one and shows at once what was read.
import { ApiError, describe, upload } from './api.js';
import { $, fillTable, h, say, show } from './dom.js';
import { count } from './format.js';

const OPTIONS = ['label_column', 'text_columns', 'split_column', 'shots'];

/** Rows per label and split. @param {any} dataset */
export function countsTable(dataset) {
  const splits = Object.keys(dataset.splits);
  const rows = dataset.labels.map((/** @type {string} */ label) => [
    label, ...splits.map((split) => count(dataset.splits[split].per_label[label] ?? 0))]);
  rows.push(['All labels', ...splits.map((split) => count(dataset.splits[split].rows))]);
  const table = h('table', { class: 'counts' });
  fillTable(table, ['Label', ...splits.map((split) => `#${split}`)], rows);
  return h('div', { class: 'scroll counts-box', tabindex: '0', role: 'region', 'aria-label': 'Rows per label and split' }, table);
}

/** Where the splits come from. @param {any} dataset */
export function origin(dataset) {
  return dataset.split_source === 'given' ? 'splits given in the file'
    : `splits drawn: ${count(dataset.shots)} shots, seed ${dataset.seed}`;
}

/** @param {(dataset: any) => void} done called with what the API made of the file */
export function setUpUpload(done) {
  const picker = $('#file');
  const drop = $('.drop');
  /** @type {File|null} */ let file = null;

  async function send() {
    if (!file) return;
    const form = new FormData();
    form.append('file', file);
    for (const name of OPTIONS) if ($(`#${name}`).value) form.append(name, $(`#${name}`).value);
    drop.classList.add('busy');
    say('#file-error');
    $('#file-hint').textContent = `Reading ${file.name}…`;
    try {
      const dataset = await upload('/api/datasets', form);
      $('#file-hint').textContent = `${file.name}: ${count(dataset.n_rows)} rows read, kept as ${dataset.id}`;
      show('#upload-again', false);
      done(dataset);
    } catch (error) {
      $('#file-hint').textContent = `${file.name} was not taken`;
      say('#file-error', describe(error));
      const option = error instanceof ApiError && OPTIONS.find((name) => name === error.param);
      if (option) { $('#upload details').open = true; $(`#${option}`).focus(); }
      show('#upload-again');
    }
    drop.classList.remove('busy');
  }

  /** @param {FileList|undefined} files */
  function take(files) {
    if (!files?.length) return;
    [file] = files;
    send();
  }

  picker.addEventListener('change', () => { take(picker.files); picker.value = ''; });
  $('#upload-again').addEventListener('click', send);
  for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    drop.addEventListener(type, (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      drop.classList.toggle('over', type === 'dragenter' || type === 'dragover');
      if (type === 'drop') take(event.dataTransfer?.files);
    });
  }
}
