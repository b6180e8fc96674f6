// Moves of the pointer, each in a dialog that says what will happen, and asks who wants it and why.

import { api } from './api.js';
import { shown } from './dialog.js';
import { el, replace } from './dom.js';
import { field, nameField, requiredField } from './fields.js';
import { problem } from './panel.js';
import { step } from './models_words.js';

const LONGEST_REASON = 500;  // characters that the service takes
const PATH = 'v1/models';

/** What each move is called, what it will do in words, and what is sent for it. */
const MOVES = {
  promote: {
    title: ({ version }) => `Promote ${version}`,
    go: 'Promote',
    says: ({ version, served, trial }) => [
      `${version} will answer everybody, within ten seconds.`,
      served ? `${served} stays published, so you can go back to it.` : null,
      trial ? `The trial of ${trial} ends with it.` : null,
    ],
    path: ({ version }) => `${PATH}/${encodeURIComponent(version)}/promote`,
    body: ({ served, force }) => ({ expected: served, force }),
  },
  rollback: {
    title: ({ served }) => `Roll back from ${served}`,
    go: 'Roll back',
    says: ({ version, served }) => [
      `${version} will answer everybody, within ten seconds.`,
      `${served} stays published. Retraining does not promote the same data again: new corrections make a new candidate.`,
    ],
    path: () => `${PATH}/rollback`,
    body: ({ served }) => ({ from: served }),
  },
  try: {
    title: ({ version, step: now }) => (now ? `Change the trial of ${version}` : `Put ${version} on trial`),
    go: 'Begin',
    says: () => [],
    path: ({ version }) => `${PATH}/${encodeURIComponent(version)}/try`,
    body: ({ served, force, mode, share }) => ({ expected: served, force, mode, share }),
  },
  withdraw: {
    title: ({ version }) => `Withdraw ${version}`,
    go: 'Withdraw',
    says: ({ version, served }) => [`The trial of ${version} ends.`, `${served} goes on answering everybody. ${version} stays published.`],
    path: () => `${PATH}/withdraw`,
    body: ({ version }) => ({ version }),
  },
  pin: {
    title: () => 'Pin what is served',
    go: 'Pin',
    says: ({ served }) => [`Only people will be able to move the pointer: ${served} stays until somebody promotes another version or unpins it.`,
      'Candidates that pass the gate wait, and a trial stays at its step.'],
    path: () => `${PATH}/pin`,
    body: () => ({}),
  },
  unpin: {
    title: () => 'Unpin what is served',
    go: 'Unpin',
    says: () => ['Retraining and the hourly check may move the pointer again.'],
    path: () => `${PATH}/unpin`,
    body: () => ({}),
  },
};

/**
 * Ask for a move and make it.
 * @param {string} kind one of MOVES.
 * @param {Object} about `version`, `served` (what is served while this is asked), `erased`, `trial`, `step`.
 * @param {AbortSignal} signal closes the dialog; what was sent by then goes on.
 * @param {(result: {receipt?: Object, error?: Error}) => void} done is told what became of it, though the dialog was
 *   closed meanwhile. Without both, it was refused and the user wants to see what is served now.
 */
export const ask = (kind, about, signal, done) => shown((close) => {
  signal.addEventListener('abort', () => close(false), { once: true });
  return dialog(kind, about, close, done);
});

function dialog(kind, about, close, done) {
  const move = MOVES[kind];
  const trial = kind === 'try' ? trialFields(about) : null;
  const by = nameField('models-by');
  const reason = requiredField('models-reason', 'Reason', {
    longest: LONGEST_REASON, missing: 'Say why.', rows: 3, autofocus: by.value() !== '', help: 'Kept for good, with your name: name no customer in it.',
  });
  const insist = insistence(about);
  const outcome = el('div', { class: 'models-refusal' });
  const send = el('button', { class: ['button', 'primary'] }, about.step ? 'Change' : move.go);
  let sending = false;

  async function submit(event) {
    event.preventDefault();
    const wrong = [trial, by, reason, insist].filter((each) => each && !each.check());
    if (wrong.length || sending) return wrong[0]?.focus();
    sending = true;
    send.setAttribute('aria-disabled', 'true');
    replace(outcome, el('p', { class: 'muted', role: 'status' }, 'Asking…'));
    try {
      const details = { ...about, ...trial?.value(), force: insist.value() || undefined };
      const receipt = await api(move.path(details), {
        method: 'POST', admin: true, body: { ...move.body(details), by: by.value(), reason: reason.value() },
      });
      close(true);
      done({ receipt });
    } catch (error) {
      if (!send.isConnected) return done({ error });
      if (error.hint?.includes('force')) insist.offer();
      replace(outcome, refusal(error, () => {
        close(true);
        done({});
      }));
    } finally {
      sending = false;
      send.removeAttribute('aria-disabled');
    }
  }

  return [
    el('h2', { id: 'dialog-title' }, move.title(about)),
    move.says(about).filter(Boolean).map((text) => el('p', {}, text)),
    el('form', { novalidate: true, onsubmit: submit }, trial?.element, by.element, reason.element, insist.element, outcome,
      el('div', { class: 'buttons' }, send, el('button', { class: 'button', type: 'button', onclick: () => close(false) }, 'Cancel'))),
  ];
}

