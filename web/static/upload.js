// The box that uploads a dataset. What was read of it, the page that it leads to shows.
import { post } from './api.js';
import { $, show, write } from './dom.js';
import { onSubmit } from './form.js';

/** @param {(dataset: any) => void} done called with what the API made of the file */
export function setUpUpload(done) {
  const [picker, hint] = [$('#file'), $('#file-hint')];
  /** @type {File|undefined} */ let file;

  onSubmit($('#upload'), async (options) => {
    if (!file) return;
    const body = new FormData();
    Object.entries({ file, ...options }).forEach(([name, value]) => body.append(name, value));
    write(hint, `Reading ${file.name}…`);
    const dataset = await post('/api/datasets', body).catch((error) => {
      write(hint, `${file?.name} was not taken`);
      show({ '#upload-again': true });
      throw error;
    });
    write(hint, `${file.name}: ${dataset.n_rows.toLocaleString('en-US')} rows read, kept as ${dataset.id}`);
    show({ '#upload-again': false });
    done(dataset);
  });
  picker.addEventListener('change', () => { // picked, or dropped: the input covers the whole box
    [file] = picker.files;
    if (file) $('#upload').requestSubmit();
    picker.value = '';
  });
}
