// The time that is looked at: a named one up to now, or one from and until given times. The address has it.

import { el, replace } from './dom.js';
import { field } from './fields.js';
import { date } from './format.js';

const HOUR_MS = 3_600_000;
const NAMED = { '3h': ['3 hours', 3], '24h': ['24 hours', 24], '7d': ['7 days', 168], '30d': ['30 days', 720], '90d': ['90 days', 2160] };
const USUAL = '24h';
const MOST_DAYS = 399; // the service tells 400 buckets at a time, and a time may touch one more than it is long

/**
 * @typedef {{name: string|null, from: Date, until: Date, wrong: string|null}} Range
 *   `name`: of a time up to now; null: a fixed one. `wrong`: why what was asked for is not shown.
 */

/**
 * Read what is looked at from the address.
 * @param {URLSearchParams} query with `range`, or `from` and `until` (ISO); what makes no sense is said in `wrong`.
 * @returns {Range}
 */
export function rangeOf(query) {
  if (query.has('from') || query.has('until')) {
    const [from, until] = ['from', 'until'].map((name) => new Date(query.get(name) ?? NaN));
    const wrong = problemOf(from, until);
    return wrong ? { ...named(USUAL), wrong: `The address names no time that can be shown (${wrong}) The last 24 hours are shown.` }
      : { name: null, from, until, wrong: null };
  }
  const name = query.get('range') ?? USUAL;
  return Object.hasOwn(NAMED, name) ? named(name) : { ...named(USUAL), wrong: 'The address names no range that there is. The last 24 hours are shown.' };
}

/** The named range as of now. */
export function named(name) {
  const until = new Date();
  return { name, from: new Date(until - NAMED[name][1] * HOUR_MS), until, wrong: null };
}

/** What the address says of a range. */
export const queryOf = ({ name, from, until }) =>
  (name ? { range: name } : { from: shortIso(from), until: shortIso(until) });

/** In words: "the last 24 hours". */
export const described = ({ name, from, until }) =>
  (name ? `the last ${NAMED[name][0]}` : `${date(from.toISOString())} to ${date(until.toISOString())}`);

const shortIso = (moment) => moment.toISOString().replace(/\.\d+Z$/, 'Z');

function problemOf(from, until) {
  if (Number.isNaN(from.getTime()) || Number.isNaN(until.getTime())) return 'Give both times.';
  if (from >= until) return 'The time must begin before it ends.';
  if (until - from > MOST_DAYS * 24 * HOUR_MS) return `At most ${MOST_DAYS} days can be shown at a time.`;
  return null;
}

/**
 * Make the choice of the range.
 * @param {Range} range what is chosen at first.
 * @param {(range: Range) => void} onChange
 * @returns {HTMLElement}
 */
export function rangeChoice(range, onChange) {
  const buttons = Object.entries(NAMED).map(([name, [text]]) =>
    el('button', { class: 'button', type: 'button', 'aria-pressed': String(range.name === name), onclick: () => chosen(named(name)) }, text));
  const fields = fieldsOf(range, (from, until) => chosen({ name: null, from, until, wrong: null }));
  const wrong = el('div', { class: 'watch-wrong' }, warning(range));

  function chosen(next) {
    Object.keys(NAMED).forEach((name, at) => buttons[at].setAttribute('aria-pressed', String(next.name === name)));
    fields.show(next);
    replace(wrong, warning(next));
    onChange(next);
  }

  return el('div', { class: 'watch-range' },
    el('div', { class: 'buttons', role: 'group', 'aria-label': 'Time range' }, buttons), fields.element, wrong);
}

const warning = (range) => range.wrong && el('p', { class: 'notice warn', role: 'status' }, range.wrong);

function fieldsOf(range, onGiven) {
  const moment = (id, text) => {
    const input = el('input', { id, type: 'datetime-local', required: true });
    return { input, element: field(id, text, input) };
  };
  const [from, until] = [moment('watch-from', 'From'), moment('watch-until', 'Until')];
  const said = el('p', { class: 'watch-field-error', role: 'alert' });
  const given = (event) => {
    event.preventDefault();
    const times = [from, until].map(({ input }) => new Date(input.value));
    said.textContent = problemOf(...times) ?? '';
    if (!said.textContent) onGiven(...times);
  };
  const show = (next) => {
    from.input.value = local(next.from);
    until.input.value = local(next.until);
    said.textContent = '';
  };
  show(range);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const element = el('details', { class: 'watch-times', open: range.name === null },
    el('summary', {}, 'From and until'),
    el('form', { novalidate: true, onsubmit: given }, from.element, until.element,
      el('button', { class: 'button' }, 'Show'), el('p', { class: 'muted small' }, `Times of ${zone}.`), said));
  return { element, show };
}

/** A moment as a field takes it: in the reader's zone, without seconds. */
function local(moment) {
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
