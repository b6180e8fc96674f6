// The keys of this session: asked for once, kept until the tab is closed, sent as headers and never in an address.

import { shown } from './dialog.js';
import { el } from './dom.js';

const KINDS = {
  api: {
    name: 'API key',
    inSentence: 'the API key',
    header: 'x-api-key',
    help: 'It lets you ask for predictions and send corrections. With make up it is what LOCAL_API_KEY was set to; on AWS, whoever deployed the service has the command that prints it.',
  },
  admin: {
    name: 'Admin key',
    inSentence: 'the admin key',
    header: 'x-admin-key',
    help: 'It lets you label texts and release models. With make up it is in .sentiloop/admin.key; on AWS, the output AdminKeyCommand of the stack prints it.',
  },
};

const stored = (kind) => `sentiloop.${kind}-key`;
const pending = {};

export const key = (kind) => sessionStorage.getItem(stored(kind)) ?? '';
export const header = (kind) => KINDS[kind].header;

/** Return which key an error asks for: its hint names the header. Null: none would help. */
export const wanted = (error) => Object.keys(KINDS).find((kind) => error.hint?.includes(KINDS[kind].header)) ?? null;

/**
 * Ask for a key, in one dialog however many requests wait for it.
 * @returns {Promise<boolean>} whether one was given.
 */
export function ask(kind, wasRefused) {
  pending[kind] ??= open(kind, wasRefused).finally(() => delete pending[kind]);
  return pending[kind];
}

function open(kind, wasRefused) {
  const { name, help } = KINDS[kind];
  return shown((close) => {
    const input = el('input', {
      id: 'key', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true, 'aria-describedby': 'key-help',
    });
    const save = (event) => {
      event.preventDefault();
      const value = input.value.trim();
      if (!value) return;
      sessionStorage.setItem(stored(kind), value);
      close(true);
    };
    return [
      el('h2', { id: 'dialog-title' }, wasRefused ? `${name} refused` : `${name} needed`),
      el('form', { onsubmit: save },
        el('label', { for: 'key' }, name),
        input,
        el('p', { id: 'key-help', class: 'muted' }, help, ' It is kept until you close this tab.'),
        el('div', { class: 'buttons' },
          el('button', { class: 'button primary' }, 'Use this key'),
          el('button', { class: 'button', type: 'button', onclick: () => close(false) }, 'Cancel'))),
    ];
  });
}

/** Show which keys are held, and let go of them. */
export function manage() {
  return shown((close) => {
    const change = async (kind) => {
      close(true);
      if (await ask(kind, false)) location.reload();  // what was refused for want of it is asked for again
    };
    const forget = (kind) => {
      sessionStorage.removeItem(stored(kind));
      close(true);
      location.reload();  // so that nothing that a key showed stays on the page
    };
    return [
      el('h2', { id: 'dialog-title' }, 'Keys of this session'),
      el('p', { class: 'muted' }, 'They are kept until you close this tab, and are sent to this service alone.'),
      Object.entries(KINDS).map(([kind, { name, inSentence }]) =>
        el('div', { class: 'key-row' },
          el('strong', {}, name),
          el('span', { class: 'muted' }, key(kind) ? 'held' : 'not given'),
          key(kind)
            ? el('button', { class: 'button', type: 'button', onclick: () => forget(kind) }, `Forget ${inSentence}`)
            : el('button', { class: 'button', type: 'button', onclick: () => change(kind) }, `Enter ${inSentence}`))),
      el('div', { class: 'buttons' },
        el('button', { class: 'button primary', type: 'button', onclick: () => close(false) }, 'Close')),
    ];
  });
}
