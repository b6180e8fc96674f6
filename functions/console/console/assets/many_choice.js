// How a file is to be taken: what parts its cells, whether the first row names the columns, and which column is which.

import { announce, el, replace } from './dom.js';
import { field } from './fields.js';
import { counted, shortened } from './format.js';
import { guessColumns, guessHeader } from './many_guess.js';
import { columnNames } from './many_table.js';

const DELIMITERS = [[',', 'Comma'], [';', 'Semicolon'], ['\t', 'Tab'], ['', 'Nothing: each line is a text']];
const ROLES = [['text', 'Text'], ['label', 'Right label, if there is one'], ['user', 'User, if there is one']];
const CHIPS = { text: 'text', label: 'right label', user: 'user' };
const PREVIEWED = 5;
const SHOWN_CHARACTERS = 160;
const SHOWN_COLUMNS = 20;
const ENCODINGS = { 'utf-8': 'UTF-8', 'utf-16le': 'UTF-16', 'utf-16be': 'UTF-16', 'windows-1252': 'Windows-1252' };

/**
 * @param {Object} kept `{source, choice}`; the choice is made here if there is none.
 * @param {Object} told
 * @param {(delimiter: string) => Promise<?Object>} told.reparted reads the file anew; null: it cannot be read so.
 * @param {() => void} told.changed
 * @returns {{element: HTMLElement, preview: HTMLElement}}
 */
export function createChoice(kept, { reparted, changed }) {
  kept.choice ??= guessed(kept.source);
  const delimiter = el('select', { id: 'many-delimiter', onchange: () => part() }, DELIMITERS.map(([value, name]) => el('option', { value }, name)));
  const header = el('input', { id: 'many-header', type: 'checkbox', onchange: () => rename() });
  const columns = ROLES.map(([role, name]) => [role, name, el('select', { id: `many-${role}`, onchange: () => choose() })]);
  const facts = el('p', { class: 'muted small' });
  const notes = el('div', { class: 'many-notes' });
  const preview = el('div', { class: 'table-wrap many-preview', tabindex: 0, role: 'region', 'aria-label': 'The first rows' });
  const element = el('div', { class: 'many-choice' }, facts, notes,
    el('div', { class: 'many-columns' },
      columns.map(([role, name, select]) => field(`many-${role}`, name, select)),
      field('many-delimiter', 'Cells are parted by', delimiter)),
    el('div', { class: 'many-check' }, header, el('label', { for: 'many-header' }, 'The first row names the columns')));

  async function part() {
    const source = await reparted(delimiter.value);
    if (source) {
      kept.choice = guessed(source);
      announce(counted(source.rows.length, 'row'));
      draw();
      changed();
    } else {
      delimiter.value = kept.source.delimiter;
    }
  }

  function rename() {
    kept.choice = { ...kept.choice, hasHeader: header.checked };
    draw();
    changed();
  }

  function choose() {
    kept.choice = { ...kept.choice, ...Object.fromEntries(columns.map(([role, , select]) => [role, Number(select.value)])) };
    drawPreview();
    changed();
  }

  function draw() {
    const { source, choice } = kept;
    delimiter.value = source.delimiter;
    header.checked = choice.hasHeader;
    const names = columnNames(source, choice.hasHeader).map((name, at) => el('option', { value: at }, shortened(name, 60)));
    for (const [role, , select] of columns) {
      replace(select, role === 'text' ? null : el('option', { value: -1 }, 'None'), names.map((option) => option.cloneNode(true)));
      select.value = choice[role];
    }
    drawFacts();
    drawPreview();
  }

  function drawFacts() {
    const { source, choice } = kept;
    const rows = source.rows.length - (choice.hasHeader ? 1 : 0);
    replace(facts, [
      counted(rows, 'row'), counted(source.rows[0].length, 'column'), ENCODINGS[source.encoding],
      source.blank && `${counted(source.blank, 'blank line')} left out`,
    ].filter(Boolean).join(' · '));
    const ragged = source.rows.filter((row) => row.length !== source.rows[0].length).length;
    replace(notes,
      rows === 0 && note('There is nothing below the names of the columns.'),
      source.isOpen && note('A quote is opened and never closed, so that all after it is one cell. Look at the last row of the file, or choose “Nothing”.'),
      ragged > 0 && note(`${counted(ragged, 'row')} ${ragged === 1 ? 'has' : 'have'} more or fewer cells than the first. Such a row keeps its place, and gets an error instead of a label.`),
      source.encoding === 'windows-1252' && note('The file is no UTF-8, so it is read as Windows-1252. Look whether the letters below are right.'));
  }

  function drawPreview() {
    const { source, choice } = kept;
    const names = columnNames(source, choice.hasHeader).slice(0, SHOWN_COLUMNS);
    const rows = source.rows.slice(choice.hasHeader ? 1 : 0).slice(0, PREVIEWED);
    const chips = (at) => ROLES.filter(([role]) => choice[role] === at).map(([role]) => el('span', { class: 'chip strong' }, CHIPS[role]));
    const more = source.rows[0].length - names.length;
    replace(preview, el('table', {},
      el('caption', {}, rows.length > 1 ? `The first ${rows.length} rows` : rows.length ? 'The first row' : 'No rows', more > 0 && `, without ${counted(more, 'more column')}`),
      el('thead', {}, el('tr', {}, names.map((name, at) =>
        el('th', { scope: 'col' }, el('span', { class: 'many-column' }, el('bdi', {}, shortened(name, 60)), chips(at)))))),
      el('tbody', {}, rows.map((row) => el('tr', {}, names.map((_, at) =>
        el('td', { class: at === choice.text && 'many-wide' }, el('bdi', { class: 'text' }, shortened(row[at] ?? '', SHOWN_CHARACTERS)))))))));
  }

  draw();
  return { element, preview };
}

function guessed(source) {
  const hasHeader = guessHeader(source.rows);
  const names = hasHeader ? source.rows[0] : null;
  return { hasHeader, ...guessColumns(names, source.rows.slice(hasHeader ? 1 : 0), source.rows[0].length) };
}

const note = (text) => el('p', { class: 'notice warn' }, text);
