// @ts-check
// The page of one job: its numbers and curves while it goes on, its state when it has ended.
import { ApiError, describe, get, post } from './api.js';
import { $, fill, h, paint, say, show } from './dom.js';
import { watch } from './events.js';
import { DASH, count, counted, duration, nats, percent, points } from './format.js';
import { drawFigure, showReport } from './report.js';
import { setUpTrying } from './try.js';

const root = $('#job');
const base = `/api/jobs/${encodeURIComponent(root.dataset.job)}`;
const ENDED = ['succeeded', 'failed', 'cancelled'];
const PAUSE = 1000; // ms between two refreshes, however fast generations come

/** @type {any} */ let job = null;
/** @type {any} */ let best = null; // the generation with the lowest train loss
let [number, busy, again] = [0, false, false];

const PHASES = {
  queued: () => 'Waiting for a runner',
  running: () => (number || job.progress.generation ? 'Searching' : job.baseline ? 'In the first generation' : 'Measuring the baseline first'),
  paused: () => 'Paused: the endpoint does not answer; it goes on by itself',
  succeeded: () => (job.termination_reason === 'converged' ? 'Finished: the search converged' : 'Finished: the budget is spent'),
  failed: () => 'Failed',
  cancelled: () => 'Cancelled: the best prompt so far is kept',
};

function drawHeader() {
  const { spec } = job;
  document.title = `${job.name ?? job.id} · Gradless`;
  fill(root, {
    name: job.name ?? job.id, id: job.id, endpoint: spec.endpoint, dataset: spec.dataset,
    method: spec.method.name, preset: spec.method.preset ?? DASH, seed: String(spec.seed ?? DASH),
  });
  paint($('#status'), job.status);
  $('#dataset-link').href = `/datasets/${encodeURIComponent(spec.dataset)}`;
  show('#meta');
  show('#cancel', !ENDED.includes(job.status));
  show('#again', ENDED.includes(job.status));
  show('#download-json', Boolean(job.incumbent));
  show('#download-safetensors', job.incumbent?.kind === 'soft');
  show('#download-report', job.status === 'succeeded');
  const text = JSON.stringify(spec, null, 2);
  $('#spec').textContent = text;
  $('#curl').textContent = `curl -X POST ${location.origin}/api/jobs \\\n  -H 'content-type: application/json' \\\n`
    + `  -d '${text.replaceAll("'", "'\\''")}'`;
}

function drawProgress() {
  const { progress } = job;
  const going = job.status === 'running';
  $('#progress').value = progress.fraction ?? 0;
  fill(root, {
    phase: PHASES[/** @type {keyof PHASES} */ (job.status)]?.() ?? job.status,
    percent: `${percent(progress.fraction, 0)} of the budget`,
    queries: `${count(progress.queries)} of ${count(progress.budget)}`,
    queriesLeft: count(Math.max(0, progress.budget - progress.queries)),
    generation: progress.generation ? count(progress.generation) : DASH,
    speed: progress.queries_per_second ? `${count(progress.queries_per_second)}\u00a0queries/s` : DASH,
    seconds: duration(progress.seconds),
    secondsLeft: going ? duration(progress.seconds_left) : DASH,
    share: percent(progress.optimizer_share),
  });
}

function drawCards() {
  const { baseline, incumbent } = job;
  const gain = baseline && incumbent ? `${points(incumbent.dev_accuracy - baseline.dev_accuracy)}, ` : '';
  fill(root, {
    baseline: percent(baseline?.dev_accuracy),
    baselineHint: !baseline ? 'not measured yet' : baseline.prompt ? 'your own prompt' : 'the empty prompt',
    incumbent: percent(incumbent?.dev_accuracy),
    incumbentHint: incumbent ? `${gain}generation ${count(incumbent.generation)}` : 'no generation yet',
    trainLoss: nats(best?.train_loss),
    trainLossHint: best ? `champion of generation ${count(best.number)}` : 'no generation yet',
  });
}

