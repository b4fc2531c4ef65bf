// @ts-check
// The few DOM helpers. Text enters the page by textContent only: nothing here parses HTML.

/** @param {string} selector @param {ParentNode} [root] @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);

/** An element with attributes and children (strings become text).
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node|string)} children
 * @returns {any} */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children);
  return element;
}

/** Writes values into the `data-field` slots under root; only what changed touches the page.
 * @param {ParentNode} root @param {Record<string, string>} values */
export function fill(root, values) {
  for (const [name, text] of Object.entries(values)) {
    for (const slot of root.querySelectorAll(`[data-field="${name}"]`)) {
      if (slot.textContent !== text) slot.textContent = text;
    }
  }
}

/** @param {string} selector @param {boolean} [visible] */
export function show(selector, visible = true) {
  const element = $(selector);
  if (element) element.hidden = !visible;
}

/** Shows a sentence in a box, or hides the box when there is none. @param {string} selector @param {string} [text] */
export function say(selector, text = '') {
  const box = $(selector);
  box.hidden = !text;
  if (box.textContent !== text) box.textContent = text;
}

/** A table: heads are texts (a leading "#" means numbers), cells are texts or nodes.
 * @param {HTMLTableElement} table @param {string[]} heads @param {(string|Node)[][]} rows */
export function fillTable(table, heads, rows) {
  const kind = (/** @type {number} */ i) => (heads[i].startsWith('#') ? 'number' : null);
  const head = heads.map((text, i) => h('th', { scope: 'col', class: kind(i) }, text.replace(/^#/, '')));
  const body = rows.map((cells) => h('tr', {}, ...cells.map((cell, i) => (
    i === 0 ? h('th', { scope: 'row', class: kind(i) }, cell) : h('td', { class: kind(i) }, cell)))));
  table.replaceChildren(h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body));
}

/** Options of a select. @param {HTMLSelectElement} select @param {[string, string, boolean?][]} options */
export function fillSelect(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text, disabled]) => h('option', { value, disabled: disabled || null }, text)));
  if (options.some(([value, , disabled]) => value === before && !disabled)) select.value = before;
}

/** A status as a colored pill. @param {HTMLElement} pill @param {string} status */
export function paint(pill, status) {
  pill.hidden = false;
  pill.dataset.status = status;
  if (pill.textContent !== status) pill.textContent = status;
}
