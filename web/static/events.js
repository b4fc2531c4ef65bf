// The live events of one job: one EventSource at most, closed while the tab is hidden (a browser
// gives a host six connections), resumed after the last id; polling while the stream keeps failing.

const RETRY = 500; // ms, times the failures in a row
const POLL = 2000; // ms
const GIVE_UP = 3; // failures in a row before polling

/** @typedef {'live'|'reconnecting'|'polling'|'ended'} Connection */
/** `news` says that something happened; `poll` fetches what is new and says whether the job has ended.
 * @param {string} base address of the job
 * @param {{news: () => void, state: (state: Connection) => void, poll: () => Promise<boolean>}} handlers */
export function watch(base, { news, state, poll }) {
  /** @type {EventSource|null} */ let source = null;
  let [last, failures, timer, ended] = ['', 0, 0, false];

  const close = () => { clearTimeout(timer); source?.close(); };
  const receive = ({ type, lastEventId }) => { last = lastEventId || last; news(); if (type === 'done') end(); };
  const end = () => { ended = true; close(); state('ended'); };

  function open() {
    close();
    if (ended || document.hidden) return;
    source = new EventSource(`${base}/events${last && `?after=${encodeURIComponent(last)}`}`);
    source.onopen = () => { failures = 0; state('live'); };
    source.onerror = lost;
    for (const type of ['status', 'generation', 'result', 'done']) source.addEventListener(type, receive);
  }

  async function lost() {
    close();
    failures += 1;
    const polling = failures >= GIVE_UP;
    state(polling ? 'polling' : 'reconnecting');
    if (polling && await poll().catch(() => state('reconnecting'))) end();
    else timer = setTimeout(open, polling ? POLL : RETRY * failures);
  }

  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => { if (event.persisted) open(); });
  open();
}
