// Two versions side by side.

import { announce, barParts, el, time } from './dom.js';
import { field } from './fields.js';
import { counted, labelClass, number, percent, signed } from './format.js';
import { FIGURES, written } from './models_details.js';
import { button, figure, figureHead, points, sliceTable, table, whisker } from './models_parts.js';
import { goesBackTo, interval } from './models_words.js';
import { panel } from './panel.js';

const SAMPLES = 300;
const LIMIT = 20;

/**
 * Make the panel.
 * @returns {{element: HTMLElement, reload: () => Promise<void>, compare: (a: string, b: string) => Promise<void>}}
 */
export function diffPanel(view) {
  const [a, b] = [choice('models-a', 'Before'), choice('models-b', 'After')];
  const form = el('form', { class: 'models-choice', onsubmit: (event) => {
    event.preventDefault();
    if (a.select.value && b.select.value) view.compare(a.select.value, b.select.value);
  } }, a.element, b.element, el('button', { class: 'button primary', dataset: { keep: 'compare' } }, 'Compare'),
  button('Swap', () => {
    [a.select.value, b.select.value] = [b.select.value, a.select.value];
    if (view.state.a) view.compare(a.select.value, b.select.value);
  }));
  const made = panel('Compare two versions', {
    className: 'models-diff',
    load: async () => {
      const facts = await view.facts();
      offer(facts, view.state, a.select, b.select);
      if (!view.state.a || view.state.a === view.state.b) return { facts };
      const found = await view.ask('v1/models/diff', { a: view.state.a, b: view.state.b, samples: SAMPLES, limit: LIMIT }, 'diff');
      return { facts, found };
    },
    empty: ({ facts, found }) => {
      if (found) return null;
      if (facts.items.length < 2) return 'There is only one version so far. After the next one is made, both can be compared here.';
      return view.state.a ? 'Both are the same version. Choose another one.' : 'Choose two versions: what changed from one to the other is shown here.';
    },
    render: ({ found }) => shown(found),
  });
  made.element.insertBefore(form, made.element.lastChild);
  const compare = async () => {
    await made.reload();
    if (view.state.a) announce(`${view.state.a} and ${view.state.b} compared.`);
  };
  return { ...made, compare };
}

function choice(id, name) {
  const select = el('select', { id });
  return { select, element: field(id, name, select) };
}

/** Offer the versions that are known; what is chosen already stays. */
function offer({ items, champion, challenger, moves }, { a, b }, first, second) {
  const names = [...new Set([...items.map((item) => item.version), a, b].filter(Boolean))];
  const served = champion?.version ?? names[0];
  const parent = champion?.parents.find((name) => names.includes(name));
  const [before, after] = challenger ? [served, challenger.version]
    : [goesBackTo(moves, new Set()) ?? parent ?? names.find((name) => name !== served), served];
  const role = (name) => ({ champion: ' (served now)', challenger: ' (on trial)' })[items.find((item) => item.version === name)?.role] ?? '';
  for (const [select, wanted] of [[first, a ?? (first.value || before)], [second, b ?? (second.value || after)]]) {
    select.replaceChildren(...names.map((name) => el('option', { value: name }, name + role(name))));
    select.value = names.includes(wanted) ? wanted : names[0] ?? '';
  }
}

function shown({ a, b, figures, slices, words, answers }) {
  const labels = Object.keys(words[0]?.a ?? {});
  return [
    el('h3', {}, 'On the same rows'),
    slices.length ? sliceTable(slices, a, b, 'compared') : el('p', { class: 'muted' }, 'Neither was made to replace the other, so they were not judged on the same rows.'),
    el('h3', {}, 'Each on its own held-out rows'), figuresTable(a, b, figures),
    el('h3', {}, 'Answers that changed'), ...changed(a, b, answers, labels),
    el('h3', {}, 'Words whose effect moved most'),
    words.length ? wordTable(words, labels) : el('p', { class: 'muted' }, 'No word that is known in clear has another effect.'),
  ];
}

