// @ts-check
// The list of jobs, asked again while the tab is visible; the demo job.
import { describe, get, post } from './api.js';
import { $, fill, say, show } from './dom.js';
import { ago, count, percent } from './format.js';

const DEMO_QUERIES = 40000;
const DEMO = {
  endpoint: 'minilm', dataset: 'tickets', method: { name: 'bbt', preset: 'fast' }, budget: { queries: DEMO_QUERIES },
};
const [BUSY, CALM] = [2000, 10000]; // ms between two looks: while a job is going on, and otherwise
let limit = 20;
let timer = 0;

/** The row of a job: the one that is there, or a new one. @param {any} job */
function row(job) {
  const { spec, progress } = job;
  const line = document.getElementById(`row-${job.id}`) ?? $('#row').content.firstElementChild.cloneNode(true);
  line.id = `row-${job.id}`;
  fill(line, {
    name: job.name ?? job.id,
    setup: `${spec.dataset} · ${spec.endpoint} · ${spec.method.name}`,
    status: job.status, outcome: job.result?.outcome.replace('_', ' ') ?? '',
    queries: `${count(progress.queries)} of ${count(progress.budget)} queries`,
    baseline: percent(job.baseline?.dev_accuracy), incumbent: percent(job.incumbent?.dev_accuracy),
    created: ago(job.created_at),
  });
  $('a', line).href = `/jobs/${encodeURIComponent(job.id)}`;
  $('time', line).dateTime = job.created_at;
  $('progress', line).value = progress.fraction ?? 0;
  $('.pill', line).dataset.status = job.status;
  return line;
}

/** @param {{data: any[], has_more: boolean}} page */
function draw(page) {
  const rows = page.data.map(row);
  const body = $('#rows');
  if (rows.length !== body.children.length || rows.some((line, i) => line !== body.children[i])) body.replaceChildren(...rows);
  const some = rows.length > 0;
  show({ '#loading': false, '#first-visit': !some, '#more-actions': some, '#list': some, '#older': page.has_more && limit < 100 });
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  let active = false;
  try {
    const page = await get(`/api/jobs?limit=${limit}`);
    draw(page);
    active = page.data.some((job) => ['queued', 'running', 'paused'].includes(job.status));
    const { runners } = await get('/healthz').catch(() => ({ runners: null }));
    const idle = active && runners && !runners.some((runner) => runner.alive);
    say('#runners', idle ? 'No runner is alive: queued jobs wait until one starts.' : '');
    say('#problem');
  } catch (error) {
    say('#problem', `${describe(error)} Trying again…`);
  }
  timer = setTimeout(look, active ? BUSY : CALM);
}

for (const button of document.querySelectorAll('button[data-demo]')) {
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      const { id } = await post('/api/jobs', DEMO);
      location.assign(`/jobs/${encodeURIComponent(id)}`);
    } catch (error) { say('#problem', describe(error)); }
    button.disabled = false;
  });
}
$('#older').addEventListener('click', () => { limit = Math.min(limit + 40, 100); look(); });
document.addEventListener('visibilitychange', look);
look();
