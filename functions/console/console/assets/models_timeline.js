// Versions along time: when each was served or on trial, which moves made it so, and how accurate each is.

import { el, svg, time } from './dom.js';
import { fullDate, percent } from './format.js';
import { button, erasedChip, place, roleChip, sign, versionLink, whisker, words } from './models_parts.js';
import { interval, spells, step, tickText, ticks, told } from './models_words.js';
import { panel, problem } from './panel.js';

const DAY = 86_400_000;
const SPANS = [['all', 'All', null], ['30d', '30 days', 30 * DAY], ['7d', '7 days', 7 * DAY], ['24h', '24 hours', DAY]];
const MOST_TICKS = 6;
const LANES = 12;

/** Make the panel. */
export function timelinePanel(view) {
  let span = null;
  const tools = SPANS.map(([name, text, length]) => button(text, () => {
    span = length;
    press();
    made.reload();
  }, { focus: `span ${name}`, 'aria-pressed': 'false' }));
  const press = () => SPANS.forEach(([, , length], index) => tools[index].setAttribute('aria-pressed', String(length === span)));
  press();
  const made = panel('What was served when', {
    className: 'models-timeline',
    tools: [el('div', { class: 'buttons', role: 'group', 'aria-label': 'How far back' }, tools)],
    load: () => view.facts(),
    render: (facts) => [lanes(view, facts, span), legend(), moves(view, facts)],
    empty: ({ items }) => (items.length ? null : 'No version was published yet.'),
  });
  return made;
}

function lanes(view, { items, moves: all }, span) {
  const periods = spells(all);
  const until = Date.now();
  const times = [...all.map((move) => move.at), ...items.map((item) => item.created_at).filter(Boolean)].map(Date.parse);
  const first = Math.min(until - 10_000, ...times);
  const range = span ? [until - span, until] : [first - (until - first) * 0.02, until];
  const isSeen = (item) => item.role || (periods.get(item.version) ?? []).some((spell) => (spell.until ?? until) >= range[0])
    || Date.parse(item.created_at) >= range[0];
  const shown = items.filter(isSeen).slice(0, LANES);
  const left = items.length - shown.length;
  const scale = accuracyScale(shown);
  const marks = marked(all);
  return [
    el('div', { class: 'table-wrap models-scroll', tabindex: '0', role: 'region', 'aria-label': 'Versions along time' },
      el('div', { class: 'models-lanes-head small muted', 'aria-hidden': 'true' }, el('span', {}, 'Version'), axis(range), scaleAxis(scale)),
      el('ol', { class: 'models-lanes' }, shown.map((item) => lane(view, item, {
        range, scale, spells: periods.get(item.version) ?? [], marks: marks.get(item.version) ?? [],
      })))),
    left > 0 && el('p', { class: 'small muted' }, `${left} more are in the list of versions below.`),
  ];
}

function lane(view, item, { range, scale, spells: periods, marks }) {
  const accuracy = item.metrics?.accuracy;
  return el('li', { class: 'models-lane', dataset: { version: item.version } },
    el('div', { class: 'models-lane-name' }, versionLink(view, item.version, { stretched: true }),
      el('div', { class: 'models-chips' }, roleChip(item.role), item.erased && erasedChip())),
    track(item, range, periods, marks, () => view.openVersion(item.version)),
    el('div', { class: 'models-lane-plot' },
      accuracy === undefined ? null : whisker(accuracy, item.accuracy_interval, scale, { shape: item.role ?? 'hollow' })),
    el('span', { class: 'number models-lane-figure' }, accuracy === undefined ? '–' : percent(accuracy)),
    el('p', { class: 'visually-hidden' }, spoken(item, periods)));
}

const HEIGHTS = { champion: 14, canary: 9, shadow: 5 };

function track(item, range, periods, marks, open) {
  const seen = periods.filter((spell) => (spell.until ?? Infinity) >= range[0]);
  return svg('svg', { class: 'models-track', 'aria-hidden': 'true' },
    ticks(...range, MOST_TICKS).map((at) => svg('line', { class: 'models-grid', x1: place(at, range), x2: place(at, range), y1: 0, y2: '100%' })),
    seen.map((spell) => {
      const [from, until] = [place(spell.from, range), place(spell.until ?? range[1], range)];
      const height = HEIGHTS[spell.role];
      return svg('rect', {
        class: `models-spell models-spell-${spell.role}`, x: from, y: 20 - height / 2, height, rx: 2,
        width: `${Math.max(0.4, parseFloat(until) - parseFloat(from)).toFixed(3)}%`,
      }, svg('title', {}, spellText(spell)));
    }),
    item.created_at && Date.parse(item.created_at) >= range[0]
      && svg('line', { class: 'models-made', x1: place(Date.parse(item.created_at), range), x2: place(Date.parse(item.created_at), range), y1: 4, y2: 36 }),
    marks.filter(({ at }) => at >= range[0]).map(({ at, kind, text }) => {
      const shape = sign(place(at, range), kind, text, 20);
      shape.addEventListener('click', open);
      return shape;
    }));
}

