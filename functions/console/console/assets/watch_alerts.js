// What is wrong: the alerts that are open, then those that are over, then news.

import { announce, el, time } from './dom.js';
import { ago, counted, fullDate } from './format.js';

const FIRST_NEWS = 10;

/**
 * Show the alerts.
 * @param {{items: Object[]}} alerts as v1/alerts says.
 * @param {string|null} checkedAt when the newest check looked; null: none has.
 * @returns {Node[]}
 */
export function alertList(alerts, checkedAt) {
  const [open, over, news] = ['open', 'over', 'news'].map((state) => alerts.items.filter((each) => each.state === state));
  return [
    open.length ? el('ul', { class: 'watch-alerts' }, open.map(alertCard)) : allIsWell(checkedAt),
    over.length > 0 && el('details', { dataset: { keep: 'watch-over' } }, el('summary', {}, `${counted(over.length, 'alert')} that ${over.length === 1 ? 'is' : 'are'} over`),
      el('ul', { class: 'watch-alerts over' }, over.map(alertCard))),
    news.length > 0 && el('details', { dataset: { keep: 'watch-news' } }, el('summary', {}, `${counted(news.length, 'message')} about models`),
      el('ul', { class: 'watch-alerts over' }, news.slice(0, FIRST_NEWS).map(alertCard))),
  ];
}

function allIsWell(checkedAt) {
  if (!checkedAt) {
    return el('p', { class: 'notice' }, el('strong', {}, 'No alert is open, but no check has looked yet.'),
      'A check runs every hour; Models can start one now.');
  }
  return el('p', { class: 'notice done' }, el('strong', {}, 'All is well: no alert is open.'),
    el('span', { title: fullDate(checkedAt) }, `The newest check was ${ago(checkedAt)}.`));
}

function alertCard(alert) {
  const isOpen = alert.state === 'open';
  return el('li', { class: ['notice', isOpen && 'warn'] },
    el('h3', {}, alert.title),
    el('p', { class: 'text' }, alert.text),
    figuresOf(alert),
    el('p', { class: 'muted small' },
      time(alert.at, isOpen ? `Open since ${ago(alert.at)}` : ago(alert.at)),
      alert.over_at && [', over ', time(alert.over_at)],
      ' · ', el('code', {}, alert.cause)),
    alert.command && commandOf(alert));
}

/** Some alerts have a command to type, others say in words where to look. */
const IS_COMMAND = /^(\.\/sentiloop|make|aws|curl|jq)\b/;

function commandOf({ command, cause }) {
  const copy = async (event) => {
    const button = event.currentTarget;
    try {
      await navigator.clipboard.writeText(command);
      announce('Copied');
      button.textContent = 'Copied';
    } catch { // no right to the clipboard, or no secure page: the text can be selected
      getSelection().selectAllChildren(button.previousElementSibling);
      announce('Selected. Press Ctrl and C to copy it.');
      button.textContent = 'Selected: press Ctrl+C';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 4000);
  };
  const closer = el('span', { class: 'muted small' }, 'Look closer');
  if (!IS_COMMAND.test(command)) return el('p', { class: 'small' }, closer, ' ', command);
  return el('div', { class: 'watch-command' }, closer, el('code', {}, command),
    el('button', { class: 'button', type: 'button', onclick: copy, dataset: { keep: `watch-copy-${cause}` }, 'aria-label': `Copy: ${command}` }, 'Copy'));
}

function figuresOf({ figures, cause }) {
  const shown = Object.entries(figures ?? {});
  if (!shown.length) return null;
  return el('details', { class: 'small', dataset: { keep: `watch-figures-${cause}` } }, el('summary', {}, 'Figures'),
    el('dl', { class: 'watch-alert-figures' }, shown.map(([name, value]) =>
      el('div', {}, el('dt', { class: 'muted' }, name.replaceAll('_', ' ')), el('dd', { class: 'number' }, value)))));
}
