// Where values and times lie on the axes of a chart, and the few round figures that are written there.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HOUR_STEPS = [1, 2, 3, 6, 12, 24, 48, 72, 168];
const DAY_STEPS = [1, 2, 7, 14, 28, 56, 112];

const clock = (options) => new Intl.DateTimeFormat('en-GB', options);
const HOUR = clock({ hour: '2-digit', minute: '2-digit' });
const DAY = clock({ day: 'numeric', month: 'short' });
const UTC_DAY = clock({ day: 'numeric', month: 'short', timeZone: 'UTC' });
const WEEKDAY_HOUR = clock({ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const FULL_UTC_DAY = clock({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });

/**
 * Round values for an axis.
 * @param {number} low the least value, or 0.
 * @param {number} high the largest one.
 * @param {number} most how many there may be, about.
 * @returns {number[]} from at most `low` to at least `high`, in steps of 1, 2 or 5 times a power of ten.
 */
export function roundTicks(low, high, most = 4) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough * (1 - 1e-9));
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  // Multiplied and rounded: sums of 0.1 would end as 0.30000000000000004.
  return Array.from({ length: last - first + 1 }, (_, each) => Number(((first + each) * step).toPrecision(12)));
}

/**
 * Names of some buckets of time.
 * @param {string[]} starts ISO times, one of each bucket.
 * @param {"hour"|"day"} unit how long a bucket is; days are those of UTC.
 * @param {number} most how many names have room.
 * @returns {{place: number, text: string}[]} `place`: from 0 to 1, where the bucket begins.
 */
export function bucketTicks(starts, unit, most) {
  const steps = unit === 'day' ? DAY_STEPS : HOUR_STEPS;
  const step = steps.find((each) => Math.floor(starts.length / each) <= most) ?? steps.at(-1);
  const isShown = unit === 'day'
    ? (_, number) => (starts.length - 1 - number) % step === 0
    : (start) => hoursSince(start) % step === 0;
  return starts
    .map((start, number) => ({ start, number }))
    .filter(({ start, number }) => isShown(new Date(start), number))
    .map(({ start, number }) => ({ place: number / starts.length, text: tickName(new Date(start), unit) }));
}

/** Names of some moments between two times, as `bucketTicks`. */
export function momentTicks(from, until, most) {
  const hours = (until - from) / HOUR_MS;
  const step = HOUR_STEPS.find((each) => hours / each <= most) ?? Math.ceil(hours / most / 24) * 24;
  const first = new Date(from);
  first.setMinutes(0, 0, 0);
  const ticks = [];
  for (let at = first.getTime(); at <= until; at += HOUR_MS) {
    if (at >= from && hoursSince(new Date(at)) % step === 0) {
      ticks.push({ place: (at - from) / (until - from), text: tickName(new Date(at), 'hour') });
    }
  }
  return ticks;
}

/** The hour of the reader's clock, counted on over days, so that steps of days have a beginning. */
function hoursSince(moment) {
  const midnight = new Date(moment);
  midnight.setHours(0, 0, 0, 0);
  return Math.round(midnight / DAY_MS) * 24 + moment.getHours();
}

function tickName(moment, unit) {
  if (unit === 'day') return UTC_DAY.format(moment);
  return moment.getHours() === 0 && moment.getMinutes() === 0 ? DAY.format(moment) : HOUR.format(moment);
}

/** "Sun, 22 Nov, 14:00 – 15:00"; of a day "Sun, 22 Nov 2026 (UTC)". */
export function bucketName(start, unit) {
  const begin = new Date(start);
  if (unit === 'day') return `${FULL_UTC_DAY.format(begin)} (UTC)`;
  return `${WEEKDAY_HOUR.format(begin)} – ${HOUR.format(new Date(begin.getTime() + HOUR_MS))}`;
}

/** "Sun, 22 Nov, 14:05". */
export const momentName = (iso) => WEEKDAY_HOUR.format(new Date(iso));
