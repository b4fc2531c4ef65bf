// @ts-check
// The public API over fetch. Every failure becomes an ApiError with a sentence to show.

export class ApiError extends Error {
  /** @param {{message: string, param?: string|null}} error @param {number} [status] @param {string|null} [request] */
  constructor(error, status = 0, request = null) {
    super(error.message);
    this.param = error.param ?? null;
    this.status = status;
    this.request = request;
  }
}

/** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
async function call(path, init) {
  const answer = await fetch(path, init).catch(() => {
    throw new ApiError({ message: 'The service does not answer. Is it still running?' });
  });
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  const error = body?.error ?? { message: `The service answered with status ${answer.status}.` };
  throw new ApiError(error, answer.status, answer.headers.get('x-request-id'));
}

/** @param {string} path */
export const get = (path) => call(path);

/** @param {string} path @param {object} [body] a form is sent as multipart, everything else as JSON */
export const post = (path, body = {}) => call(path, body instanceof FormData ? { method: 'POST', body }
  : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** All pages of a list. @param {string} path @returns {Promise<any[]>} */
export async function getAll(path) {
  const found = [];
  for (let more = true; more;) {
    const page = await get(`${path}?limit=100${found.length ? `&after=${encodeURIComponent(found.at(-1).id)}` : ''}`);
    found.push(...page.data);
    more = page.has_more && page.data.length > 0;
  }
  return found;
}

/** The sentence to show: what the API said, the field it named, the request to ask about. @param {any} error */
export function describe(error) {
  const notes = [error.param && `field: ${error.param}`, error.request && `request ${error.request}`].filter(Boolean);
  return notes.length ? `${error.message} (${notes.join(', ')})` : String(error.message ?? error);
}
