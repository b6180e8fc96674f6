// How far a run is, with a button that stops it and lets it go on.

import { announce, el, replace } from './dom.js';
import { counted, number } from './format.js';
import { problem } from './panel.js';

const EVERY_MS = 150;
const TOLD_EVERY = 0.25; // of the whole, to those who hear the page

/**
 * @param {Object} options
 * @param {string} options.title of the part of the page.
 * @param {string} options.one what is counted, such as "row".
 * @param {Object} options.run as `createRun` makes it; its `changed` is taken.
 * @param {number} options.total
 * @param {() => number} options.done how many of them are settled.
 * @param {() => void} options.ended is told each time that the run has stopped, failed, or come to its end.
 * @returns {{element: HTMLElement, focus: () => void, close: () => void}}
 */
export function createProgress({ title, one, run, total, done, ended }) {
  const fill = el('div', { class: 'fill' });
  const bar = el('div', { class: 'track many-track', role: 'progressbar', 'aria-label': title, 'aria-valuemin': 0, 'aria-valuemax': total }, fill);
  const count = el('strong', { class: 'number' });
  const pace = el('span', { class: 'muted number' });
  const button = el('button', { class: 'button', type: 'button', onclick: () => (run.state === 'running' ? run.stop() : run.go()) });
  const trouble = el('div', { class: 'many-trouble' });
  const element = el('div', { class: 'many-progress' },
    el('div', { class: 'many-progress-line' }, el('span', { class: 'many-count' }, count, pace), button), bar, trouble);
  let timer = null;
  let state = null;
  let told = 0;

  function draw() {
    const share = total ? done() / total : 1;
    fill.style.setProperty('--share', `${100 * share}%`);
    bar.setAttribute('aria-valuenow', done());
    bar.setAttribute('aria-valuetext', `${number(done())} of ${counted(total, one)}`);
    replace(count, `${number(done())} of ${counted(total, one)}`);
    replace(pace, paceOf());
    if (run.state === 'running' && share - told >= TOLD_EVERY) {
      told = share;
      announce(`${number(done())} of ${counted(total, one)}`);
    }
    if (run.state !== state || run.waiting) replace(trouble, whatIsWrong());
    if (run.state === state) return;
    const before = state;
    state = run.state;
    button.textContent = { running: 'Stop', ready: 'Go on', stopped: 'Go on', failed: 'Try again' }[state] ?? 'Done';
    button.hidden = state === 'done';
    if (before === 'running') {
      announce({ done: `Done: ${counted(total, one)}`, stopped: `Stopped at ${number(done())} of ${counted(total, one)}` }[state] ?? '');
      ended();
    }
  }

  function paceOf() {
    const seconds = run.elapsedMs / 1000;
    const rate = done() / seconds;
    if (run.state !== 'running') return seconds ? `in ${inTime(seconds)}` : '';
    if (seconds < 0.5 || !done()) return '';
    return `${counted(Math.round(rate) || Number(rate.toPrecision(1)), one)} a second, ${inTime((total - done()) / rate)} left`;
  }

  function whatIsWrong() {
    if (run.state === 'failed') return problem(run.error);
    if (run.state !== 'running' || !run.waiting) return null;
    const { until, tries, error } = run.waiting;
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    return el('p', { class: 'notice warn' },
      `${error.message.replace(/\.?$/, '.')} Retry ${tries} of 5 in ${inTime(seconds)}; nothing is lost.`);
  }

  function soon() {
    if (run.state !== state) draw(); // the end is told at once
    timer ??= setTimeout(() => {
      timer = null;
      draw();
      if (run.state === 'running') soon();
    }, EVERY_MS);
  }

  run.changed = soon;
  draw();
  return {
    element,
    focus: () => button.focus(),
    close: () => {
      clearTimeout(timer);
      run.changed = () => {};
      run.stop();
    },
  };
}

/** 75 → "1 min 15 s". */
function inTime(seconds) {
  if (seconds < 0.1) return 'under 0.1\u202fs';
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(seconds < 1 ? 1 : 0)}\u202fs`;
  if (seconds < 60) return `${Math.round(seconds)}\u202fs`;
  return `${Math.floor(seconds / 60)}\u202fmin ${Math.round(seconds % 60)}\u202fs`;
}
