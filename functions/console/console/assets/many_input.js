// Where the texts come from: lines that are pasted, or a CSV file that is dropped or chosen.

import { announce, debounced, el, replace } from './dom.js';
import { counted, number } from './format.js';
import { createChoice } from './many_choice.js';
import { guessDelimiter } from './many_guess.js';
import { InputError, readRows, readText } from './many_read.js';
import { tableOf } from './many_table.js';
import { problem } from './panel.js';

const COUNTED_CHARACTERS = 2_000_000; // more are counted only when they are scored
const EXAMPLE = [
  'The staff were lovely and the room was spotless.',
  'It broke on the second day, and nobody answers the phone.',
  'The parcel is at the post office.',
  'Not bad at all, though the music was too loud.',
  'Well, that happened.',
].join('\n');

/**
 * @param {Object} kept what outlives this view: `{text, source, choice}`.
 * @param {Object} told
 * @param {(table: Object) => void} told.start all is there and is to be scored.
 * @param {(table: Object) => void} told.changed the user takes the file's columns in another way.
 */
export function createInput(kept, { start, changed }) {
  const controller = new AbortController();
  let reading = 0; // of several files the last counts
  const area = el('textarea', { id: 'many-lines', rows: 8, spellcheck: 'false', 'aria-describedby': 'many-lines-help', oninput: () => typed() });
  const file = el('input', {
    id: 'many-file', type: 'file', accept: '.csv,.tsv,.txt,text/csv,text/tab-separated-values,text/plain', 'aria-describedby': 'many-file-help',
    onchange: () => file.files.length && take(file.files[0]),
  });
  const lines = el('div', { class: 'field' },
    el('label', { for: 'many-lines' }, 'Texts, one a line'), area,
    el('p', { id: 'many-lines-help', class: 'muted small' }, 'Blank lines are left out. ',
      el('button', { class: 'many-link', type: 'button', onclick: () => example() }, 'Fill in an example')));
  const drop = el('div', { class: 'field many-drop' },
    el('label', { for: 'many-file' }, 'Or a CSV file'), file,
    el('p', { id: 'many-file-help', class: 'muted small' },
      'Drop it here or choose it. Cells are parted by comma, semicolon or tab; up to 20 MB and 50,000 rows.'));
  const trouble = el('div', { class: 'many-trouble' });
  const about = el('div', { class: 'many-about' });
  const preview = el('div', { class: 'many-about' }); // not among the fields: it can be read while they are disabled
  const button = el('button', { class: 'button primary', type: 'submit' });
  const fields = el('fieldset', { class: 'many-fields', 'aria-label': 'Texts to score' }, lines, drop, trouble, about,
    el('div', { class: 'buttons' }, button));
  const element = el('section', { class: 'card panel many-input' }, el('h2', {}, 'Texts'),
    el('form', { onsubmit: submitted }, fields), preview);

  const shown = debounced(() => label(), 150);

  function typed() {
    kept.text = area.value;
    replace(trouble);
    area.removeAttribute('aria-invalid');
    shown();
  }

  function example() {
    area.value = EXAMPLE;
    typed();
    area.focus();
  }

  function label() {
    const { text, source, choice } = kept;
    if (source) button.textContent = `Score ${counted(source.rows.length - (choice.hasHeader ? 1 : 0), 'row')}`;
    else if (!text.trim() || text.length > COUNTED_CHARACTERS) button.textContent = 'Score the texts';
    else button.textContent = `Score ${counted(text.split(/[\r\n]+/).filter((line) => line.trim()).length, 'text')}`;
  }

  async function submitted(event) {
    event.preventDefault();
    if (kept.source && kept.source.rows.length === (kept.choice.hasHeader ? 1 : 0)) {
      replace(trouble, problem(new InputError('There is no row to score.', 'Take another file, or say that its first row names no columns.')));
      return;
    }
    if (kept.source) {
      start(tableOf(kept.source, kept.choice));
      return;
    }
    try {
      const { rows } = await readRows(kept.text, '', controller.signal);
      const source = { name: 'texts.csv', rows: [['text'], ...rows], delimiter: ',', encoding: 'utf-8', hasMark: false };
      start(tableOf(source, { hasHeader: true, text: 0, label: -1, user: -1 }));
    } catch (error) {
      if (error.name === 'AbortError') return;
      replace(trouble, problem(error));
      area.setAttribute('aria-invalid', 'true');
      area.focus();
    }
  }

  /** Take a file; what was there before stays until it is read. */
  async function take(chosen) {
    reading += 1;
    const mine = reading;
    element.setAttribute('aria-busy', 'true');
    replace(trouble, el('p', { class: 'muted', role: 'status' }, `Reading ${chosen.name}…`));
    try {
      const text = await readText(chosen);
      const delimiter = guessDelimiter(text.text);
      const found = await readRows(text.text, delimiter, controller.signal);
      if (mine !== reading) return;
      kept.choice = null;
      kept.source = { name: chosen.name, delimiter, ...text, ...found };
      replace(trouble);
      showFile(true);
      announce(`${chosen.name}: ${counted(found.rows.length, 'row')}`);
    } catch (error) {
      if (error.name === 'AbortError' || mine !== reading) return;
      error.message = `${chosen.name}: ${error.message}`;  // another file may still be chosen
      replace(trouble, problem(error));
    } finally {
      if (mine === reading) element.removeAttribute('aria-busy');
      file.value = ''; // the same file, mended, can be chosen again
    }
  }

  async function reparted(delimiter) {
    const { source } = kept;
    reading += 1;
    const mine = reading;
    try {
      const found = await readRows(source.text, delimiter, controller.signal);
      if (mine !== reading) return null;
      replace(trouble);
      kept.source = { ...source, ...found, delimiter };
      return kept.source;
    } catch (error) {
      if (error.name !== 'AbortError' && mine === reading) replace(trouble, problem(error));
      return null;
    }
  }

  function showFile(isNew = false) {
    const { source } = kept;
    lines.hidden = drop.hidden = Boolean(source);
    if (source) {
      const name = el('h3', { class: 'many-name', tabindex: -1 }, source.name);
      const choice = createChoice(kept, { reparted, changed: () => {
        label();
        changed(tableOf(kept.source, kept.choice));
      } });
      replace(about, el('div', { class: 'many-file' }, name,
        el('button', { class: 'button', type: 'button', onclick: () => leave() }, 'Remove the file')), choice.element);
      replace(preview, choice.preview);
      if (isNew) name.focus();
    } else {
      replace(about);
      replace(preview);
    }
    label();
  }

  function leave() {
    Object.assign(kept, { source: null, choice: null });
    replace(trouble);
    showFile();
    file.focus();
  }

  function over(event) {
    if (fields.disabled || !event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    element.classList.toggle('many-over', event.type === 'dragover');
    if (event.type !== 'drop') return;
    const { files } = event.dataTransfer;
    if (files.length === 1) take(files[0]);
    else replace(trouble, problem(new InputError(`These are ${number(files.length)} files.`, 'Drop one.')));
  }

  for (const kind of ['dragover', 'dragleave', 'drop']) element.addEventListener(kind, over);
  area.value = kept.text;
  showFile();
  return {
    element,
    /** While texts are scored or sent, the input stays as it is. */
    setBusy: (isBusy) => { fields.disabled = isBusy; },
    focus: () => button.focus(),
    close: () => {
      shown.cancel();
      controller.abort();
    },
  };
}
