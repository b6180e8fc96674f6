// Whether the model still fits: every signal of the hourly checks against its threshold, the nearest to it first.

import { chart } from './charts.js';
import { el, exchange, replace, time } from './dom.js';
import { counted, fullDate, percent } from './format.js';
import { leadsTo, signalOf } from './watch_causes.js';
import { comparisons } from './watch_reference.js';
import { momentName, momentTicks } from './watch_scale.js';

const NEAR = 0.5; // part of the limit from which a signal is shown at once

/**
 * Make the signals' charts; they are made once a cause and show each list of checks anew.
 * @returns {{element: HTMLElement, show: (checks: {items: Object[]}, range: {from: Date, until: Date}) => void}}
 */
export function drift() {
  const charts = new Map();
  const about = el('p', { class: 'muted small' });
  const [near, calm] = [el('div', { class: 'watch-signals' }), el('div', { class: 'watch-signals' })];
  const calmTitle = el('summary');
  const calmRoom = el('details', { class: 'watch-calm' }, calmTitle, calm);
  const reference = comparisons();
  const element = el('div', { class: 'watch-drift' }, about, near, calmRoom, reference.element);

  const show = (checks, range) => {
    const items = [...checks.items].sort((one, other) => (one.at < other.at ? -1 : 1));
    const newest = items.at(-1);
    const left = checks.checks > items.length ? `, of which ${items.length} are shown` : '';
    replace(about, `${counted(checks.checks, 'check')} in this range${left}. `,
      'The newest looked ', time(newest.at), ' at ', el('code', {}, newest.champion), '. ',
      newest.cause ? `It found cause to retrain: ${newest.cause}.` : 'It found no cause to retrain.');
    const causes = causesOf(items, newest);
    for (const cause of causes) {
      if (!charts.has(cause)) charts.set(cause, signalChart(cause));
      charts.get(cause).show(items, newest, range);
    }
    const isNear = (cause) => nearness(newest.signals[cause]) >= NEAR;
    const [close, far] = [causes.filter(isNear), causes.filter((cause) => !isNear(cause))];
    const elements = (some) => some.map((cause) => charts.get(cause).element);
    // One that is moved loses the focus: `exchange` leaves them alone where their order stays, and gives it back.
    exchange(near, close.length ? elements(close) : [el('p', { class: 'empty' }, nothingNear(causes, newest))]);
    exchange(calm, elements(far));
    calmRoom.hidden = far.length === 0;
    calmTitle.textContent = `${counted(far.length, 'signal')} below half of ${far.length === 1 ? 'its limit' : 'their limits'}`;
    reference.show(checks.newest);
  };
  return { element, show };
}

const nothingNear = (causes, newest) => (causes.length
  ? 'No signal is near its limit: the texts are such as the model was made for, as far as the check can see.'
  : `No signal yet: the check of ${fullDate(newest.at)} had too few texts or requests to look at.`);

/** All causes that were looked at, those first whose value is nearest to its threshold, or most beyond it. */
function causesOf(items, newest) {
  const all = new Set(items.flatMap(({ signals }) => Object.keys(signals)));
  return [...all].sort((one, other) => nearness(newest.signals[other]) - nearness(newest.signals[one]) || one.localeCompare(other));
}

const nearness = (signal) => (signal ? signal.value / signal.threshold : -Infinity);

function signalChart(cause) {
  const { name, measures, format } = signalOf(cause);
  const state = el('span', { class: 'chip' });
  const note = el('span', {}, state, ' ', measures);
  const made = chart(name, { note, className: 'watch-signal', height: 120 });
  made.element.append(el('p', { class: 'muted small watch-leads' }, `Leads to: ${leadsTo(cause).toLowerCase()}`));

  const show = (items, newest, { from, until }) => {
    const last = items.findLast(({ signals }) => signals[cause])?.signals[cause];
    const verdict = verdictOf(newest, cause);
    state.className = `chip ${verdict.look}`;
    state.textContent = verdict.text;
    const end = Math.max(until, new Date(newest.at));
    const begin = Math.min(from, new Date(items[0].at));
    made.show({
      format,
      points: items.map(({ at }) => ({ name: momentName(at), place: (new Date(at) - begin) / Math.max(1, end - begin) })),
      ticks: (most) => momentTicks(begin, end, Math.min(most, 4)),
      pointTitle: 'Check',
      overall: 'The newest check',
      thresholds: [{ value: last.threshold, name: `limit ${format(last.threshold)}` }],
      series: [{
        name: 'Value', kind: 'line', className: 'chart-accent', look: 0,
        values: items.map(({ signals }) => signals[cause]?.value ?? null), overall: format(newest.signals[cause]?.value ?? null),
      }],
      summary: `${verdict.text}. ${newest.signals[cause] ? `It is ${format(newest.signals[cause].value)}, the limit is ${format(last.threshold)}.` : ''}`,
    });
  };
  return { element: made.element, show };
}

/** Where the newest value is. Beyond the limit is found only with evidence that it is not chance. */
function verdictOf({ signals, findings }, cause) {
  const signal = signals[cause];
  if (!signal) return { text: 'Not looked at by the newest check', look: '' };
  if (findings.some((each) => each.cause === cause)) return { text: '▲ Beyond its limit', look: 'bad' };
  if (signal.value >= signal.threshold) return { text: '△ Beyond its limit, may be chance', look: '' };
  return { text: `✓ At ${percent(Math.max(0, signal.value / signal.threshold), 0)} of its limit`, look: 'good' };
}
