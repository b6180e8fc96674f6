// One text: written, answered, corrected, learned.

import { announce, el } from './dom.js';
import { corrections } from './corrections.js';
import { answerCard } from './try_answer.js';
import { asking, predict } from './try_asking.js';
import { textField } from './try_field.js';
import { learnCard } from './try_learn.js';
import { minePanel } from './try_mine.js';
import { announceVerdict, userOfSession, verdictPart } from './try_verdict.js';

const EMPTY = 'Write a text or take an example. Each word has the colour of the label that it speaks for; '
  + 'if the answer is wrong, say so, and the model learns from it.';

/**
 * Open the mode for one text.
 * @param {Element} container
 * @param {Object} app the frame.
 * @returns {() => void} closes it.
 */
export function open(container, app) {
  let shown = null;  // the answer on the page, and the text that it is of
  let said = null;  // key of what was last said of it
  let version = null;
  let informed = null;  // what asks which version answers
  const closing = new AbortController();

  const verdict = verdictPart({ choose, again: (key) => mine.send(key) });
  const card = answerCard(verdict.element, () => question.askNow(field.text()));
  const question = asking({
    waiting: () => {
      shown = null;
      card.waiting();
    },
    answered: (text, answer) => {
      shown = { text, answer };
      said = null;
      verdict.offer(Object.keys(answer.probabilities), answer.label);
      verdict.show(null);
      card.answered(text, answer);
      meet(answer.model_version);
    },
    failed: (text, error) => card.failed(error),
  });
  const mine = corrections(() => {
    panel?.render();
    if (said) verdict.show(mine.entries.find(({ key }) => key === said) ?? null);
  });
  let panel = null;
  panel = minePanel(mine, look);
  const learn = learnCard({
    answering: (wanted, signal) => app.follow(wanted, signal).then(look),
    shown: () => shown,
    askAgain: () => question.askNow(field.text()),
    decided: () => panel.lookNow(),
  });
  const field = textField((text) => {
    if (text) {
      inform();
      question.ask(text);
    } else {
      question.stop();
      shown = null;
      card.empty(EMPTY);
    }
  });

  /** Somebody says what is right. An answer that is still on its way is fetched first: a correction names what it corrects. */
  async function choose(label) {
    const text = field.text();
    if (!text) {
      announce('Write a text first.');
      return;
    }
    try {
      const answer = shown?.text === text ? shown.answer : await predict(text, closing.signal);
      const saying = mine.say(text, answer, label, userOfSession());
      said = mine.entries.find(({ body }) => body.text === text && body.correct_label === label)?.key ?? null;
      const entry = await saying;
      if (!entry || closing.signal.aborted) return;
      if (said === entry.key && field.text() === text) verdict.show(entry);
      announceVerdict(entry);
      panel.hurry();
    } catch (error) {
      if (!closing.signal.aborted) card.failed(error);
    }
  }

  /** Learn which version answers, its labels, and below which confidence it is in doubt; without it that stays unsaid. */
  async function look() {
    try {
      const info = await app.served();
      card.doubtBelow(info.low_confidence.threshold);
      if (!shown) verdict.offer(info.labels, null);
      meet(info.version);
      return true;
    } catch {
      return false;
    }
  }

  /** Look once, when somebody writes: not before, for who looks only at the page must not be asked for a key twice. */
  function inform() {
    informed ??= look().then((isKnown) => {
      if (!isKnown) informed = null;  // the next text tries again
    });
  }

  /** A version answers; if it is another one than before, what it says of the corrections is news. */
  function meet(answering) {
    const isNew = answering !== version;
    version = answering;
    if (isNew) mine.askAgain(answering);
  }

  container.append(el('div', { class: 'try-columns' }, field.element, card.element, panel.element, learn.element));
  field.start();
  return () => {
    closing.abort();
    question.stop();
    verdict.stop();
    panel.close();
    learn.close();
  };
}
