// What buttons and forms ask of the API, said by the HTML alone:
// `data-post="/api/jobs/…/cancel"` (or `data-delete`) is where to, `data-body` JSON to send, `data-confirm` the id of a
// dialog that is answered with "yes" first, `data-then="/jobs/{id}"` the page to go to, with the answer's fields in it;
// without one the page is refreshed. A refusal stands in the box that `data-problem` names, or #problem.
import { describe, post, remove } from './api.js';
import { $, say } from './dom.js';
import { onSubmit } from './form.js';
import { refreshed } from './live.js';

/** Where to go after it, or the same page anew. @param {any} element @param {any} answer */
async function then({ dataset }, answer) {
  if (dataset.then) location.assign(dataset.then.replace(/\{(\w+)\}/g, (/** @type {string} */ _, /** @type {string} */ name) => encodeURIComponent(answer[name])));
  else await refreshed();
}

/** @param {any} button */
async function act(button) {
  const { dataset } = button;
  const box = dataset.problem ?? '#problem';
  button.disabled = true;
  try {
    const answer = dataset.delete ? await remove(dataset.delete) : await post(dataset.post, JSON.parse(dataset.body ?? '{}'));
    say(box);
    await then(button, answer);
  } catch (error) { say(box, describe(error)); }
  button.disabled = false;
}

document.addEventListener('click', ({ target }) => {
  const button = target instanceof Element ? target.closest('button[data-post], button[data-delete]') : null;
  if (!(button instanceof HTMLButtonElement)) return;
  const dialog = button.dataset.confirm ? document.getElementById(button.dataset.confirm) : null;
  if (!(dialog instanceof HTMLDialogElement)) { act(button); return; }
  dialog.returnValue = '';
  dialog.onclose = () => { if (dialog.returnValue === 'yes') act(button); }; // it stays: the event of an earlier closing may still be on its way
  dialog.showModal();
});

for (const form of document.querySelectorAll('form[data-post]')) {
  if (form instanceof HTMLFormElement) {
    onSubmit(form, async (body) => {
      const answer = await post(form.getAttribute('data-post') ?? '', body);
      form.reset();
      await then(form, answer);
    });
  }
}
