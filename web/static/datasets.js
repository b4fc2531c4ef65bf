// The list of datasets, and one dataset: counts per label and split, rows by split.
import { describe, get } from './api.js';
import { $, drawList, drawOne, fill, fillTable, h, onClick, say, show } from './dom.js';
import { ago, count, counted } from './format.js';
import { drawCounts, setUpUpload } from './upload.js';

const PAGE = 50; // rows
const root = $('#dataset'); // of the page of one

/** @param {any} dataset */
const view = ({ split_source: source, shots, seed, built_in: builtIn, ...rest }) => ({
  ...rest, origin: source === 'given' ? 'given' : `drawn, ${counted(shots, 'shot')}, seed ${seed}`,
  created: builtIn ? 'built in' : ago(rest.created_at), source: builtIn ? 'built in' : rest.filename,
});

const list = () => drawList('/api/datasets', view);

/** The rows of a dataset, split by split, page by page. @param {string} base @param {any} dataset */
function browse(base, { columns, splits }) {
  /** @type {any[]} */ let shown = [];
  let split = '';

  async function more() {
    const asked = split;
    const page = await get(`${base}/rows?split=${encodeURIComponent(split)}&after=${shown.at(-1)?.number ?? 0}&limit=${PAGE}`);
    if (asked !== split) return;
    shown = shown.concat(page.data);
    fillTable($('#table'), ['#Row', ...columns, 'Label'], shown.map(({ number, inputs, label }) => [
      count(number), ...columns.map((column) => String(inputs[column] ?? '')), label]));
    show({ '#more': page.has_more });
  }

  const choose = (name) => { [split, shown] = [name, []]; more().catch((error) => say('#problem', describe(error))); };
  $('#split').append(...Object.keys(splits).map((name, i) => h('label', {},
    h('input', { type: 'radio', name: 'split', value: name, checked: i === 0 }), ` ${name} (${count(splits[name].rows)})`)));
  $('#split').addEventListener('change', (event) => choose(event.target.value));
  onClick($('#more'), more);
  choose(Object.keys(splits)[0]);
}

if (root) {
  const base = `/api/datasets/${encodeURIComponent(root.dataset.dataset)}`;
  drawOne(base, (dataset) => {
    fill(root, view(dataset));
    drawCounts(dataset);
    browse(base, dataset);
  });
} else {
  list();
  setUpUpload((dataset) => { drawCounts(dataset); list(); });
}