function drawPrompt() {
  const { incumbent } = job;
  const soft = incumbent?.kind === 'soft';
  show('#prompt-none', !incumbent);
  show('#prompt-text', Boolean(incumbent) && !soft);
  show('#prompt-soft', soft);
  fill(root, {
    promptFrom: incumbent ? `${incumbent.kind}, generation ${count(incumbent.generation)}, dev loss ${nats(incumbent.dev_loss)}` : '',
    template: job.spec.task?.template ?? '{prompt} {text}',
  });
  $('#prompt-text').textContent = incumbent?.text === '' ? '(the empty prompt)' : incumbent?.text ?? '';
  const words = (incumbent?.nearest_words ?? []).map((/** @type {[string, number]} */ [word, cosine]) => (
    h('li', {}, word, h('small', {}, cosine.toFixed(2)))));
  $('#words').replaceChildren(...words);
}

function drawFailure() {
  show('#failure', job.status === 'failed');
  const { message = 'No reason was recorded.', param, code } = job.error ?? {};
  const named = [param && `field: ${param}`, code].filter(Boolean).join(', ');
  fill(root, {
    failure: named ? `${message} (${named})` : message,
    advice: 'Nothing measured so far is lost. Put the cause right, then press “Run again…”: the form opens with these settings.',
  });
}

function draw() {
  root.removeAttribute('aria-busy');
  show('#skeleton', false);
  show('#body');
  drawHeader();
  drawProgress();
  drawCards();
  drawPrompt();
  drawFailure();
  trying(job);
  if (job.status === 'succeeded') showReport(base, job);
}

/** @param {any} generation */
function learn(generation) {
  number = Math.max(number, generation.number);
  if (generation.train_loss !== null && (!best || generation.train_loss < best.train_loss)) best = generation;
}

const drawCurves = () => Promise.all(['loss', 'accuracy'].map((name) => drawFigure(base, name)));

/** Job and curves again: at most one at a time, and one a second. */
async function refresh() {
  again = true;
  if (busy) return;
  busy = true;
  while (again) {
    again = false;
    try {
      job = await get(base);
      draw();
      await drawCurves();
    } catch { /* the connection line says it; the next event or poll comes here again */ }
    await new Promise((resume) => { setTimeout(resume, PAUSE); });
  }
  busy = false;
}

/** What is new, without the stream. @returns {Promise<boolean>} */
async function poll() {
  for (let more = true; more;) {
    const page = await get(`${base}/generations?after=${number}&limit=1000`);
    page.data.forEach(learn);
    more = page.has_more && page.data.length > 0;
  }
  job = await get(base);
  draw();
  drawCurves();
  return ENDED.includes(job.status);
}

/** @param {string} type @param {any} data */
function receive(type, data) {
  if (type === 'generation') learn(data);
  if (type === 'status' && data.job) { job = data.job; draw(); }
  refresh();
}

const LINES = { live: '', ended: '', polling: 'No live connection: asking every 2 seconds instead.', reconnecting: 'Connection lost: reconnecting…' };

async function cancel() {
  const dialog = $('#confirm');
  dialog.returnValue = 'no';
  dialog.showModal();
  await new Promise((closed) => { dialog.addEventListener('close', closed, { once: true }); });
  if (dialog.returnValue !== 'yes') return;
  $('#cancel').disabled = true;
  try {
    job = await post(`${base}/cancel`);
    draw();
    say('#problem');
  } catch (error) {
    say('#problem', describe(error));
  }
  $('#cancel').disabled = false;
}

const trying = setUpTrying(base);

async function start() {
  try {
    job = await get(base);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) {
      say('#problem', `${describe(error)} Trying again…`);
      setTimeout(start, 2000);
      return;
    }
    $('#missing-message').textContent = describe(error);
    root.hidden = true;
    show('#missing');
    return;
  }
  say('#problem');
  draw();
  if (ENDED.includes(job.status)) { await poll(); return; }
  refresh();
  watch(base, { event: receive, poll, state: (state) => say('#connection', LINES[state]) });
}

$('#cancel').addEventListener('click', cancel);
document.addEventListener('themechange', drawCurves);
start();
