// The page of one job: its numbers and curves while it goes on, its state when it has ended.
import { describe, get, getAll, post } from './api.js';
import { $, each, fill, onClick, say, sayMissing, show } from './dom.js';
import { watch } from './events.js';
import { count, money, sentence } from './format.js';
import { base, drawFigure, drawReport, shown } from './report.js';
import { setUpTrying } from './try.js';

const root = $('#job');
const ENDED = ['succeeded', 'failed', 'cancelled'];
const [PAUSE, AGAIN] = [500, 2000]; // ms from an event to the next look, however fast events come; until one that failed is tried again
const PHASES = {
  queued: () => 'Waiting for a runner',
  running: () => (job.progress.generation ? 'Searching' : job.baseline ? 'In the first generation' : 'Measuring the baseline first'),
  succeeded: () => (job.termination_reason === 'converged' ? 'Finished: the search converged'
    : left() ? 'Finished: what is left of the budget is too little for another generation' : 'Finished: the budget is spent'),
  cancelled: () => 'Cancelled: the best prompt so far is kept',
};

/** @type {any} */ let job = null;
/** @type {any} */ let best = null; // the generation with the lowest train loss
/** @type {any} */ let report = null;
/** @type {any} */ let prices = null; // options of the endpoint, of a job that pays
/** @type {any} */ let [column, shares] = [null, null]; // that names images ('': none does); queries of each train row, where they are shared out
let [number, timer] = [0, 0]; // of the last generation seen; of the next look
const left = () => Math.max(0, job.progress.budget - job.progress.queries);

/** The job, and what of it takes words of its own. */
function view() {
  const { spec, progress, usage, baseline, incumbent, status, result, error, metric } = job;
  const of = (spent, wall, write) => `${write(spent)}${wall ? ` of ${write(wall)}` : ''}`;
  const priced = usage.cost > 0 || typeof prices?.input_price === 'number';
  return {
    ...job, best, report, shares, [status]: true, [root.dataset.connection ?? '']: true, ended: ENDED.includes(status), left: left(),
    title: job.name ?? job.id, phase: PHASES[status]?.() ?? sentence(status), share: progress.queries / progress.budget,
    generation: progress.generation || null, queries: `${count(progress.queries)} of ${count(progress.budget)}`,
    baselineHint: !baseline ? 'not measured yet' : baseline.prompt ? 'your own prompt' : 'the empty prompt',
    gain: baseline && incumbent ? incumbent.dev_accuracy - baseline.dev_accuracy : null,
    paid: usage.requests + usage.recalled > 0, tokens: of(usage.tokens_in + usage.tokens_out, spec.budget.tokens, count),
    cost: priced ? `${of(usage.cost, spec.budget.cost, money)} ${prices?.currency ?? (prices ? 'USD' : '')}` : 'no prices known',
    soft: incumbent?.kind === 'soft', worded: incumbent && incumbent.kind !== 'soft',
    promptText: incumbent?.text || JSON.parse($('#prompt-text').dataset.unworded)[incumbent?.kind] || '(the empty prompt)', reason: error ? describe(error) : 'No reason was recorded.',
    unit: metric === 'accuracy' ? 'nats' : 'of 1', texts: metric !== 'accuracy', answer: metric === 'accuracy' ? 'True label' : 'Target',
    difference: result?.tuned ? result.tuned.accuracy - result.baseline.accuracy : null,
    specText: JSON.stringify(spec, null, 2),
    curl: `curl -X POST ${location.origin}/api/jobs \\\n  -H 'content-type: application/json' \\\n  -d '${JSON.stringify(spec, null, 2).replaceAll("'", "'\\''")}'`,
  };
}

function draw() {
  fill(root, view());
  show({ '#loading': false, '#body': true });
  each($('#words'), (job.incumbent?.nearest_words ?? []).map(([word, cosine], id) => ({ id, word, cosine: cosine.toFixed(2) })));
  each($('#shares'), (shares?.data ?? []).map(({ number: id, inputs, label, queries }) => (
    { id, label, queries, share: queries / shares.data[0].queries, ...shown(inputs, job.spec.dataset, column) })));
  root.removeAttribute('aria-busy');
  document.title = `${job.name ?? job.id} · Gradless`;
  updateTrying(job, column);
}

/** Fetches what is new and draws it. @returns {Promise<boolean>} whether the job has ended */
async function look() {
  job = await get(base);
  column ??= await get(`/api/datasets/${encodeURIComponent(job.spec.dataset)}`).then((dataset) => dataset.image_column, () => '');
  for (const one of await getAll(`${base}/generations?limit=1000`, 'number', number)) {
    number = one.number;
    if (one.train_loss !== null && !(best?.train_loss <= one.train_loss)) best = one;
  }
  if (job.usage.requests) prices ??= await get(`/api/endpoints/${encodeURIComponent(job.spec.endpoint)}`).then(({ options }) => options, () => null);
  if (job.spec.method.allocator && job.progress.generation) shares = await get(`${base}/allocation`).catch(() => shares);
  draw();
  ['loss', 'accuracy', ...($('#inside').open ? ['internals'] : [])].forEach(drawFigure);
  if (job.result?.tuned && !report) {
    report = await get(`${base}/report`);
    draw();
    drawReport(report, job.spec.dataset, column);
  }
  return ENDED.includes(job.status);
}

/** One look after the other; the first that succeeds begins to watch. @type {Promise<void>} */ let looking = Promise.resolve();

function lookSoon(pause = PAUSE) {
  timer ||= setTimeout(() => {
    timer = 0;
    looking = looking.then(look).then((ended) => {
      say('#away');
      if (!ended && !root.dataset.connection) watch(base, { news: lookSoon, poll: look, state });
    }, (error) => {
      if (error.status === 404) { sayMissing(error); return; }
      say('#away', `${describe(error)} Trying again…`);
      lookSoon(AGAIN);
    });
  }, pause);
}

/** @param {import('./events.js').Connection} connection */
const state = (connection) => { root.dataset.connection = connection; draw(); };

const updateTrying = setUpTrying(base);
$('#inside').addEventListener('toggle', () => drawFigure('internals'));
onClick($('#cancel'), async () => { await post(`${base}/cancel`); lookSoon(0); }, $('#confirm'));
onClick($('#resume'), async () => { await post(`${base}/resume`); lookSoon(0); });
lookSoon(0);
