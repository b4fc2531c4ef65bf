// A dataset's counts as a table, and the box that uploads one and shows at once what was read.
import { post } from './api.js';
import { $, each, show, write } from './dom.js';
import { onSubmit } from './form.js';
import { count } from './format.js';

/** Shows the rows per label and split. @param {any} dataset */
export function drawCounts({ labels, splits }) {
  const row = (label, of) => ({ label, ...Object.fromEntries(Object.entries(splits).map(([name, split]) => [name, of(split)])) });
  const rows = [...labels.map((label) => row(label, (split) => split.per_label[label] ?? 0)), row(labels.length ? 'All labels' : 'All rows', (split) => split.rows)];
  each($('#preview tbody'), rows.map((one, id) => ({ ...one, id })));
  show({ '#preview': true });
}

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
      write(hint, `${file.name} was not taken`);
      show({ '#upload-again': true });
      throw error;
    });
    write(hint, `${file.name}: ${count(dataset.n_rows)} rows read, kept as ${dataset.id}`);
    show({ '#upload-again': false });
    done(dataset);
  });
  picker.addEventListener('change', () => { // picked, or dropped: the input covers the whole box
    [file] = picker.files;
    if (file) $('#upload').requestSubmit();
    picker.value = '';
  });
}
