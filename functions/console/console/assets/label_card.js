// The text in question and what can be said about it. The buttons stay where they are from text to text.

import { el, labelName, replace, time } from './dom.js';
import { counted, labelClass, percent } from './format.js';
import { problem, skeleton } from './panel.js';

const LONG = 280; // characters from which a text is set smaller

/**
 * Make the card.
 * @param {string[]} labels in the order of their keys.
 * @param {Object<string, Function>} actions what its buttons do: answer(label, event), agree(event), skip(event), undo,
 *   keys, lookAgain.
 * @returns {{element: HTMLElement, stage: HTMLElement, update: (session: Object, options: Object) => void}}
 */
export function cardOf(labels, actions) {
  // One element for whatever is shown in the text's place, so that the focus on it is never lost.
  const stage = el('div', { class: 'label-stage', tabindex: 0, role: 'region', 'aria-label': 'Text to label' });
  const about = el('div', { class: 'label-about small' });
  const model = modelLine(labels, actions);
  const buttons = labels.map((label, index) => labelButton(label, index, labels, actions));
  const answers = el('div', { class: 'label-answers', role: 'group', 'aria-label': 'Labels' }, buttons.map((made) => made.element));
  const skip = keyed('Skip', 'S', { onclick: actions.skip });
  const undo = keyed('Undo', 'U', { onclick: actions.undo });
  const more = el('div', { class: 'buttons' }, skip, undo);
  const element = el('section', { class: 'card label-card' },
    el('div', { class: 'panel-head' },
      el('h2', {}, 'Which label fits?'),
      keyed('Shortcuts', '?', { class: 'button quiet', onclick: actions.keys })),
    stage, about, model.element, answers, more);
  let shown = null;

  function update(session, { hides, shortcuts }) {
    const item = session.current;
    const focused = document.activeElement;
    const standing = item ?? standingFor(session);
    element.classList.toggle('label-hides', hides);
    element.classList.toggle('label-no-keys', !shortcuts);
    for (const part of [about, model.element, answers, skip]) part.hidden = !item && standing !== 'loading';
    for (const part of [about, model.element]) part.classList.toggle('label-absent', !item);
    for (const part of [skip, ...buttons.map((made) => made.element)]) part.setAttribute('aria-disabled', String(!item));
    undo.setAttribute('aria-disabled', String(!session.canUndo));
    if (item) {
      replace(about, aboutOf(item, hides));
      model.update(item, hides);
      buttons.forEach((made) => made.update(item, hides));
    }
    const isLost = element.contains(focused) && !focused.checkVisibility({ visibilityProperty: true });
    if (standing !== shown) {
      const wasInside = stage.contains(focused);
      shown = standing;
      replace(stage, item ? textOf(item) : stand(standing, session, actions));
      stage.scrollTop = 0;
      if (wasInside) stage.focus({ preventScroll: true });
    }
    if (isLost) stage.focus({ preventScroll: true });
  }

  return { element, stage, update };
}

/** What stands in the place of a text: why there is none. */
function standingFor({ state, isAsking }) {
  const isQuiet = state.left === 0 && !state.error; // asked in the background, where nothing is expected
  if (isAsking && !isQuiet) return 'loading';
  return state.error ?? 'empty';
}

function stand(standing, { answered }, { lookAgain }) {
  if (standing === 'loading') return skeleton();
  if (standing !== 'empty') return problem(standing, lookAgain);
  return el('div', { class: 'label-none' },
    el('p', {}, el('strong', {}, answered ? `Nothing is left. You gave ${counted(answered, 'answer')} in this session.` : 'No text waits for a label.')),
    el('p', { class: 'muted' },
      'The service keeps texts whose prediction is in doubt, and a few by chance, as samples. ',
      'They come here soon after they were predicted; what is typed under Try is not kept.'),
    el('div', { class: 'buttons' },
      el('button', { class: 'button primary', type: 'button', onclick: lookAgain }, 'Look again'),
      el('a', { href: '#/try?many=1' }, 'Score many texts')));
}

const textOf = ({ text }) => el('p', { class: ['text', 'label-text', text.length > LONG && 'label-long'], dir: 'auto' }, text);

/** Why it is asked about; where the model's answer is hidden, without what it would give away. */
function aboutOf(item, hides) {
  const isDoubted = item.reason !== 'random';
  return [
    el('span', {}, hides && isDoubted ? 'Doubtful: the model is not sure.' : item.why),
    item.wasLabelled && el('span', {}, 'Your label of before counts until you give another.'),
    item.similar > 0 && el('span', { class: 'muted' }, `Stands for ${counted(item.similar, 'similar text')} more`),
    el('span', { class: 'muted' }, 'Came ', time(item.received_at)),
    el('span', { class: 'muted' }, 'Predicted by ', el('code', {}, item.model_version)),
  ];
}

function modelLine(labels, { agree }) {
  const says = el('p', {});
  const agrees = keyed('Agree', 'Enter', { onclick: agree });
  const element = el('div', { class: 'label-model' }, says, agrees);
  const update = (item, hides) => {
    agrees.classList.toggle('label-absent', hides);
    agrees.setAttribute('aria-disabled', String(!labels.includes(item.label)));
    replace(says, hides
      ? el('span', { class: 'muted' }, 'The model’s answer is hidden.')
      : ['The model says ', labelName(item.label, labels),
        el('span', { class: 'muted number' }, ` with ${percent(item.confidence)}`)]);
  };
  return { element, update };
}

/** A label's button, with how likely the model holds it to be. */
function labelButton(label, index, labels, { answer }) {
  const share = el('span', { class: 'label-share number', 'aria-hidden': 'true' });
  const fill = el('span', { class: 'fill' });
  const element = el('button', {
    class: ['button', 'label-answer', labelClass(label, labels)], type: 'button',
    'aria-keyshortcuts': index < 9 ? index + 1 : null, onclick: (event) => answer(label, event),
  },
  el('span', { class: 'label-answer-name' }, index < 9 && el('kbd', { 'aria-hidden': 'true' }, index + 1), el('span', { class: 'label-dot' }, label)),
  share,
  el('span', { class: 'label-track', 'aria-hidden': 'true' }, fill));
  const update = ({ probabilities }, hides) => {
    const value = hides ? null : probabilities[label];
    replace(share, value === null || value === undefined ? '' : percent(value, 0));
    fill.style.setProperty('--share', percentOf(value));
  };
  return { element, update };
}

const percentOf = (share) => `${100 * (share ?? 0)}%`;

function keyed(words, key, attributes) {
  return el('button', { class: 'button', type: 'button', 'aria-keyshortcuts': key, ...attributes }, words, ' ', el('kbd', { 'aria-hidden': 'true' }, key));
}
