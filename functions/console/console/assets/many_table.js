// A table as the user says it is to be taken: which row names the columns, and which column is which.

import { harmless, write } from './csv.js';

/**
 * @param {Object} source `{name, rows, delimiter, hasMark}`.
 * @param {{hasHeader: boolean, text: number, label: number, user: number}} choice columns are counted from 0; -1: none.
 */
export function tableOf(source, choice) {
  const rows = choice.hasHeader ? source.rows.slice(1) : source.rows;
  const width = source.rows[0].length;
  const names = columnNames(source, choice.hasHeader);
  const cell = (index, column) => (column < 0 ? '' : rows[index][column] ?? '');
  return {
    source,
    choice,
    rows,
    names,
    textOf: (index) => cell(index, choice.text),
    labelOf: (index) => cell(index, choice.label).trim(),
    userOf: (index) => cell(index, choice.user).trim(),
    /** Why a row cannot be scored, though it can be kept; null: it can. */
    problemOf: (index) => (rows[index].length === width ? null
      : `The row has ${rows[index].length} cells, the first one ${width}: quote cells that hold a separator, a quote or a line break.`),
  };
}

/** The names of the columns, or numbers in their place. */
export function columnNames(source, hasHeader) {
  return source.rows[0].map((name, at) => (hasHeader && name.trim()) || `column_${at + 1}`);
}

/**
 * The table with what was answered, as CSV: columns as they came, then those of `./sentiloop score`; cells that a row has
 * beyond the first row's stay, behind the added ones.
 *
 * Cells of the user stay as they are, even where a spreadsheet would take one for a formula: it is the same file that
 * they had, and "-5" or "+49 30 1234" have to come back unchanged. In what is added here nothing is a formula.
 * @param {Object} scoring as `createScoring` makes it.
 */
export function scoredCsv({ table, answers, labels }) {
  const { source, names, rows } = table;
  const plainNames = ['predicted_label', 'confidence', ...labels.map((label) => `probability_${label}`), 'model_version', 'error'];
  const prefix = plainNames.some((name) => names.includes(name)) ? prefixFree(names, plainNames) : '';
  const width = names.length;

  function* lines() {
    yield [...names, ...plainNames.map((name) => harmless(prefix + name))];
    for (const [index, row] of rows.entries()) {
      const own = row.slice(0, width);
      while (own.length < width) own.push('');
      yield [...own, ...added(answers[index], labels).map(harmless), ...row.slice(width)];
    }
  }

  const needsMark = source.hasMark || source.encoding === 'windows-1252'; // from a spreadsheet, and back into one
  return (needsMark ? '\ufeff' : '') + write(lines(), source.delimiter || ',');
}

/** A file that was scored here before has the names already. */
function prefixFree(names, wanted) {
  for (let count = 2; ; count += 1) {
    const prefix = `run${count}_`;
    if (!wanted.some((name) => names.includes(prefix + name))) return prefix;
  }
}

function added(answer, labels) {
  if (!answer || answer.error) return ['', '', ...labels.map(() => ''), '', answer?.error ?? 'not scored'];
  const share = (value) => value.toFixed(6);
  return [answer.label, share(answer.confidence), ...labels.map((label) => share(answer.probabilities[label] ?? 0)), answer.version, ''];
}

/** "reviews.csv" → "reviews-scored.csv". */
export const scoredName = (name) => `${name.replace(/\.[^.]{1,5}$/, '') || 'texts'}-scored.csv`;
