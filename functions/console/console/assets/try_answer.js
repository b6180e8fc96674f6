// The answer: what, how sure, why, by which version.

import { announce, barParts, el, exchange, replace } from './dom.js';
import { labelClass, percent } from './format.js';
import { problem } from './panel.js';
import { coloured, effects } from './colour.js';
import { wordTable } from './try_words.js';

/** How sure an answer is, in words. @param {number|null} threshold below which the service calls it doubtful. */
function sureness(confidence, threshold) {
  if (threshold === null) return '';
  if (confidence < threshold) return 'in doubt';
  return confidence < (threshold + 1) / 2 ? 'fairly sure' : 'sure';
}

/**
 * Make the card of the answer.
 * @param {Node} verdict what the reader says of the answer; it stands below the coloured text.
 * @param {() => void} retry asks again after an error.
 * @returns {{element, waiting, answered, failed, empty, doubtBelow}}
 */
export function answerCard(verdict, retry) {
  const state = { threshold: null, shown: null };
  const status = el('span', { class: 'try-status small muted' });
  const summary = el('div', { class: 'try-summary' });
  const words = el('div', { class: 'try-why' });
  const table = el('div');
  const full = el('div', { class: 'try-full', hidden: true }, summary, words, verdict, table);
  const instead = el('div', { class: 'try-instead' });
  const heading = el('h2', { tabindex: '-1' }, 'Answer');  // takes the focus of what goes away
  const element = el('section', { class: 'card try-answer', 'aria-label': 'Answer' },
    el('div', { class: 'panel-head' }, heading, status), full, instead);

  function show(what, ...content) {
    element.removeAttribute('aria-busy');
    if (what !== 'answer' && full.contains(document.activeElement)) heading.focus({ preventScroll: true });
    full.hidden = what !== 'answer';
    replace(status);
    exchange(instead, content, heading);
  }

  function empty(text) {
    state.shown = null;
    show('nothing', el('div', { class: 'empty' }, el('p', {}, text)));
  }

  function waiting() {
    if (full.hidden) exchange(instead, el('div', { class: 'skeleton try-skeleton' }), heading);
    element.setAttribute('aria-busy', 'true');
    replace(status, 'Updating…');
  }

  function failed(error) {
    state.shown = null;
    const wait = error.retryAfter ? { hint: `${error.hint} Wait ${error.retryAfter} seconds.` } : {};
    show('problem', problem(Object.assign(error, wait), retry));
  }

  function answered(text, answer) {
    const found = effects(answer);
    const labels = Object.keys(answer.probabilities);
    state.shown = { text, answer };
    replace(summary, headline(answer, labels, state.threshold), bars(answer, labels),
      el('p', { class: 'small muted' }, 'Answered by ', el('code', {}, answer.model_version)));
    exchange(words, [el('h3', {}, 'Why'), coloured(text, found)], heading);
    exchange(table, wordTable(text, found), heading);
    show('answer');
    const sure = sureness(answer.confidence, state.threshold);
    announce([answer.label, percent(answer.confidence, 0), sure].filter(Boolean).join(', '));
  }

  function doubtBelow(threshold) {
    state.threshold = threshold;
    if (!state.shown) return;
    const { answer } = state.shown;
    summary.firstChild.replaceWith(headline(answer, Object.keys(answer.probabilities), threshold));
  }

  return { element, empty, waiting, answered, failed, doubtBelow };
}

function headline({ label, confidence }, labels, threshold) {
  const sure = sureness(confidence, threshold);
  return el('p', { class: ['try-headline', labelClass(label, labels)] },
    el('span', { class: 'label-name label-dot try-label' }, label),
    el('span', { class: 'try-confidence number' }, percent(confidence, 0)),
    sure && el('span', { class: ['chip', sure === 'in doubt' && 'try-doubt'] }, sure));
}

function bars({ probabilities }, labels) {
  return el('div', { class: 'try-bars' }, labels.map((label) =>
    el('div', { class: ['bar', labelClass(label, labels)] }, barParts(label, probabilities[label], percent(probabilities[label])))));
}
