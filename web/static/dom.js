// @ts-check
// The few DOM helpers. Text enters the page by textContent only: nothing here parses HTML.

/** @param {string} selector @param {ParentNode} [root] @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);

/** An element with attributes and children; strings become text, null and false leave an attribute out.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node|string)} children @returns {any} */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children);
  return element;
}

/** Writes text, only if it changed: what has not changed is not announced again. @param {Element} element @param {string} text */
export const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };

/** Writes the `data-field` slots under root. @param {ParentNode} root @param {Record<string, string>} values */
export function fill(root, values) {
  for (const [name, text] of Object.entries(values)) {
    root.querySelectorAll(`[data-field="${name}"]`).forEach((slot) => write(slot, text));
  }
}

/** Shows or hides parts of the page. @param {Record<string, any>} parts selector -> visible */
export const show = (parts) => Object.entries(parts).forEach(([selector, visible]) => { $(selector).hidden = !visible; });

/** Shows a sentence in a box, or hides the box when there is none. @param {string} selector @param {string} [text] */
export function say(selector, text = '') {
  show({ [selector]: text });
  write($(selector), text);
}

/** A table; a head that starts with "#" is of numbers. @param {HTMLTableElement} table @param {string[]} heads @param {(string|Node)[][]} rows */
export function fillTable(table, heads, rows) {
  const look = heads.map((head) => ({ class: head.startsWith('#') ? 'number' : null }));
  const head = heads.map((text, i) => h('th', { scope: 'col', ...look[i] }, text.replace(/^#/, '')));
  const body = rows.map((cells) => h('tr', {}, ...cells.map((cell, i) => (
    i ? h('td', look[i], cell) : h('th', { scope: 'row', ...look[i] }, cell)))));
  table.replaceChildren(h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body));
}

/** Options of a select; the choice is kept if it can be. @param {HTMLSelectElement} select @param {[string, string, boolean?][]} options */
export function fillSelect(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text, disabled]) => h('option', { value, disabled }, text)));
  if (options.some(([value, , disabled]) => value === before && !disabled)) select.value = before;
}
