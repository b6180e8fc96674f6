// Many requests, a few at a time, until all tasks are settled: with patience where the service has too much to do, and so
// that a run that was stopped goes on where it was.

import { backoff, mayPass, pause } from './waiting.js';

const WORKERS = 4;
const RETRIES = 5;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const LONGEST_ASKED_MS = 120_000; // who is told to wait for longer is asked whether to

/**
 * Make a run, which waits for `go`.
 * @param {Object} options
 * @param {() => any} options.next returns another task, or null when there is none left.
 * @param {(task: any, signal: AbortSignal) => Promise<void>} options.send settles a task. What it throws ends the run,
 *   unless it may pass. A task whose outcome is not known is sent again.
 * @returns the run: `state` is `ready`, `running`, `stopped` (by the user), `failed` (see `error`) or `done`; `changed` is
 *   called after every change and may be set.
 */
export function createRun({ next, send }) {
  const again = []; // tasks that were under way when the run was stopped
  let controller = null;
  let startedAt = 0;
  let before = 0;
  let held = 0; // a moment until which nobody sends anything
  let ended = Promise.resolve(); // all of the last `go`, so that no task is still on its way back

  const run = {
    state: 'ready',
    error: null,
    waiting: null, // {until, tries, error}
    changed: () => {},
    get elapsedMs() { return before + (run.state === 'running' ? performance.now() - startedAt : 0); },
    /** Begin, or go on. */
    async go() {
      if (run.state === 'running' || run.state === 'done') return;
      Object.assign(run, { state: 'running', error: null });
      const mine = new AbortController();
      controller = mine;
      startedAt = performance.now();
      held = 0;
      run.changed();
      await ended;
      ended = Promise.all(Array.from({ length: WORKERS }, () => work(mine.signal)));
      await ended;
      if (!mine.signal.aborted) end('done');
    },
    /** Stop; what is done stays. */
    stop() {
      if (run.state === 'running') end('stopped');
    },
  };

  function end(state, error = null) {
    before = run.elapsedMs;
    Object.assign(run, { state, error, waiting: null });
    controller.abort();
    run.changed();
  }

  async function work(signal) {
    for (;;) {
      const task = signal.aborted ? null : again.pop() ?? next();
      if (task === null) return;
      try {
        await patiently(task, signal);
      } catch (error) {
        again.push(task);
        if (!signal.aborted) end('failed', error);
      }
      run.changed();
    }
  }

  async function patiently(task, signal) {
    for (let tries = 1; ; tries += 1) {
      await untilFree(signal);
      try {
        await send(task, signal);
        return;
      } catch (error) {
        if (signal.aborted || !mayPass(error) || tries > RETRIES || (error.retryAfter ?? 0) * 1000 > LONGEST_ASKED_MS) throw error;
        hold(error, tries);
      }
    }
  }

  /** All wait if one is told to: the others would be told the same. */
  function hold(error, tries) {
    const wait = Math.max(backoff(tries, FIRST_WAIT_MS, LONGEST_WAIT_MS), (error.retryAfter ?? 0) * 1000);
    held = Math.max(held, performance.now() + wait);
    run.waiting = { until: Date.now() + wait, tries, error };
    run.changed();
  }

  async function untilFree(signal) {
    for (let wait = held - performance.now(); wait > 0; wait = held - performance.now()) await pause(wait, signal);
    run.waiting = null;
  }

  return run;
}
