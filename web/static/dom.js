// The few DOM helpers. Text enters the page by textContent only: nothing here parses HTML.
// The HTML says by attributes what stands where, and `fill` puts it there; the modules only compute.
import { describe, get, getAll } from './api.js';
import * as formats from './format.js';

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

/** Puts data where the HTML under root wants it. Paths are such as "progress.queries".
 * `data-field="path"` takes text, written by the format that `data-as` names; `data-none` stands where nothing is known.
 * `data-show="path"` is there only if the value is, `data-show="!path"` only if it is not. `data-set="href=/jobs/{path}"` is an attribute with values in it.
 * @param {Element} root @param {any} data */
export function fill(root, data) {
  const at = (path) => path.split('.').reduce((value, name) => value?.[name], data);
  const outside = root.hasAttribute('data-item') ? root : null; // the items of `each` are filled by themselves
  const parts = (wanted) => [...root.querySelectorAll(`[data-${wanted}]`)].filter((part) => part.closest('[data-item]') === outside);
  for (const part of parts('field')) {
    const { field, as = 'text', none = formats.DASH } = part.dataset;
    write(part, at(field) === undefined || at(field) === null ? none : formats[as](at(field)));
  }
  for (const part of parts('show')) part.hidden = Boolean(at(part.dataset.show.replace('!', ''))) === part.dataset.show.startsWith('!');
  for (const part of parts('set')) {
    const [, name, pattern] = part.dataset.set.match(/(.+?)=(.*)/);
    const safe = name === 'href' ? encodeURIComponent : String;
    part.setAttribute(name, pattern.replace(/\{([\w.]+)\}/g, (_, path) => safe(at(path) ?? '')));
  }
}

/** Repeats the template in a place, once an item; the element of an item that was there before stays.
 * @param {Element} place @param {any[]} items told apart by their id */
export function each(place, items) {
  const [template, ...before] = place.children;
  const after = items.map((item) => {
    const one = before.find(({ dataset }) => dataset.item === String(item.id)) ?? template.content.firstElementChild.cloneNode(true);
    one.dataset.item = item.id;
    fill(one, item);
    return one;
  });
  if (after.length !== before.length || after.some((one, i) => one !== before[i])) place.replaceChildren(template, ...after);
}

/** Shows or hides parts of the page. @param {Record<string, any>} parts selector -> visible */
export const show = (parts) => Object.entries(parts).forEach(([selector, visible]) => { $(selector).hidden = !visible; });

/** Shows a sentence in a box, or hides the box when there is none. @param {string} selector @param {string} [text] */
export function say(selector, text = '') {
  show({ [selector]: text });
  write($(selector), text);
}

/** Says that what the page is about is not there, in its place. @param {any} error */
export function sayMissing(error) {
  show({ article: false, '#missing': true });
  write($('#missing-message'), describe(error));
}

/** The list of a page, from the API. @param {string} path @param {(item: any) => any} view */
export async function drawList(path, view) {
  try {
    const items = await getAll(`${path}?limit=100`);
    each($('#list tbody'), items.map(view));
    show({ '#list': items.length, '#none': !items.length });
  } catch (error) { say('#problem', describe(error)); }
  show({ '#loading': false });
}

/** The one thing that a page is about, from the API. @param {string} path @param {(item: any) => void} draw */
export async function drawOne(path, draw) {
  try {
    draw(await get(path));
    show({ '#loading': false, '#body': true });
    $('article').removeAttribute('aria-busy');
  } catch (error) { sayMissing(error); }
}

/** What a button does: once at a time, after a "yes" in the dialog if there is one; a failure is said.
 * @param {any} button @param {() => Promise<void>} work @param {HTMLDialogElement|null} [dialog] */
export function onClick(button, work, dialog = null) {
  const act = () => {
    button.disabled = true;
    work().then(() => say('#problem'), (error) => say('#problem', describe(error))).finally(() => { button.disabled = false; });
  };
  button.addEventListener('click', () => (dialog ? dialog.showModal() : act()));
  dialog?.addEventListener('close', () => {
    const { returnValue } = dialog;
    dialog.returnValue = '';
    if (returnValue === 'yes') act();
  });
}

/** A table; a head that starts with "#" is of numbers. @param {HTMLTableElement} table @param {string[]} heads @param {(string|Node)[][]} rows */
export function fillTable(table, heads, rows) {
  const look = heads.map((head) => ({ class: head.startsWith('#') ? 'number' : null }));
  const head = heads.map((text, i) => h('th', { scope: 'col', ...look[i] }, text.replace(/^#/, '')));
  const body = rows.map((cells) => h('tr', {}, ...cells.map((cell, i) => (
    i ? h('td', look[i], cell) : h('th', { scope: 'row', ...look[i] }, cell)))));
  table.replaceChildren(h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body));
}
