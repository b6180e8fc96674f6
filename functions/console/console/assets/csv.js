// CSV as in RFC 4180, read as tolerantly as Python's csv module does: quotes in the middle of a cell are part of it, what
// follows a closing quote is appended, and CR, LF and CRLF all end a record. Nothing here knows the page.

/** What may stand between two cells. */
export const DELIMITERS = [',', ';', '\t'];

/**
 * Read one record after the other, so that whoever reads can pause.
 * @param {string} text without a byte order mark.
 * @param {string} delimiter one of DELIMITERS.
 * @yields {string[]} a record; a blank line has no cells.
 * @returns {Generator<string[], boolean>} finally whether a quote was opened and never closed.
 */
export function* records(text, delimiter) {
  const stops = new RegExp(`[${delimiter}\r\n]`, 'g');
  const reader = { at: 0, isOpen: false };
  while (reader.at < text.length) {
    const cells = [];
    if (!isBreak(text[reader.at])) {
      do cells.push(cell(text, reader, stops));
      while (text[reader.at] === delimiter && ++reader.at);
    }
    reader.at += text.startsWith('\r\n', reader.at) ? 2 : 1;
    yield cells;
  }
  return reader.isOpen;
}

const isBreak = (character) => character === '\r' || character === '\n';

function cell(text, reader, stops) {
  const quoted = text[reader.at] === '"' ? inQuotes(text, reader) : '';
  stops.lastIndex = reader.at;
  const from = reader.at;
  reader.at = stops.exec(text)?.index ?? text.length;
  return quoted + text.slice(from, reader.at);
}

function inQuotes(text, reader) {
  const parts = [];
  for (let from = reader.at + 1; ;) {
    const close = text.indexOf('"', from);
    if (close < 0) {
      reader.isOpen = true;
      reader.at = text.length;
      return parts.join('') + text.slice(from);
    }
    reader.at = close + 1;
    if (text[reader.at] !== '"') return parts.join('') + text.slice(from, close);
    parts.push(text.slice(from, reader.at)); // with one quote of the two
    from = reader.at + 1;
  }
}

/** Read all records at once; for small texts. */
export const parse = (text, delimiter) => [...records(text, delimiter)];

/**
 * Write records; each ends with CRLF, and cells are quoted where they have to be.
 * @param {Iterable<Array<string|number>>} rows
 * @param {string} delimiter
 */
export function write(rows, delimiter = ',') {
  const needsQuotes = new RegExp(`["\r\n${delimiter}]`);
  const written = (value) => {
    const text = String(value);
    return needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [];
  for (const row of rows) {
    const line = row.map(written).join(delimiter);
    lines.push(line === '' && row.length === 1 ? '""' : line, '\r\n'); // a lone empty cell is no blank line
  }
  return lines.join('');
}

/** Keep a spreadsheet from taking a cell for a formula. */
export const harmless = (value) => (/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
