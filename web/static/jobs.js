// @ts-check
// The list of jobs, asked again while the tab is visible; the demo job.
import { describe, get, post } from './api.js';
import { $, fill, paint, say, show } from './dom.js';
import { ago, count, percent } from './format.js';

const DEMO_QUERIES = 40000;
const DEMO = {
  endpoint: 'minilm', dataset: 'tickets', method: { name: 'bbt', preset: 'fast' }, budget: { queries: DEMO_QUERIES },
};
const BUSY = 2000; // ms between two looks while a job is going on
const CALM = 10000; // ms otherwise
const ACTIVE = ['queued', 'running', 'paused'];
let limit = 20;
let timer = 0;

/** @param {any} job */
function row(job) {
  const id = `row-${job.id}`;
  const found = document.getElementById(id);
  const element = found ?? $('#row').content.firstElementChild.cloneNode(true);
  element.id = id;
  const { spec, progress } = job;
  fill(element, {
    name: job.name ?? job.id,
    setup: `${spec.dataset} · ${spec.endpoint} · ${spec.method.name}`,
    outcome: job.result?.outcome.replace('_', ' ') ?? '',
    queries: `${count(progress.queries)} of ${count(progress.budget)}`,
    baseline: percent(job.baseline?.dev_accuracy),
    incumbent: percent(job.incumbent?.dev_accuracy),
    created: ago(job.created_at),
  });
  $('a', element).href = `/jobs/${encodeURIComponent(job.id)}`;
  $('time', element).dateTime = job.created_at;
  $('progress', element).value = progress.fraction ?? 0;
  $('progress', element).setAttribute('aria-label', 'Share of the budget spent');
  paint($('[data-field=status]', element), job.status);
  return element;
}

/** @param {{data: any[], has_more: boolean}} page */
function draw(page) {
  const rows = page.data.map(row);
  const body = $('#rows');
  if (rows.length !== body.children.length || rows.some((element, i) => element !== body.children[i])) {
    body.replaceChildren(...rows);
  }
  show('#loading', false);
  show('#first-visit', !rows.length);
  show('#more-actions', rows.length > 0);
  show('#list', rows.length > 0);
  show('#older', page.has_more && limit < 100);
}

/** @param {any} health @param {boolean} waiting */
function drawRunners(health, waiting) {
  const alive = (health?.runners ?? []).some((/** @type {any} */ runner) => runner.alive);
  say('#runners', health && waiting && !alive ? 'No runner is alive: queued jobs wait until one starts.' : '');
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  let active = false;
  try {
    const page = await get(`/api/jobs?limit=${limit}`);
    draw(page);
    active = page.data.some((/** @type {any} */ job) => ACTIVE.includes(job.status));
    drawRunners(await get('/healthz').catch(() => null), active);
    say('#problem');
  } catch (error) {
    say('#problem', `${describe(error)} Trying again…`);
  }
  timer = setTimeout(look, active ? BUSY : CALM);
}

/** @param {MouseEvent} event */
async function startDemo(event) {
  const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
  button.disabled = true;
  try {
    const job = await post('/api/jobs', DEMO);
    location.assign(`/jobs/${encodeURIComponent(job.id)}`);
  } catch (error) {
    say('#problem', describe(error));
    button.disabled = false;
  }
}

for (const button of document.querySelectorAll('[data-demo]')) {
  button.addEventListener('click', (event) => startDemo(/** @type {MouseEvent} */ (event)));
}
$('#older').addEventListener('click', () => { limit = Math.min(limit + 40, 100); look(); });
document.addEventListener('visibilitychange', look);
look();
