// The box that uploads a dataset; its own page then shows what was read.
import { setUpUpload } from './upload.js';

setUpUpload(({ id }) => location.assign(`/datasets/${encodeURIComponent(id)}`));
