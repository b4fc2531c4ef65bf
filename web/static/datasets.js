// @ts-check
// The list of datasets, and one dataset: counts per label and split, rows by split.
import { describe, get, getAll } from './api.js';
import { $, fillTable, h, say, show } from './dom.js';
import { ago, count, counted } from './format.js';
import { countsTable, origin, setUpUpload } from './upload.js';

const PAGE = 50; // rows

async function list() {
  try {
    const datasets = await getAll('/api/datasets');
    fillTable($('#table'), ['Dataset', '#Rows', '#Labels', '#Train', '#Dev', '#Test', 'Splits', 'Created'], datasets.map((set) => [
      h('a', { href: `/datasets/${encodeURIComponent(set.id)}` }, set.id), count(set.n_rows), count(set.labels.length),
      ...['train', 'dev', 'test'].map((split) => count(set.splits[split]?.rows)),
      set.split_source === 'given' ? 'given' : `drawn, ${set.shots} shots`, set.built_in ? 'built in' : ago(set.created_at)]));
    show('#none', !datasets.length);
    show('#list', datasets.length > 0);
  } catch (error) {
    say('#problem', describe(error));
  }
  show('#loading', false);
  $('#datasets').removeAttribute('aria-busy');
}

/** @param {string} id @param {any} dataset */
function browse(id, dataset) {
  /** @type {any[]} */ let shown = [];
  let split = '';

  async function more() {
    const asked = split;
    const after = shown.at(-1)?.number ?? 0;
    try {
      const page = await get(`/api/datasets/${encodeURIComponent(id)}/rows?split=${encodeURIComponent(split)}&after=${after}&limit=${PAGE}`);
      if (asked !== split) return;
      shown = shown.concat(page.data);
      fillTable($('#table'), ['#Row', ...dataset.columns, 'Label'], shown.map((row) => [
        count(row.number), ...dataset.columns.map((/** @type {string} */ column) => String(row.inputs[column] ?? '')), row.label]));
      show('#more', page.has_more);
    } catch (error) {
      say('#problem', describe(error));
    }
  }

  /** @param {string} name */
  const choose = (name) => { split = name; shown = []; more(); };
  Object.keys(dataset.splits).forEach((name, i) => {
    const radio = h('input', { type: 'radio', name: 'split', value: name, checked: i === 0 });
    radio.addEventListener('change', () => choose(name));
    $('#split').append(h('label', {}, radio, ` ${name} (${count(dataset.splits[name].rows)})`));
  });
  $('#more').addEventListener('click', more);
  choose(Object.keys(dataset.splits)[0]);
}

/** @param {string} id */
async function detail(id) {
  try {
    const dataset = await get(`/api/datasets/${encodeURIComponent(id)}`);
    $('#about').textContent = [counted(dataset.n_rows, 'row'), counted(dataset.labels.length, 'label'), origin(dataset),
      dataset.built_in ? 'built in' : dataset.filename].filter(Boolean).join(' · ');
    $('#preview').append(countsTable(dataset));
    $('#use').href = `/jobs/new?dataset=${encodeURIComponent(id)}`;
    for (const part of ['#counts', '#rows', '#use']) show(part);
    browse(id, dataset);
  } catch (error) {
    $('#missing-message').textContent = describe(error);
    show('#dataset', false);
    show('#missing');
  }
  show('#loading', false);
  $('#dataset').removeAttribute('aria-busy');
}

const one = $('#dataset');
if (one) detail(one.dataset.dataset);
else {
  list();
  setUpUpload((dataset) => { $('#preview').replaceChildren(countsTable(dataset)); list(); });
}
