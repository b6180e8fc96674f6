// Asking the service. Each request goes out with the keys of the session; one that is refused for want of a key waits
// until the user gives it.

import { ask, header, key, wanted } from './keys.js';
import { pause } from './waiting.js';

const PATIENCE_MS = 30_000;
const AGAIN_MS = 500;

/** What went wrong and what to do about it, as the service says it or, where it says nothing, as it looks from here. */
export class ApiError extends Error {
  constructor(status, { code, message, hint, request_id: requestId } = {}, retryAfter = null) {
    super(message ?? `the service answered with status ${status}`);
    this.status = status;
    this.code = code ?? 'unknown';
    this.hint = hint ?? 'Try again.';
    this.requestId = requestId ?? null;
    this.retryAfter = retryAfter;  // seconds, or null
  }
}

/**
 * Ask the service.
 * @param {string} path such as `v1/predict`, relative to the page.
 * @param {{method?: string, body?: Object, query?: Object, admin?: boolean, headers?: Object, signal?: AbortSignal, asks?: boolean}} options
 *   `admin`: send the admin key as well. `query`: null and undefined are left out. `asks`: false where a missing key is
 *   an error and not asked for.
 * @returns {Promise<Object>} the JSON that came.
 * @throws {ApiError} refused, or not reached. An abort by `signal` throws what the signal says.
 */
export async function api(path, options = {}) {
  for (;;) {
    const used = { api: key('api'), admin: options.admin ? key('admin') : '' };
    const answer = await reached(path, options, used);
    if (answer.ok) return answer.body;
    const error = new ApiError(answer.status, answer.body?.error, answer.retryAfter);
    const kind = error.status === 403 ? wanted(error) : null;
    if (kind === null || options.asks === false) throw error;
    const isOld = used[kind] !== key(kind);  // another request has asked meanwhile
    if (!isOld && !(await ask(kind, used[kind] !== ''))) throw error;
  }
}

/** A question that got no answer is asked once more: browsers give up what is under way when the network changes. */
async function reached(path, options, keys) {
  try {
    return await sent(path, options, keys);
  } catch (error) {
    if (error.code !== 'unreachable' || (options.method ?? 'GET') !== 'GET') throw error;
    await pause(AGAIN_MS, options.signal);
    return sent(path, options, keys);
  }
}

async function sent(path, { method = 'GET', body, query = {}, headers = {}, signal }, keys) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) address.searchParams.set(name, value);
  }
  const given = Object.entries(keys).filter(([, value]) => value).map(([kind, value]) => [header(kind), value]);
  const content = body === undefined ? {} : { 'content-type': 'application/json' };
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let response;
  let text;
  try {
    response = await fetch(address, {
      method,
      headers: { accept: 'application/json', ...content, ...headers, ...Object.fromEntries(given) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      credentials: 'omit',
      cache: 'no-store',
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, {
      code: patience.aborted ? 'too_late' : 'unreachable',
      message: patience.aborted ? 'The service took too long to answer.' : 'The service does not answer.',
      hint: 'Check your connection, then try again.',
    });
  }
  const retryAfter = Number(response.headers.get('retry-after')) || null;
  return { ok: response.ok, status: response.status, body: parsed(text), retryAfter };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
