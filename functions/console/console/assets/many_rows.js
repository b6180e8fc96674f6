// The scored rows, a page at a time: filtered by what came out, and in the order of the file or of the confidence.

import { announce, el, replace } from './dom.js';
import { counted, labelClass, number, percent, shortened } from './format.js';

const PAGE = 50;
const SHOWN_CHARACTERS = 280;
const ORDERS = { none: 'ascending', ascending: 'descending', descending: 'none' };

/** Make the table of a scoring. */
export function createRows(scoring) {
  const { table, answers, labels } = scoring;
  const hasRight = table.choice.label >= 0;
  let order = 'none';
  let page = 0;
  let found = [];

  const filter = el('select', { id: 'many-filter', onchange: () => look() }, options(scoring, hasRight));
  const sort = el('button', { class: 'many-sort', type: 'button', onclick: () => turn() }, 'Confidence');
  const sorted = el('th', { scope: 'col', class: 'number', 'aria-sort': 'none' }, sort);
  const body = el('tbody');
  const where = el('span', { class: 'muted number' });
  const previous = el('button', { class: 'button', type: 'button', onclick: () => go(-1) }, 'Previous');
  const next = el('button', { class: 'button', type: 'button', onclick: () => go(1) }, 'Next');
  const wrap = el('div', { class: 'table-wrap many-rows', tabindex: 0, role: 'region', 'aria-label': 'Scored rows' },
    el('table', {},
      el('thead', {}, el('tr', {}, el('th', { scope: 'col', class: 'number' }, 'Row'), el('th', { scope: 'col', class: 'many-text' }, 'Text'),
        hasRight && el('th', { scope: 'col' }, 'Right label'), el('th', { scope: 'col' }, 'Label'), sorted)),
      body));

  function look() {
    page = 0;
    found = [...answers.keys()].filter((index) => matches(scoring, index, filter.value));
    if (order !== 'none') {
      const sign = order === 'ascending' ? 1 : -1;
      found.sort((one, other) => sign * ((answers[one]?.confidence ?? 2) - (answers[other]?.confidence ?? 2)) || one - other);
    }
    draw();
  }

  function turn() {
    order = ORDERS[order];
    sorted.setAttribute('aria-sort', order);
    look();
    announce({ none: 'In the order of the rows', ascending: 'The least sure first', descending: 'The surest first' }[order]);
  }

  /** A button at its end keeps the focus, and does nothing. */
  function go(step) {
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    const to = Math.min(last, Math.max(0, page + step));
    if (to === page) return;
    page = to;
    draw();
    wrap.scrollTop = 0;
    announce(where.textContent);
  }

  function draw() {
    const from = page * PAGE;
    const shown = found.slice(from, from + PAGE);
    replace(body, shown.length ? shown.map(row) : el('tr', {}, el('td', { colspan: hasRight ? 5 : 4, class: 'muted' }, 'No row is like this.')));
    replace(where, shown.length ? `${number(from + 1)} to ${number(from + shown.length)} of ${counted(found.length, 'row')}` : 'No rows');
    previous.setAttribute('aria-disabled', page === 0);
    next.setAttribute('aria-disabled', from + PAGE >= found.length);
  }

  function row(index) {
    const answer = answers[index];
    const isOther = hasRight && differs(scoring, index);
    return el('tr', {},
      el('td', { class: 'number muted' }, number(index + 1)),
      el('td', { class: 'many-text' }, shownText(table.textOf(index))),
      hasRight && el('td', {}, named(table.labelOf(index), labels), isOther && el('span', { class: 'chip bad many-other' }, 'differs')),
      answer?.label
        ? [el('td', {}, named(answer.label, labels)), el('td', { class: 'number' }, percent(answer.confidence))]
        : el('td', { colspan: 2 }, answer
          ? el('span', { class: 'many-error' }, el('strong', {}, 'Error: '), answer.error)
          : el('span', { class: 'muted' }, 'Not scored')));
  }

  look();
  return el('div', { class: 'many-table' },
    el('div', { class: 'many-bar' },
      el('div', { class: 'many-filter' }, el('label', { for: 'many-filter' }, 'Show'), filter)),
    wrap,
    el('div', { class: 'many-pager' }, where, el('div', { class: 'buttons' }, previous, next)));
}

/** Whether the model said something else than the right label, as far as it knows that one. */
function differs({ table, answers, labels }, index) {
  const right = rightOf(table, labels, index);
  return Boolean(right && answers[index]?.label && answers[index].label !== right);
}

/** The right label of a row as the model writes it; null: none is given, or the model does not know it. */
export function rightOf(table, labels, index) {
  const given = table.labelOf(index);
  return labels.find((label) => label === given) ?? labels.find((label) => label.toLowerCase() === given.toLowerCase()) ?? null;
}

function matches(scoring, index, wanted) {
  const answer = scoring.answers[index];
  if (wanted === 'all') return true;
  if (wanted === 'error') return Boolean(answer?.error);
  if (wanted === 'open') return !answer;
  if (wanted === 'differ') return differs(scoring, index);
  return answer?.label === wanted.slice(1);
}

function options(scoring, hasRight) {
  const { answers, labels } = scoring;
  const kinds = [['all', 'All rows'], ...labels.map((label) => [`=${label}`, label]),
    hasRight && ['differ', 'Label differs from the right one'], ['error', 'Errors'], ['open', 'Not scored']];
  return kinds.filter(Boolean).map(([value, name]) => {
    let count = 0;
    for (let index = 0; index < answers.length; index += 1) count += matches(scoring, index, value);
    if (!count && (value === 'open' || value === 'error')) return null;
    return el('option', { value }, `${name} (${number(count)})`);
  });
}

const named = (label, labels) => el('span', { class: ['label-dot', labelClass(label, labels)] }, el('bdi', {}, shortened(label, 60)));

function shownText(text) {
  if (text.length <= SHOWN_CHARACTERS) return el('div', { class: 'text', dir: 'auto' }, text);
  return el('details', { class: 'many-long' },
    el('summary', { class: 'text', dir: 'auto' }, shortened(text, SHOWN_CHARACTERS)), el('div', { class: 'text', dir: 'auto' }, text));
}
