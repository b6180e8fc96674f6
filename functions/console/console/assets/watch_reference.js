// The newest check's texts beside the reference: what the served version was made for.

import { chart } from './charts.js';
import { el, replace } from './dom.js';
import { number, percent } from './format.js';

const SHAPES = [
  ['Answers beside the reference', 'drift-labels', 'share of each label', (edges) => edges],
  ['Lengths beside the reference', 'drift-length', 'share of the texts, by their words', (edges) => binNames(edges, (edge) => number(edge))],
  ['Confidences beside the reference', 'drift-confidence', 'share of the texts', (edges) => binNames(edges, (edge) => percent(edge, 0))],
];

/**
 * Make what compares now with the reference.
 * @returns {{element: HTMLElement, show: (newest: Object) => void}} `show` takes what v1/checks tells of the newest.
 */
export function comparisons() {
  const charts = SHAPES.map(([title, cause, note, namesOf]) => ({ ...chart(title, { note }), cause, namesOf, title }));
  const words = el('div', { class: 'watch-words' });
  const about = el('p', { class: 'muted small' });
  const grid = el('div', { class: 'watch-charts' }, charts.map(({ element }) => element));
  const element = el('div', { class: 'watch-reference' }, el('h3', {}, 'The newest check beside the reference'),
    about, grid, words);

  const show = ({ signals, new_words: fresh, reference }) => {
    const isKnown = ({ cause }) => signals[cause]?.shares && signals[cause]?.reference_shares;
    about.textContent = `The reference is what the served version was made for${reference ? `: ${number(reference.rows)} texts (${reference.of})` : ''}.`;
    for (const each of charts) {
      each.element.hidden = !isKnown(each);
      if (isKnown(each)) each.show(dataOf(each, signals[each.cause]));
    }
    replace(words, ...wordTables(signals['drift-vocabulary']?.words ?? [], fresh));
    element.hidden = !charts.some(isKnown) && !words.hasChildNodes();
  };
  return { element, show };
}

function dataOf({ namesOf, title }, { edges, shares, reference_shares: known }) {
  const names = Array.isArray(shares) ? namesOf(edges) : Object.keys(known);
  const values = (of) => (Array.isArray(of) ? of : names.map((name) => of[name] ?? 0));
  const [now, before] = [values(shares), values(known)];
  const most = names[now.indexOf(Math.max(...now))];
  const apart = names.map((name, at) => [name, now[at] - before[at]]).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one))[0];
  return {
    format: percent,
    axisFormat: (value) => percent(value, 0),
    points: names.map((name) => ({ name })),
    ticks: (room) => everyName(names, room),
    pointTitle: title,
    series: [
      { name: 'Reference', kind: 'bar', className: 'label-neutral', look: 1, values: before },
      { name: 'Now', kind: 'bar', className: 'chart-accent', look: 0, values: now },
    ],
    summary: `Most texts are in “${most}” now. “${apart[0]}” changed most: `
      + `${percent(Math.abs(apart[1]))} of all texts ${apart[1] < 0 ? 'fewer' : 'more'} than in the reference.`,
  };
}

/** As many of the names as there is room for; what is between two edges is short. */
function everyName(names, room) {
  const step = Math.ceil(names.length / Math.max(room * 1.5, 1));
  return names.map((text, at) => ({ place: (at + 0.5) / names.length, text })).filter((_, at) => at % step === 0);
}

function binNames(edges, format) {
  if (!edges.length) return ['all'];
  return [...edges.map((edge) => `≤ ${format(edge)}`), `> ${format(edges.at(-1))}`];
}

function wordTables(moved, fresh) {
  const counts = Object.entries(fresh).sort(([, one], [, other]) => other - one);
  return [
    moved.length > 0 && wordTable('Words whose share changed most', ['Word', 'Reference', 'Now'],
      moved.map(({ word, share, reference_share: known }) => [word, percent(known, 2), percent(share, 2)])),
    counts.length > 0 && wordTable('New words', ['Word', 'Texts that have it'], counts.map(([word, count]) => [word, number(count)])),
  ].filter(Boolean);
}

function wordTable(title, heads, rows) {
  return el('div', { class: 'table-wrap', tabindex: 0, role: 'region', 'aria-label': title },
    el('table', {}, el('caption', {}, title),
      el('thead', {}, el('tr', {}, heads.map((head, at) => el('th', { scope: 'col', class: at && 'number' }, head)))),
      el('tbody', {}, rows.map(([word, ...figures]) => el('tr', {}, el('th', { scope: 'row', class: 'text' }, el('bdi', {}, word)),
        figures.map((figure) => el('td', { class: 'number' }, figure)))))));
}
