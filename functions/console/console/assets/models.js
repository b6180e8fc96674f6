// Models: which versions there are, why, and what moves the pointer between them.

import { api } from './api.js';
import { announce, el, replace } from './dom.js';
import { detailsPanel } from './models_details.js';
import { diffPanel } from './models_diff.js';
import { listPanel } from './models_list.js';
import { ask } from './models_moves.js';
import { button } from './models_parts.js';
import { runsPanel } from './models_runs.js';
import { servedPanel } from './models_served.js';
import { timelinePanel } from './models_timeline.js';
import { problem } from './panel.js';

export const title = 'Models';

const VERSIONS = 50;  // newest ones, for the time line and for what can be chosen
const MOVES = 200;

/** Fill `main` with the view; returns what closes it. */
export function open(main, query, app) {
  const closing = new AbortController();
  const view = new View(app, closing.signal, query);
  main.append(view.head, view.notice, view.parts);
  view.start();
  return () => closing.abort();
}

/** The view's state, and what its parts ask of it. */
class View {
  constructor(app, signal, query) {
    this.app = app;
    this.signal = signal;
    this.state = { version: query.get('version'), a: query.get('a'), b: query.get('b') };
    this.asked = null;
    this.running = {};
    this.head = el('div', { class: 'view-head models-head' }, el('h1', {}, title),
      el('p', { class: 'muted' }, 'Which versions there are, why, and what is served.'),
      button('Refresh', () => this.refresh().then(() => announce('Refreshed.'))));
    this.notice = el('div', { class: 'models-notice' });
    this.details = el('div', { class: 'models-slot' });
    this.served = servedPanel(this);
    this.timeline = timelinePanel(this);
    this.list = listPanel(this);
    this.runs = runsPanel(this);
    this.diff = diffPanel(this);
    this.opened = null;
    this.parts = el('div', { class: 'models-parts' });
  }

  /** Show all parts; where the admin key is missing, only that. */
  async start() {
    replace(this.parts, this.served.element, this.timeline.element, this.details, this.runs.element, this.diff.element, this.list.element);
    if (this.state.version) this.mount();
    const above = Promise.all([this.served.reload(), this.timeline.reload()]);
    const rest = [this.list.reload(), this.runs.reload(), this.diff.reload()];
    try {
      await this.facts();
    } catch (error) {
      if (error.status === 403 && !this.signal.aborted) replace(this.parts, el('div', { class: 'card' }, problem(error, () => this.start())));
      return;
    }
    await Promise.all([above, this.state.a ? Promise.all(rest) : null, this.opened?.first]);
    if (this.signal.aborted) return;
    if (this.state.a) this.diff.element.scrollIntoView({ block: 'start' });
    else if (this.opened) this.details.scrollIntoView({ block: 'start' });
  }

  /**
   * Ask with the admin key.
   * @param {string|null} [alone] of requests of the same name only the newest goes on.
   */
  async ask(path, query = {}, alone = null) {
    let signal = this.signal;
    if (alone) {
      this.running[alone]?.abort();
      this.running[alone] = new AbortController();
      signal = AbortSignal.any([signal, this.running[alone].signal]);
    }
    return api(path, { admin: true, query, signal });
  }

  /** What several parts need, asked for once until all is refreshed. */
  facts() {
    this.asked ??= this.found().catch((error) => {
      this.asked = null;
      throw error;
    });
    return this.asked;
  }

  async found() {
    const [versions, history, metrics] = await Promise.all([
      this.ask('v1/models', { limit: VERSIONS }),
      this.ask('v1/models/history', { limit: MOVES }),
      api('v1/metrics', { signal: this.signal }).catch(() => null),  // tells of a trial alone
    ]);
    const withRole = (role) => versions.items.find((item) => item.role === role) ?? null;
    return { ...versions, moves: history.items, next: history.next, metrics, champion: withRole('champion'), challenger: withRole('challenger') };
  }

  /** Ask for everything anew. */
  async refresh() {
    await Promise.all([this.reload(), this.app.served().catch(() => null)]);
  }

  /** Let all parts load, from facts that are asked for anew. */
  async reload() {
    this.asked = null;
    const parts = [this.served, this.timeline, this.list, this.runs, this.diff, this.opened].filter(Boolean);
    await Promise.all(parts.map((part) => part.reload()));
  }

  address() {
    this.app.setQuery(Object.fromEntries(Object.entries(this.state).filter(([, value]) => value)));
  }

  /** Show all about a version; null: close it. */
  async openVersion(version) {
    const before = this.state.version;
    Object.assign(this.state, { version });
    this.address();
    for (const link of this.parts.querySelectorAll('a.models-version')) {
      if (link.textContent === version) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
    if (!version) {
      this.opened = null;
      replace(this.details);
      const lane = [...this.timeline.element.querySelectorAll('a.models-version')].find((link) => link.textContent === before);
      if (lane) lane.focus();
      else focusHeading(this.timeline.element);
      return;
    }
    this.mount();
    focusHeading(this.opened.element);
    this.opened.element.scrollIntoView({ block: 'start' });
    await this.opened.first;
  }

  mount() {
    this.opened = detailsPanel(this, this.state.version);
    this.opened.first = this.opened.reload();
    replace(this.details, this.opened.element);
  }

  /** Show what changed from one version to another. */
  async compare(a, b) {
    Object.assign(this.state, { a, b });
    this.address();
    if (!this.diff.element.contains(document.activeElement)) {
      focusHeading(this.diff.element);
      this.diff.element.scrollIntoView({ block: 'start' });
    }
    await this.diff.compare(a, b);
  }

  /** Ask for a move in a dialog, and show what becomes of it. */
  act(kind, about) {
    return ask(kind, about, this.signal, (result) => this.after(result));
  }

  async after({ receipt, error }) {
    if (this.signal.aborted) return;
    if (receipt) this.tell(outcome(receipt), receipt.moved ? 'done' : '');
    if (error) this.tell(`${error.message} Look at what is served now. ${error.hint ?? ''}`, 'error');
    await this.reload();
    if (document.activeElement === document.body) this.notice.firstChild?.focus();
    if (receipt) await this.app.follow(receipt.now.champion, this.signal);
  }

  tell(text, kind) {
    replace(this.notice, el('div', { class: ['notice', kind], tabindex: '-1' }, el('p', {}, text)));
    announce(text);
  }
}

/** Take whoever goes on by keyboard or hears the page to a part of it. */
function focusHeading(element) {
  const heading = element.querySelector('h2');
  heading.setAttribute('tabindex', '-1');
  heading.focus({ preventScroll: true });
}

/** What a move came to, in words. */
function outcome({ moved, now }) {
  const trial = now.challenger ? `, ${now.challenger.version} is on trial` : '';
  const state = `${now.champion} is served${trial}${now.pinned ? ', pinned' : ''}.`;
  return moved ? `Done: ${state}` : `Nothing was moved, it was so already: ${state}`;
}