/** What the service said against it, and what to do. */
function refusal(error, look) {
  const said = problem(error);
  if (error.status === 409) {
    said.append(el('p', { class: 'small' }, 'Nothing was moved by this request.'),
      el('button', { class: 'button', type: 'button', onclick: look }, 'See what is served now'));
  } else if (error.status === 0 || error.status >= 500) {
    said.append(el('p', { class: 'small' }, 'You can send it again: it happens only once.'));
  }
  return said;
}

/** A second consent, for a version that learned from what was erased. */
function insistence({ erased }) {
  const box = el('input', { type: 'checkbox', id: 'models-force' });
  const fault = el('p', { class: 'fault', role: 'alert' });
  const element = el('div', { class: 'notice warn', hidden: !erased },
    el('p', {}, 'This version learned from corrections that were erased since.'),
    el('label', { class: 'models-check' }, box, 'Use it all the same'), fault);
  return {
    element,
    value: () => !element.hidden && box.checked,
    offer: () => { element.hidden = false; },
    focus: () => box.focus(),
    check: () => {
      fault.textContent = element.hidden || box.checked ? '' : 'Choose another version, or tick this.';
      return !fault.textContent;
    },
  };
}

/** How a version is tried. */
function trialFields({ version, served, step: now }) {
  const says = el('p', { role: 'status' });
  const fault = el('p', { id: 'models-share-fault', class: 'fault', role: 'alert' });
  const share = el('input', {
    id: 'models-share', type: 'number', min: '0.1', max: '100', step: 'any', inputmode: 'decimal', 'aria-describedby': 'models-share-fault',
    value: String(now?.share ? Number((now.share * 100).toFixed(4)) : 10), oninput: () => tell(),
  });
  const shareField = field('models-share', 'Share of the clients, in %', share, fault);
  const modes = ['shadow', 'canary'].map((mode) => el('input', {
    type: 'radio', name: 'mode', value: mode, id: `models-${mode}`, checked: (now?.mode ?? 'shadow') === mode, onchange: () => tell(),
  }));
  const mode = () => modes.find((each) => each.checked).value;
  const part = () => Number(share.value) / 100;
  const isRight = () => mode() === 'shadow' || (share.value !== '' && part() > 0 && part() <= 1);
  function tell() {
    shareField.hidden = mode() === 'shadow';
    says.textContent = mode() === 'shadow'
      ? `${served} goes on answering everybody. ${version} scores the same texts, and what differs is counted.`
      : isRight() ? `${version} answers as ${step({ mode: 'canary', share: part() })}; all others get ${served}.` : 'Give a share above 0 and up to 100 %.';
  }
  tell();
  return {
    element: [
      el('fieldset', { class: 'models-modes' }, el('legend', { class: 'legend' }, 'How'),
        el('label', { class: 'models-check', for: 'models-shadow' }, modes[0], 'Shadow: it answers nobody'),
        el('label', { class: 'models-check', for: 'models-canary' }, modes[1], 'Canary: it answers a share of the clients')),
      shareField, says,
    ],
    value: () => ({ mode: mode(), share: mode() === 'shadow' ? 0 : part() }),
    focus: () => share.focus(),
    check: () => {
      fault.textContent = isRight() ? '' : 'Give a share above 0 and up to 100 %.';
      return isRight();
    },
  };
}
