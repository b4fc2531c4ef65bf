// @ts-check
// The public API over fetch. Every failure becomes an ApiError with a sentence to show.

/** The error envelope of the API, plus the status and the request id of the answer. */
export class ApiError extends Error {
  /** @param {{message: string, param?: string|null, code?: string|null}} error
   * @param {number} status @param {string|null} requestId */
  constructor(error, status, requestId) {
    super(error.message);
    this.param = error.param ?? null;
    this.code = error.code ?? null;
    this.status = status;
    this.requestId = requestId;
  }
}

/** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
async function call(path, init) {
  let answer;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new ApiError({ message: 'The service does not answer. Is it still running?' }, 0, null);
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const body = await answer.json().catch(() => null);
  const error = body?.error ?? { message: `The service answered ${answer.status} ${answer.statusText}`.trim() };
  throw new ApiError(error, answer.status, answer.headers.get('x-request-id'));
}

/** @param {string} path */
export const get = (path) => call(path);

/** @param {string} path @param {object} [body] */
export const post = (path, body = {}) => call(path, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
});

/** @param {string} path @param {FormData} form */
export const upload = (path, form) => call(path, { method: 'POST', body: form });

/** All pages of a list. @param {string} path @param {number} [limit] @returns {Promise<any[]>} */
export async function getAll(path, limit = 100) {
  const found = [];
  for (let after = ''; ;) {
    const page = await get(`${path}?limit=${limit}${after && `&after=${encodeURIComponent(after)}`}`);
    found.push(...page.data);
    if (!page.has_more || !page.data.length) return found;
    after = page.data.at(-1).id;
  }
}

/** The sentence to show: what the API said, the field it named, the request to ask about.
 * @param {unknown} error */
export function describe(error) {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const notes = [error.param && `field: ${error.param}`, error.requestId && `request ${error.requestId}`];
  const told = notes.filter(Boolean).join(', ');
  return told ? `${error.message} (${told})` : error.message;
}
