// The list of datasets, and the box that uploads one more.
import { drawList } from './dom.js';
import { ago, count, counted } from './format.js';
import { drawCounts, setUpUpload } from './upload.js';

/** @param {any} dataset */
const view = ({ split_source: source, shots, seed, built_in: builtIn, ...rest }) => ({
  ...rest, answers: rest.labels.length ? count(rest.labels.length) : 'target texts', created: builtIn ? 'built in' : ago(rest.created_at),
  origin: source === 'given' ? 'given' : `drawn, ${counted(shots, 'shot')}, seed ${seed}`,
});

const list = () => drawList('/api/datasets', view);

list();
setUpUpload((dataset) => { drawCounts(dataset); list(); });
