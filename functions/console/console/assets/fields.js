// Fields, those that have to be filled in before something is sent, and the name of who asks for it.

import { el } from './dom.js';

const NAME = 'sentiloop.by';  // of who moves and starts things, for this session
const LONGEST_NAME = 100;  // characters that the service takes

/** A control with its name above, and what else belongs to it below. */
export const field = (id, title, control, ...more) =>
  el('div', { class: 'field' }, el('label', { for: id }, title), control, ...more);

/**
 * Make a field that has to be filled in.
 * @param {string} id
 * @param {string} title
 * @param {Object} options attributes of the field, with `rows` if it has several lines, and
 * @param {number} options.longest how many characters it takes.
 * @param {string} options.missing what is said where it is blank.
 * @param {string} [options.help]
 * @returns {{element: HTMLElement, value: () => string, focus: () => void, check: () => boolean}} `check` says beside the
 *   field what is wrong, and returns whether nothing is.
 */
export function requiredField(id, title, { longest, missing, help = null, value = '', ...attributes }) {
  const fault = el('p', { id: `${id}-fault`, class: 'fault', role: 'alert' });
  const input = el(attributes.rows ? 'textarea' : 'input', {
    id, spellcheck: attributes.rows ? 'true' : 'false', 'aria-required': 'true',
    'aria-describedby': `${help ? `${id}-help ` : ''}${id}-fault`, ...attributes,
  });
  input.value = value;
  const given = () => input.value.trim();
  return {
    element: field(id, title, input, help && el('p', { id: `${id}-help`, class: 'muted small' }, help), fault),
    value: given,
    focus: () => input.focus(),
    check: () => {
      const over = Array.from(given()).length - longest;
      fault.textContent = !given() ? missing : over > 0 ? `${over} characters too many: ${longest} at most.` : '';
      input.setAttribute('aria-invalid', String(fault.textContent !== ''));
      return !fault.textContent;
    },
  };
}

/** Make the field for the name that is recorded with what somebody does; the session remembers one that was right. */
export function nameField(id) {
  const made = requiredField(id, 'Your name', {
    longest: LONGEST_NAME, missing: 'Say who you are.', autocomplete: 'name', value: sessionStorage.getItem(NAME) ?? '',
  });
  const check = () => {
    const isRight = made.check();
    if (isRight) sessionStorage.setItem(NAME, made.value());
    return isRight;
  };
  return { ...made, check };
}
