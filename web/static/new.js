// @ts-check
// The form of a new job: choices from the API, settings from the method's schema, errors beside their field.
import { describe, get, getAll, post } from './api.js';
import { $, fillSelect, h, say, show, write } from './dom.js';
import { count } from './format.js';
import { countsTable, setUpUpload } from './upload.js';

const QUERIES = 40000; // the budget the form starts with
const form = $('#form');
/** @type {Record<string, any[]>} */ const all = { datasets: [], endpoints: [], methods: [] };
const dataset = () => all.datasets.find(({ id }) => id === $('#dataset').value) ?? { columns: ['text'], labels: [], splits: {} };
const endpoint = () => all.endpoints.find(({ id }) => id === $('#endpoint').value) ?? { kind: '', capabilities: [] };
const method = () => all.methods.find(({ name }) => name === $('#method').value) ?? { summary: '', citation: '', presets: {}, schema: {} };
const standard = (name) => method().presets[$('#preset').value]?.[name] ?? method().schema.properties?.[name]?.default ?? null;
const spaced = (names) => names.join(', ').replaceAll('_', ' ');

const field = (param, label, control, hint = '') => h('div', { class: 'field', 'data-param': param },
  h('label', { for: control.id }, label), control, ...(hint ? [h('p', { class: 'hint' }, hint)] : []));

/** The input of one setting, by its JSON schema; empty means the preset's value. @param {string} name @param {any} schema */
function control(name, schema) {
  const given = { ...schema, ...schema.anyOf?.find(({ type }) => type !== 'null') };
  const [usual, id] = [standard(name), `setting-${name}`];
  const placeholder = usual === null ? 'none' : typeof usual === 'object' ? JSON.stringify(usual) : String(usual);
  const options = (given.enum ?? []).map((value) => h('option', { value }, String(value)));
  if (given.enum) return h('select', { id, name }, h('option', { value: '' }, `${placeholder} (preset)`), ...options);
  if (given.type === 'boolean') return h('input', { id, name, type: 'checkbox', checked: usual });
  if (!['integer', 'number'].includes(given.type)) return h('input', { id, name, placeholder, 'data-text': given.type === 'string' });
  return h('input', { id, name, placeholder, type: 'number', step: given.type === 'integer' ? 1 : 'any', min: given.minimum, max: given.maximum });
}

/** The settings that differ from the preset. */
function changed() {
  const found = {};
  const parsed = (text) => { try { return JSON.parse(text); } catch { return text; } }; // the API says what it wants
  for (const { name, type, value, checked, defaultChecked, dataset: { text } } of $('#settings').querySelectorAll('input, select')) {
    if (type === 'checkbox') { if (checked !== defaultChecked) found[name] = checked; }
    else if (value !== '') found[name] = text === undefined ? parsed(value) : value;
  }
  return found;
}

/** @param {Record<string, any>} values */
function setSettings(values) {
  for (const [name, value] of Object.entries(values)) {
    const input = document.getElementById(`setting-${name}`);
    if (!input || value === null || JSON.stringify(value) === JSON.stringify(standard(name))) continue;
    if (input.type === 'checkbox') input.checked = value;
    else input.value = typeof value === 'object' ? JSON.stringify(value) : value;
  }
}

function drawSettings() {
  const typed = changed();
  const known = Object.entries(method().schema.properties ?? {}).filter(([name, one]) => !['name', 'preset'].includes(name) && !('const' in one));
  $('#settings').replaceChildren(...known.map(([name, one]) => field(`method.${name}`, name, control(name, one), one.description)));
  setSettings(typed);
  estimate();
}

function drawMethod() {
  fillSelect($('#preset'), Object.keys(method().presets).map((name) => [name, name]));
  write($('#method-hint'), `${method().summary} ${method().citation}`);
  write($('#preset-hint'), method().schema.properties?.preset?.description ?? '');
  drawSettings();
}

function drawEndpoint() {
  const { kind, capabilities } = endpoint();
  write($('#endpoint-hint'), `${kind}, takes ${spaced(capabilities)}`);
  fillSelect($('#method'), all.methods.map(({ name, title, needs }) => {
    const missing = needs.filter((need) => !capabilities.includes(need));
    return [name, missing.length ? `${title} (needs ${spaced(missing)})` : title, missing.length > 0];
  }));
  drawMethod();
}

