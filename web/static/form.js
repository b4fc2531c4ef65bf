// Forms whose controls are named by the path of their value in the request, such as "task.baseline" or
// "options.base_url": reading and complaining are then the same for all of them.
import { describe } from './api.js';
import { h, say } from './dom.js';

/** The path of a control; `data-key` ends it where the last name is the user's own. @param {any} control @returns {string[]} */
const path = ({ name, dataset: { key } }) => [...name.split('.'), ...(key === undefined ? [] : [key])];
/** The controls that have something to send; `data-unsent` ones are of the page alone. @param {HTMLFormElement} form @returns {any[]} */
const named = (form) => [...form.elements].filter((/** @type {any} */ { name, dataset }) => name && !('unsent' in dataset));

/** What a control says; undefined: nothing, so that the service's own default holds. @param {any} control */
function read({ type, value, checked, defaultChecked, dataset }) {
  if (type === 'checkbox') return checked === defaultChecked ? undefined : checked;
  if (value.trim() === '') return undefined;
  if (type === 'number') return Number(value);
  try { return dataset.as === 'json' ? JSON.parse(value) : value; } catch { return value; } // the API says what it wants
}

/** The body of the request: what the visible controls say. @param {HTMLFormElement} form @returns {any} */
export function collect(form) {
  const body = Object.create(null); // no name that a user may give is special
  for (const control of named(form)) {
    const said = control.closest('form [hidden]') ? undefined : read(control);
    const names = path(control);
    const last = names.pop() ?? '';
    if (said !== undefined) names.reduce((place, name) => (place[name] ??= Object.create(null)), body)[last] = said;
  }
  return body;
}

/** Sends the form, once at a time. What the API refuses stands beside the field that it names, or else in the box that
 * `data-problem` names; nothing typed is lost. @param {HTMLFormElement} form @param {(body: any) => Promise<void>} send */
export function onSubmit(form, send) {
  const box = form.getAttribute('data-problem') ?? ''; // `form.dataset` may be a control of this name
  const fields = () => named(form).filter((one) => one.closest('.field'));

  /** @param {any} error */
  function complain(error) {
    const wanted = `${error.param}.`;
    const names = (/** @type {any} */ one) => `${path(one).join('.')}.`;
    const input = fields().find((one) => wanted.startsWith(names(one))) ?? fields().find((one) => names(one).startsWith(wanted));
    say(box, input ? '' : describe(error));
    if (!input) return;
    input.closest('.field').append(h('p', { class: 'field-error said', role: 'alert', id: 'said' }, error.message));
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-errormessage', 'said');
    if (input.closest('details')) input.closest('details').open = true;
    input.focus();
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (form.hasAttribute('aria-busy')) return;
    form.setAttribute('aria-busy', 'true');
    say(box);
    document.querySelectorAll('.said').forEach((old) => old.remove());
    fields().forEach((one) => one.removeAttribute('aria-invalid'));
    await send(collect(form)).catch(complain);
    form.removeAttribute('aria-busy');
  });
}
