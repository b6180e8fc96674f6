// What the moves of the pointer mean, in words and as spans of time. Nothing here touches the page.

import { percent } from './format.js';

export const KINDS = {
  trained: 'trained on corrections',
  baseline: 'the bundled baseline',
  anchor: 'of base data alone',
  incomplete: 'incomplete: its run was cut short',
  missing: 'files of it are gone',
};

export const OUTCOMES = {
  promoted: { word: 'Promoted', mark: '✓', tone: 'good' },
  on_trial: { word: 'Put on trial', mark: '◇', tone: 'strong' },
  held: { word: 'Waits, as the pointer is pinned', mark: '■', tone: 'strong' },
  rejected: { word: 'Not released', mark: '✕', tone: 'bad' },
  skipped: { word: 'Nothing to decide', mark: '–', tone: '' },
};

/** Whether a version can answer: its files are whole. */
export const canAnswer = ({ kind }) => !['incomplete', 'missing'].includes(kind);

/** "shadow", or "canary for 10 % of the clients". */
export const step = ({ mode, share }) => (mode === 'canary' ? `canary for ${percent(share, digits(share))} of the clients` : mode);

const digits = (share) => (Number.isInteger(Math.round(share * 1e6) / 1e4) ? 0 : 1);

/** "60.9 % to 70.5 %"; null: none is known. */
export const interval = (bounds) => (bounds ? `${percent(bounds[0])} to ${percent(bounds[1])}` : null);

/**
 * Say what a move did.
 * @param {Object} move as the history tells it.
 * @param {Object|undefined} before the move before it; without one it says what held from then on.
 * @returns {{kind: string, text: string}} the kind is one of serve, trial, end, pin, unpin, same.
 */
export function told(move, before) {
  const trial = move.challenger;
  if (!before) {
    const beside = trial ? `, ${trial.version} on trial as ${step(trial)}` : '';
    return { kind: 'serve', text: `${move.champion} served${beside}${move.pinned ? ', pinned' : ''}` };
  }
  if (move.champion !== before.champion) {
    return { kind: 'serve', text: `${move.champion} served instead of ${before.champion}` };
  }
  if (trial && trial.version !== before.challenger?.version) {
    return { kind: 'trial', text: `${trial.version} put on trial as ${step(trial)}` };
  }
  if (trial && (trial.mode !== before.challenger.mode || trial.share !== before.challenger.share)) {
    return { kind: 'trial', text: `Trial of ${trial.version} goes on as ${step(trial)}` };
  }
  if (before.challenger && !trial) return { kind: 'end', text: `Trial of ${before.challenger.version} ended` };
  if (move.pinned !== before.pinned) {
    return move.pinned ? { kind: 'pin', text: 'Pinned' } : { kind: 'unpin', text: 'Unpinned' };
  }
  return { kind: 'same', text: `${move.champion} served as before` };
}

/** The move since which something has been so without a break, of moves with the newest first. */
export function since(moves, holds) {
  let found = null;
  for (const move of moves) {
    if (!holds(move)) break;
    found = move;
  }
  return found;
}

/**
 * Return which version a rollback would serve, as far as the moves tell; null if they do not.
 * @param {Object[]} moves the newest first.
 * @param {Set<string>} erased the versions that are passed over.
 */
export function goesBackTo(moves, erased) {
  const served = moves[0]?.champion;
  return moves.find(({ champion }) => champion !== served && !erased.has(champion))?.champion ?? null;
}

/**
 * Return when each version was served or on trial.
 * @param {Object[]} moves the newest first.
 * @returns {Map<string, {from: number, until: number|null, role: string, share: number}[]>} by version, the oldest first;
 *   times in milliseconds, null: it lasts.
 */
export function spells(moves) {
  const found = new Map();
  const note = (version, spell) => {
    if (!found.has(version)) found.set(version, []);
    const last = found.get(version).at(-1);
    if (last && last.until === spell.from && last.role === spell.role && last.share === spell.share) last.until = spell.until;
    else found.get(version).push(spell);
  };
  [...moves].reverse().forEach((move, index, all) => {
    const from = Date.parse(move.at);
    const next = all[index + 1];
    const until = next ? Math.max(from, Date.parse(next.at)) : null;  // clocks of movers may differ
    note(move.champion, { from, until, role: 'champion', share: 1 });
    if (move.challenger) note(move.challenger.version, { from, until, role: move.challenger.mode, share: move.challenger.share });
  });
  return found;
}

const STEPS = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200].map((seconds) => seconds * 1000);
const DAY = 86_400_000;
const DAYS = [1, 2, 7, 14, 30, 61, 91, 182, 365, 730, 1825].map((days) => days * DAY);

/** Return round times between two times, at most `most`; steps of days begin at the reader's midnight. */
export function ticks(from, until, most) {
  const length = [...STEPS, ...DAYS].find((each) => (until - from) / each <= most) ?? DAYS.at(-1);
  const midnight = new Date(from).setHours(0, 0, 0, 0);
  const found = [];
  for (let count = Math.ceil((from - midnight) / length); ; count += 1) {
    // Days are counted by the calendar, so that they stay at midnight where a clock changes.
    const at = length >= DAY ? new Date(midnight).setDate(new Date(midnight).getDate() + (count * length) / DAY) : midnight + count * length;
    if (at > until || found.length > most) return found;
    found.push(at);
  }
}

/** How a time at a tick reads, where the ticks lie within so much time. */
export function tickText(at, span) {
  const shape = span < 600_000 ? { hour: '2-digit', minute: '2-digit', second: '2-digit' }
    : span < 2 * DAY ? { hour: '2-digit', minute: '2-digit' }
      : span < 400 * DAY ? { day: 'numeric', month: 'short' } : { month: 'short', year: 'numeric' };
  return new Intl.DateTimeFormat('en-GB', shape).format(at);
}
