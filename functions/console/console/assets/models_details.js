// All about one version.

import { el, time } from './dom.js';
import { counted, labelClass, number, percent } from './format.js';
import { button, digest, erasedChip, figure, figureHead, roleChip, sliceTable, table, versionLink, whisker } from './models_parts.js';
import { lasted } from './models_list.js';
import { canAnswer, interval, KINDS } from './models_words.js';
import { moveItem } from './models_timeline.js';
import { panel } from './panel.js';

/** Names of figures as they are shown; `up`: more is better. */
export const FIGURES = {
  accuracy: { name: 'Accuracy', help: 'share of right answers' },
  macro_f1: { name: 'Macro F1', help: 'precision and recall in one, each label counting the same' },
  macro_recall: { name: 'Macro recall', help: 'share of right answers, each label counting the same' },
  calibration_error: { name: 'Calibration error', help: 'how far confidence is from the share of right answers; less is better' },
  log_loss: { name: 'Log loss', help: 'how wrong the probabilities are; less is better' },
  rows: { name: 'Held-out rows', help: 'behind these figures' },
};

/** A figure as it is written. */
export function written(name, value) {
  if (value === null || value === undefined) return '–';
  if (name === 'rows') return number(value);
  return name === 'log_loss' ? value.toFixed(3) : percent(value);
}

/** Make the panel of a version. */
export const detailsPanel = (view, version) => panel(`Version ${version}`, {
  className: 'models-details tall',
  tools: [button('Close', () => view.openVersion(null))],
  load: async () => {
    const [found, facts] = await Promise.all([view.ask(`v1/models/${encodeURIComponent(version)}`), view.facts()]);
    return { ...found, facts };
  },
  render: ({ summary, manifest, slices, moves, facts }) => [
    el('div', { class: 'models-name' },
      roleChip(summary.role), el('span', { class: 'chip' }, KINDS[summary.kind] ?? summary.kind), summary.erased && erasedChip()),
    summary.erased && el('p', { class: 'notice warn' },
      'It learned from corrections that were erased since. It is passed over when somebody rolls back, and is promoted only by who insists on it.'),
    actions(view, summary, facts),
    el('div', { class: 'columns' }, origin(view, summary, manifest), figures(summary), confusion(summary.metrics?.confusion, manifest.labels ?? [])),
    el('h3', {}, summary.parents.length ? 'Against its parent' : 'Against a parent'),
    slices.length
      ? sliceTable(slices, summary.parents[0] ?? 'parent', version, `${version} and its parent`)
      : el('p', { class: 'muted' }, 'It was not compared with another version when it was made.'),
    el('h3', {}, 'Moves that name it'),
    moves.length
      ? el('ol', { class: 'models-moves' }, moves.map((move) => moveItem(move, before(move, facts.moves))))
      : el('p', { class: 'muted' }, 'None: it was never served or tried.'),
  ],
});

const before = (move, all) => all[all.findIndex(({ generation }) => generation === move.generation) + 1];

function actions(view, summary, { champion, moves, pinned }) {
  if (!canAnswer(summary)) return el('p', { class: 'notice warn' }, 'It cannot be served: files of it are missing.');
  const served = champion?.version;
  const on = moves[0]?.challenger;
  const isOn = on?.version === summary.version;
  const about = { version: summary.version, served, erased: summary.erased, trial: on?.version };
  const other = summary.role === 'champion' ? summary.parents[0] : served;
  return el('div', { class: 'buttons' },
    summary.role !== 'champion' && button('Promote…', () => view.act('promote', about), { kind: 'primary', focus: 'promote it' }),
    served && summary.role !== 'champion' && !(pinned && isOn)
      && button(isOn ? 'Change the trial…' : 'Put on trial…', () => view.act('try', { ...about, step: isOn ? on : null }), { focus: 'try it' }),
    summary.role === 'challenger' && button('Withdraw…', () => view.act('withdraw', about), { focus: 'withdraw it' }),
    other && button(summary.role === 'champion' ? 'Compare with its parent' : 'Compare with what is served', () =>
      view.compare(summary.role === 'champion' ? other : served, summary.version), { focus: 'compare it' }));
}

