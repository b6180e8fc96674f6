// What the hourly check looks at, in plain words; docs/watching.md says how each is measured.

import { milliseconds, number, percent } from './format.js';

const index = (value) => (value === null || value === undefined ? '–' : value.toFixed(2));
const points = (value) => (value === null || value === undefined ? '–' : percent(value));

const SIGNALS = {
  'stale-accuracy': ['Accuracy lost', 'how far the accuracy on reviewers’ labels fell', points],
  'stale-macro-f1': ['Lack of macro F1', 'how far macro F1 on reviewers’ labels is from 1', index],
  'stale-reports': ['Mistakes reported', 'accuracy lost, if people report as readily as they did', points],
  'drift-doubt': ['Sureness lost', 'how far the mean confidence fell', points],
  'drift-unseen': ['Unknown words', 'how far the share of words the model never saw rose', points],
  'drift-vocabulary': ['Choice of words', 'how far frequent words differ (Jensen-Shannon distance)', index],
  'drift-length': ['Length of texts', 'how far lengths differ (population stability index)', index],
  'drift-confidence': ['Spread of confidence', 'how far confidences differ (population stability index)', index],
  'drift-score': ['Spread of scores', 'how far scores differ (population stability index)', index],
  'drift-labels': ['Mix of answers', 'largest change of a label’s share', points],
  'anomaly-length': ['Very long texts', 'rise of the share of very long texts', points],
  'anomaly-alphabet': ['Other alphabets', 'rise of the share of texts in unknown alphabets', points],
  'anomaly-repetition': ['Nearly equal texts', 'rise of the share of near-duplicates', points],
  errors: ['Failed requests', 'share of requests answered with an error of the service', points],
  latency: ['Slow answers', 'time that 95 % of predictions stay within', milliseconds],
  quarantine: ['Corrections set aside', 'share of new corrections in quarantine', points],
};
const LEADS_TO_RETRAIN = new Set([
  'stale-accuracy', 'stale-macro-f1', 'stale-reports', 'drift-doubt', 'drift-unseen', 'drift-vocabulary',
]);

/**
 * What a signal is called, what it measures, and how its values are written; one that is not known goes by its cause.
 * @returns {{name: string, measures: string, format: (value: number|null) => string}}
 */
export function signalOf(cause) {
  const [name, measures, format] = SIGNALS[cause] ?? [cause, 'a signal that this page does not know', number];
  return { name, measures, format };
}

/** What happens if a signal is found. */
export const leadsTo = (cause) => (LEADS_TO_RETRAIN.has(cause) ? 'An alert and a retrain' : 'An alert');
