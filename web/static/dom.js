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

/** Shows or hides parts of the page. @param {Record<string, any>} parts selector -> visible */
export const show = (parts) => Object.entries(parts).forEach(([selector, visible]) => { $(selector).hidden = !visible; });

/** Shows a sentence in a box, or hides the box when there is none. @param {string} selector @param {string} [text] */
export function say(selector, text = '') {
  show({ [selector]: text });
  write($(selector), text);
}