/** What made the version. */
function origin(view, summary, manifest) {
  const data = manifest.data ?? {};
  const left = Object.entries(data.feedback?.left_out ?? {});
  const doubt = manifest.low_confidence_choice ?? {};
  const told = [
    ['Made', time(summary.created_at)],
    ['Served', summary.served ? `${summary.served.until ? 'for' : 'now, for'} ${lasted(summary.served.seconds)} in all` : 'never'],
    ['Parents', summary.parents.length ? summary.parents.map((parent) => [versionLink(view, parent), ' ']) : 'none'],
    data.anchor && ['Adapted from', data.anchor.version === summary.parents[0] ? data.anchor.version : versionLink(view, data.anchor.version)],
    ['Base data', summary.base_rows === null ? 'not known'
      : [counted(summary.base_rows, 'row'), data.base?.length ? ` (${data.base.map(({ name, rows }) => `${name}: ${number(rows)}`).join(', ')})` : '']],
    ['Corrections', [counted(summary.feedback_rows, 'text'), data.feedback?.stored ? ` of ${number(data.feedback.stored)} that were stored` : '',
      left.length ? el('ul', { class: 'models-left small muted' }, left.map(([why, count]) => el('li', {}, `${number(count)} left out: ${why}`))) : null]],
    data.feedback?.newest && ['Newest correction', time(data.feedback.newest)],
    summary.snapshot && ['Snapshot', digest(summary.snapshot)],
    (doubt.threshold ?? manifest.low_confidence) && ['In doubt below', [
      percent(doubt.threshold ?? manifest.low_confidence),
      doubt.flags_rows !== undefined && el('span', { class: 'muted' },
        `: ${percent(doubt.flags_rows, 0)} of all answers, ${percent(doubt.catches_errors, 0)} of the wrong ones`)]],
  ];
  return el('div', {}, el('h3', {}, 'What made it'), el('dl', { class: 'facts' },
    told.filter(Boolean).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])));
}

function figures({ metrics, accuracy_interval: bounds }) {
  const names = Object.keys(FIGURES).filter((name) => metrics?.[name] !== undefined);
  if (!names.length) return el('div', {}, el('h3', {}, 'Figures'), el('p', { class: 'muted' }, 'None are known.'));
  const scale = bounds && [Math.floor(bounds[0] * 10) / 10, Math.ceil(bounds[1] * 10) / 10];
  const sets = Object.entries(metrics.by_set ?? {});
  return el('div', { class: 'models-figures' }, el('h3', {}, 'Figures on held-out rows'),
    table('Figures', ['Figure', figureHead('Value'), '95\u202f% interval'], [
      ...names.map((name) => el('tr', {}, el('th', { scope: 'row', title: FIGURES[name].help }, FIGURES[name].name),
        figure(written(name, metrics[name])),
        el('td', {}, name === 'accuracy' && bounds ? [interval(bounds), whisker(metrics.accuracy, bounds, scale)] : '–'))),
      ...sets.map(([name, set]) => el('tr', {}, el('th', { scope: 'row' }, `Accuracy on ${name}`), figure(percent(set.accuracy)),
        el('td', {}, counted(set.rows, 'row')))),
    ]));
}

function confusion(counts, labels) {
  if (!counts?.length || counts.length !== labels.length) return null;
  return el('div', {}, el('h3', {}, 'Which answers it gave'),
    table('Confusion table', [el('th', { scope: 'col' }, 'Right label'), ...labels.map((label) => figureHead(label))],
      counts.map((row, index) => {
        const sum = row.reduce((total, count) => total + count, 0) || 1;
        return el('tr', {}, el('th', { scope: 'row', class: labelClass(labels[index], labels) }, el('span', { class: 'label-dot' }, labels[index])),
          row.map((count, column) => el('td', { class: ['number', 'models-cell', column === index && 'models-right'], style: { '--share': count / sum } },
            number(count), el('span', { class: 'muted small' }, ` ${percent(count / sum, 0)}`))));
      }), { caption: 'Rows: the right label. Columns: its answer. Framed: right.' }));
}
