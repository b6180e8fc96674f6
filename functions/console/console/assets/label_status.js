// Whether the answers have arrived, and what became of those that did not.

import { announce, el, replace } from './dom.js';
import { shortened } from './format.js';

const SHORT = 80; // characters of a text in a note

/** The line under the buttons; `update` is told whenever the outbox or the note has changed. */
export function statusPart(session) {
  const { outbox } = session;
  const line = el('div', { class: 'label-status' });
  const note = el('div', {});
  const element = el('div', { class: 'label-statuses' }, line, note);
  let wasTrouble = false;
  let noted = session.state.note;

  function update() {
    const { trouble, waiting } = outbox;
    const hadFocus = element.contains(document.activeElement);
    replace(line, trouble && waiting ? troubled(outbox, trouble) : el('p', { class: 'muted small' }, calm(session)));
    replace(note, session.state.note && noteOf(session.state.note, session.forgetNote));
    if (session.state.note && session.state.note !== noted) announce(`${session.state.note.message} ${session.state.note.why}`);
    noted = session.state.note;
    const isTrouble = Boolean(trouble && waiting);
    if (isTrouble !== wasTrouble) announce(isTrouble ? `${waitsToBeSent(waiting)}. ${trouble.message}` : 'All answers are saved.');
    wasTrouble = isTrouble;
    if (hadFocus && !element.contains(document.activeElement)) (element.querySelector('button') ?? sibling(element))?.focus({ preventScroll: true });
  }

  return { element, update };
}

/** Where the focus goes when what had it is gone: to the text. */
const sibling = (element) => element.parentElement?.querySelector('.label-stage');

function calm({ outbox, answered }) {
  if (outbox.waiting) return 'Saving…';
  return answered ? 'All answers are saved.' : 'Each answer is sent at once.';
}

const waitsToBeSent = (count) => (count === 1 ? '1 answer waits to be sent' : `${count} answers wait to be sent`);

function troubled(outbox, trouble) {
  const needsKey = trouble.status === 403;
  return el('div', { class: 'notice warn label-trouble' },
    el('p', {}, el('strong', {}, `${waitsToBeSent(outbox.waiting)}. `), trouble.message),
    el('p', { class: 'muted small' }, needsKey
      ? 'Nothing is lost as long as this tab is open.'
      : 'It is tried again by itself. Nothing is lost as long as this tab is open; you can go on.'),
    el('button', { class: 'button', type: 'button', onclick: () => outbox.retry() }, needsKey ? 'Enter the key' : 'Try now'));
}

function noteOf({ text, message, why }, forget) {
  return el('div', { class: 'notice warn label-note' },
    el('p', {}, el('bdi', { class: 'label-short' }, shortened(text, SHORT))),
    el('p', {}, el('strong', {}, message), ` The service says: ${why}.`),
    el('button', { class: 'button', type: 'button', onclick: forget }, 'Dismiss'));
}
