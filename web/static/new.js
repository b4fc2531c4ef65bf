// The form of a new job: choices from the API, settings from the method's schema.
import { describe, get, getAll, post } from './api.js';
import { $, fill, h, say, show, write } from './dom.js';
import { collect, field, fillSelect, onSubmit, refill } from './form.js';
import { count, price, spaced } from './format.js';
import { drawCounts, setUpUpload } from './upload.js';

const form = $('#form');
/** @type {Record<string, any[]>} */ const all = { datasets: [], endpoints: [], methods: [] };
const chosen = (name, list, key = 'id') => all[list].find((one) => one[key] === $(`#${name}`).value);
const dataset = () => chosen('dataset', 'datasets') ?? { columns: [], labels: [], splits: {} };
const method = () => chosen('method', 'methods', 'name') ?? { presets: {}, schema: {} };
const standard = (name) => method().presets[$('#preset').value]?.[name] ?? method().schema.properties?.[name]?.default ?? null;

/** The input of one setting, by its JSON schema; empty means the preset's value. @param {string} setting @param {any} schema */
function control(setting, schema) {
  const given = { ...schema, ...schema.anyOf?.find(({ type }) => type !== 'null') };
  const usual = standard(setting);
  const placeholder = usual === null ? 'none' : typeof usual === 'object' ? JSON.stringify(usual) : String(usual);
  const shared = { id: `setting-${setting}`, name: `method.${setting}`, 'data-usual': JSON.stringify(usual), placeholder };
  const options = (given.enum ?? []).map((value) => h('option', { value }, String(value)));
  if (given.enum) return h('select', { ...shared, 'data-as': 'json' }, h('option', { value: '' }, `${placeholder} (preset)`), ...options);
  if (given.type === 'boolean') return h('input', { ...shared, type: 'checkbox', checked: usual });
  if (!['integer', 'number'].includes(given.type)) return h('input', { ...shared, 'data-as': given.type === 'string' ? 'text' : 'json' });
  return h('input', { ...shared, type: 'number', step: given.type === 'integer' ? 1 : 'any', min: given.minimum, max: given.maximum });
}

/** Every choice as the choices before it allow; what was typed stays. */
function draw() {
  const typed = collect(form);
  const endpoint = chosen('endpoint', 'endpoints') ?? { capabilities: [], options: {} };
  const { capabilities, options } = endpoint;
  fillSelect($('#method'), all.methods.map(({ name, title, needs }) => {
    const missing = needs.filter((need) => !capabilities.includes(need));
    return [name, missing.length ? `${title} (needs ${spaced(missing)})` : title, missing.length > 0];
  }));
  const { presets, schema } = method();
  fillSelect($('#preset'), Object.keys(presets).map((name) => [name, name]));
  const known = Object.entries(schema.properties ?? {}).filter(([name, one]) => !['name', 'preset'].includes(name) && !('const' in one));
  $('#settings').replaceChildren(...known.map(([name, one]) => field(name, control(name, one), one.description)));
  drawCounts(dataset());
  $('#words').replaceChildren(...dataset().labels.map((label, i) => field(label,
    h('input', { id: `word-${i}`, name: 'task.verbalizer', 'data-key': label, value: label }))));
  refill($('#settings'), typed);
  refill($('#words'), typed);
  fill(form, {
    endpoint, method: method(), presetHint: schema.properties?.preset?.description ?? '',
    slots: dataset().columns.map((name) => `{${name}}`).join(', '), currency: options.currency ?? 'USD', price: price(options),
    api: 'base_url' in options, priced: ['input_price', 'output_price'].every((name) => typeof options[name] === 'number'),
  });
  estimate();
}

function estimate() {
  const [train, dev] = ['train', 'dev'].map((split) => dataset().splits[split]?.rows ?? 0);
  const { method: settings, budget } = collect(form);
  const size = Number(settings?.population_size ?? standard('population_size'));
  const n = Math.max(0, Math.floor(((budget?.queries ?? 0) - train - dev) / (size * train + dev)));
  const guess = size && train ? ` About ${count(n)} generations of ${count(size)} prompts on ${count(train)} train rows each.` : '';
  write($('#queries-hint'), `A query is one prompt on one row.${guess}`);
}

/** @param {string|null} [id] the one to choose */
function drawDatasets(id) {
  fillSelect($('#dataset'), all.datasets.map((one) => [one.id, `${one.id} (${count(one.n_rows)} rows, ${count(one.labels.length)} labels)`]));
  refill(form, { dataset: all.datasets.some((one) => one.id === id) ? id : null });
  draw();
}

async function start() {
  const asked = new URLSearchParams(location.search);
  try {
    await Promise.all(Object.keys(all).map(async (name) => { all[name] = await getAll(`/api/${name}?limit=100`); }));
    fillSelect($('#endpoint'), all.endpoints.map(({ id }) => [id, id]));
    drawDatasets(asked.get('dataset'));
    refill(form, { endpoint: asked.get('endpoint') });
    const { spec } = asked.has('from') ? await get(`/api/jobs/${encodeURIComponent(asked.get('from') ?? '')}`) : { spec: {} };
    for (let choice = 0; choice < 3; choice += 1) { refill(form, spec); draw(); } // method, preset, settings: each opens the next
    show({ '#form': true });
  } catch (error) { say('#problem', describe(error)); }
  show({ '#loading': false });
}

setUpUpload((uploaded) => { all.datasets.unshift(uploaded); drawDatasets(uploaded.id); });
form.addEventListener('input', ({ target }) => (['dataset', 'endpoint', 'method', 'preset'].includes(target.id) ? draw() : estimate()));
onSubmit(form, async (body) => location.assign(`/jobs/${encodeURIComponent((await post('/api/jobs', body)).id)}`));
start();
