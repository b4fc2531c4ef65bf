// @ts-check
// The page of one job: its numbers and curves while it goes on, its state when it has ended.
import { describe, get, post } from './api.js';
import { $, fill, h, say, show, write } from './dom.js';
import { watch } from './events.js';
import { count, DASH, duration, nats, percent, points, speed } from './format.js';
import { drawFigure, showReport } from './report.js';
import { setUpTrying } from './try.js';

const root = $('#job');
const base = `/api/jobs/${encodeURIComponent(root.dataset.job)}`;
const ENDED = ['succeeded', 'failed', 'cancelled'];
const PAUSE = 500; // ms from an event to the next look, however fast events come
const AGAIN = 2000; // ms until a look that failed is tried again
const CONNECTION = {
  live: '', ended: '', polling: 'No live connection: asking every 2 seconds instead.', reconnecting: 'Connection lost: reconnecting…',
};
const PHASES = {
  queued: () => 'Waiting for a runner',
  running: () => (job.progress.generation ? 'Searching' : job.baseline ? 'In the first generation' : 'Measuring the baseline first'),
  paused: () => 'Paused: the endpoint does not answer; it goes on by itself',
  succeeded: () => (job.termination_reason === 'converged' ? 'Finished: the search converged'
    : left() ? 'Finished: what is left of the budget is too little for another generation' : 'Finished: the budget is spent'),
  failed: () => 'Failed',
  cancelled: () => 'Cancelled: the best prompt so far is kept',
};

/** @type {any} */ let job = null;
/** @type {any} */ let best = null; // the generation with the lowest train loss
let [number, timer] = [0, 0]; // of the last generation seen; of the next look
const left = () => Math.max(0, job.progress.budget - job.progress.queries);

function texts() {
  const { spec, progress, baseline, incumbent, error } = job;
  const gain = baseline && incumbent ? `${points(incumbent.dev_accuracy - baseline.dev_accuracy)}, ` : '';
  const none = 'no generation yet';
  return {
    name: job.name ?? job.id, id: job.id, status: job.status, endpoint: spec.endpoint, dataset: spec.dataset,
    method: spec.method.name, preset: spec.method.preset ?? DASH, seed: String(spec.seed ?? DASH),
    phase: PHASES[job.status]?.() ?? job.status,
    percent: `${percent(progress.queries / progress.budget)} of the budget`,
    queries: `${count(progress.queries)} of ${count(progress.budget)}`,
    queriesLeft: count(left()),
    generation: count(progress.generation || null), speed: speed(progress.queries_per_second),
    seconds: duration(progress.seconds), secondsLeft: duration(progress.seconds_left),
    share: percent(progress.optimizer_share),
    baseline: percent(baseline?.dev_accuracy),
    baselineHint: !baseline ? 'not measured yet' : baseline.prompt ? 'your own prompt' : 'the empty prompt',
    incumbent: percent(incumbent?.dev_accuracy),
    incumbentHint: incumbent ? `${gain}generation ${count(incumbent.generation)}` : none,
    trainLoss: nats(best?.train_loss),
    trainLossHint: best ? `champion of generation ${count(best.number)}` : none,
    promptFrom: incumbent ? `${incumbent.kind}, generation ${count(incumbent.generation)}, dev loss ${nats(incumbent.dev_loss)}` : '',
    promptText: incumbent?.text === '' ? '(the empty prompt)' : incumbent?.text ?? '',
    template: spec.task?.template ?? '{prompt} {text}',
    failure: error ? describe(error) : 'No reason was recorded.',
  };
}

function draw() {
  const { incumbent, spec, status } = job;
  const [ended, soft] = [ENDED.includes(status), incumbent?.kind === 'soft'];
  fill(root, texts());
  show({
    '#skeleton': false, '#body': true, '#status': true, '#meta': true, '#failure': status === 'failed',
    '#cancel': !ended, '#again': ended, '#time-left': status === 'running', '#downloads': incumbent, '#download-safetensors': soft,
    '#prompt-none': !incumbent, '#prompt-text': incumbent && !soft, '#prompt-soft': soft,
  });
  root.removeAttribute('aria-busy');
  document.title = `${job.name ?? job.id} · Gradless`;
  $('#status').dataset.status = status;
  $('#dataset-link').href = `/datasets/${encodeURIComponent(spec.dataset)}`;
  $('#progress').value = job.progress.fraction ?? 0;
  $('#words').replaceChildren(...(incumbent?.nearest_words ?? []).map(([word, cosine]) => h('li', {}, word, h('small', {}, cosine.toFixed(2)))));
  const text = JSON.stringify(spec, null, 2);
  write($('#spec'), text);
  write($('#curl'), `curl -X POST ${location.origin}/api/jobs \\\n  -H 'content-type: application/json' \\\n  -d '${text.replaceAll("'", "'\\''")}'`);
  updateTrying(job);
  if (status === 'succeeded') showReport(base, job);
}

const drawCurves = () => ['loss', 'accuracy'].forEach((name) => drawFigure(base, name));

/** Fetches what is new and draws it. @returns {Promise<boolean>} whether the job has ended */
async function look() {
  job = await get(base);
  for (let more = true; more;) {
    const page = await get(`${base}/generations?after=${number}&limit=1000`);
    for (const one of page.data) {
      number = Math.max(number, one.number);
      if (one.train_loss !== null && !(best?.train_loss <= one.train_loss)) best = one;
    }
    more = page.has_more && page.data.length > 0;
  }
  draw();
  drawCurves();
  return ENDED.includes(job.status);
}

/** @type {Promise<any>} */ let looking = Promise.resolve(); // one look after the other

function lookSoon(pause = PAUSE) {
  timer ||= setTimeout(() => {
    timer = 0;
    looking = looking.then(look).catch(() => lookSoon(AGAIN));
  }, pause);
}

async function cancel() {
  const dialog = $('#confirm');
  if (dialog.returnValue !== 'yes') return;
  dialog.returnValue = '';
  $('#cancel').disabled = true;
  await post(`${base}/cancel`).then(() => say('#problem'), (error) => say('#problem', describe(error)));
  $('#cancel').disabled = false;
  lookSoon(0);
}

/** @param {import('./events.js').Connection} connection */
function state(connection) {
  root.dataset.connection = connection;
  say('#connection', CONNECTION[connection]);
}

async function start() {
  try {
    const ended = await look();
    say('#problem');
    if (!ended) watch(base, { news: lookSoon, poll: look, state });
  } catch (error) {
    if (error.status === 404) {
      show({ '#job': false, '#missing': true });
      write($('#missing-message'), describe(error));
    } else {
      say('#problem', `${describe(error)} Trying again…`);
      setTimeout(start, AGAIN);
    }
  }
}

const updateTrying = setUpTrying(base);
$('#cancel').addEventListener('click', () => $('#confirm').showModal());
$('#confirm').addEventListener('close', cancel);
document.addEventListener('themechange', drawCurves);
start();
