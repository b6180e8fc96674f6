// The reviewer's session: the texts that wait, the answers given, and what can be taken back. It outlives the view, so
// that answers on their way arrive whatever the reviewer looks at meanwhile.

import { api } from './api.js';
import { createOutbox } from './label_outbox.js';

const PAGE = 20;
const MOST = 100; // that the service gives at once
const LOW = 5; // so few left here: ask for more in the background
const PROFIT_EVERY = 10; // answers

/**
 * @typedef {Object} Answer
 * @property {Object} item the sample, as the service gave it.
 * @property {?string} label null: skipped.
 * @property {'waiting'|'taken'|'refused'|'kept'} state `kept`: passed over without telling the service.
 */

/** Make a session. `listen(changed)` returns how to stop listening; `changed` is told what is new in a word. */
export function createSession() {
  const listeners = new Set();
  const tell = (what, detail) => listeners.forEach((listener) => listener(what, detail));
  const passedOver = new Set(); // decided by others, or left as they were: not shown again until asked for
  const settledAt = new Map(); // sample → tick of its latest answer that was taken
  let tick = 0;
  let asking = null; // the request for more: {controller, promise}
  const state = { queue: [], answers: [], left: null, profit: null, labelsSince: 0, error: null, note: null, reviewer: () => '' };
  const outbox = createOutbox({ send, settled, changed: () => tell('outbox') });

  function body(action, label) {
    const reviewer = state.reviewer();
    return { action, ...(action === 'correct' && { correct_label: label }), ...(reviewer && { reviewer }) };
  }

  /** Answer the text that stands first: a label, or null to skip it. */
  function answer(label) {
    const item = state.queue.shift();
    if (!item) return null;
    const action = label === null ? 'skip' : label === item.label ? 'accept' : 'correct';
    // The service keeps a label once given until another replaces it, and refuses a skip after it.
    const isKept = label === null && item.wasLabelled;
    const given = { item, label, state: isKept ? 'kept' : 'waiting' };
    state.answers.push(given);
    state.left = Math.max(0, state.left - 1);
    if (label !== null) state.labelsSince += 1;
    if (isKept) passedOver.add(item.sample_id);
    else outbox.post({ id: item.sample_id, body: body(action, label), given });
    tell('text', given);
    if (state.queue.length <= LOW && state.left > state.queue.length) fill();
    return given;
  }

  /** Take back the latest answer that can be; returns it, or null. */
  function undo() {
    const index = state.answers.findLastIndex((given) => given.state !== 'refused');
    if (index < 0) return null;
    const [given] = state.answers.splice(index, 1);
    const { item, label } = given;
    passedOver.delete(item.sample_id);
    if (given.state !== 'kept' && !outbox.withdraw((entry) => entry.given === given)) {
      outbox.post({ id: item.sample_id, body: body('undo'), undoes: given });
      item.wasLabelled ||= label !== null;
    }
    if (label !== null) state.labelsSince = Math.max(0, state.labelsSince - 1);
    state.queue.unshift(item);
    state.left += 1;
    tell('text', null);
    return given;
  }

  function settled({ id, given, undoes }, error) {
    if (!error) {
      tick += 1;
      settledAt.set(id, tick);
      if (given) given.state = 'taken';
    } else if (given) refused(given, error);
    else if (undoes) note(undoes, 'The answer could not be taken back.', error);
    const taken = state.answers.filter((each) => each.state === 'taken').length;
    const isDry = !state.queue.length && !outbox.waiting && !state.error; // after an error the reviewer says when
    if (isDry || (!error && given && taken % PROFIT_EVERY === 0)) fill();
  }

  /** Somebody else has decided it, or it is gone: pass it over. Anything else is shown again, since it has no answer. */
  function refused(given, error) {
    given.state = 'refused';
    const { item, label } = given;
    const wasUndone = outbox.withdraw((entry) => entry.undoes === given); // or it would undo another's answer
    if (label !== null && !wasUndone) state.labelsSince = Math.max(0, state.labelsSince - 1);
    if ([404, 409].includes(error.status)) {
      if (!wasUndone) passedOver.add(item.sample_id);
      note(given, error.status === 409 ? 'It was answered before, and otherwise: your answer was not taken.' : 'It is gone, and passed over.', error);
      return;
    }
    note(given, 'The answer was refused. The text comes again.', error);
    if (wasUndone) return;
    state.queue.splice(1, 0, item);
    state.left += 1;
    tell('text', null);
  }

  function note(given, message, error) {
    state.note = { text: given.item.text, message, why: error.message };
    tell('note');
  }

  /** Ask for more texts; of two calls at once the second waits for the first one's answer. */
  function fill() {
    if (asking) return asking.promise;
    const mine = { controller: new AbortController() };
    asking = mine;
    mine.promise = filled(mine.controller.signal).then(() => {
      if (asking !== mine) return;
      asking = null;
      tell('filled');
    });
    tell('asking');
    return mine.promise;
  }

  async function filled(signal) {
    const since = tick;
    const limit = Math.min(MOST, PAGE + state.queue.length + outbox.waiting);
    try {
      const found = await api('v1/review', { query: { limit }, admin: true, signal });
      if (!signal.aborted) take(found, since);
      state.error = null;
    } catch (error) {
      if (!signal.aborted) state.error = error;
    }
  }

  /** Add what is new; what was answered while the service looked may still be in what it found. */
  function take(found, since) {
    const held = new Set(state.queue.map((item) => item.sample_id));
    const isOver = ({ sample_id: id }) => !held.has(id)
      && (passedOver.has(id) || outbox.has((entry) => entry.id === id) || settledAt.get(id) > since);
    const over = found.items.filter(isOver).length;
    const listed = new Set(found.items.map((item) => item.sample_id));
    const undone = state.queue.filter(({ sample_id: id }) =>
      !listed.has(id) && outbox.has((entry) => entry.id === id && entry.undoes)).length;
    const wasEmpty = !state.queue.length;
    state.queue.push(...found.items.filter((item) => !held.has(item.sample_id) && !isOver(item)));
    state.left = Math.max(state.queue.length, found.left - over + undone);
    state.profit = found.profit ?? null;
    state.labelsSince = state.answers.filter((given) => given.label !== null && given.state === 'waiting').length;
    if (wasEmpty && state.queue.length) tell('text', null);
  }

  return {
    state, outbox, answer, undo, fill,
    /** Ask anew, for what was passed over as well. */
    lookAgain() {
      passedOver.clear();
      state.left = null; // until it is known
      return fill();
    },
    forgetNote() {
      state.note = null;
      tell('note');
    },
    get current() { return state.queue[0] ?? null; },
    get isAsking() { return asking !== null; },
    get answered() { return state.answers.filter((given) => ['waiting', 'taken'].includes(given.state)).length; },
    get canUndo() { return state.answers.some((given) => given.state !== 'refused'); },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Nobody looks: texts need not be asked for any more. Answers go on being sent. */
    stopAsking() {
      asking?.controller.abort();
      asking = null;
    },
  };
}

const send = ({ id, body }) => api(`v1/review/${encodeURIComponent(id)}`, { method: 'POST', body, admin: true });