const ROLES = { champion: 'Served', shadow: 'On trial as shadow' };
function spellText({ role, share, from, until }) {
  const what = role === 'canary' ? `On trial as ${step({ mode: role, share })}` : ROLES[role];
  return `${what} from ${fullDate(new Date(from))} ${until === null ? 'until now' : `to ${fullDate(new Date(until))}`}`;
}

function spoken(item, periods) {
  const accuracy = item.metrics?.accuracy;
  const bounds = interval(item.accuracy_interval);
  return [
    accuracy === undefined ? 'Accuracy not measured.' : `Accuracy ${percent(accuracy)}${bounds ? `, 95 % interval ${bounds}` : ''}.`,
    item.created_at && `Made ${fullDate(item.created_at)}.`,
    ...(periods.length ? periods.map((spell) => `${spellText(spell)}.`) : ['Never served.']),
  ].filter(Boolean).join(' ');
}

/** Which marks stand on which version's lane. */
function marked(all) {
  const found = new Map();
  all.forEach((move, index) => {
    const { kind, text } = told(move, all[index + 1]);
    const version = { trial: move.challenger?.version, end: all[index + 1]?.challenger?.version }[kind] ?? move.champion;
    if (!found.has(version)) found.set(version, []);
    found.get(version).push({ at: Date.parse(move.at), kind, text: `${text}, ${fullDate(move.at)}, by ${move.by}` });
  });
  return found;
}

function axis(range) {
  return svg('svg', { class: 'models-axis' }, ticks(...range, MOST_TICKS).map((at) => {
    const x = place(at, range);
    const anchor = parseFloat(x) > 90 ? 'end' : parseFloat(x) < 4 ? 'start' : 'middle';
    return svg('text', { x, y: 15, 'text-anchor': anchor }, tickText(at, range[1] - range[0]));
  }));
}

function accuracyScale(items) {
  const values = items.flatMap((item) => [item.metrics?.accuracy, ...(item.accuracy_interval ?? [])]).filter((value) => value !== undefined);
  if (!values.length) return [0, 1];
  return [Math.max(0, Math.floor(Math.min(...values) * 10 - 0.2) / 10), Math.min(1, Math.ceil(Math.max(...values) * 10 + 0.2) / 10)];
}

const scaleAxis = (scale) => el('div', { class: 'models-scale' },
  el('span', {}, percent(scale[0], 0)), el('span', {}, 'Accuracy, 95\u202f%'), el('span', {}, percent(scale[1], 0)));

const legend = () => el('ul', { class: 'models-legend small muted', 'aria-label': 'What the marks mean' },
  [['champion', 'served'], ['canary', 'canary'], ['shadow', 'shadow']].map(([role, text]) => el('li', {},
    svg('svg', { class: 'models-key', 'aria-hidden': 'true' },
      svg('rect', { class: `models-spell models-spell-${role}`, width: 20, y: 10 - HEIGHTS[role] / 2, height: HEIGHTS[role], rx: 2 })), text)),
  [['serve', 'served from here'], ['trial', 'trial begins or changes'], ['end', 'trial ends'], ['pin', 'pinned'], ['unpin', 'unpinned']].map(([kind, text]) =>
    el('li', {}, svg('svg', { class: 'models-key', 'aria-hidden': 'true' }, sign('50%', kind)), text)),
  el('li', {}, svg('svg', { class: 'models-key', 'aria-hidden': 'true' }, svg('line', { class: 'models-made', x1: '50%', x2: '50%', y1: 2, y2: 18 })), 'made'),
  el('li', {}, 'Accuracies compare only where the held-out rows are the same.'));

/** The moves as a list, which goes on to older ones. */
function moves(view, { moves: first, next }) {
  const list = el('ol', { class: 'models-moves' });
  const more = el('div', { class: 'buttons' });
  let all = [];
  const add = (found, before) => {
    const known = all.length;
    all = [...all, ...found];
    list.append(...found.map((move, index) => moveItem(move, all[known + index + 1])));
    const go = async () => {
      try {
        const older = await view.ask('v1/models/history', { limit: 50, before });
        // The oldest of the page before could not say what it changed: now its forerunner is known.
        if (known || all.length) list.lastChild.replaceWith(moveItem(all.at(-1), older.items[0]));
        add(older.items, older.next);
        list.children[all.length - older.items.length]?.focus();
      } catch (error) {
        if (error.name !== 'AbortError') more.replaceChildren(problem(error, go));
      }
    };
    more.replaceChildren(...(before === null ? [] : [button('Older moves', go)]));
  };
  add(first, next);
  return el('details', { dataset: { keep: 'moves' } }, el('summary', {}, 'Moves as a list'), list, more);
}

/** One move in words. */
export function moveItem(move, before) {
  const { kind, text } = told(move, before);
  return el('li', { class: 'models-move', tabindex: '-1' },
    svg('svg', { class: 'models-key', 'aria-hidden': 'true' }, sign('50%', kind)),
    el('div', {},
      el('p', {}, el('strong', {}, text), ' ', el('span', { class: 'muted small' }, time(move.at), ', by ', words(move.by), ', move ', String(move.generation))),
      el('p', { class: 'models-reason text small', dir: 'auto' }, move.reason)));
}
