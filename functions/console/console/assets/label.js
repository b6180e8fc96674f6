// Label doubtful texts, one at a time, by key or button. The next text is there at once; the answers follow behind.

import { announce, el, exchange, replace } from './dom.js';
import { cardOf } from './label_card.js';
import { listenForKeys, showKeys } from './label_keys.js';
import { createSession } from './label_session.js';
import { settings, settingsPart } from './label_settings.js';
import { lastPart, profitPart, progressPart } from './label_side.js';
import { statusPart } from './label_status.js';
import { problem, skeleton } from './panel.js';

export const title = 'Label';

const HEARD = 500; // characters of a text that are read out
const session = createSession();
session.state.reviewer = () => settings.reviewer;

/** Show the view in `main`; returns how to close it. Answers on their way go on being sent. */
export function open(main, query, app) {
  const place = el('div', { class: 'label-view' }, el('div', { class: 'card' }, skeleton()));
  main.append(
    el('div', { class: 'view-head' }, el('h1', {}, title), el('p', { class: 'muted' }, 'Texts where a label from you helps the model most.')),
    place);
  let close = () => {};
  let isOpen = true;

  async function start() {
    try {
      const [{ labels }] = await Promise.all([app.served(), session.fill()]);
      if (isOpen) close = shown(place, labels);
    } catch (error) {
      if (!isOpen) return;
      const told = problem(error, start);
      exchange(place, el('div', { class: 'card' }, told), told.querySelector('button'));
    }
  }

  start();
  return () => {
    isOpen = false;
    close();
    session.stopAsking();
  };
}

/** Build the parts, keep them up to date, and return how to stop. */
function shown(place, labels) {
  const actions = actionsOf(labels, () => parts.card.stage);
  const parts = {
    card: cardOf(labels, actions),
    status: statusPart(session),
    progress: progressPart(session),
    profit: profitPart(session),
    last: lastPart(session, labels, { undo: actions.undo, hides: () => settings.hides }),
  };
  parts.card.element.append(parts.status.element);
  const updateCard = () => parts.card.update(session, settings);
  const updateAll = () => {
    updateCard();
    for (const name of ['status', 'progress', 'profit', 'last']) parts[name].update();
  };
  replace(place, el('div', { class: 'label-columns' },
    el('div', { class: 'label-left' }, parts.card.element, parts.last.element),
    el('div', { class: 'label-side' }, parts.progress.element, parts.profit.element, settingsPart(updateAll))));
  let heard = null;
  const stopListening = session.listen((what, given) => {
    updateAll();
    if (what === 'text' || what === 'filled') heard = hear(heard, given);
  });
  const stopKeys = listenForKeys((key) => (settings.shortcuts ? meaningOf(key, labels, actions) : null));
  updateAll();
  heard = hear(null);
  return () => {
    stopListening();
    stopKeys();
  };
}

/** Read out what stands there now, if it is another text than before; returns it. */
function hear(before, given = null) {
  const item = session.current;
  const said = given && `${given.label === null ? 'Skipped' : given.label}. `;
  if (item && item !== before) announce(`${said ?? ''}${said ? 'Next text' : 'Text'}: ${item.text.slice(0, HEARD)}${modelOf(item)}`);
  if (!item && !session.isAsking && (before || said)) announce(`${said ?? ''}No text is left.`);
  return item;
}

const modelOf = (item) => (settings.hides ? '' : `. The model says ${item.label}.`);

function actionsOf(labels, stage) {
  const toText = () => stage().focus({ preventScroll: true });
  /** After a click the keys are for the text; who presses buttons by key stays where they are. */
  const afterwards = (event) => { if (event?.detail > 0 && settings.shortcuts) toText(); };
  const undo = () => {
    if (!session.undo()) return;
    toText();
    announce(`Undone. Text: ${session.current.text.slice(0, HEARD)}`);
  };
  const answer = (label, event) => {
    session.answer(label);
    afterwards(event);
  };
  const agree = (event) => {
    const item = session.current;
    if (item && !settings.hides && labels.includes(item.label)) answer(item.label, event);
  };
  return {
    answer, agree, undo,
    skip: (event) => answer(null, event),
    keys: () => showKeys(labels, settings.hides),
    lookAgain: () => session.lookAgain(),
  };
}

function meaningOf(key, labels, { answer, agree, skip, undo, keys }) {
  const label = /^[1-9]$/.test(key) ? labels[key - 1] : undefined;
  if (label !== undefined) return () => answer(label);
  return { Enter: () => agree(), s: () => skip(), u: undo, '?': keys }[key] ?? null;
}
