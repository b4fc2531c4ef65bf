// The public API over fetch. Every failure is an Error with a sentence to show, and what else the API said of it.

/** @param {{message: string, param?: string|null}} error @param {number} [status] @param {string|null} [request] */
const failure = ({ message, param = null }, status = 0, request = null) => Object.assign(new Error(message), { param, status, request });

/** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
async function call(path, init) {
  const answer = await fetch(path, init).catch(() => {
    throw failure({ message: 'The service does not answer. Is it still running?' });
  });
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  const error = body?.error ?? { message: `The service answered with status ${answer.status}.` };
  throw failure(error, answer.status, answer.headers.get('x-request-id'));
}

export const get = (/** @type {string} */ path) => call(path);
export const remove = (/** @type {string} */ path) => call(path, { method: 'DELETE' });

/** @param {string} path @param {object} [body] a form is sent as multipart, everything else as JSON @param {Record<string, string>} [headers] more of them */
export const post = (path, body = {}, headers = {}) => call(path, body instanceof FormData ? { method: 'POST', headers, body }
  : { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });

/** The sentence to show: what the API said, the field it named, the request to ask about. @param {any} error */
export function describe(error) {
  const notes = [error.param && `field: ${error.param}`, error.request && `request ${error.request}`].filter(Boolean);
  return notes.length ? `${error.message} (${notes.join(', ')})` : String(error.message ?? error);
}
