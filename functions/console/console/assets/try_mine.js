// "Your corrections": what this session said, and what became of each.

import { announce, el, exchange, replace, time } from './dom.js';
import { ago, date, labelClass, percent, shortened } from './format.js';
import { problem } from './panel.js';

const FIRST_WAIT_MS = 4_000;
const LONGEST_WAIT_MS = 60_000;
const MOST_CHARACTERS = 300;  // of a text
const CALMER = 1.3;  // nothing happens for hours before a retrain: ask less and less often

/**
 * Make the panel.
 * @param {Object} corrections of this session.
 * @param {() => Promise<void>} learned is called when one of them was learned, so that a new version answers.
 */
export function minePanel(corrections, learned) {
  let timer = null;
  let isClosed = false;
  let wait = FIRST_WAIT_MS;
  let seen = 0;
  const heading = el('h2', { tabindex: '-1' }, 'Your corrections');
  const trouble = el('div', { class: 'try-trouble' });
  const list = el('ol', { class: 'try-list' });
  const scroller = el('div', { class: 'try-scroll', tabindex: '0', role: 'region', 'aria-label': 'Corrections, the newest first' }, list);
  const nothing = el('p', { class: 'empty' }, 'What you say of an answer is listed here, and what the model made of it.');
  const look = el('button', { class: 'button', type: 'button', onclick: () => lookAgain() }, 'Look again');
  const element = el('section', { class: 'card panel try-mine' },
    el('div', { class: 'panel-head' }, heading, el('div', { class: 'buttons' }, look)),
    el('div', { class: 'panel-body' }, trouble, scroller, nothing));

  async function lookAgain() {
    await lookNow();
    if (!corrections.failure) announce('Up to date');
  }

  async function lookNow() {
    element.setAttribute('aria-busy', 'true');
    wait = FIRST_WAIT_MS;
    await round(true);
    element.removeAttribute('aria-busy');
  }

  async function round(all) {
    clearTimeout(timer);
    await corrections.look(all);
    if (isClosed) return;
    const count = corrections.entries.filter(({ status }) => status === 'learned').length;
    if (count > seen) await learned();
    seen = count;
    later();
  }

  function later() {
    clearTimeout(timer);
    if (!corrections.open) return;
    timer = setTimeout(() => (document.hidden ? later() : round(false)), wait);
    wait = Math.min(wait * CALMER, LONGEST_WAIT_MS);
  }

  /** Something has changed, or is about to: look soon. */
  function hurry() {
    wait = FIRST_WAIT_MS;
    later();
  }

  const rows = new Map();  // by key, so that a button that has focus stays the same one

  function render() {
    const { entries, failure } = corrections;
    nothing.hidden = entries.length > 0;
    scroller.hidden = look.hidden = entries.length === 0;
    if (trouble.dataset.shown !== (failure?.message ?? '')) {
      trouble.dataset.shown = failure?.message ?? '';
      exchange(trouble, failure && problem(failure, lookNow), heading);
    }
    const current = entries.map((entry) => {
      const before = rows.get(entry.key);
      const isSame = before && before.state === JSON.stringify(entry);
      const row = before?.row ?? el('li', { class: 'try-entry' });
      if (!isSame) exchange(row, told(entry, corrections), heading);
      rows.set(entry.key, { row, state: JSON.stringify(entry) });
      return row;
    });
    exchange(list, current, heading);
    for (const each of list.querySelectorAll('time')) replace(each, ago(each.dateTime));
  }

  function close() {
    isClosed = true;
    clearTimeout(timer);
    corrections.close();
  }

  seen = corrections.entries.filter(({ status }) => status === 'learned').length;
  render();
  if (corrections.entries.length) round(true);
  return { element, render, hurry, lookNow, close };
}

function told(entry, corrections) {
  const { body, labels, now } = entry;
  const name = (label) => el('span', { class: ['label-name', labelClass(label, labels)] }, label);
  const isConfirmed = body.correct_label === body.predicted_label;
  return [
    el('p', { class: 'text try-quote', dir: 'auto' }, shortened(body.text, MOST_CHARACTERS)),
    el('p', { class: 'small' },
      isConfirmed ? ['You confirmed ', name(body.correct_label)] : ['You said ', name(body.correct_label), ' instead of ', name(body.predicted_label)],
      el('span', { class: 'muted' }, ' · ', time(entry.received_at ?? entry.said_at))),
    fate(entry, corrections),
    now && change(body, now, name),
  ];
}

function fate(entry, corrections) {
  if (entry.failure && !entry.id) return unsent(entry, corrections);
  const { status, text } = FATES[entry.status]?.(entry) ?? { status: entry.status, text: '' };
  const tone = { learned: 'good', quarantined: 'bad' }[entry.status];
  return el('p', { class: 'try-fate small' }, el('span', { class: ['chip', tone] }, status), ' ', text);
}

const FATES = {
  unsent: () => ({ status: 'Sending', text: '' }),
  stored: () => ({ status: 'Stored', text: 'The next retrain looks at it.' }),
  in_snapshot: () => ({ status: 'In a snapshot', text: 'A model was trained with it, but is not released.' }),
  learned: ({ version }) => ({ status: 'Learned', text: ['The model learned it in ', el('code', {}, version), '.'] }),
  quarantined: ({ reason }) => ({ status: 'Quarantined', text: `Kept out of training: ${reason}.` }),
  unknown: () => ({ status: 'Not known', text: 'The service knows nothing of it any more.' }),
  erased: ({ erased_at: at }) => ({ status: 'Erased', text: `Nothing of it is left since ${date(at)}.` }),
};

function unsent({ key, failure }, corrections) {
  return el('div', { class: 'try-unsent' },
    el('p', { class: 'small' }, el('span', { class: 'chip bad' }, 'Not sent'), ` ${failure.message}. ${failure.hint ?? ''}`),
    el('div', { class: 'buttons' },
      el('button', { class: 'button', type: 'button', onclick: () => corrections.send(key) }, 'Send again'),
      el('button', { class: 'button quiet', type: 'button', onclick: () => corrections.discard(key) }, 'Discard')));
}

function change(body, now, name) {
  const was = percent(body.confidence, 0);
  const is = percent(now.confidence, 0);
  if (now.label === body.predicted_label) {
    return el('p', { class: 'try-change small muted' }, 'Still ', name(now.label), `: was ${was}, is ${is} now.`);
  }
  return el('p', { class: 'try-change small' }, el('strong', {}, 'The model has changed its mind: '),
    'was ', name(body.predicted_label), ` ${was}, is `, name(now.label), ` ${is} now.`);
}

