// "What each word adds": the exact sum behind an answer, as a table.

import { LONGEST_WORD, raised } from './colour.js';
import { el, labelName } from './dom.js';
import { counted, number, shortened, signed } from './format.js';

const MOST_ROWS = 30;
const NOTHING = 0.005;  // what is shown as 0.00

/**
 * Make the table, closed at first; `exchange` keeps it open where its reader has opened it.
 * @param {string} text as it was scored.
 * @param {Object} found by `effects`.
 */
export function wordTable(text, found) {
  const points = Array.from(text);  // places count code points
  const sorted = [...found.spans].sort((one, other) => other.effect - one.effect);
  const rows = sorted.slice(0, MOST_ROWS);
  const rest = sorted.slice(MOST_ROWS);
  const row = (name, adds, className) => tableRow(name, adds, found.labels, className);
  const word = ({ start, end }) => el('bdi', { class: 'text' }, shortened(points.slice(start, end).join(''), LONGEST_WORD));
  return el('details', { class: 'try-words', dataset: { keep: 'words' } },
    el('summary', {}, 'What each word adds'),
    el('p', { class: 'muted small', id: 'try-words-help' },
      'Points that a word, with its neighbours, adds to each label or takes from it, the strongest first. ',
      'The label with most points in total wins; a lead of 0.7 makes it twice as likely.'),
    el('div', { class: 'table-wrap', tabindex: '0', role: 'region', 'aria-label': 'Contributions of the words' },
      el('table', { 'aria-describedby': 'try-words-help' },
        el('thead', {}, el('tr', {},
          el('th', { scope: 'col' }, 'Word'),
          el('th', { scope: 'col' }, 'Speaks for'),
          found.labels.map((label) => el('th', { scope: 'col', class: 'number' }, label)))),
        el('tbody', {},
          rows.map((span) => row(word(span), span.adds)),
          rest.length > 0 && row(counted(rest.length, 'weaker word'), summed(rest, found.labels), 'try-sum'),
          row('Base rate, for any text', found.bias, 'try-sum')),
        el('tfoot', {}, row('Total', found.total, 'try-total')))),
    sorted.length === 0 && el('p', { class: 'muted small' }, 'The model knows none of this: it answers by the base rate.'),
    rest.length > 0 && el('p', { class: 'muted small' }, `The ${MOST_ROWS} strongest of ${number(sorted.length)} words.`));
}

function tableRow(name, adds, labels, className = '') {
  const label = raised(adds);
  return el('tr', { class: className },
    el('th', { scope: 'row' }, name),
    el('td', { class: 'try-speaks' }, adds[label] < NOTHING ? '–' : labelName(label, labels)),
    labels.map((each) => el('td', { class: ['number', each === label && 'try-raised'] }, signed(adds[each]))));
}

function summed(spans, labels) {
  const sum = (label) => spans.reduce((total, { adds }) => total + adds[label], 0);
  return Object.fromEntries(labels.map((label) => [label, sum(label)]));
}