function figuresTable(a, b, figures) {
  const scale = (({ a: x, b: y, a_interval: p, b_interval: q }) => {
    const all = [x, y, ...(p ?? []), ...(q ?? [])].filter((value) => value !== null && value !== undefined);
    return [Math.floor(Math.min(...all) * 10) / 10, Math.ceil(Math.max(...all) * 10) / 10];
  })(figures.find(({ name }) => name === 'accuracy') ?? { a: 0, b: 1 });
  const { a: rowsOfA, b: rowsOfB } = figures.find(({ name }) => name === 'rows') ?? {};
  const isComparable = rowsOfA === rowsOfB;  // of other rows a difference says nothing about the versions
  const cell = (row, side) => figure(written(row.name, row[side]),
    row[`${side}_interval`] && el('div', { class: 'small muted' }, interval(row[`${side}_interval`])),
    row.name === 'accuracy' && row[side] !== null && whisker(row[side], row[`${side}_interval`], scale));
  return table('Figures of both', ['Figure', figureHead(a), figureHead(b), isComparable && figureHead('Change')].filter(Boolean),
    figures.map((row) => el('tr', {}, el('th', { scope: 'row' }, FIGURES[row.name]?.name ?? row.name),
      cell(row, 'a'), cell(row, 'b'), isComparable && figure(change(row)))),
    { className: 'models-both', caption: isComparable
      ? 'Each on the rows that were held out when it was made: they compare only as far as these rows are the same.'
      : 'Each on the rows that were held out when it was made. These are others for each, so the figures do not compare.' });
}

function change({ name, a, b }) {
  if (a === null || b === null) return '–';
  if (name === 'rows') return `${b < a ? '\u2212' : '+'}${number(Math.abs(b - a))}`;
  return name === 'log_loss' ? signed(b - a, 3) : points(b - a);
}

function changed(a, b, { texts, changed: count, flips, examples }, labels) {
  if (!texts) return [el('p', { class: 'empty' }, 'No sampled texts are there to compare the answers. They come with traffic.')];
  if (!count) return [el('p', { class: 'muted' }, `Both give the same label to all ${counted(texts, 'sampled text')}.`)];
  const most = Math.max(...Object.values(flips));
  return [
    el('p', {}, el('strong', { class: 'number' }, percent(count / texts)), ` of the newest sampled texts get another label: ${number(count)} of ${number(texts)}.`),
    el('ul', { class: 'models-flips' }, Object.entries(flips).sort(([, x], [, y]) => y - x).map(([flip, times]) => {
      const [from, to] = flip.split('>');
      return el('li', { class: ['bar', labelClass(to, labels)] }, barParts(`${from} → ${to}`, times / most, number(times)));
    })),
    table('Texts with another answer', ['Text', `${a} said`, `${b} says`, 'Came'],
      examples.map((row) => el('tr', {}, el('td', { class: 'models-text' }, el('p', { class: 'text', dir: 'auto' }, row.text)),
        answer(row.a_label, row.a_confidence, labels), answer(row.b_label, row.b_confidence, labels), el('td', {}, time(row.received_at)))),
      { className: 'models-answers', caption: count > examples.length ? `The ${examples.length} surest changes of ${number(count)}.` : 'The surest changes first.' }),
  ];
}

const answer = (label, confidence, labels) => el('td', { class: ['models-answer', labelClass(label, labels)] },
  el('span', { class: 'label-name label-dot' }, label), ' ', el('span', { class: 'number' }, percent(confidence, 0)));

const wordTable = (rows, labels) => table('Words whose effect moved most',
  ['Word', ...labels.map((label) => el('th', { scope: 'col', class: 'number' }, label)), figureHead('In sampled texts')],
  rows.map((row) => el('tr', {}, el('th', { scope: 'row' }, el('bdi', { class: 'text' }, row.word)),
    labels.map((label) => {
      const moved = row.b[label] - row.a[label];
      return figure(el('span', { class: 'muted' }, `${signed(row.a[label])} → `), el('strong', {}, signed(row.b[label])),
        el('span', { class: 'models-moved', 'aria-hidden': 'true' }, moved > 0.005 ? ' ▲' : moved < -0.005 ? ' ▼' : ''));
    }), figure(number(row.texts)))),
  { className: 'models-words', caption: 'What the word alone adds to the log odds of each label, before → after.' });
