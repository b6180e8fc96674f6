// How figures, times and labels are shown.

const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const DATE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
const FULL = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const STEPS = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

/** 12345.67 → "12,345.7"; null → "–". */
export const number = (value) => (value === null || value === undefined ? '–' : NUMBER.format(value));

/** 0.8471 → "84.7 %". */
export const percent = (share, digits = 1) =>
  share === null || share === undefined ? '–' : `${(100 * share).toFixed(digits)}\u202f%`;

/** With a sign, for what was added: 0.12 → "+0.12"; what rounds to zero has none. */
export function signed(value, digits = 2) {
  const size = Math.abs(value).toFixed(digits);
  return Number(size) === 0 ? size : `${value < 0 ? '\u2212' : '+'}${size}`;
}

/** 3.25 → "3.3 ms"; 1250 → "1.3 s". */
export function milliseconds(value) {
  if (value === null || value === undefined) return '–';
  return value >= 1000 ? `${(value / 1000).toFixed(1)}\u202fs` : `${value < 10 ? value.toFixed(1) : Math.round(value)}\u202fms`;
}

/** ISO time → "22 Nov 2026, 02:49" in the reader's zone. */
export const date = (iso) => (iso ? DATE.format(new Date(iso)) : '–');

/** ISO time → the same with seconds and zone, for a title. */
export const fullDate = (iso) => (iso ? FULL.format(new Date(iso)) : '');

/** ISO time → "5 minutes ago". */
export function ago(iso, now = Date.now()) {
  if (!iso) return '–';
  const seconds = (new Date(iso).getTime() - now) / 1000;
  if (Math.abs(seconds) < 1) return 'just now';
  const [unit, length] = STEPS.find(([, least]) => Math.abs(seconds) >= least) ?? STEPS.at(-1);
  return RELATIVE.format(Math.trunc(seconds / length), unit);
}

/** "1 row", "2 rows". */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** The beginning of a long text: so many characters (code points), none of them cut in two. */
export function shortened(text, most) {
  const points = Array.from(text.slice(0, 2 * most + 2));  // a character has two UTF-16 units at most
  return points.length > most ? `${points.slice(0, most).join('')}…` : text;
}

/** The class that gives a label its colour: labels are data, and of other names there are some more colours. */
export function labelClass(label, labels = []) {
  if (['negative', 'neutral', 'positive'].includes(label)) return `label-${label}`;
  return `label-other-${(Math.max(0, labels.indexOf(label)) % 4) + 1}`;
}

/** A message as a sentence of its own; the name of a version at its beginning stays as it is. */
export const sentence = (text) =>
  `${/^[a-z]+[ ,:;]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text}${/[.!?]$/.test(text) ? '' : '.'}`;
