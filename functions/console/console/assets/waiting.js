// Waiting: for a moment, until something holds, and how long before the same request is sent again.

/** Wait; an abort, where there is a signal, ends that with what the signal says. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/**
 * Look, and look again, until there is something.
 * @param {() => Promise<any>} look what it returns ends the waiting, unless it is null, false or undefined.
 * @param {Object} times
 * @param {(elapsed: number) => number} times.every milliseconds from one look to the next.
 * @param {number} times.longest milliseconds after which nobody looks any more; the first look is always taken.
 * @param {AbortSignal} signal
 * @returns {Promise<any>} what was found; null: nothing in that time.
 */
export async function until(look, { every, longest }, signal) {
  const began = Date.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    const elapsed = Date.now() - began;
    if (elapsed >= longest) return null;
    await pause(every(elapsed), signal);
  }
}

/** Whether the same request may be taken later: not reached, too many at once, or the service in trouble. */
export const mayPass = ({ status }) => status === 0 || status === 429 || status >= 500;

/** How long to wait before a try, in milliseconds: twice as long each time. @param {number} tries so far, from 1. */
export const backoff = (tries, first, longest) => Math.min(first * 2 ** (tries - 1), longest);
