// What a table's shape says about it: what parts the cells, whether the first row names the columns, and which column is
// which. The user sees each guess and can change it.

import { DELIMITERS, records } from './csv.js';

const LOOKED_AT = 50; // records
const LOOKED_AT_CHARACTERS = 200_000;
const NAMES = {
  text: ['text', 'review', 'comment', 'sentence', 'message', 'body', 'content', 'tweet', 'feedback', 'review_text', 'description'],
  label: ['label', 'correct_label', 'right_label', 'sentiment', 'gold', 'class', 'category', 'target'],
  user: ['user', 'user_id', 'userid', 'username', 'author', 'contributor', 'annotator', 'customer', 'customer_id'],
};
const KNOWN = new Set(Object.values(NAMES).flat());

/** A column's name as it is looked up. */
const plain = (name) => name.trim().toLowerCase().replace(/[\s-]+/g, '_');

function first(iterable, count) {
  const found = [];
  for (const each of iterable) {
    found.push(each);
    if (found.length >= count) break;
  }
  return found;
}

/**
 * Find out what parts the cells: what gives most records as many cells as the first one has, and more than one.
 * @returns {string} one of DELIMITERS; empty: each line is one text, whatever stands in it.
 */
export function guessDelimiter(text) {
  const start = text.slice(0, LOOKED_AT_CHARACTERS);
  const tried = DELIMITERS.map((delimiter) => {
    const rows = first(records(start, delimiter), LOOKED_AT).filter((row) => row.length);
    if (rows.length > 1 && start.length < text.length) rows.pop(); // it may be cut
    const width = rows[0]?.length ?? 1;
    return { delimiter, width, share: rows.filter((row) => row.length === width).length / (rows.length || 1) };
  });
  const [best] = tried.filter(({ width, share }) => width > 1 && share > 0.5)
    .sort((one, other) => other.share - one.share || other.width - one.width);
  if (best) return best.delimiter;
  const isOneColumn = tried[0].width === 1 && tried[0].share === 1; // quotes may be there and be meant
  return isOneColumn ? ',' : '';
}

/** Whether the first row names the columns. */
export function guessHeader(rows) {
  const [names = [], ...others] = rows.slice(0, LOOKED_AT);
  if (names.some((name) => KNOWN.has(plain(name)))) return true;
  if (!others.length || names.some((name) => !name.trim() || name.length > 40 || !Number.isNaN(Number(name)))) return false;
  if (new Set(names.map(plain)).size < names.length) return false;
  const at = longest(others, names.length);
  return names[at].length * 3 < meanLength(others, at);
}

/**
 * Find out which column holds what.
 * @param {?string[]} names of the columns, if there are any.
 * @param {string[][]} rows
 * @param {number} width how many columns there are.
 * @returns {{text: number, label: number, user: number}} -1: none of them.
 */
export function guessColumns(names, rows, width) {
  const named = (kind) => {
    const plainNames = (names ?? []).map(plain);
    const wanted = NAMES[kind].find((name) => plainNames.includes(name));
    return wanted ? plainNames.indexOf(wanted) : -1;
  };
  const text = named('text') >= 0 ? named('text') : longest(rows.slice(0, LOOKED_AT), width);
  return { text, label: named('label'), user: named('user') };
}

function longest(rows, width) {
  let best = 0;
  for (let at = 1; at < width; at += 1) if (meanLength(rows, at) > meanLength(rows, best)) best = at;
  return best;
}

const meanLength = (rows, at) => rows.reduce((sum, row) => sum + (row[at]?.length ?? 0), 0) / (rows.length || 1);
