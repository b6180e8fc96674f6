// Charts of what was asked and answered in a time, from v1/metrics/history.

import { chart } from './charts.js';
import { el } from './dom.js';
import { labelClass, milliseconds, number, percent } from './format.js';
import { bucketName, bucketTicks } from './watch_scale.js';

const PERCENT_TICKS = [0, 0.25, 0.5, 0.75, 1];
const wholePercent = (value) => percent(value, 0);
const whole = (value) => (value === null ? '–' : number(value));

/**
 * Make the charts; they are made once and show each history anew.
 * @returns {{element: HTMLElement, show: (history: Object, labels: string[]) => void}} `labels`: in the model's order.
 */
export function traffic() {
  const made = CHARTS.map(([title, note, dataOf]) => ({ ...chart(title, { note }), dataOf }));
  const show = (history, labels) => {
    const unit = history.bucket_seconds >= 86_400 ? 'day' : 'hour';
    const starts = history.buckets.map(({ start }) => start);
    const base = {
      points: starts.map((start) => ({ name: bucketName(start, unit) })),
      ticks: (most) => bucketTicks(starts, unit, most),
      pointTitle: unit === 'day' ? 'Day' : 'Hour',
      overall: 'The whole range',
    };
    for (const { show: draw, dataOf } of made) draw({ ...base, ...dataOf(history, labels) });
  };
  return { element: el('div', { class: 'watch-charts' }, made.map(({ element }) => element)), show };
}

const column = (history, value) => history.buckets.map((bucket) => value(bucket) ?? null);
const peak = (history, value) => Math.max(0, ...column(history, value).filter((each) => each !== null));

function volume(history) {
  const { totals } = history;
  const series = (name, key, kind, className, look) =>
    ({ name, kind, className, look, values: column(history, (bucket) => bucket[key]), overall: whole(totals[key]) });
  return {
    format: whole,
    isCount: true,
    series: [
      series('Errors', 'errors', 'bar', 'chart-bad', 0),
      series('Requests', 'requests', 'line', 'chart-accent', 0),
      series('Predictions', 'predictions', 'line', 'label-other-1', 1),
    ],
    summary: `${whole(totals.requests)} requests and ${whole(totals.predictions)} predictions, `
      + `at most ${whole(peak(history, (bucket) => bucket.requests))} requests in one part; ${whole(totals.errors)} requests failed.`,
  };
}

function latency(history) {
  const of = history.totals.latency_ms;
  return {
    format: milliseconds,
    series: [['p50', 'label-other-3'], ['p95', 'chart-accent'], ['p99', 'label-other-2']].map(([name, className], look) => ({
      name, className, look, kind: 'line', values: column(history, (bucket) => bucket.latency_ms[name]), overall: milliseconds(of[name]),
    })),
    summary: `Half of the predictions took up to ${milliseconds(of.p50)}, 95 % up to ${milliseconds(of.p95)}, 99 % up to ${milliseconds(of.p99)}.`,
  };
}

function mix(history, labels) {
  const names = [...labels, ...Object.keys(history.totals.labels).filter((label) => !labels.includes(label))];
  const shareOf = (figures, label) => (figures.predictions ? (figures.labels[label] ?? 0) / figures.predictions : null);
  return {
    format: percent,
    axisFormat: wholePercent,
    valueTicks: PERCENT_TICKS,
    series: names.map((label, at) => ({
      name: label, kind: 'stack', className: labelClass(label, names), look: at,
      values: column(history, (bucket) => shareOf(bucket, label)), overall: percent(shareOf(history.totals, label)),
    })),
    summary: `Of all answers ${names.map((label) => `${percent(shareOf(history.totals, label), 0)} ${label}`).join(', ')}.`,
  };
}

function sureness(history) {
  const { totals } = history;
  return {
    format: percent,
    axisFormat: wholePercent,
    valueTicks: PERCENT_TICKS,
    series: [
      {
        name: 'Mean confidence', kind: 'line', className: 'chart-accent', look: 0,
        values: column(history, (bucket) => bucket.mean_confidence), overall: percent(totals.mean_confidence),
      },
      {
        name: 'In doubt', kind: 'line', className: 'label-other-2', look: 1,
        values: column(history, (bucket) => bucket.low_confidence), overall: percent(totals.low_confidence),
      },
    ],
    summary: `The mean confidence is ${percent(totals.mean_confidence)}; `
      + `${percent(totals.low_confidence)} of the answers are below the threshold of doubt.`,
  };
}

function histogram({ totals }) {
  const counts = totals.confidence;
  const edge = (at) => percent(at / counts.length, 0);
  const modal = counts.indexOf(Math.max(...counts));
  return {
    format: whole,
    isCount: true,
    points: counts.map((_, at) => ({ name: `${edge(at)} to ${edge(at + 1)}` })),
    ticks: () => PERCENT_TICKS.map((place) => ({ place, text: wholePercent(place) })),
    pointTitle: 'Confidence',
    series: [{ name: 'Answers', kind: 'bar', className: 'chart-accent', look: 0, values: counts, overall: whole(totals.predictions) }],
    summary: `Most answers, ${whole(counts[modal])} of ${whole(totals.predictions)}, have a confidence from ${edge(modal)} to ${edge(modal + 1)}.`,
  };
}

function feedback(history) {
  const { totals } = history;
  const series = (name, key, className, look) =>
    ({ name, kind: 'stack', className, look, values: column(history, (bucket) => bucket.feedback[key]), overall: whole(totals.feedback[key]) });
  return {
    format: whole,
    isCount: true,
    series: [series('Mistakes', 'mistakes', 'chart-bad', 0), series('Confirmed', 'confirmed', 'label-positive', 1)],
    summary: `${whole(totals.feedback.mistakes)} answers were called wrong, and ${whole(totals.feedback.confirmed)} right.`,
  };
}

/** Title, note, and what makes the chart's data. */
const CHARTS = [
  ['Requests and predictions', 'and requests that failed', volume],
  ['Latency', 'of predictions, as the service measures it', latency],
  ['Answers by label', 'share of each label', mix],
  ['Confidence over time', 'and the share of answers in doubt', sureness],
  ['Distribution of confidence', 'answers in 20 steps', histogram],
  ['Feedback', 'what people said of answers', feedback],
];
