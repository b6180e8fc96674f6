// From a file's bytes to records, a little at a time so that the page stays usable, and within limits.

import { records } from './csv.js';

const MOST_BYTES = 20 * 2 ** 20;
const MOST_ROWS = 50_000;
const MOST_COLUMNS = 200;
const SLICE_MS = 12; // less than a frame of the screen
const FOR_MORE = 'For more, use the command line, which takes files of any size: ./sentiloop score FILE --out scored.csv';

/** Why an input cannot be taken, and what to do about it. */
export class InputError extends Error {
  constructor(message, hint) {
    super(message);
    this.code = 'bad_input'; // of the user's file, and no fault of this page
    this.hint = hint;
  }
}

/**
 * Read a file as text.
 * @param {File} file
 * @returns {Promise<{text: string, encoding: string, hasMark: boolean}>} `hasMark`: it began with a byte order mark.
 * @throws {InputError} it is too large, empty, or no text.
 */
export async function readText(file) {
  if (file.size > MOST_BYTES) {
    throw new InputError(`The file ${file.name} is larger than 20 MB, the most that this page takes.`, FOR_MORE);
  }
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new InputError(`The file ${file.name} cannot be read.`, 'It may have been moved or changed, or be a folder: choose it again.');
  }
  const found = decoded(bytes);
  if (found.text.includes('\0') || isArchive(bytes)) {
    throw new InputError(`The file ${file.name} is no text file.`, 'Of a spreadsheet, save the sheet as CSV first, best in UTF-8.');
  }
  if (!found.text.trim()) throw new InputError(`The file ${file.name} is empty.`, 'Choose a file with at least one text.');
  return found;
}

/** Spreadsheets and documents are archives, whose first bytes are these. */
const isArchive = (bytes) => bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] < 9 && bytes[3] < 9;

function decoded(bytes) {
  const starts = (...mark) => mark.every((byte, at) => bytes[at] === byte);
  const as = (encoding, hasMark, options = {}) => ({ text: new TextDecoder(encoding, options).decode(bytes), encoding, hasMark });
  if (starts(0xff, 0xfe)) return as('utf-16le', true);
  if (starts(0xfe, 0xff)) return as('utf-16be', true);
  try {
    return as('utf-8', starts(0xef, 0xbb, 0xbf), { fatal: true });
  } catch {
    return as('windows-1252', false); // what spreadsheets write in the west; it takes any byte
  }
}

/**
 * Read all records of a text.
 * @param {string} text
 * @param {string} delimiter as `guessDelimiter` returns it.
 * @param {AbortSignal} signal
 * @returns {Promise<{rows: string[][], blank: number, isOpen: boolean}>} blank lines are counted and left out; `isOpen`: a
 *   quote is never closed, so that all after it is one cell.
 * @throws {InputError} there are too many rows or columns, or none.
 */
export async function readRows(text, delimiter, signal) {
  const source = delimiter ? records(text, delimiter) : lines(text);
  const rows = [];
  let blank = 0;
  let pauseAt = performance.now() + SLICE_MS;
  for (;;) {
    const { value, done } = source.next();
    if (done) return { rows: someRows(rows), blank, isOpen: Boolean(value) };
    if (value.length === 0) blank += 1;
    else rows.push(value);
    check(rows, value);
    if (performance.now() < pauseAt) continue;
    await new Promise((resolve) => setTimeout(resolve));
    signal.throwIfAborted();
    pauseAt = performance.now() + SLICE_MS;
  }
}

function check(rows, newest) {
  if (rows.length > MOST_ROWS + 1) { // one more may be the names
    throw new InputError('There are more than 50,000 rows; this page takes no more.', FOR_MORE);
  }
  if (newest.length > MOST_COLUMNS) {
    throw new InputError(`A row has ${newest.length} cells; this page takes ${MOST_COLUMNS}.`, 'Another separator may be meant, or the file may be no CSV.');
  }
}

function someRows(rows) {
  if (!rows.length) throw new InputError('There is no text.', 'Give at least one line that is not blank.');
  return rows;
}

/** One text a line, as they stand. */
function* lines(text) {
  for (const [line] of text.matchAll(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g)) {
    const content = line.replace(/[\r\n]+$/, '');
    yield content.trim() ? [content] : [];
  }
  return false;
}
