// Rows with their right labels on their way to the service as feedback, each stored once however often it is sent.

import { api } from './api.js';
import { createRun } from './many_run.js';
import { rightOf } from './many_rows.js';

/**
 * Make a sending, which waits for `run.go()`.
 * @param {Object} scoring as `createScoring` makes it.
 * @param {number[]} rows those to send.
 */
export function createSending(scoring, rows) {
  const { table, answers, labels } = scoring;
  const sending = { rows, done: 0, errors: [], isOf };
  let at = 0;

  async function send(index, signal) {
    const { label, confidence, version, id } = answers[index];
    const right = rightOf(table, labels, index);
    const user = table.userOf(index) || undefined;
    const body = {
      text: table.textOf(index), correct_label: right, predicted_label: label, confidence, model_version: version, prediction_id: id, user,
    };
    // Of the prediction, so that a repeated request is the same one; of what is said, so that a changed mind is another.
    const headers = { 'idempotency-key': `${id}-${digest(`${right}\n${user}`)}` };
    try {
      await api('v1/feedback', { method: 'POST', body, headers, signal });
    } catch (error) {
      if (![400, 409, 413, 422].includes(error.status)) throw error;
      sending.errors.push({ index, error: `${error.message}. ${error.hint}` });
    }
    sending.done += 1;
  }

  function isOf(other, wanted) {
    return other === scoring && other.table === table && wanted.length === rows.length;
  }

  sending.run = createRun({ next: () => (at < rows.length ? rows[at++] : null), send });
  return sending;
}

/** A short digest (FNV-1a), which only has to tell a few labels and users of one prediction apart. */
function digest(text) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
