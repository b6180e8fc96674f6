// What each version answered, since the first request that was counted.

import { el, time } from './dom.js';
import { milliseconds, number, percent } from './format.js';

const HEADS = ['Version', 'Answers', 'In doubt', 'Mean confidence', 'p95', 'Failed', 'Mistakes reported', 'Confirmed', 'Differs from the champion'];

/**
 * Show the versions.
 * @param {Object} metrics as v1/metrics says.
 * @param {Object} info as v1/model_info says.
 * @returns {Node[]}
 */
export function versionTable(metrics, info) {
  const challenger = info.challenger?.version ?? null;
  const names = Object.keys(metrics.versions);
  const rank = (name) => (name === metrics.champion ? 2 : name === challenger ? 1 : 0);
  names.sort((one, other) => rank(other) - rank(one) || metrics.versions[other].answers - metrics.versions[one].answers);
  return [
    el('p', { class: 'muted small' }, 'Counted since ', time(metrics.since),
      ', whatever range is chosen above.'),
    el('div', { class: 'table-wrap', tabindex: 0, role: 'region', 'aria-label': 'Figures of each version', dataset: { keep: 'watch-versions' } },
      el('table', { class: 'watch-versions' },
        el('thead', {}, el('tr', {}, HEADS.map((head, at) => el('th', { scope: 'col', class: at && 'number' }, head)))),
        el('tbody', {}, names.map((name) => row(name, metrics.versions[name], roleOf(name, metrics.champion, challenger)))))),
  ];
}

const roleOf = (name, champion, challenger) => (name === champion ? 'champion' : name === challenger ? 'challenger' : null);

function row(name, figures, role) {
  const { feedback, beside } = figures;
  const cells = [
    number(figures.answers), percent(figures.low_confidence), percent(figures.mean_confidence), milliseconds(figures.latency_ms.p95),
    number(figures.errors), number(feedback.mistakes), number(feedback.confirmed),
    beside.texts ? [percent(beside.disagreement), el('span', { class: 'muted' }, ` of ${number(beside.texts)}`)] : '–',
  ];
  return el('tr', {},
    el('th', { scope: 'row' }, el('code', {}, name), role && [' ', el('span', { class: ['chip', role === 'champion' && 'strong'] }, role)]),
    cells.map((cell) => el('td', { class: 'number' }, cell)));
}
