// Try: one text, or many.

import { el, replace } from './dom.js';
import { problem, skeleton } from './panel.js';

export const title = 'Try';

const MODES = {
  one: { name: 'One text', query: {}, load: () => import('./try_one.js') },
  many: { name: 'Many texts', query: { many: '1' }, load: () => import('./many.js') },
};

/** Open the view; `many=1` in the address chooses the mode. */
export function open(main, query, app) {
  let close = null;
  let current = null;
  const content = el('div', { class: 'try-mode' });
  const buttons = Object.entries(MODES).map(([mode, { name }]) =>
    el('button', { class: 'button try-switch', type: 'button', onclick: () => choose(mode) }, name));
  main.append(
    el('div', { class: 'view-head try-head' },
      el('h1', {}, title), el('div', { class: 'try-modes', role: 'group', 'aria-label': 'Mode' }, buttons)),
    content);

  function choose(mode) {
    if (mode === current?.mode) return;
    app.setQuery(MODES[mode].query);
    show(mode);
  }

  async function show(mode) {
    close?.();
    close = null;
    const mine = { mode };
    current = mine;
    Object.keys(MODES).forEach((each, place) => buttons[place].setAttribute('aria-pressed', String(each === mode)));
    replace(content, el('div', { class: 'card' }, skeleton()));
    try {
      const part = await MODES[mode].load();
      if (current !== mine) return;
      replace(content);
      close = part.open(content, app) ?? null;
    } catch (error) {
      error.hint ??= 'The page may have been released anew: load it again.';
      if (current === mine) replace(content, problem(error, () => location.reload()));
    }
  }

  show(query.get('many') === '1' ? 'many' : 'one');
  return () => {
    current = null;
    close?.();
  };
}
