// Makes a key and shows it this once; copies what a button with `data-copy` names.
import { post } from './api.js';
import { $, show } from './dom.js';
import { onSubmit } from './form.js';
import { refreshed } from './live.js';

const form = $('#make-key');

if (form) {
  onSubmit(form, async (body) => {
    const { name, key } = await post('/api/keys', body);
    form.reset();
    $('#made-name').textContent = name;
    $('#made-key').textContent = key;
    show({ '#made': true });
    $('#made').focus();
    await refreshed();
  });
  addEventListener('pagehide', () => { // who comes back does not find it
    $('#made-key').textContent = '';
    show({ '#made': false });
  });
}
