// The list of endpoints with the form that adds one behind an API; one endpoint with every fact found by asking it.
import { post, remove } from './api.js';
import { $, drawList, drawOne, each, fill, onClick } from './dom.js';
import { onSubmit } from './form.js';
import { ago, price } from './format.js';

const address = (id) => `/endpoints/${encodeURIComponent(id)}`;
const root = $('#endpoint'); // of the page of one

/** What takes words of its own, and the endpoint as it is. @param {any} endpoint */
function view({ options, probed, capabilities, built_in: builtIn, ...rest }) {
  const works = probed?.rungs.map((rung) => [rung, rung === probed.rung ? 'works, and is used' : 'works']) ?? [];
  const fails = Object.entries(probed?.missing ?? {}).map(([name, reason]) => [name, `no: ${reason}`]);
  return {
    ...rest, options, probed, capabilities, own: !builtIn, api: 'base_url' in options, plain: !Object.keys(options).length, asked: probed ? ago(probed.probed_at) : 'not needed',
    price: price(options), can: Object.fromEntries(capabilities.map((name) => [name, 'yes'])), ladder: Object.fromEntries([...fails, ...works]),
  };
}

/** What is known of an object and has no place of its own on the page. @param {any} object @param {string} path of it */
const unplaced = (object, path) => Object.entries(object ?? {})
  .filter(([id, value]) => value !== null && !$(`[data-field="${path}.${CSS.escape(id)}"]`, root))
  .map(([id, value]) => ({ id, value: typeof value === 'string' ? value : JSON.stringify(value) }));

function draw(endpoint) {
  fill(root, view(endpoint));
  each($('#options'), unplaced(endpoint.options, 'options'));
  const { missing, capabilities, rung, rungs, ...facts } = endpoint.probed ?? {};
  each($('#facts'), unplaced(facts, 'probed'));
  each($('#refused'), unplaced(missing, 'ladder'));
}

if (root) {
  const path = `/api${address(root.dataset.endpoint)}`;
  drawOne(path, draw);
  onClick($('#probe'), async () => draw(await post(`${path}/probe`)));
  onClick($('#delete'), async () => { await remove(path); location.assign('/endpoints'); }, $('#confirm'));
} else {
  drawList('/api/endpoints', view);
  onSubmit($('#form'), async (body) => location.assign(address((await post('/api/endpoints', body)).id)));
}
