// @ts-check
// The list of datasets, and one dataset: counts per label and split, rows by split.
import { describe, get, getAll } from './api.js';
import { $, fillTable, h, say, show } from './dom.js';
import { ago, count, counted } from './format.js';
import { countsTable, setUpUpload } from './upload.js';

const PAGE = 50; // rows
const address = (id) => `/datasets/${encodeURIComponent(id)}`;
const origin = ({ split_source: source, shots, seed }) => (source === 'given' ? 'given' : `drawn, ${counted(shots, 'shot')}, seed ${seed}`);

async function list() {
  try {
    const datasets = await getAll('/api/datasets');
    fillTable($('#table'), ['Dataset', '#Rows', '#Labels', '#Train', '#Dev', '#Test', 'Splits', 'Created'], datasets.map((set) => [
      h('a', { href: address(set.id) }, set.id), count(set.n_rows), count(set.labels.length),
      ...['train', 'dev', 'test'].map((split) => count(set.splits[split]?.rows)), origin(set), set.built_in ? 'built in' : ago(set.created_at)]));
    show({ '#none': !datasets.length, '#list': datasets.length });
  } catch (error) { say('#problem', describe(error)); }
  show({ '#loading': false });
  $('#datasets').removeAttribute('aria-busy');
}

/** The rows of a dataset, split by split, page by page. @param {any} dataset */
function browse({ id, columns, splits }) {
  /** @type {any[]} */ let shown = [];
  let split = '';

  async function more() {
    const asked = split;
    try {
      const page = await get(`/api${address(id)}/rows?split=${encodeURIComponent(split)}&after=${shown.at(-1)?.number ?? 0}&limit=${PAGE}`);
      if (asked !== split) return;
      shown = shown.concat(page.data);
      fillTable($('#table'), ['#Row', ...columns, 'Label'], shown.map(({ number, inputs, label }) => [
        count(number), ...columns.map((column) => String(inputs[column] ?? '')), label]));
      show({ '#more': page.has_more });
    } catch (error) { say('#problem', describe(error)); }
  }

  const choose = (name) => { split = name; shown = []; more(); };
  $('#split').append(...Object.keys(splits).map((name, i) => h('label', {},
    h('input', { type: 'radio', name: 'split', value: name, checked: i === 0 }), ` ${name} (${count(splits[name].rows)})`)));
  $('#split').addEventListener('change', (event) => choose(event.target.value));
  $('#more').addEventListener('click', more);
  choose(Object.keys(splits)[0]);
}

/** @param {string} id */
async function detail(id) {
  try {
    const dataset = await get(`/api${address(id)}`);
    $('#about').textContent = [counted(dataset.n_rows, 'row'), counted(dataset.labels.length, 'label'), `splits ${origin(dataset)}`,
      dataset.built_in ? 'built in' : dataset.filename].filter(Boolean).join(' · ');
    $('#preview').append(countsTable(dataset));
    $('#use').href = `/jobs/new?dataset=${encodeURIComponent(id)}`;
    show({ '#counts': true, '#rows': true, '#use': true, '#loading': false });
    $('#dataset').removeAttribute('aria-busy');
    browse(dataset);
  } catch (error) {
    $('#missing-message').textContent = describe(error);
    show({ '#dataset': false, '#missing': true });
  }
}

const one = $('#dataset');
if (one) detail(one.dataset.dataset);
else {
  list();
  setUpUpload((dataset) => { $('#preview').replaceChildren(countsTable(dataset)); list(); });
}
