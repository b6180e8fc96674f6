// "Learn now" in Try: a run is started, and what it changed about the present text is shown.

import { el, labelName } from './dom.js';
import { percent } from './format.js';
import { learnNow } from './learn.js';

const EXPLANATION = 'Retrains happen on a schedule. This one starts at once, takes a minute or so, and needs the admin key. '
  + 'What it makes is served if it is better beyond chance.';

/**
 * Make the card.
 * @param {Object} parts
 * @param {(version: string, signal: AbortSignal) => Promise<void>} parts.answering waits until this version answers.
 * @param {() => Object|null} parts.shown the answer of the present text, and the text.
 * @param {() => Promise<Object|null>} parts.askAgain scores the present text again.
 * @param {() => void} parts.decided a run is over: look at the receipts.
 * @returns {{element: HTMLElement, close: () => void}}
 */
export function learnCard({ answering, shown, askAgain, decided }) {
  /** What the run has changed about the present text; null: nothing to tell, or another text stands there by now. */
  async function change(run, signal) {
    const before = shown();
    decided();
    if (run.outcome !== 'promoted') return null;
    await answering(run.version, signal);
    const after = before && await askAgain();
    return after && shown()?.text === before.text ? compared(before.answer, after) : null;
  }

  const learning = learnNow({ decided: change, explanation: EXPLANATION });
  const element = el('section', { class: 'card panel try-learn' }, el('h2', {}, 'Learn from corrections'), learning.element);
  return { element, close: learning.close };
}

function compared(before, after) {
  const labels = Object.keys(after.probabilities);
  const told = ({ label, confidence }) => [labelName(label, labels), ` ${percent(confidence, 0)}`];
  return el('dl', { class: 'facts' },
    el('dt', {}, 'Your text before'), el('dd', {}, told(before)),
    el('dt', {}, 'Your text now'), el('dd', {}, told(after)));
}
