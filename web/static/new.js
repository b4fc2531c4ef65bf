// @ts-check
// The form of a new job: choices from the API, settings from the method's schema, errors beside their field.
import { ApiError, describe, get, getAll, post } from './api.js';
import { $, fillSelect, h, say, show } from './dom.js';
import { count } from './format.js';
import { countsTable, setUpUpload } from './upload.js';

const QUERIES = 40000; // the budget the form starts with
const form = $('#form');
const state = { datasets: [], endpoints: [], methods: [] };
const dataset = () => state.datasets.find((one) => one.id === $('#dataset').value);
const endpoint = () => state.endpoints.find((one) => one.id === $('#endpoint').value);
const method = () => state.methods.find((one) => one.name === $('#method').value);
const preset = (name) => method()?.presets[$('#preset').value]?.[name] ?? method()?.schema.properties?.[name]?.default;

const field = (param, label, control, hint = '') => h('div', { class: 'field', 'data-param': param },
  h('label', { for: control.id }, label), control, ...(hint ? [h('p', { class: 'hint' }, hint)] : []));

/** The input of one setting, by its JSON schema; empty means the preset's value. */
function control(name, schema) {
  const id = `setting-${name}`;
  const choice = schema.enum ?? schema.anyOf?.find((one) => one.enum)?.enum;
  const { type, minimum, maximum } = { ...schema, ...(schema.anyOf?.find((one) => one.type !== 'null') ?? {}) };
  const standard = preset(name);
  const told = standard === null || standard === undefined ? 'none' : String(standard);
  if (choice) {
    const options = choice.map((value) => h('option', { value }, String(value)));
    return h('select', { id, name }, h('option', { value: '' }, `${told} (preset)`), ...options);
  }
  if (type === 'boolean') return h('input', { id, name, type: 'checkbox', checked: Boolean(standard), 'data-standard': Boolean(standard) ? 'on' : 'off' });
  if (type !== 'number' && type !== 'integer') return h('input', { id, name, placeholder: told, 'data-json': type !== 'string' });
  return h('input', { id, name, type: 'number', step: type === 'integer' ? 1 : 'any', min: minimum, max: maximum, placeholder: told });
}

/** The settings that differ from the preset. */
function changed() {
  const found = {};
  for (const { name, type, value, checked, dataset: { standard, json } } of $('#settings').querySelectorAll('input, select')) {
    if (type === 'checkbox') { if (checked !== (standard === 'on')) found[name] = checked; }
    else if (value !== '') found[name] = type === 'number' ? Number(value) : value;
    if (json !== undefined && name in found) try { found[name] = JSON.parse(value); } catch { /* the API says what it wants */ }
  }
  return found;
}

function setSettings(values) {
  for (const [name, value] of Object.entries(values)) {
    const input = $(`#setting-${CSS.escape(name)}`);
    if (!input || value === preset(name)) continue;
    if (input.type === 'checkbox') input.checked = value;
    else input.value = typeof value === 'object' ? JSON.stringify(value) : value;
  }
}

function drawSettings() {
  const typed = changed();
  const known = Object.entries(method()?.schema.properties ?? {}).filter(([name, one]) => !['name', 'preset'].includes(name) && !('const' in one));
  $('#settings').replaceChildren(...known.map(([name, one]) => field(`method.${name}`, name, control(name, one), one.description)));
  setSettings(typed);
  estimate();
}

function drawMethod() {
  fillSelect($('#preset'), Object.keys(method()?.presets ?? {}).map((name) => [name, name]));
  $('#method-hint').textContent = method() ? `${method().summary} ${method().citation}` : '';
  drawSettings();
}

function drawEndpoint() {
  const able = endpoint()?.capabilities ?? [];
  const spaced = (names) => names.join(', ').replaceAll('_', ' ');
  $('#endpoint-hint').textContent = endpoint() ? `${endpoint().kind}, takes ${spaced(able)}` : '';
  fillSelect($('#method'), state.methods.map(({ name, title, needs }) => {
    const missing = needs.filter((need) => !able.includes(need));
    return [name, missing.length ? `${title} (needs ${spaced(missing)})` : title, missing.length > 0];
  }));
  drawMethod();
}

function drawDataset() {
  const { columns, labels } = dataset() ?? { columns: ['text'], labels: [] };
  const box = $('#template');
  const usual = `{prompt} {${columns[0]}}`;
  if (!box.value || box.value === box.dataset.usual) box.value = usual;
  box.dataset.usual = usual;
  $('#preview').replaceChildren(...(dataset() ? [countsTable(dataset())] : []));
  $('#words').replaceChildren(...labels.map((label, i) => field(`task.verbalizer.${label}`, label, h('input', { id: `word-${i}`, 'data-label': label, value: label }))));
  estimate();
}

