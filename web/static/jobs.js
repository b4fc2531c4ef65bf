// The list of jobs, asked again while the tab is visible; the demo job.
import { describe, get, post } from './api.js';
import { $, each, onClick, say, show } from './dom.js';
import { spaced } from './format.js';

const DEMO = { endpoint: 'minilm', dataset: 'tickets', method: { name: 'bbt', preset: 'fast' }, budget: { queries: 40000 } };
const [BUSY, CALM] = [2000, 10000]; // ms between two looks: while a job is going on, and otherwise
let [limit, timer] = [20, 0];

/** @param {{data: any[], has_more: boolean}} page */
function draw({ data, has_more: more }) {
  each($('#rows'), data.map((job) => ({ ...job, title: job.name ?? job.id, outcome: spaced(job.result?.outcome ?? '') })));
  const some = data.length > 0;
  show({ '#loading': false, '#first-visit': !some, '#more-actions': some, '#list': some, '#older': more && limit < 100 });
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
  } catch (error) { say('#problem', `${describe(error)} Trying again…`); }
  timer = setTimeout(look, active ? BUSY : CALM);
}

document.querySelectorAll('button[data-demo]').forEach((button) => onClick(button, async () => {
  location.assign(`/jobs/${encodeURIComponent((await post('/api/jobs', DEMO)).id)}`);
}));
$('#older').addEventListener('click', () => { limit = Math.min(limit + 40, 100); look(); });
document.addEventListener('visibilitychange', look);
look();