function drawDataset() {
  const { columns, labels } = dataset();
  const [box, usual] = [$('#template'), `{prompt} {${columns[0]}}`];
  if (!box.value || box.value === box.dataset.usual) box.value = usual;
  box.dataset.usual = usual;
  $('#preview').replaceChildren(countsTable(dataset()));
  $('#words').replaceChildren(...labels.map((label, i) => field(`task.verbalizer.${label}`, label, h('input', { id: `word-${i}`, name: label, value: label }))));
  estimate();
}

/** @param {string|null} [id] the one to choose */
function drawDatasets(id) {
  fillSelect($('#dataset'), all.datasets.map((one) => [one.id, `${one.id} (${count(one.n_rows)} rows, ${count(one.labels.length)} labels)`]));
  if (all.datasets.some((one) => one.id === id)) $('#dataset').value = id;
  drawDataset();
}

function estimate() {
  const [train, dev] = ['train', 'dev'].map((split) => dataset().splits[split]?.rows ?? 0);
  const size = Number(changed().population_size ?? standard('population_size'));
  const n = Math.max(0, Math.floor((Number($('#queries').value) - train - dev) / (size * train + dev)));
  const guess = size && train ? ` About ${count(n)} generations of ${count(size)} prompts on ${count(train)} train rows each.` : '';
  write($('#queries-hint'), `A query is one prompt on one row.${guess}`);
}

function job() {
  const value = (id) => $(`#${id}`).value;
  const verbalizer = Object.fromEntries([...$('#words').querySelectorAll('input')].map((input) => [input.name, input.value]));
  return {
    name: value('name').trim() || null, endpoint: value('endpoint'), dataset: value('dataset'),
    task: { template: value('template'), verbalizer, baseline: value('baseline') },
    method: { name: value('method'), preset: value('preset'), ...changed() },
    budget: { queries: Number(value('queries')) }, seed: Number(value('seed')),
  };
}

/** Puts the API's sentence beside the field it names, or else above the form. @param {any} error */
function complain(error) {
  let param = error.param ?? '';
  const named = () => [...form.querySelectorAll('[data-param]')].find((one) => one.dataset.param === param);
  while (param && !named()) param = param.split('.').slice(0, -1).join('.');
  say('#problem', param ? '' : describe(error));
  if (!param) { $('#problem').focus(); return; }
  const input = $('input, select, textarea', named());
  named().append(h('p', { class: 'field-error said', role: 'alert', id: 'said' }, error.message));
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-errormessage', 'said');
  if (input.closest('details')) input.closest('details').open = true;
  input.focus();
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  $('#submit').disabled = true;
  form.querySelectorAll('.said').forEach((old) => old.remove());
  form.querySelectorAll('[aria-invalid]').forEach((old) => old.removeAttribute('aria-invalid'));
  try {
    const { id } = await post('/api/jobs', job());
    location.assign(`/jobs/${encodeURIComponent(id)}`);
  } catch (error) { complain(error); }
  $('#submit').disabled = false;
});

/** Fills the form from an earlier job. @param {any} spec */
function repeat(spec) {
  const set = (id, value, draw = estimate) => { $(`#${id}`).value = value ?? ''; draw(); };
  set('endpoint', spec.endpoint, drawEndpoint);
  set('method', spec.method.name, drawMethod);
  if (spec.method.preset) set('preset', spec.method.preset, drawSettings);
  setSettings(spec.method);
  drawDatasets(spec.dataset);
  for (const input of $('#words').querySelectorAll('input')) input.value = spec.task?.verbalizer?.[input.name] ?? input.value;
  const { template, baseline } = spec.task ?? {};
  Object.entries({ template, baseline, queries: spec.budget.queries, seed: spec.seed, name: spec.name }).forEach(([id, value]) => set(id, value));
}

async function start() {
  const asked = new URLSearchParams(location.search);
  $('#queries').value = QUERIES;
  try {
    await Promise.all(Object.keys(all).map(async (name) => { all[name] = await getAll(`/api/${name}`); }));
    fillSelect($('#endpoint'), all.endpoints.map(({ id }) => [id, id]));
    drawEndpoint();
    drawDatasets(asked.get('dataset'));
    show({ '#form': true });
    if (asked.has('from')) repeat((await get(`/api/jobs/${encodeURIComponent(asked.get('from') ?? '')}`)).spec);
  } catch (error) { say('#problem', describe(error)); }
  show({ '#loading': false });
}

setUpUpload((uploaded) => { all.datasets.unshift(uploaded); drawDatasets(uploaded.id); });
Object.entries({ dataset: drawDataset, endpoint: drawEndpoint, method: drawMethod, preset: drawSettings, queries: estimate, settings: estimate })
  .forEach(([id, draw]) => $(`#${id}`).addEventListener('input', draw));
start();
