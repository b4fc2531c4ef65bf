// The form of a new job: choices from the API, settings from the method's schema.
import { describe, get, getAll, post } from './api.js';
import { $, fill, h, say, show, write } from './dom.js';
import { collect, field, fillSelect, onSubmit, refill } from './form.js';
import { count, price, spaced } from './format.js';
import { drawCounts, setUpUpload } from './upload.js';

const form = $('#form');
/** @type {Record<string, any[]>} */ const all = { datasets: [], endpoints: [], methods: [], metrics: [] };
const chosen = (name, list, key = 'id') => all[list].find((one) => one[key] === $(`#${name}`).value);
const dataset = () => chosen('dataset', 'datasets') ?? { columns: [], labels: [], splits: {} };
const method = () => chosen('method', 'methods', 'name') ?? { presets: {}, schema: {} };
const metric = () => chosen('metric', 'metrics', 'name') ?? { schema: {} };
const can = (endpoint, power) => endpoint.capabilities.includes(power);
/** Why an endpoint cannot take a dataset; empty: it can. */
const lack = (data, endpoint) => (data.task === 'generation' && !can(endpoint, 'generation') ? 'writes no text'
  : can(endpoint, 'images') === Boolean(data.image_column) ? '' : data.image_column ? 'reads no images' : 'needs images');
const standard = (name) => method().presets[$('#preset').value]?.[name] ?? method().schema.properties?.[name]?.default ?? null;

/** The input of one setting, by its JSON schema; empty means what is usual. @param {string} id @param {string} name @param {any} schema @param {any} usual */
function control(id, name, schema, usual) {
  const given = { ...schema, ...schema.anyOf?.find(({ type }) => type !== 'null') };
  const placeholder = usual === null ? 'none' : typeof usual === 'object' ? JSON.stringify(usual) : String(usual);
  const shared = { id, name, 'data-usual': JSON.stringify(usual), placeholder };
  const options = (given.enum ?? []).map((value) => h('option', { value }, String(value)));
  if (given.enum) return h('select', { ...shared, 'data-as': 'json' }, h('option', { value: '' }, `${placeholder} (usual)`), ...options);
  if (given.type === 'boolean') return h('input', { ...shared, type: 'checkbox', checked: usual });
  if (!['integer', 'number'].includes(given.type)) return h('input', { ...shared, 'data-as': given.type === 'string' ? 'text' : 'json' });
  return h('input', { ...shared, type: 'number', step: given.type === 'integer' ? 1 : 'any', min: given.minimum, max: given.maximum });
}

/** The inputs of all settings of a method or metric. @param {any} place its name is their path in the body @param {any} schema @param {(name: string) => any} usual */
function drawSettings(place, { properties = {} }, usual) {
  const known = Object.entries(properties).filter(([name, one]) => !['name', 'preset'].includes(name) && !('const' in one));
  place.replaceChildren(...known.map(([name, one]) => (
    field(name, control(`${place.id}-${name}`, `${place.dataset.path}.${name}`, one, usual(name)), one.description))));
}

/** Every choice as the choices before it allow; what was typed stays. */
function draw() {
  const typed = collect(form, true);
  const texts = dataset().task === 'generation';
  fillSelect($('#endpoint'), all.endpoints.map((one) => {
    const why = lack(dataset(), one);
    return [one.id, why ? `${one.id} (${why})` : one.id, why !== ''];
  }));
  const endpoint = chosen('endpoint', 'endpoints') ?? { capabilities: [], options: {} };
  const metrics = texts || can(endpoint, 'generation') ? all.metrics : [];
  if (!texts && $('#metric option')?.disabled) $('#metric').value = ''; // it was not chosen freely
  fillSelect($('#metric'), [['', 'none: the answer is the likeliest label', texts], ...metrics.map(({ name, title }) => [name, title])]);
  const labelsOnly = metric().name ? $('#method').dataset.labelsOnly.split(' ') : [];
  fillSelect($('#method'), all.methods.map(({ name, title, needs }) => {
    const missing = [...needs.filter((need) => !can(endpoint, need)), ...(labelsOnly.includes(name) ? ['labels'] : [])];
    return [name, missing.length ? `${title} (needs ${spaced(missing)})` : title, missing.length > 0];
  }));
  const { presets, schema } = method();
  fillSelect($('#preset'), Object.keys(presets).map((name) => [name, name]));
  drawSettings($('#setting'), schema, standard);
  drawSettings($('#metric-setting'), metric().schema, (name) => metric().schema.properties[name].default ?? null);
  drawCounts(dataset());
  $('#words').replaceChildren(...dataset().labels.map((label, i) => field(label,
    h('input', { id: `word-${i}`, name: 'task.verbalizer', 'data-key': label, value: label }))));
  ['#setting', '#metric-setting', '#words'].forEach((place) => refill($(place), typed));
  fill(form, {
    endpoint, method: method(), metric: metric(), measurable: metrics.length, lack: dataset().image_column ? 'reads images' : 'writes text', presetHint: schema.properties?.preset?.description ?? '',
    slots: dataset().columns.map((name) => `{${name}}`).join(', '), currency: endpoint.options.currency ?? 'USD', price: price(endpoint.options),
    api: 'base_url' in endpoint.options, priced: ['input_price', 'output_price'].every((name) => typeof endpoint.options[name] === 'number'),
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
  fillSelect($('#dataset'), all.datasets.map((one) => [one.id, `${one.id} (${count(one.n_rows)} ${one.image_column ? 'images' : 'rows'}, ${one.labels.length ? `${count(one.labels.length)} labels` : 'target texts'})`]));
  refill(form, { dataset: all.datasets.some((one) => one.id === id) ? id : null });
  draw();
}

async function start() {
  const asked = new URLSearchParams(location.search);
  try {
    await Promise.all(Object.keys(all).map(async (name) => { all[name] = await getAll(`/api/${name}?limit=100`); }));
    const endpoint = all.endpoints.find(({ id }) => id === asked.get('endpoint'));
    drawDatasets(asked.get('dataset') ?? all.datasets.find((one) => endpoint && !lack(one, endpoint))?.id ?? null);
    refill(form, { endpoint: asked.get('endpoint') });
    const { spec } = asked.has('from') ? await get(`/api/jobs/${encodeURIComponent(asked.get('from') ?? '')}`) : { spec: {} };
    for (let choice = 0; choice < 3; choice += 1) { refill(form, spec); draw(); } // method, preset, settings: each opens the next
    show({ '#form': true });
  } catch (error) { say('#problem', describe(error)); }
  show({ '#loading': false });
}

setUpUpload((uploaded) => { all.datasets.unshift(uploaded); drawDatasets(uploaded.id); });
form.addEventListener('input', ({ target }) => (['dataset', 'endpoint', 'metric', 'method', 'preset'].includes(target.id) ? draw() : estimate()));
onSubmit(form, async (body) => location.assign(`/jobs/${encodeURIComponent((await post('/api/jobs', body)).id)}`));
start();
