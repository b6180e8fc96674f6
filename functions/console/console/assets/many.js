// Try, many texts: lines or a CSV file are scored, counted, compared with right labels, and taken away or sent as feedback.

import { el, replace } from './dom.js';
import { createFeedback } from './many_feedback.js';
import { createInput } from './many_input.js';
import { createProgress } from './many_progress.js';
import { createResult } from './many_result.js';
import { createScoring } from './many_score.js';

/** What outlives the view, until the tab is closed: who looks elsewhere meanwhile loses nothing. */
const kept = { text: '', source: null, choice: null, scoring: null, sending: null };

/**
 * Fill a container.
 * @param {HTMLElement} container
 * @param {{served: () => Promise<Object>}} app of the frame.
 * @returns {() => void} closes it: what is under way is stopped, and can go on later.
 */
export function open(container, app) {
  const input = createInput(kept, { start, changed });
  const right = el('div', { class: 'many-right' });
  let progress = null;
  let feedback = null;

  function start(table) {
    const agreedBefore = isScored(table) ? feedback?.agreed : undefined;
    progress?.close();
    feedback?.close();
    Object.assign(kept, { scoring: Object.assign(createScoring(table), { agreedBefore }), sending: null });
    show();
    progress.focus();
    kept.scoring.run.go();
  }

  /** Whether what was scored last are the same texts. */
  function isScored({ source, choice }) {
    const last = kept.scoring?.table;
    return last?.source === source && last.choice.text === choice.text && last.choice.hasHeader === choice.hasHeader;
  }

  /** Other columns for the right label or the user change nothing about the answers. */
  function changed(table) {
    if (!isScored(table)) return;
    const { scoring } = kept;
    Object.assign(scoring, { table, agreedBefore: undefined });
    if (scoring.run.state !== 'running') results(false);
  }

  const parts = { progress: el('div'), result: el('div', { class: 'many-parts' }) };

  function show() {
    const { scoring } = kept;
    if (!scoring) {
      replace(right, el('section', { class: 'card panel' }, el('h2', {}, 'Result'),
        el('p', { class: 'empty' }, 'Paste some lines or take a file: the label of each, their shares, and a file with all of it appear here.')));
      return;
    }
    progress = createProgress({
      title: 'Rows scored', one: 'row', run: scoring.run, total: scoring.answers.length, done: () => scoring.done, ended: () => results(true),
    });
    const { changed: draw } = scoring.run;
    scoring.run.changed = () => {
      if (scoring.run.state === 'running') begun();
      draw();
    };
    replace(parts.progress, el('section', { class: 'card panel' }, el('h2', {}, 'Progress'), progress.element));
    replace(parts.result);
    replace(right, parts.progress, parts.result);
    if (scoring.run.state !== 'ready' && scoring.run.state !== 'running') results(false);
  }

  function begun() {
    input.setBusy(true);
    if (parts.result.hasChildNodes()) {
      feedback?.close();
      replace(parts.result);
    }
  }

  function results(isNews) {
    const { scoring } = kept;
    input.setBusy(false);
    feedback?.close();
    feedback = null;
    if (scoring.versions.size > 1 && isNews) app.served().catch(() => {}); // the header names the newest
    const result = createResult(scoring);
    if (scoring.table.choice.label >= 0 && scoring.labels.length) {
      feedback = createFeedback(scoring, kept, { busy: input.setBusy, again: () => start(kept.scoring.table) }, app);
    }
    replace(parts.result, result.element, feedback?.element, result.rows);
    if (isNews && scoring.run.state === 'done') result.focus();
  }

  show();
  replace(container, el('div', { class: 'many' }, input.element, right));
  return () => {
    input.close();
    progress?.close();
    feedback?.close();
  };
}
