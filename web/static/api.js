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

/** @param {string} path @param {object} [body] a form is sent as multipart, everything else as JSON */
export const post = (path, body = {}) => call(path, body instanceof FormData ? { method: 'POST', body }
  : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** All pages of a list. @param {string} path with a limit @param {string} [cursor] the field that `after` counts in @param {any} [after] @returns {Promise<any[]>} */
export async function getAll(path, cursor = 'id', after = null) {
  const page = await get(`${path}${after === null ? '' : `&after=${encodeURIComponent(after)}`}`);
  const more = page.has_more && page.data.length > 0;
  return more ? page.data.concat(await getAll(path, cursor, page.data.at(-1)[cursor])) : page.data;
}

/** The sentence to show: what the API said, the field it named, the request to ask about. @param {any} error */
export function describe(error) {
  const notes = [error.param && `field: ${error.param}`, error.request && `request ${error.request}`].filter(Boolean);
  return notes.length ? `${error.message} (${notes.join(', ')})` : String(error.message ?? error);
}
