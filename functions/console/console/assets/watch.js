// How the service does, and whether the model still fits.

import { api } from './api.js';
import { announce, el, replace } from './dom.js';
import { ago, counted, fullDate } from './format.js';
import { ask, key } from './keys.js';
import { panel } from './panel.js';
import { alertList } from './watch_alerts.js';
import { drift } from './watch_drift.js';
import { figures } from './watch_figures.js';
import { described, named, queryOf, rangeChoice, rangeOf } from './watch_range.js';
import { traffic } from './watch_traffic.js';
import { versionTable } from './watch_versions.js';

const EVERY_MS = 60_000;
const MOST_CHECKS = 60; // spread over the range; a small chart would not show more

export const title = 'Watch';

/**
 * Open the view.
 * @param {HTMLElement} main
 * @param {URLSearchParams} query `range`, or `from` and `until`.
 * @param {{setQuery: (Object) => void, served: () => Promise<Object>}} app
 * @returns {() => void} closes it.
 */
export function open(main, query, app) {
  const view = { app, range: rangeOf(query), stop: new AbortController(), isAuto: true, updatedAt: null, isDown: false, info: null };
  const panels = panelsOf(view);
  const updated = el('span', { class: 'muted small watch-updated' });
  const tell = () => {
    updated.textContent = view.isDown ? 'Not updated' : view.updatedAt ? `Updated ${ago(view.updatedAt)}` : 'Loading';
    updated.title = fullDate(view.updatedAt);
  };

  async function refresh({ aloud = false } = {}) {
    view.stop.abort();
    view.stop = new AbortController();
    const { signal } = view.stop;
    if (view.range.name) view.range = named(view.range.name);
    view.info = app.served();
    view.info.catch(() => {}); // the panel that needs it says so
    await Promise.all(panels.map(({ reload }) => reload()));
    if (signal.aborted) return;
    view.updatedAt = new Date().toISOString();
    view.isDown = panels.every(({ element }) => element.querySelector('.notice.error'));
    tell();
    if (aloud) announce(view.isDown ? 'Nothing could be updated' : 'Updated');
  }

  view.refresh = refresh;
  const timer = setInterval(() => {
    tell();
    const isDue = Date.now() - new Date(view.updatedAt ?? Date.now()) >= EVERY_MS;
    if (view.isAuto && isDue && !document.hidden) refresh();
  }, 5_000);
  const again = () => view.isAuto && view.updatedAt && Date.now() - new Date(view.updatedAt) >= EVERY_MS && !document.hidden && refresh();
  document.addEventListener('visibilitychange', again);

  const changed = (range) => {
    view.range = range;
    app.setQuery(queryOf(range));
    announce(`Showing ${described(range)}`);
    refresh();
  };
  main.append(
    el('div', { class: 'view-head watch-head' }, el('h1', {}, title), el('div', { class: 'buttons watch-tools' }, updated,
      el('button', { class: 'button', type: 'button', onclick: () => refresh({ aloud: true }) }, 'Refresh'), autoSwitch(view))),
    panels[0].element, rangeChoice(view.range, changed), ...panels.slice(1).map(({ element }) => element));
  tell();
  refresh();
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', again);
    view.stop.abort();
  };
}

function autoSwitch(view) {
  const change = (event) => {
    view.isAuto = !view.isAuto;
    event.currentTarget.setAttribute('aria-pressed', String(view.isAuto));
    announce(view.isAuto ? 'Refreshed every minute' : 'Not refreshed by itself');
  };
  return el('button', { class: 'button', type: 'button', 'aria-pressed': 'true', title: 'Refresh every minute while this tab is visible', onclick: change }, 'Auto-refresh');
}

function panelsOf(view) {
  const asked = (path, options = {}) => api(path, { signal: view.stop.signal, ...options });
  return [alertsPanel(view, asked), historyPanel(view, asked), driftPanel(view, asked), versionsPanel(view, asked)];
}

