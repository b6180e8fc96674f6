// How a reviewer likes to label: remembered, the name for this session alone.

import { el } from './dom.js';

const NAME = 'sentiloop.label.reviewer';
const MOST = 100; // characters that the service takes
const CONTROLS = /\p{C}/gu; // marks that nobody sees, and halves of pairs, which the service refuses

const flag = (name) => `sentiloop.label.${name}`;

/** What is chosen: hide the model's answer, and use the shortcuts (unless switched off). */
export const settings = {
  get hides() { return localStorage.getItem(flag('hides')) === 'yes'; },
  get shortcuts() { return localStorage.getItem(flag('shortcuts')) !== 'no'; },
  get reviewer() { return (sessionStorage.getItem(NAME) ?? '').replace(CONTROLS, '').trim(); },
};

/** The part of the view that changes them; `changed` is told after each change. */
export function settingsPart(changed) {
  const remember = (name) => (event) => {
    localStorage.setItem(flag(name), event.target.checked ? 'yes' : 'no');
    changed();
  };
  const check = (name, isOn, words, help) => el('div', { class: 'label-check' },
    el('input', { type: 'checkbox', id: `label-${name}`, checked: isOn, onchange: remember(name), 'aria-describedby': `label-${name}-help` }),
    el('label', { for: `label-${name}` }, words),
    el('p', { id: `label-${name}-help`, class: 'muted small' }, help));
  return el('section', { class: 'card panel' },
    el('h2', {}, 'How you label'),
    el('div', { class: 'field' },
      el('label', { for: 'label-reviewer' }, 'Your name'),
      el('input', {
        id: 'label-reviewer', type: 'text', maxlength: MOST, autocomplete: 'off', spellcheck: 'false', value: settings.reviewer,
        'aria-describedby': 'label-reviewer-help', oninput: (event) => sessionStorage.setItem(NAME, event.target.value),
      }),
      el('p', { id: 'label-reviewer-help', class: 'muted small' },
        'It tells reviewers apart, is stored as a keyed hash only, and is kept here until you close this tab.')),
    check('hides', settings.hides, 'Hide the model’s answer', 'So that it does not lead you. The order of the labels never changes.'),
    check('shortcuts', settings.shortcuts, 'Use single-key shortcuts', 'Switch them off if keys are pressed by mistake, such as by speech input.'));
}
