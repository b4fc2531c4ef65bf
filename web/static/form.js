// Forms whose controls are named by the path of their value in the request, such as "task.baseline" or
// "options.base_url": reading, filling and complaining are then the same for all of them.
import { describe } from './api.js';
import { h, say } from './dom.js';

/** The path of a control; `data-key` ends it where the last name is the user's own. @param {any} control @returns {string[]} */
const path = ({ name, dataset: { key } }) => [...name.split('.'), ...(key === undefined ? [] : [key])];
const named = (root) => [...(root.elements ?? root.querySelectorAll('input, select, textarea'))].filter(({ name }) => name);

/** What a control says; undefined: nothing, so that the service's own default holds. @param {any} control */
function read({ type, value, checked, defaultChecked, dataset }) {
  if (type === 'checkbox') return checked === defaultChecked ? undefined : checked;
  if (value.trim() === '') return undefined;
  if (type === 'number') return Number(value);
  try { return dataset.as === 'json' ? JSON.parse(value) : value; } catch { return value; } // the API says what it wants
}

/** The body of the request: what the visible controls say, or all of them. @param {HTMLFormElement} form @param {boolean} [all] @returns {any} */
export function collect(form, all = false) {
  const body = Object.create(null); // no name that a user may give is special
  for (const control of named(form)) {
    const said = !all && control.closest('form [hidden]') ? undefined : read(control);
    const names = path(control);
    const last = names.pop() ?? '';
    if (said !== undefined) names.reduce((place, name) => (place[name] ??= Object.create(null)), body)[last] = said;
  }
  return body;
}

/** Puts a body back into its controls; what equals `data-usual` is left out. @param {Element} root @param {any} body */
export function refill(root, body) {
  for (const control of named(root)) {
    const value = path(control).reduce((place, name) => place?.[name], body) ?? null;
    if (value === null || JSON.stringify(value) === control.dataset.usual) continue;
    if (control.type === 'checkbox') control.checked = value;
    else control.value = typeof value === 'object' ? JSON.stringify(value) : value;
  }
}

/** A control with its label, and a hint. @param {string} label @param {any} control @param {string} [hint] */
export const field = (label, control, hint = '') => h('div', { class: 'field' },
  h('label', { for: control.id }, label), control, ...(hint ? [h('p', { class: 'hint' }, hint)] : []));

/** Options of a select; the choice is kept if it can be. @param {any} select @param {[string, string, boolean?][]} options */
export function fillSelect(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text, disabled]) => h('option', { value, disabled }, text)));
  if (options.some(([value, , disabled]) => value === before && !disabled)) select.value = before;
}

/** Sends the form, once at a time. What the API refuses stands beside the field that it names, or else in the box that
 * `data-problem` names; nothing typed is lost. @param {HTMLFormElement} form @param {(body: any) => Promise<void>} send */
export function onSubmit(form, send) {
  const box = form.getAttribute('data-problem') ?? ''; // `form.dataset` may be a control of this name
  const fields = () => named(form).filter((one) => one.closest('.field'));

  /** @param {any} error */
  function complain(error) {
    const wanted = `${error.param}.`;
    const names = (one) => `${path(one).join('.')}.`;
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
