// "Not right?": one button for each label, and what came of pressing it.

import { announce, el, exchange, labelName, replace, time } from './dom.js';
import { field } from './fields.js';
import { date, labelClass } from './format.js';
import { problem } from './panel.js';

const USER = 'sentiloop.try.user';

/**
 * Make the buttons and the receipt.
 * @param {Object} parts
 * @param {(label: string) => void} parts.choose somebody says that this label is right.
 * @param {(key: string) => void} parts.again send a correction again that could not be sent.
 */
export function verdictPart({ choose, again }) {
  let labels = [];
  const row = el('div', { class: 'try-labels', role: 'group', 'aria-labelledby': 'try-verdict-title' });
  const receipt = el('div', { class: 'try-receipt' });
  const element = el('div', { class: 'try-verdict' },
    el('h3', { id: 'try-verdict-title' }, 'Not right?'),
    row, receipt, userField());

  /** Show the labels, and which of them the answer is; buttons stay the same ones, so that focus stays where it is. */
  function offer(of, predicted) {
    if (of.join('\n') !== labels.join('\n')) {
      labels = of;
      replace(row, labels.map((label, place) => labelButton(label, place, labels, choose)));
    }
    for (const button of row.children) {
      const isPredicted = button.dataset.label === predicted;
      button.querySelector('.try-meaning').textContent = isPredicted ? 'That is right' : 'It is this';
      button.classList.toggle('try-predicted', isPredicted);
    }
  }

  /** Show what became of the last thing that was said of the present text. @param {Object|null} entry */
  function show(entry) {
    const state = JSON.stringify([entry, labels]);
    if (state === receipt.dataset.state) return;
    receipt.dataset.state = state;
    exchange(receipt, entry ? receiptOf(entry, again) : keysHint(labels), choiceOf(entry));
  }

  const choiceOf = (entry) =>
    [...row.children].find(({ dataset }) => dataset.label === entry?.body.correct_label) ?? row.firstChild;

  const stop = onKeys((place) => labels[place] && choose(labels[place]));
  return { element, offer, show, stop };
}

function receiptOf(entry, again) {
  if (entry.failure) return problem(entry.failure, () => again(entry.key));
  if (!entry.id) return el('p', { class: 'notice' }, 'Sending…');
  const { id, status, received_at: at, body: { correct_label: label } } = entry;
  return el('div', { class: 'notice done' },
    el('p', {}, status === 'stored'
      ? [el('strong', {}, 'Stored.'), ` You said ${label}; the next retrain looks at it.`]
      : [el('strong', {}, `You said ${label}.`), ' See what became of it under Your corrections.']),
    el('p', { class: 'small muted' }, 'Receipt ', el('code', {}, id), ' · ', status.replace('_', ' '), ' · ',
      time(at, date(at))));
}

/** Who says so, as this tab remembers it. */
export const userOfSession = () => sessionStorage.getItem(USER)?.trim() ?? '';

/** Tell those who hear the page what came of it. */
export function announceVerdict(entry) {
  if (entry.isRepeated) announce('You have said so already.');
  else if (entry.id) announce(`Stored as ${entry.body.correct_label}. Receipt ${entry.id}`);
}

function labelButton(label, place, labels, choose) {
  const digit = place < 9 ? String(place + 1) : null;
  return el('button', {
    class: ['button', 'try-choice', labelClass(label, labels)], type: 'button', dataset: { label },
    'aria-keyshortcuts': digit && `${digit} Alt+${digit}`, onclick: () => choose(label),
  }, labelName(label, labels), ' ', el('span', { class: 'try-meaning small' }), digit && el('kbd', { 'aria-hidden': 'true' }, digit));
}

function keysHint(labels) {
  const last = Math.min(labels.length, 9);
  return el('p', { class: 'small muted' }, 'Say what is right and the model learns from it. Keys: ',
    el('kbd', {}, 'Alt'), ' + ', el('kbd', {}, '1'), ' to ', el('kbd', {}, String(last)), ' while you type, the digit alone elsewhere.');
}

function userField() {
  const help = 'What one person can change is limited. Without a name, all who share your API key count as one.';
  const input = el('input', {
    id: 'try-user', maxlength: '200', autocomplete: 'off', 'aria-describedby': 'try-user-help',
    oninput: () => sessionStorage.setItem(USER, input.value),
  });
  input.value = sessionStorage.getItem(USER) ?? '';
  return el('div', { class: 'try-user' }, field('try-user', ['Who says so ', el('span', { class: 'muted' }, '(optional)')], input,
    el('p', { class: 'small muted', id: 'try-user-help' }, help)));
}

/** Digits choose a label: alone where nobody types, with Alt everywhere. Returns how to stop listening. */
function onKeys(choose) {
  const listen = (event) => {
    if (event.ctrlKey || event.metaKey || event.repeat || document.querySelector('dialog[open]')) return;
    // With Alt a digit may give another character, so its key counts; alone it is the character that counts.
    const digit = event.altKey ? /^Digit([1-9])$/.exec(event.code)?.[1] : /^[1-9]$/.exec(event.key)?.[0];
    if (!digit || (!event.altKey && event.target.closest?.('input, textarea, select, [contenteditable]'))) return;
    event.preventDefault();
    choose(Number(digit) - 1);
  };
  document.addEventListener('keydown', listen);
  return () => document.removeEventListener('keydown', listen);
}
