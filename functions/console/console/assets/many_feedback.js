// Where a table has right labels: how often the model agrees, and all of them as feedback.

import { shown } from './dialog.js';
import { closingGuard, el, replace } from './dom.js';
import { counted, number, percent, shortened } from './format.js';
import { learnNow } from './learn.js';
import { createProgress } from './many_progress.js';
import { rightOf } from './many_rows.js';
import { createSending } from './many_send.js';

const LISTED = 8;
const LISTED_ERRORS = 20;
const guard = closingGuard(); // of rows that were not sent: after a reload nobody knows which were

/**
 * @param {Object} scoring as `createScoring` makes it, whose table has a column of right labels.
 * @param {Object} kept what outlives this view: `{sending}`.
 * @param {Object} told
 * @param {(isBusy: boolean) => void} told.busy
 * @param {() => void} told.again the same rows are to be scored once more.
 * @param {Object} app of the frame.
 * @returns {{element: HTMLElement, agreed: number, close: () => void}} `agreed`: the share of the right labels; NaN: none.
 */
export function createFeedback(scoring, kept, { busy, again }, app) {
  const found = agreement(scoring);
  const action = el('div', { class: 'many-send' });
  const element = el('section', { class: 'card panel many-feedback' }, el('h2', {}, 'Right labels'), summary(found, scoring), action);
  let progress = null;
  let learning = null;

  function offer() {
    const { corrections, confirmations } = found;
    const all = `${counted(corrections, 'correction')}, ${counted(confirmations, 'confirmation')}`;
    if (!found.rows.length) return;
    replace(action,
      el('p', { class: 'muted' }, 'Each row is stored as feedback, with its right label; the next retrain learns from it. ',
        scoring.table.choice.user >= 0 ? 'Each counts for its user; what one person can change is limited.'
          : 'All count as one person’s, and what one person can change is limited: if they are of several, choose a column with the user.'),
      el('div', { class: 'buttons' },
        el('button', { class: 'button primary', type: 'button', onclick: async () => { if (await isSure(all)) begin(); } }, `Send as feedback: ${all}`)));
  }

  /** A new version answers: what it makes of the same rows is one click away. */
  async function decided({ outcome, version }, signal) {
    if (outcome !== 'promoted') return null;
    await app.follow(version, signal);
    return el('button', { class: 'button', type: 'button', onclick: again }, 'Score the rows again');
  }

  function begin() {
    kept.sending = createSending(scoring, found.rows);
    show();
    progress.focus();
    kept.sending.run.go();
  }

  function show() {
    const { sending } = kept;
    const outcome = el('div', { class: 'many-outcome' });
    progress = createProgress({
      title: 'Feedback sent', one: 'row', run: sending.run, total: sending.rows.length, done: () => sending.done, ended: () => ended(true),
    });
    replace(action, el('h3', { tabindex: -1 }, 'Feedback'), progress.element, outcome);

    function ended(isNews) {
      busy(sending.run.state === 'running');
      guard(sending.run.state !== 'done');
      if (sending.run.state !== 'done') return;
      replace(outcome, receipts(sending));
      learning ??= learnNow({ decided });
      outcome.append(learning.element);
      if (isNews) action.querySelector('h3').focus();
    }

    const { changed } = sending.run;
    sending.run.changed = () => {
      if (sending.run.state === 'running') busy(true);
      changed();
    };
    ended(false);
  }

  if (kept.sending?.isOf(scoring, found.rows)) show();
  else offer();
  return {
    element,
    agreed: found.confirmations / found.rows.length,
    close: () => {
      progress?.close();
      learning?.close();
    },
  };
}

/** Compare what was answered with what is right. */
function agreement(scoring) {
  const { table, answers, labels } = scoring;
  const found = { rows: [], corrections: 0, confirmations: 0, without: 0, unknown: new Map(), cells: new Map() };
  for (let index = 0; index < answers.length; index += 1) {
    if (!answers[index]?.label) continue;
    const given = table.labelOf(index);
    const right = rightOf(table, labels, index);
    if (!given) found.without += 1;
    else if (right === null) found.unknown.set(given, (found.unknown.get(given) ?? 0) + 1);
    else {
      const said = answers[index].label;
      found.rows.push(index);
      if (said === right) found.confirmations += 1;
      else found.corrections += 1;
      const cell = JSON.stringify([right, said]);
      found.cells.set(cell, (found.cells.get(cell) ?? 0) + 1);
    }
  }
  return found;
}

function summary(found, { labels, agreedBefore }) {
  const all = found.rows.length;
  return [
    all > 0
      ? el('p', {}, el('strong', {}, `${number(found.confirmations)} of ${number(all)} agree`), ` (${percent(found.confirmations / all)}).`,
        agreedBefore >= 0 && ` The last time it was ${percent(agreedBefore)}.`)
      : el('p', { class: 'empty' }, 'No row has a right label that the model knows. Look whether the right column is chosen.'),
    all > 0 && confusion(found, labels),
    found.unknown.size > 0 && el('div', { class: 'notice warn' },
      el('p', {}, `Left out: labels that the model does not know. It knows ${labels.join(', ')}.`),
      el('ul', { class: 'many-list' },
        [...found.unknown].slice(0, LISTED).map(([label, count]) => el('li', {}, el('bdi', {}, shortened(label, 60)), `: ${counted(count, 'row')}`)),
        found.unknown.size > LISTED && el('li', {}, `and ${counted(found.unknown.size - LISTED, 'more label')}`))),
    found.without > 0 && el('p', { class: 'muted small' }, `${counted(found.without, 'row')} ${found.without === 1 ? 'has' : 'have'} no right label.`),
  ];
}

function confusion({ cells }, labels) {
  const count = (right, said) => cells.get(JSON.stringify([right, said])) ?? 0;
  return el('div', { class: 'table-wrap', tabindex: 0, role: 'region', 'aria-label': 'Right and predicted labels' },
    el('table', { class: 'many-confusion' },
      el('caption', {}, 'Rows by their right label, and what the model says of them'),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Right'), labels.map((said) => el('th', { scope: 'col', class: 'number' }, said)))),
      el('tbody', {}, labels.map((right) => el('tr', {}, el('th', { scope: 'row' }, right), labels.map((said) =>
        el('td', { class: ['number', right === said && 'many-agree', !count(right, said) && 'muted'] },
          right === said && el('span', { 'aria-hidden': 'true' }, '✓ '), number(count(right, said)))))))));
}

function isSure(all) {
  return shown((close) => [
    el('h2', { id: 'dialog-title' }, 'Send these as feedback?'),
    el('p', {}, `${all}. They are stored, and the next retrain learns from them.`),
    el('div', { class: 'buttons' },
      el('button', { class: 'button primary', type: 'button', onclick: () => close(true) }, 'Send'),
      el('button', { class: 'button', type: 'button', onclick: () => close(false) }, 'Cancel')),
  ]);
}

function receipts({ errors, rows }) {
  const stored = rows.length - errors.length;
  return [
    el('p', { class: 'notice done' }, `${counted(stored, 'row')} stored. What became of each is decided by the next retrain.`),
    errors.length > 0 && el('div', { class: 'notice error' },
      el('p', {}, el('strong', {}, `${counted(errors.length, 'row')} refused.`)),
      el('ul', { class: 'many-list' },
        errors.slice(0, LISTED_ERRORS).map(({ index, error }) => el('li', {}, `Row ${number(index + 1)}: ${error}`)),
        errors.length > LISTED_ERRORS && el('li', {}, `and ${number(errors.length - LISTED_ERRORS)} more`))),
  ];
}
