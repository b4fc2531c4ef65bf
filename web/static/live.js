// Keeps a page fresh: the service writes it anew, and what has changed is put in. So a page looks
// the same however it came to be, and without a script it is readable as it is.
import { describe } from './api.js';
import { $, say } from './dom.js';

const AGAIN = 3000; // ms until the next look after one that failed

/** What a child is told apart by from its siblings. @param {any} node */
const key = (node) => node.id || node.dataset?.item || '';

/** Whether one can become the other. @param {any} old @param {any} next */
const alike = (old, next) => old.nodeName === next.nodeName && key(old) === key(next);

/** Makes an element what its newer version is. What stays the same is not touched: focus, scrolling, what was typed.
 * With `data-keep` it is a script's own and is left as it is. @param {any} old @param {any} next */
function morph(old, next) {
  if (next.hasAttribute('data-keep')) return;
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && name !== 'open') old.removeAttribute(name); // a reader opens details and dialogs
  morphChildren(old, next);
}

/** @param {Element} old @param {Element} next */
function morphChildren(old, next) {
  const keyed = new Map([...old.children].filter(key).map((child) => [key(child), child]));
  /** @type {any} */ let place = old.firstChild;
  for (const wanted of [...next.childNodes]) {
    const known = key(wanted) ? keyed.get(key(wanted)) : place;
    if (!known || !alike(known, wanted)) { old.insertBefore(wanted, place); continue; }
    if (known === place) place = place.nextSibling;
    else old.insertBefore(known, place);
    if (known instanceof Element) morph(known, wanted);
    else if (known.nodeValue !== wanted.nodeValue) known.nodeValue = wanted.nodeValue;
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

/** The page at an address, put in place of this one's content; the window tells it by the event "refreshed".
 * @param {string} [address] */
export async function refresh(address = location.href) {
  const answer = await fetch(address, { headers: { accept: 'text/html' } }).catch(() => null);
  if (!answer || answer.status >= 500) throw new Error('The service does not answer. Is it still running?'); // what is shown stays
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html'); // inert: no script of it runs
  next.querySelectorAll('noscript').forEach((part) => part.replaceChildren()); // to a parser without scripts they are parts of the page
  morph($('main'), next.querySelector('main'));
  document.title = next.title;
  dispatchEvent(new Event('refreshed'));
}

/** One refresh after the other; who asks while one is under way gets the next. @type {Promise<void>} */ let last = Promise.resolve();
/** @type {Promise<void>|null} */ let waiting = null;
let retry = 0;

/** @returns {Promise<void>} resolves when what is true now is shown; a failure is said, and tried again */
export function refreshed() {
  waiting ??= last = last.then(async () => {
    waiting = null;
    try {
      await refresh();
      say('#away');
    } catch (error) {
      say('#away', `${describe(error)} Trying again…`);
      clearTimeout(retry);
      retry = setTimeout(refreshed, AGAIN);
    }
  });
  return waiting;
}

/** Pages that say `data-refresh="2000"` on main are refreshed so often (ms), while they can be seen. */
let timer = 0;
function again() {
  clearTimeout(timer);
  const every = Number($('main').dataset.refresh);
  if (every && !document.hidden) timer = setTimeout(() => refreshed().then(again), every);
}
document.addEventListener('visibilitychange', () => (document.hidden ? clearTimeout(timer) : $('main').dataset.refresh && refreshed().then(again)));
again();
