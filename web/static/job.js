// Follows the job of its page: whatever happens, the service writes the page anew and live.js puts in what has changed.
import { $, say } from './dom.js';
import { watch } from './events.js';
import { refresh, refreshed } from './live.js';
import './try.js';

const PAUSE = 500; // ms from one look to the next, however fast events come
/** @type {Partial<Record<import('./events.js').Connection, string>>} */
const SAID = { reconnecting: 'Connection lost: reconnecting…', polling: 'No live connection: asking every 2 seconds instead.' };

const job = $('#job');
let [timer, looked] = [0, 0];
const hasEnded = () => !$('#job') || 'ended' in $('#job').dataset; // a job that is gone has nothing more to tell

function look() {
  timer ||= setTimeout(() => {
    [timer, looked] = [0, Date.now()];
    refreshed();
  }, Math.max(0, looked + PAUSE - Date.now()));
}

/** @param {import('./events.js').Connection} connection */
function state(connection) {
  const box = document.getElementById('connection');
  if (!box) return;
  box.dataset.state = connection;
  say('#connection', SAID[connection]);
}

if (!hasEnded()) {
  const poll = () => refresh().then(hasEnded);
  watch(`/api/jobs/${encodeURIComponent(job.dataset.job)}`, { after: job.dataset.after, news: look, poll, state });
}
