// Buttons that copy: `<button data-copy="#lines">` puts the text of that element on the clipboard.
import { $ } from './dom.js';

const AGAIN = 2000; // ms until the button says its own name again

document.addEventListener('click', async ({ target }) => {
  const button = target instanceof Element ? target.closest('button[data-copy]') : null;
  if (!(button instanceof HTMLElement)) return;
  const [lines, name] = [$(button.dataset.copy ?? ''), button.dataset.name ??= button.textContent ?? ''];
  getSelection()?.selectAllChildren(lines); // where the clipboard is not ours to write (no https), keys copy it
  const done = await navigator.clipboard?.writeText(lines.textContent).then(() => true, () => false);
  button.textContent = done ? 'Copied' : 'Selected: copy it with the keyboard';
  setTimeout(() => { button.textContent = name; }, AGAIN);
});
