// What a time came to, in figures, each with a small line of how it went.

import { spark } from './charts.js';
import { el, replace } from './dom.js';
import { milliseconds, number, percent } from './format.js';

/** Name, figure of the whole, what stands below it, and the value of a bucket. */
const FIGURES = [
  ['Predictions', (totals) => number(totals.predictions), () => 'texts answered', (bucket) => bucket.predictions],
  ['Requests', (totals) => number(totals.requests), () => 'of all kinds', (bucket) => bucket.requests],
  ['Share of errors', (totals) => percent(errorShare(totals), 2), (totals) => `${number(totals.errors)} failed`, errorShare],
  ['Latency p95', (totals) => milliseconds(totals.latency_ms.p95), () => 'of predictions', (bucket) => bucket.latency_ms.p95],
  ['Mean confidence', (totals) => percent(totals.mean_confidence), (totals) => `${percent(totals.low_confidence)} in doubt`, (bucket) => bucket.mean_confidence],
  ['Mistakes', (totals) => number(totals.feedback.mistakes), () => 'reported', (bucket) => bucket.feedback.mistakes],
  ['Confirmed', (totals) => number(totals.feedback.confirmed), () => 'called right', (bucket) => bucket.feedback.confirmed],
];

/** Failed requests of all; null without requests. */
function errorShare({ errors, requests }) {
  return requests ? errors / requests : null;
}

/**
 * Make the figures; they are made once, so that a refresh changes no more than what they say.
 * @returns {{element: HTMLElement, show: (history: Object) => void}} `show` takes what v1/metrics/history says.
 */
export function figures() {
  const tiles = FIGURES.map(([name]) => {
    const [value, below, line] = [el('dd', { class: 'watch-figure number' }), el('dd', { class: 'muted small' }), el('dd', { class: 'watch-spark' })];
    return { value, below, line, element: el('div', { class: 'watch-tile' }, el('dt', {}, name), value, below, line) };
  });
  const show = ({ totals, buckets }) => FIGURES.forEach(([, whole, under, each], at) => {
    tiles[at].value.textContent = whole(totals);
    tiles[at].below.textContent = under(totals);
    replace(tiles[at].line, spark(buckets.map((bucket) => each(bucket) ?? null)));
  });
  return { element: el('dl', { class: 'watch-tiles' }, tiles.map(({ element }) => element)), show };
}
