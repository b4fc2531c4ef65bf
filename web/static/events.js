// @ts-check
// The live events of one job: one EventSource at most, closed while the tab is hidden (a browser
// gives a host six connections), resumed after the last id; polling when the stream keeps failing.

const RETRY = 500; // ms, times the failures in a row
const POLL = 2000; // ms
const GIVE_UP = 3; // failures in a row before polling
const TRY_STREAM = 5; // polls between two tries of the stream

/** @typedef {'live'|'reconnecting'|'polling'|'ended'} Connection */
/** `news` says that something happened; `poll` fetches what is new and says whether the job has ended.
 * @param {string} base address of the job
 * @param {{news: () => void, state: (state: Connection) => void, poll: () => Promise<boolean>}} handlers */
export function watch(base, { news, state, poll }) {
  /** @type {EventSource|null} */ let source = null;
  let [last, failures, polls, timer, ended] = ['', 0, 0, 0, false];

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function end() {
    ended = true;
    close();
    state('ended');
  }

  function open() {
    close();
    if (ended || document.hidden) return;
    source = new EventSource(`${base}/events${last && `?after=${encodeURIComponent(last)}`}`);
    source.onopen = () => { failures = 0; state('live'); };
    source.onerror = lost;
    for (const type of ['status', 'generation', 'result', 'done']) source.addEventListener(type, receive);
  }

  /** @param {MessageEvent} message */
  function receive(message) {
    last = message.lastEventId || last;
    news();
    if (message.type === 'done') end();
  }

  function lost() {
    close();
    failures += 1;
    polls = 0;
    state(failures < GIVE_UP ? 'reconnecting' : 'polling');
    timer = failures < GIVE_UP ? setTimeout(open, RETRY * failures) : setTimeout(ask, 0);
  }

  async function ask() {
    try {
      if (await poll()) { end(); return; }
      state('polling');
    } catch { state('reconnecting'); }
    polls += 1;
    if (!document.hidden && !ended) timer = setTimeout(polls % TRY_STREAM ? ask : open, POLL);
  }

  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => { if (event.persisted) open(); });
  open();
}
