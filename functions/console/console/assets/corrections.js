// The corrections of this session: sent once each, remembered in the tab, and followed until the model has learned them.

import { api } from './api.js';

const KEPT = 'sentiloop.try.corrections';
const MOST = 50;
const ASKED_AGAIN = 10;  // the newest, whose answers are looked at anew when the version has changed
const LOOKED_AT = 20;  // receipts in one round
const AT_ONCE = 4;
const OPEN = ['stored', 'in_snapshot'];

/**
 * Keep this session's corrections.
 * @param {() => void} changed is called after every change of `entries`.
 */
export function corrections(changed) {
  let entries = kept();
  let failure = null;  // of the last look at the receipts
  const closing = new AbortController();
  const { signal } = closing;

  function put(key, part) {
    entries = entries.map((entry) => (entry.key === key ? { ...entry, ...part } : entry));
    save();
  }

  function save() {
    entries = entries.slice(0, MOST);
    keep(entries);
    changed();
  }

  /** Send one, or send it again: its key makes that safe, for the service stores a key once. */
  async function send(key) {
    const entry = entries.find((each) => each.key === key);
    if (!entry || entry.isSending) return null;
    put(key, { isSending: true, failure: null });
    try {
      const receipt = await api('v1/feedback', { method: 'POST', body: entry.body, headers: { 'idempotency-key': key } });
      put(key, { ...receipt, isSending: false });
    } catch (error) {
      const { message, hint, code, status, requestId } = error;
      put(key, { isSending: false, failure: { message, hint, code, status, requestId } });
    }
    return entries.find((each) => each.key === key) ?? null;
  }

  /** Note what somebody says of an answer, and send it. Said before of the same answer, it is not sent anew. */
  function say(text, answer, label, user) {
    const before = entries.find(({ body }) =>
      body.text === text && body.correct_label === label && body.model_version === answer.model_version);
    if (before) return before.id ? Promise.resolve({ ...before, isRepeated: true }) : send(before.key);
    const body = {
      text, correct_label: label, predicted_label: answer.label, confidence: answer.confidence,
      model_version: answer.model_version, prediction_id: answer.prediction_id, ...(user ? { user } : {}),
    };
    const key = fresh();
    entries = [{ key, body, labels: Object.keys(answer.probabilities), said_at: new Date().toISOString(), status: 'unsent' }, ...entries];
    save();
    return send(key);
  }

  function discard(key) {
    entries = entries.filter((entry) => entry.key !== key);
    save();
  }

  /** Ask what became of them. @param {boolean} all those whose fate is settled too. */
  async function look(all = false) {
    const wanted = entries.filter(({ id, status }) => id && (all || OPEN.includes(status))).slice(0, all ? MOST : LOOKED_AT);
    try {
      await inTurns(wanted, async ({ key, id }) => put(key, await fate(id, signal)));
      failure = null;
    } catch (error) {
      if (error.name === 'AbortError') return;
      failure = error;
    }
    changed();
  }

  /** Ask the model of now about the newest ones that it has not been asked about yet. */
  async function askAgain(version) {
    const outdated = ({ id, body, now }) => id && (now?.version ?? body.model_version) !== version;
    const wanted = entries.slice(0, ASKED_AGAIN).filter(outdated);
    if (!wanted.length) return;
    try {
      const texts = wanted.map(({ body }) => body.text);
      const { results } = await api('v1/predict/batch', { method: 'POST', body: { texts }, signal });
      results.forEach(({ label, confidence, model_version }, place) => {
        if (label) put(wanted[place].key, { now: { label, confidence, version: model_version } });
      });
    } catch (error) {
      if (error.name === 'AbortError') return;
      failure = error;
      changed();
    }
  }

  return {
    get entries() { return entries; },
    get failure() { return failure; },
    get open() { return entries.some(({ id, status }) => id && OPEN.includes(status)); },
    say, send, discard, look, askAgain,
    close: () => closing.abort(),
  };
}

/** What became of one; the service may know nothing of it any more, and the others are to be asked about all the same. */
async function fate(id, signal) {
  try {
    return await api(`v1/feedback/${encodeURIComponent(id)}`, { signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    return { status: 'unknown' };
  }
}

async function inTurns(items, action) {
  const left = [...items];
  const worker = async () => {
    while (left.length) await action(left.shift());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** A new Idempotency-Key; `randomUUID` is missing where the page came over plain HTTP. */
function fresh() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function kept() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
    // One that was on its way when the page went may have arrived: sent again with its key, it is stored once.
    return found.map((entry) => (entry.id || entry.failure ? entry : { ...entry, isSending: false, failure: LOST }));
  } catch {
    return [];
  }
}

const LOST = { code: 'lost', message: 'the page was closed before an answer came', hint: 'Send it again: it is stored once.' };

/** Keep as many as the tab's storage takes, the newest. */
function keep(entries) {
  for (let count = entries.length; ; count = Math.floor(count / 2)) {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(entries.slice(0, count)));
      return;
    } catch {
      if (count === 0) return;
    }
  }
}
