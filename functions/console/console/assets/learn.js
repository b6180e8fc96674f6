// "Learn now": starts a retrain without waiting for the schedule, waits for its decision, and tells it in words.

import { api } from './api.js';
import { announce, el, exchange } from './dom.js';
import { nameField } from './fields.js';
import { sentence } from './format.js';
import { OUTCOMES } from './models_words.js';
import { problem } from './panel.js';
import { mayPass, until } from './waiting.js';

const ASKED = 'sentiloop.learning';  // of this tab, so that a look at another view does not end the waiting
const PATIENCE_MS = 15 * 60_000;  // the longest that a run may take
const SOON_MS = 30_000;
const LOOK_MS = 1500;
const LATER_MS = 5000;
const EXPLANATION = 'It learns from all corrections so far, and promotes what it learned if that is better beyond chance.';
let count = 0;

const TITLES = {
  promoted: ({ version }) => `A new version answers now: ${version}`,
  on_trial: ({ version }) => `A new version is on trial: ${version}`,
  held: () => 'A better model waits: what is served is pinned',
  rejected: () => 'Nothing changed: the new model was not good enough',
  skipped: () => 'Nothing to learn',
};

/**
 * Make the component: a name, a button, and what goes on. A run that this tab waits for already is waited for here.
 * @param {Object} options
 * @param {(run: Object, signal: AbortSignal) => (void|Node|null|Promise<void|Node|null>)} [options.decided] is told of the
 *   run as GET v1/runs tells it, once it is recorded; what it returns is shown before the reasons.
 * @param {string} [options.explanation] of what the button does.
 * @returns {{element: HTMLElement, close: () => void}} `close` stops looking; a run that was started goes on.
 */
export function learnNow({ decided = () => {}, explanation = EXPLANATION } = {}) {
  count += 1;
  const closing = new AbortController();
  const name = nameField(`learn-by-${count}`);
  const button = el('button', { class: 'button primary' }, 'Learn now');
  const shown = el('div', { class: 'learn-shown' });
  const say = (content) => exchange(shown, content, button);
  let isBusy = false;

  /** Do one thing at a time; where it fails, say so and offer to do that again. */
  async function busily(action, again) {
    isBusy = true;
    button.setAttribute('aria-disabled', 'true');  // and not `disabled`, which would lose the focus
    try {
      return await action();
    } catch (error) {
      if (!closing.signal.aborted) say(problem(error, again));
      return null;
    } finally {
      isBusy = false;
      button.removeAttribute('aria-disabled');
    }
  }

  async function start(event) {
    event?.preventDefault();
    if (isBusy) return;
    if (!name.check()) {
      name.focus();
      return;
    }
    const asked = await busily(ask, start);
    if (asked) follow(asked);
  }

  async function ask() {
    const by = name.value();
    say(el('p', { class: 'notice', role: 'status' }, 'Asking for a run…'));
    const { asked_at: at } = await api('v1/runs', {
      method: 'POST', admin: true, body: { by, action: 'retrain' }, signal: closing.signal,
    });
    const asked = { by, at, since: Date.now() };  // by the clock of this browser, which may differ from the service's
    sessionStorage.setItem(ASKED, JSON.stringify(asked));
    announce('The retrain has been started');
    return asked;
  }

  const follow = (asked) => busily(() => waitFor(asked), () => follow(asked));

  async function waitFor(asked) {
    const stopping = new AbortController();
    const signal = AbortSignal.any([stopping.signal, closing.signal]);
    const waiting = waitingFor(asked.since, () => stopping.abort());
    say(waiting.element);
    try {
      const run = await recorded(asked, signal, waiting.trouble);
      waiting.stop();
      sessionStorage.removeItem(ASKED);
      await tell(run);
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
      sessionStorage.removeItem(ASKED);
      say(notice('', 'You stopped waiting.', ['The run goes on by itself; Models shows its decision.']));
    } finally {
      waiting.stop();
    }
  }

  async function tell(run) {
    if (!run) {
      say(notice('warn', 'No decision after 15 minutes.', ['The run may have failed: look at its log, then start another.']));
      return;
    }
    say(decision(run));
    announce(titleOf(run));
    const more = await decided(run, closing.signal);
    if (more && !closing.signal.aborted) say(decision(run, more));
  }

  const before = remembered();
  if (before) follow(before);
  const element = el('div', { class: 'learn' },
    el('form', { class: 'learn-form', novalidate: true, onsubmit: start },
      name.element, button, el('p', { class: 'muted small learn-what' }, explanation)),
    shown);
  return { element, close: () => closing.abort() };
}

/** What this tab waits for; null: nothing. */
function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(ASKED));
  } catch {
    return null;
  }
}

/** Say that something goes on and for how long; the seconds are not read out. */
function waitingFor(since, stop) {
  const seconds = el('span', { class: 'number', 'aria-hidden': 'true' });
  const trouble = el('p', { class: 'small', role: 'status' });
  const tick = () => { seconds.textContent = `${Math.max(0, Math.round((Date.now() - since) / 1000))}\u202fs`; };
  tick();
  const timer = setInterval(tick, 1000);
  const element = el('div', { class: 'notice' },
    el('p', { role: 'status' },
      el('strong', {}, 'Learning. '), 'It trains a model and compares it with the one that is served. ', seconds),
    trouble,
    el('button', { class: 'button', type: 'button', onclick: stop }, 'Stop waiting'));
  return { element, trouble: (text) => { trouble.textContent = text; }, stop: () => clearInterval(timer) };
}

/** Look until the run is recorded; null: it took too long. */
function recorded({ by, at: askedAt, since }, signal, trouble) {
  const look = async () => {
    try {
      const { items } = await api('v1/runs', { admin: true, query: { limit: 10, skipped: true }, signal });
      trouble('');
      // The newest come first. A run that was under way when this one was asked for ends after it too, but is another's.
      return items.findLast((run) => run.at >= askedAt && run.by === by);
    } catch (error) {
      if (signal.aborted || !mayPass(error)) throw error;
      trouble('The service cannot say how far it is at this moment; looking again.');
      return null;
    }
  };
  const every = (elapsed) => (elapsed < SOON_MS ? LOOK_MS : LATER_MS);
  return until(look, { every, longest: since + PATIENCE_MS - Date.now() }, signal);
}

const titleOf = (run) => TITLES[run.outcome]?.(run) ?? run.outcome;

/** What a run decided, in words. @param {Node|null} more is shown before the reasons. */
function decision(run, more = null) {
  const { mark, tone } = OUTCOMES[run.outcome] ?? {};
  const next = run.outcome === 'rejected' && el('p', {}, 'Nothing is lost: the corrections stay, and the next run learns from them as well. ',
    el('a', { href: '#/label' }, 'Label the texts that help most'), '.');
  return notice({ good: 'done', bad: 'warn' }[tone], `${titleOf(run)}.`, run.reasons, { more: [more, next], mark });
}

function notice(tone, title, reasons, { more = null, mark = null } = {}) {
  return el('div', { class: ['notice', tone] },
    el('p', {}, el('strong', {}, mark && el('span', { 'aria-hidden': 'true' }, `${mark} `), title)),
    more,
    reasons.map((reason) => el('p', { class: 'small text' }, sentence(reason))));
}
