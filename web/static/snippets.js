// A job's body as the lines of Python and of a shell that send the same.

/** As Python writes it; its texts are JSON's. @param {any} value @param {string} [indent] @returns {string} */
function literal(value, indent = '    ') {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Number.isInteger(value) && value >= 10_000) return value.toLocaleString('en-US').replaceAll(',', '_');
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = `${indent}    `;
  const parts = Array.isArray(value) ? value.map((one) => literal(one, inner))
    : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const line = `${open}${parts.join(', ')}${close}`;
  return line.length < 30 ? line : `${open}\n${parts.map((part) => `${inner}${part},\n`).join('')}${indent}${close}`;
}

/** For `Client.tune`: what is not said is left to it. @param {any} body @param {string} origin of the service */
export function python(body, origin) {
  const { dataset, endpoint, method = {}, budget = {}, task = {}, ...others } = body;
  const { name, ...settings } = method;
  const { baseline, ...asked } = task;
  const walls = Object.keys(budget).length === 1 && budget.queries ? budget.queries : budget;
  const named = { endpoint, method: name, baseline, task: Object.keys(asked).length ? asked : undefined, budget: walls, ...settings, ...others };
  const lines = Object.entries(named).filter(([, value]) => value !== undefined).map(([key, value]) => `    ${key}=${literal(value)},\n`);
  return `from gradless import Client\n\nclient = Client(${JSON.stringify(origin)})\njob = client.tune(\n    ${literal(dataset ?? '')},\n${lines.join('')})\nprint(job.wait().result.message)\n`;
}

/** @param {any} body @param {string} origin @param {boolean} locked the service wants a key */
export function curl(body, origin, locked) {
  const key = locked ? ['-H "authorization: Bearer $GRADLESS_API_KEY"'] : [];
  const data = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return [`curl -s ${origin}/api/jobs`, ...key, "-H 'content-type: application/json'", `-d '${data}'`].join(' \\\n  ');
}
