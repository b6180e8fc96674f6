// Beside the text: how far the reviewer is, what the labels bring, and the last answers.

import { el, fact, labelName, replace } from './dom.js';
import { number, shortened } from './format.js';
import { panel } from './panel.js';

const SHOWN = 10;
const SHORT = 120; // characters of a text in the list

/** How many are answered and left. */
export function progressPart(session) {
  const answered = el('strong', { class: 'label-figure' });
  const left = el('strong', { class: 'label-figure' });
  const fill = el('div', { class: 'fill' });
  const element = el('section', { class: 'card panel' },
    el('h2', {}, 'Progress'),
    el('div', { class: 'label-figures' },
      el('p', {}, answered, ' ', el('span', { class: 'muted' }, 'answered in this session')),
      el('p', {}, left, ' ', el('span', { class: 'muted' }, 'left in all'))),
    el('div', { class: 'label-track', 'aria-hidden': 'true' }, fill));
  const update = () => {
    const total = session.answered + (session.state.left ?? 0);
    replace(answered, number(session.answered));
    replace(left, number(session.state.left));
    fill.style.setProperty('--share', `${total ? (100 * session.answered) / total : 0}%`);
  };
  return { element, update };
}

/** What a retrain could prove with the labels there are. */
export function profitPart(session) {
  const { state } = session;
  const made = panel('What the next retrain could prove', {
    load: async () => {
      if (state.left === null && session.isAsking) await session.fill(); // what is asked for already
      return state.profit;
    },
    empty: (profit) => (profit ? null : 'Not known yet.'),
    render: (profit) => profitShown(profit, state.labelsSince),
    className: 'label-profit',
  });
  return { element: made.element, update: made.reload };
}

function profitShown(profit, since) {
  const labels = profit.labels + since;
  const step = profit.next_labels ? profit.labels + profit.next_labels : null;
  return [
    el('p', {}, profit.sentence),
    step && el('div', { class: 'label-meter' },
      el('div', {
        class: 'label-track', role: 'meter', 'aria-label': 'Labels towards the next step',
        'aria-valuemin': 0, 'aria-valuemax': step, 'aria-valuenow': Math.min(labels, step), 'aria-valuetext': `${labels} of ${step} labels`,
      }, el('div', { class: 'fill', style: { '--share': `${Math.min(100, (100 * labels) / step)}%` } })),
      el('p', { class: 'small' }, el('strong', { class: 'number' }, `${number(labels)} of ${number(step)}`), ' labels to the next step',
        since > 0 && el('span', { class: 'muted' }, `, ${number(since)} just now`))),
    el('dl', { class: 'facts small' },
      fact('Corrected', `${number(profit.corrected)} of ${profit.at_least ? 'at least ' : ''}${number(profit.labels)}`),
      fact('Gain it can prove', points(profit.detectable_gain)),
      fact('At the next step', points(profit.next_detectable_gain))),
    profit.detectable_gain !== null && el('a', { class: 'button label-learn', href: '#/models' }, 'Start a retrain in Models'),
  ];
}

/** Points of accuracy, rounded up as the service's sentence has them. */
function points(gain) {
  if (gain === null || gain === undefined) return 'none yet';
  const tenths = Math.max(1, Math.ceil(1000 * gain));
  return `${number(tenths < 50 ? tenths / 10 : Math.ceil(100 * gain))} points or more`;
}

/** The last answers, of which the latest can be taken back. */
export function lastPart(session, labels, { undo, hides }) {
  const list = el('ol', { class: 'label-last', reversed: true });
  const none = el('p', { class: 'empty' }, 'Your answers appear here.');
  const element = el('section', { class: 'card panel' }, el('h2', {}, 'Last answers'), none, list);
  const update = () => {
    const hadFocus = list.contains(document.activeElement);
    const last = session.state.answers.slice(-SHOWN).reverse();
    const latest = last.find((given) => given.state !== 'refused');
    none.hidden = last.length > 0;
    replace(list, last.map((given) => row(given, labels, hides(), given === latest && undo)));
    if (hadFocus) list.querySelector('button')?.focus({ preventScroll: true });
  };
  return { element, update };
}

function row({ item, label, state }, labels, hides, undo) {
  const told = { refused: 'not taken', kept: 'left as it was', waiting: 'on its way' }[state];
  return el('li', { class: 'label-row' },
    el('div', { class: 'label-row-text' },
      el('p', { class: 'small' },
        label === null
          ? el('span', { class: 'muted' }, 'skipped')
          : labelName(label, labels),
        label !== null && label !== item.label && !hides && el('span', { class: 'muted' }, `, the model said ${item.label}`),
        told && el('span', { class: 'muted' }, ` · ${told}`)),
      el('bdi', { class: 'label-short' }, shortened(item.text, SHORT))),
    undo && el('button', { class: 'button', type: 'button', onclick: undo }, 'Undo'));
}
