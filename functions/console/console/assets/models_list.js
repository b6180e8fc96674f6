// All versions, a page at a time.

import { el, time } from './dom.js';
import { counted, number, percent } from './format.js';
import { button, erasedChip, figure, figureHead, roleChip, table, versionLink } from './models_parts.js';
import { interval, KINDS } from './models_words.js';
import { panel } from './panel.js';

const PAGE = 10;

/** Make the panel. */
export function listPanel(view) {
  let skip = 0;
  const go = (by) => {
    skip = Math.max(0, skip + by);
    return made.reload();
  };
  // Not `disabled` at the end of the list: that would take the focus from who turns the pages by keyboard.
  const turn = (text, by, can) => button(text, () => can && go(by), { 'aria-disabled': String(!can) });
  const made = panel('All versions', {
    className: 'models-list',
    load: async () => {
      const found = await view.ask('v1/models', { limit: PAGE, skip });
      if (found.items.length || !skip) return found;
      skip = 0;  // fewer than there were
      return view.ask('v1/models', { limit: PAGE });
    },
    render: ({ items, versions }) => [
      rows(view, items),
      el('div', { class: 'models-pages' },
        el('p', { class: 'small muted', role: 'status' }, `${number(skip + 1)} to ${number(skip + items.length)} of ${counted(versions, 'version')}`),
        versions > PAGE && el('div', { class: 'buttons' },
          turn('Newer', -PAGE, skip > 0), turn('Older', PAGE, skip + items.length < versions))),
    ],
    empty: ({ versions }) => (versions ? null : 'No version was published yet.'),
  });
  return made;
}

const rows = (view, items) => table('Versions',
  ['Version', 'State', figureHead('Accuracy'), figureHead('95\u202f% interval'), figureHead('Macro F1'), figureHead('Corrections'),
    'Made', 'Last served', figureHead('Served for')],
  items.map((item) => el('tr', {},
    el('th', { scope: 'row' }, versionLink(view, item.version)),
    el('td', {}, el('div', { class: 'models-chips' },
      roleChip(item.role), item.erased && erasedChip(), el('span', { class: 'muted' }, KINDS[item.kind] ?? item.kind))),
    figure(percent(item.metrics?.accuracy)), figure(interval(item.accuracy_interval) ?? '–'), figure(percent(item.metrics?.macro_f1)),
    figure(number(item.feedback_rows)), el('td', {}, time(item.created_at)),
    el('td', {}, item.served ? (item.served.until ? time(item.served.until) : 'now') : 'never'),
    figure(item.served ? lasted(item.served.seconds) : '–'))), { className: 'models-table' });

/** 3723 → "1 h 2 min". */
export function lasted(seconds) {
  const parts = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const at = parts.findIndex(([, length]) => seconds >= length);
  if (at < 0) return 'less than 1\u202fs';
  const whole = Math.floor(seconds / parts[at][1]);
  const rest = parts[at + 1] ? Math.floor((seconds % parts[at][1]) / parts[at + 1][1]) : 0;
  return `${whole}\u202f${parts[at][0]}${rest ? ` ${rest}\u202f${parts[at + 1][0]}` : ''}`;
}
