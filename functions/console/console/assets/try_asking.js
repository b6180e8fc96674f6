// Asking while somebody types: one question at a time, and never an answer to a text that is no longer there.

import { api } from './api.js';
import { debounced } from './dom.js';

const PAUSE_MS = 250;

/**
 * Ask about a text once its writer pauses; a newer text makes the question before void.
 * @param {Object} tell
 * @param {(text: string) => void} tell.waiting the answer to this text is on its way.
 * @param {(text: string, answer: Object) => void} tell.answered
 * @param {(text: string, error: Error) => void} tell.failed
 * @returns {{ask: (text: string) => void, askNow: (text: string) => Promise<Object|null>, stop: () => void}}
 *   `askNow` does not pause; it gives the answer too, or null if there is none or a newer text made it void.
 */
export function asking({ waiting, answered, failed }) {
  let question = null;

  const later = debounced((text) => askNow(text), PAUSE_MS);

  function stop() {
    later.cancel();
    question?.abort();
    question = null;
  }

  function ask(text) {
    stop();
    waiting(text);
    later(text);
  }

  async function askNow(text) {
    stop();
    waiting(text);
    const mine = new AbortController();
    question = mine;
    try {
      const answer = await predict(text, mine.signal);
      if (question !== mine) return null;
      answered(text, answer);
      return answer;
    } catch (error) {
      if (question === mine) failed(text, error);
      return null;
    }
  }

  return { ask, askNow, stop };
}

/** Ask about one text, with the explanation. Most are half written: none is kept for labelling. */
export const predict = (text, signal) =>
  api('v1/predict', { method: 'POST', query: { explain: true, sample: false }, body: { text }, signal });
