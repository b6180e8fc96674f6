// A part of a view that shows what the service says: while it loads, when it came, when there is nothing, when it failed.

import { el, exchange } from './dom.js';
import { sentence } from './format.js';
import { wanted } from './keys.js';

/**
 * Make a panel.
 * @param {string} title
 * @param {Object} options
 * @param {() => Promise<any>} options.load asks for what is shown.
 * @param {(found: any) => (Node|Node[])} options.render makes it visible; one that returns the very node that is shown
 *   has changed it in place. What else is shown keeps the focus and what is unfolded by `data-keep`, as `exchange` does.
 * @param {(found: any) => (string|null|false)} [options.empty] says why there is nothing to show, if so.
 * @param {Node[]} [options.tools] buttons beside the title.
 * @param {string} [options.className] of the section; give `tall` to what grows, so that the page does not jump.
 * @returns {{element: HTMLElement, reload: () => Promise<void>}} of several reloads the last counts.
 */
export function panel(title, { load, render, empty = () => null, tools = [], className = '' }) {
  const body = el('div', { class: 'panel-body' });
  const element = el('section', { class: ['card', 'panel', className] },
    el('div', { class: 'panel-head' }, el('h2', {}, title), el('div', { class: 'buttons' }, tools)), body);
  let latest = 0;

  async function reload() {
    latest += 1;
    const mine = latest;
    element.setAttribute('aria-busy', 'true');
    if (!body.hasChildNodes()) exchange(body, skeleton());
    let content;
    try {
      const found = await load();
      const why = empty(found);
      content = why ? el('p', { class: 'empty' }, why) : render(found);
    } catch (error) {
      if (error.name === 'AbortError') return;
      content = problem(error, reload);
    }
    if (mine !== latest) return;
    element.removeAttribute('aria-busy');
    exchange(body, content, element.querySelector('h2'));
  }

  return { element, reload };
}

/** What stands where content will be. */
export const skeleton = () => el('div', { class: 'skeleton', role: 'status' }, el('span', { class: 'visually-hidden' }, 'Loading'));

/** Say what went wrong, what to do, and offer to try again. */
export function problem(error, retry = null) {
  if (!error.code) console.error(error);  // not of the service: a fault of this page
  const asksForKey = retry && wanted(error);
  return el('div', { class: 'notice error', role: 'alert' },
    el('p', {}, el('strong', {}, sentence(error.message))),
    error.hint && !asksForKey && el('p', {}, error.hint),  // or the button says it
    error.requestId && el('p', { class: 'muted small' }, 'Request ', el('code', {}, error.requestId)),
    retry && el('button', { class: 'button', type: 'button', onclick: () => retry() },
      asksForKey ? 'Enter the key' : 'Try again'));
}