function estimate() {
  const [train, dev] = ['train', 'dev'].map((split) => dataset()?.splits[split]?.rows ?? 0);
  const size = Number(changed().population_size ?? preset('population_size'));
  const n = Math.floor((Number($('#queries').value) - train - dev) / (size * train + dev));
  const guess = size && train ? ` About ${count(Math.max(0, n))} generations of ${count(size)} prompts on ${count(train)} train rows each.` : '';
  $('#queries-hint').textContent = `A query is one prompt on one row.${guess}`;
}

function job() {
  const words = [...$('#words').querySelectorAll('input')].map((input) => [input.dataset.label, input.value]);
  return {
    name: $('#name').value.trim() || null,
    endpoint: $('#endpoint').value,
    dataset: $('#dataset').value,
    task: { template: $('#template').value, verbalizer: Object.fromEntries(words), baseline: $('#baseline').value },
    method: { name: $('#method').value, preset: $('#preset').value, ...changed() },
    budget: { queries: Number($('#queries').value) },
    seed: Number($('#seed').value),
  };
}

/** Puts the API's sentence beside the field it names, or else above the form. */
function complain(error) {
  form.querySelectorAll('.said').forEach((old) => old.remove());
  form.querySelectorAll('[aria-invalid]').forEach((old) => old.removeAttribute('aria-invalid'));
  let param = error instanceof ApiError ? error.param ?? '' : '';
  const named = () => [...form.querySelectorAll('[data-param]')].find((one) => one.dataset.param === param);
  while (param && !named()) param = param.split('.').slice(0, -1).join('.');
  say('#problem', param || !error ? '' : describe(error));
  if (!param) return error && $('#problem').focus();
  const input = $('input, select, textarea', named());
  named().append(h('p', { class: 'field-error said', role: 'alert', id: 'said' }, describe(error)));
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-errormessage', 'said');
  if (input.closest('details')) input.closest('details').open = true;
  return input.focus();
}

async function submit(event) {
  event.preventDefault();
  $('#submit').disabled = true;
  complain(null);
  try {
    const { id } = await post('/api/jobs', job());
    location.assign(`/jobs/${encodeURIComponent(id)}`);
  } catch (error) {
    $('#submit').disabled = false;
    complain(error);
  }
}

function drawDatasets(id) {
  fillSelect($('#dataset'), state.datasets.map((one) => [one.id, `${one.id} (${count(one.n_rows)} rows, ${count(one.labels.length)} labels)`]));
  if (state.datasets.some((one) => one.id === id)) $('#dataset').value = id;
  drawDataset();
}

/** Fills the form from an earlier job. */
function repeat(spec) {
  $('#endpoint').value = spec.endpoint;
  drawEndpoint();
  $('#method').value = spec.method.name;
  drawMethod();
  if (spec.method.preset) $('#preset').value = spec.method.preset;
  drawSettings();
  setSettings(spec.method);
  drawDatasets(spec.dataset);
  for (const name of ['template', 'baseline']) $(`#${name}`).value = spec.task?.[name] ?? '';
  for (const input of $('#words').querySelectorAll('input')) input.value = spec.task?.verbalizer?.[input.dataset.label] ?? input.value;
  [$('#queries').value, $('#seed').value, $('#name').value] = [spec.budget.queries, spec.seed, spec.name ?? ''];
  estimate();
}

async function start() {
  const asked = new URLSearchParams(location.search);
  $('#queries').value = QUERIES;
  try {
    [state.datasets, state.endpoints, state.methods] = await Promise.all(['datasets', 'endpoints', 'methods'].map((name) => getAll(`/api/${name}`)));
    fillSelect($('#endpoint'), state.endpoints.map((one) => [one.id, one.id]));
    drawEndpoint();
    drawDatasets(asked.get('dataset'));
    show('#form');
    if (asked.has('from')) repeat((await get(`/api/jobs/${encodeURIComponent(asked.get('from') ?? '')}`)).spec);
  } catch (error) {
    say('#problem', describe(error));
  }
  show('#loading', false);
}

setUpUpload((uploaded) => { state.datasets.unshift(uploaded); drawDatasets(uploaded.id); });
for (const [selector, draw] of [['#dataset', drawDataset], ['#endpoint', drawEndpoint], ['#method', drawMethod], ['#preset', drawSettings],
  ['#queries', estimate], ['#settings', estimate]]) $(selector).addEventListener('input', draw);
form.addEventListener('submit', submit);
start();
