// The keys of the view, which can be switched off: who speaks to the browser or has another reading aid may need to.

import { shown } from './dialog.js';
import { el } from './dom.js';

const FIELDS = 'input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]';
const PRESSED_BY_ENTER = 'a, button, summary, [role="button"]';

/**
 * Do what a key stands for.
 * @param {(key: string) => ?(() => void)} meaning what a key does, or nothing.
 * @returns {() => void} stops listening.
 */
export function listenForKeys(meaning) {
  const pressed = (event) => {
    if (event.defaultPrevented || event.repeat || event.isComposing) return; // a key held down is one answer
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector('dialog[open]') || event.target.closest?.(FIELDS)) return;
    if (event.key === 'Enter' && event.target.closest?.(PRESSED_BY_ENTER)) return;
    const action = meaning(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!action) return;
    event.preventDefault();
    action();
  };
  document.addEventListener('keydown', pressed);
  return () => document.removeEventListener('keydown', pressed);
}

/** Show what the keys do. */
export function showKeys(labels, hidesAnswer) {
  const rows = [
    ...labels.slice(0, 9).map((label, index) => [String(index + 1), `Label the text ${label}`]),
    !hidesAnswer && ['Enter', 'Agree with the model'],
    ['S', 'Skip the text'],
    ['U', 'Undo the last answer'],
    ['?', 'Show these keys'],
  ].filter(Boolean);
  return shown((close) => [
    el('h2', { id: 'dialog-title' }, 'Shortcuts'),
    el('dl', { class: 'label-keys' }, rows.map(([key, does]) => el('div', {}, el('dt', {}, el('kbd', {}, key)), el('dd', {}, does)))),
    el('p', { class: 'muted small' }, 'They do nothing while you write in a field, and can be switched off under “How you label”.'),
    el('div', { class: 'buttons' },
      el('button', { class: 'button primary', type: 'button', onclick: () => close(true) }, 'Close')),
  ]);
}
