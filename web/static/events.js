// The live events of one job: one EventSource at most, closed while the tab is hidden, resumed after the last id;
// polling while the stream keeps failing. A browser gives a host six connections, so that a seventh stream would make
// every other request wait for ever: all tabs together hold a few at most, and the other tabs poll.

const RETRY = 500; // ms, times the failures in a row
const POLL = 2000; // ms
const GIVE_UP = 3; // failures in a row before polling
const STREAMS = 4; // in all tabs

/** @returns {Promise<(() => void)|null>} lets go of the right to one stream; null: other tabs hold them all */
async function right() {
  if (!navigator.locks) return () => {}; // http from another machine: tabs cannot know of each other
  for (let number = 0; number < STREAMS; number += 1) {
    const release = await new Promise((resolve) => {
      navigator.locks.request(`stream ${number}`, { ifAvailable: true }, (lock) => (lock ? new Promise(resolve) : resolve(null)));
    });
    if (release) return release;
  }
  return null;
}

/** @typedef {'live'|'reconnecting'|'polling'|'ended'} Connection */
/** `after` is the id of the last event that is known already; `news` says that something happened; `poll` fetches what is new and says whether the job has ended.
 * @param {string} base address of the job
 * @param {{after?: string, news: () => void, state: (state: Connection) => void, poll: () => Promise<boolean>}} handlers */
export function watch(base, { after = '', news, state, poll }) {
  /** @type {EventSource|null} */ let source = null;
  /** @type {(() => void)|null} */ let release = null;
  let [last, failures, timer, ended, turn] = [after, 0, 0, false, 0]; // who awaited something goes on only if it is still his turn

  const close = () => { turn += 1; clearTimeout(timer); source?.close(); release?.(); [source, release] = [null, null]; };
  const receive = (/** @type {MessageEvent} */ { type, lastEventId }) => { last = lastEventId || last; news(); if (type === 'done') end(); };
  const end = () => { ended = true; close(); state('ended'); };

  async function open() {
    close();
    if (ended || document.hidden) return;
    const mine = turn;
    const mayStream = await right();
    if (mine !== turn) { mayStream?.(); return; }
    if (!mayStream) { look('live'); return; }
    release = mayStream;
    source = new EventSource(`${base}/events${last && `?after=${encodeURIComponent(last)}`}`);
    source.onopen = () => { failures = 0; state('live'); };
    source.onerror = lost;
    for (const type of ['status', 'generation', 'result', 'done']) source.addEventListener(type, receive);
  }

  function lost() {
    close();
    failures += 1;
    if (failures >= GIVE_UP) { look('polling'); return; }
    state('reconnecting');
    timer = setTimeout(open, RETRY * failures);
  }

  /** @param {Connection} as what this is called, unless it fails */
  async function look(as) {
    const mine = turn;
    const over = await poll().then((over) => { state(as); return over; }, () => state('reconnecting'));
    if (mine !== turn) return;
    if (over) end();
    else timer = setTimeout(open, POLL);
  }

  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => { if (event.persisted) open(); });
  open();
}