/** What an admin sees; others are offered to enter the key, and are not asked for it before they want to. */
function forAdmins(view, titled, { load, render, ...options }) {
  const held = async () => {
    if (!key('admin')) return { isLocked: true, wasRefused: false };
    try {
      return { found: await load() };
    } catch (error) {
      if (error.status !== 403) throw error;
      return { isLocked: true, wasRefused: true };
    }
  };
  return panel(titled, {
    ...options,
    load: held,
    render: ({ isLocked, wasRefused, found }) => (isLocked ? lock(view, titled, wasRefused) : render(found)),
    empty: ({ isLocked, found }) => !isLocked && options.empty?.(found),
  });
}

function lock(view, titled, wasRefused) {
  const enter = async () => {
    if (await ask('admin', wasRefused)) view.refresh(); // the other part for admins has waited as well
  };
  return el('div', { class: 'empty watch-lock' },
    el('p', {}, wasRefused ? 'The admin key was refused.' : 'This part is for admins.'),
    el('button', { class: 'button', type: 'button', onclick: enter, dataset: { keep: `watch-lock-${titled}` }, 'aria-label': `Enter the admin key to see: ${titled}` }, 'Enter the admin key'));
}

function alertsPanel(view, asked) {
  return forAdmins(view, 'Alerts', {
    className: 'watch-alert-panel',
    load: async () => {
      const [alerts, checks] = await Promise.all([
        asked('v1/alerts', { admin: true, asks: false, query: { limit: 50 } }),
        asked('v1/checks', { admin: true, asks: false, query: { limit: 1 } }),
      ]);
      return { alerts, checkedAt: checks.items.at(-1)?.at ?? null };
    },
    render: ({ alerts, checkedAt }) => alertList(alerts, checkedAt),
  });
}

function historyPanel(view, asked) {
  const [tiles, charts] = [figures(), traffic()];
  const age = el('p', { class: 'muted small' });
  const content = el('div', { class: 'watch-history' }, tiles.element, charts.element, age);
  return panel('Traffic and answers', {
    className: 'watch-traffic',
    load: async () => {
      const { from, until } = view.range;
      const history = await asked('v1/metrics/history', { query: { from: from.toISOString(), until: until.toISOString() } });
      const labels = await view.info.then((info) => info.labels, () => []);
      return { history, labels };
    },
    empty: ({ history: { totals } }) => totals.requests + totals.predictions + totals.feedback.total === 0 && 'Nothing was asked in this time. Choose a longer one, or send a first text in Try.',
    render: ({ history, labels }) => {
      tiles.show(history);
      charts.show(history, labels);
      replace(age, delayOf(history));
      return content;
    },
  });
}

function delayOf({ delay_seconds: seconds }) {
  const late = seconds >= 60 ? counted(Math.ceil(seconds / 60), 'minute') : counted(seconds, 'second');
  return `Figures may be up to ${late} old: what came since may be missing, and the last hour or day of a chart is not over.`;
}

function driftPanel(view, asked) {
  const shown = drift();
  return forAdmins(view, 'Does the model still fit?', {
    className: 'tall',
    load: () => asked('v1/checks', {
      admin: true, asks: false, query: { from: view.range.from.toISOString(), until: view.range.until.toISOString(), limit: MOST_CHECKS },
    }),
    empty: ({ items }) => items.length === 0 && 'No check looked in this time. One runs every hour; Models can start one now.',
    render: (checks) => {
      shown.show(checks, view.range);
      return shown.element;
    },
  });
}

function versionsPanel(view, asked) {
  return panel('Versions', {
    load: async () => ({ metrics: await asked('v1/metrics'), info: await view.info }),
    empty: ({ metrics }) => Object.keys(metrics.versions).length === 0 && 'No version has answered yet. Send a first text in Try.',
    render: ({ metrics, info }) => versionTable(metrics, info),
  });
}
