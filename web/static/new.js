// The form of a new job. A choice fetches the page for it; whatever is typed is estimated, and written as the lines that
// a program would send. The service renders all the rest.
import { post } from './api.js';
import { $, write } from './dom.js';
import { estimate } from './estimate.js';
import { collect, onSubmit } from './form.js';
import { refreshed } from './live.js';
import { curl, python } from './snippets.js';
import { setUpUpload } from './upload.js';

const PAUSE = 400; // ms from the last key to the estimate
const form = $('#form');
const choices = () => [...form.querySelectorAll('[data-choice]')];
let timer = 0;
let key = ''; // of what would be sent now: sent twice, it makes one job

/** Any text of our own; `crypto.randomUUID` is for https alone. */
const fresh = () => [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(16).padStart(8, '0')).join('');

/** What would be sent: what was changed. Label words are all sent if one is. */
function body() {
  const said = collect(form);
  const words = said.task?.verbalizer;
  for (const { dataset: { key: label } } of words ? $('#words').querySelectorAll('input') : []) words[label] ??= label;
  return said;
}

function changed() {
  const now = body();
  key = fresh();
  write($('#python'), python(now, location.origin));
  write($('#curl'), curl(now, location.origin, $('#code').hasAttribute('data-locked')));
  clearTimeout(timer);
  timer = setTimeout(() => estimate(now), PAUSE);
}

/** Fetches the page for what is chosen now. @param {string} name of what was chosen @param {string} value */
async function choose(name, value) {
  const address = new URL(location.href);
  for (const one of choices()) address.searchParams.set(one.id, one.value);
  address.searchParams.set(name, value);
  if (name === 'dataset' && $('#metric option').disabled) address.searchParams.set('metric', ''); // it was not chosen freely
  history.replaceState(null, '', address);
  await refreshed();
}

addEventListener('refreshed', () => {
  if (form.getAttribute('data-query') !== location.search.slice(1)) return; // the page of an earlier choice
  for (const option of form.querySelectorAll('[data-choice] option[selected]')) option.selected = true;
  changed();
});
form.addEventListener('input', (/** @type {any} */ { target }) => {
  if (target.form !== form) return; // of the upload
  if (target.matches('[data-choice]')) choose(target.id, target.value);
  else changed();
});
setUpUpload(({ id }) => choose('dataset', id));
onSubmit(form, async () => {
  const { id } = await post('/api/jobs', body(), { 'idempotency-key': key });
  location.assign(`/jobs/${encodeURIComponent(id)}`);
});
changed();
