// The field for a text, with examples to begin with.

import { announce, el, replace } from './dom.js';
import { number } from './format.js';
import { copyCurl } from './try_curl.js';

const LONGEST = 10_000;  // characters, as the service counts them
const NEAR = 9_000;
const COPIED_MS = 2_000;  // how long the button says so
const DRAFT = 'sentiloop.try.text';  // of this tab, so that a look at another view costs nobody his text
const EXAMPLES = {
  Praise: 'The staff were lovely, and we would come back any time.',
  Negation: 'I would not buy it again.',
  'Mixed feelings': 'Great camera, terrible battery, and the screen scratches if you look at it.',
  'Hard to say': 'Well, that was an experience.',
};

/**
 * Make the field.
 * @param {(text: string) => void} changed is told of every change; '' stands for a blank or overlong text.
 * @returns {{element: HTMLElement, text: () => string, start: () => void}} `start` tells of what the field holds at first.
 */
export function textField(changed) {
  const counter = el('span', { class: 'try-counter small number', id: 'try-counter' });
  const field = el('textarea', {
    id: 'try-field', rows: '5', dir: 'auto', 'aria-describedby': 'try-counter', autocomplete: 'off',
    placeholder: 'Write or paste a text. The answer comes as you type.',
  });
  const copy = el('button', { class: 'button try-copy', type: 'button', onclick: () => copyCommand(field, copy) }, 'Copy as curl');
  const clear = el('button', { class: 'button quiet', type: 'button', onclick: () => put('') }, 'Clear');

  function update() {
    const length = lengthOf(field.value);
    const isTooLong = length > LONGEST;
    const isBlank = !field.value.trim();
    replace(counter, length < NEAR ? '' : `${number(length)} of ${number(LONGEST)} characters${isTooLong ? ': shorten it' : ''}`);
    counter.classList.toggle('try-over', isTooLong);
    field.setAttribute('aria-invalid', String(isTooLong));
    copy.setAttribute('aria-disabled', String(isBlank || isTooLong));
    clear.setAttribute('aria-disabled', String(!field.value));
    remember(field.value);
    changed(isBlank || isTooLong ? '' : field.value);
  }

  function put(text) {
    field.value = text;
    update();
    field.focus();
  }

  field.addEventListener('input', update);
  field.value = sessionStorage.getItem(DRAFT) ?? '';
  const element = el('section', { class: 'card try-write', 'aria-label': 'Write' },
    el('div', { class: 'field' },
      el('div', { class: 'try-field-head' }, el('label', { for: 'try-field' }, 'Text'), counter),
      field),
    el('div', { class: 'try-examples', role: 'group', 'aria-label': 'Examples' },
      el('span', { class: 'small muted' }, 'Try one:'),
      Object.entries(EXAMPLES).map(([name, text]) =>
        el('button', { class: 'button try-example', type: 'button', title: text, onclick: () => put(text) }, name))),
    el('div', { class: 'buttons' }, copy, clear));
  return { element, text: () => (usable(field.value) ? field.value : ''), start: update };
}

const usable = (text) => text.trim() !== '' && lengthOf(text) <= LONGEST;

/** The number of code points; of a text that is far too long it is enough to know that. */
function lengthOf(text) {
  return text.length > 4 * LONGEST ? text.length : Array.from(text).length;
}

function remember(text) {
  try {
    sessionStorage.setItem(DRAFT, text.length > 4 * LONGEST ? '' : text);
  } catch {
    sessionStorage.removeItem(DRAFT);  // the tab's storage is full: the text is on the page all the same
  }
}

async function copyCommand(field, button) {
  if (!usable(field.value)) announce('There is no text to copy a command for.');
  else if (await copyCurl(field.value)) {
    replace(button, 'Copied');
    announce('Copied');
    setTimeout(() => replace(button, 'Copy as curl'), COPIED_MS);
  }
}
