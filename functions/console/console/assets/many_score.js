// Scoring a table's rows by batches. Every row gets an answer or an error of its own, in its place.

import { api, ApiError } from './api.js';
import { createRun } from './many_run.js';

const MOST_TEXTS = 100;
const MOST_BYTES = 900_000; // of a body; the service takes a little more
const encoder = new TextEncoder();

/** How many bytes a text is in a body, with what JSON adds. */
const bytesOf = (text) => encoder.encode(JSON.stringify(text)).length + 1;

/**
 * Make a scoring of a table, which waits for `run.go()`.
 * @param {Object} table as `tableOf` makes it.
 * @returns {{table: Object, answers: Array, done: number, labels: string[], versions: Map<string, number>, run: Object}}
 *   `answers`: by row, `{label, confidence, probabilities, version, id}` or `{error}`; undefined: not scored yet.
 */
export function createScoring(table) {
  const answers = new Array(table.rows.length);
  const scoring = { table, answers, done: 0, labels: [], versions: new Map() };
  let at = 0;

  function settle(index, answer) {
    if (answers[index]) return;
    answers[index] = answer;
    scoring.done += 1;
    if (answer.version) scoring.versions.set(answer.version, (scoring.versions.get(answer.version) ?? 0) + 1);
  }

  /** The next rows that fit in one request; those that cannot be sent get their error. */
  function next() {
    const batch = [];
    let bytes = 0;
    for (; at < answers.length && batch.length < MOST_TEXTS; at += 1) {
      const wrong = table.problemOf(at);
      const size = wrong ? 0 : bytesOf(table.textOf(at));
      if (wrong) settle(at, { error: wrong });
      else if (size > MOST_BYTES) settle(at, { error: 'The text is far too long to be sent; the limit is 10,000 characters.' });
      else if (bytes + size > MOST_BYTES) break;
      else {
        batch.push(at);
        bytes += size;
      }
    }
    return batch.length ? batch : null;
  }

  async function send(batch, signal) {
    const open = batch.filter((index) => !answers[index]);
    if (!open.length) return;
    let body;
    try {
      body = await api('v1/predict/batch', { method: 'POST', body: { texts: open.map(table.textOf) }, signal });
    } catch (error) {
      if (![400, 413, 422].includes(error.status)) throw error;
      await apart(open, error, signal);
      return;
    }
    if (body?.results?.length !== open.length) {
      throw new ApiError(502, { code: 'bad_answer', message: 'The service gave an answer that cannot be read.' });
    }
    body.results.forEach((result, place) => settle(open[place], answerOf(result)));
    if (!scoring.labels.length) scoring.labels = Object.keys(body.results.find((result) => result.probabilities)?.probabilities ?? {});
  }

  /** A request that is refused as a whole costs no row but the one that it is refused for. */
  async function apart(open, error, signal) {
    if (open.length === 1) {
      settle(open[0], { error: `${error.message}. ${error.hint}` });
      return;
    }
    const half = open.length >> 1;
    await send(open.slice(0, half), signal);
    await send(open.slice(half), signal);
  }

  scoring.run = createRun({ next, send });
  return scoring;
}

function answerOf({ error, label, confidence, probabilities, model_version: version, prediction_id: id }) {
  if (error) return { error: `${error.message.replace(/^texts\.\d+: /, '')}. ${error.hint}` };
  return { label, confidence, probabilities, version, id };
}
