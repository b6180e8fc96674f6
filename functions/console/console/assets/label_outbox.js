// Answers on their way to the service: in order, one at a time, each sent until it is taken or refused for good.
// What an answer says is settled when it is posted, so that no retry says anything else.

import { closingGuard } from './dom.js';
import { backoff, mayPass } from './waiting.js';

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Make an outbox.
 * @param {Object} options
 * @param {(entry: Object) => Promise<Object>} options.send sends what was posted; throws an ApiError.
 * @param {(entry: Object, error: ?Error) => void} options.settled is told once of each: taken (null), or refused for good.
 * @param {() => void} options.changed is told when something is posted, sent, or has to wait.
 */
export function createOutbox({ send, settled, changed }) {
  const entries = []; // the first is the one being sent
  let isSending = false;
  let timer = null;
  let trouble = null; // why the first entry waits, if it does
  const guard = closingGuard();

  async function run() {
    if (isSending || !entries.length) return;
    clearTimeout(timer);
    timer = null;
    isSending = true;
    const [entry] = entries;
    entry.tries += 1;
    let error = null;
    try {
      await send(entry);
    } catch (caught) {
      error = caught;
    }
    isSending = false;
    if (error && (mayPass(error) || error.status === 403)) wait(entry, error);
    else done(error);
    changed();
  }

  /** Keep the entry; a key that is wanted comes from the user alone, all else may pass by itself. */
  function wait(entry, error) {
    trouble = error;
    if (error.status === 403) return;
    const told = Math.min((error.retryAfter ?? 0) * 1000, LONGEST_WAIT_MS);
    timer = setTimeout(run, Math.max(backoff(entry.tries, FIRST_WAIT_MS, LONGEST_WAIT_MS), told));
  }

  function done(error) {
    trouble = null;
    const entry = entries.shift();
    guard(entries.length > 0);
    settled(entry, error);
    run();
  }

  return {
    /** Send this, too, after all that was posted before. */
    post(entry) {
      entries.push({ ...entry, tries: 0 });
      guard(true);
      if (!timer && !trouble) run();
      changed();
    },
    /** Take an entry out that was never sent; false if it may have reached the service. */
    withdraw(matches) {
      const index = entries.findIndex((entry) => entry.tries === 0 && matches(entry));
      if (index < 0) return false;
      entries.splice(index, 1);
      guard(entries.length > 0);
      changed();
      return true;
    },
    /** Try now what waits. */
    retry: run,
    has: (matches) => entries.some(matches),
    get waiting() { return entries.length; },
    get trouble() { return trouble; },
  };
}
