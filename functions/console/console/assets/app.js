// The frame: which view is open, which version answers, the theme, and the keys.

import { api } from './api.js';
import { el, replace } from './dom.js';
import { manage } from './keys.js';
import { problem, skeleton } from './panel.js';
import { until } from './waiting.js';

const VIEWS = {
  try: () => import('./try.js'),
  label: () => import('./label.js'),
  models: () => import('./models.js'),
  watch: () => import('./watch.js'),
};
const THEMES = ['auto', 'light', 'dark'];
const FOLLOWS = { every: () => 1000, longest: 30_000 };  // instances look for a new version every few seconds
const main = document.getElementById('main');
let opened = { name: null, close: null };
let asked = 0;
let told = 0;

/** The address of a view is `#/name?query`, so that it can be shared; whatever else begins with # is a place on the page. */
function addressed() {
  const [name, query = ''] = location.hash.replace(/^#\//, '').split('?', 2);
  return { name: Object.hasOwn(VIEWS, name) ? name : 'try', query: new URLSearchParams(query) };
}

/** Change what follows a view's name in the address, without a new entry in the history. */
function setQuery(query) {
  const text = new URLSearchParams(query).toString();
  history.replaceState(null, '', `#/${opened.name}${text ? `?${text}` : ''}`);
}

async function show() {
  if (location.hash && !location.hash.startsWith('#/')) return;
  const { name, query } = addressed();
  const isFirst = opened.name === null;
  opened.close?.();
  const mine = { name, close: null };
  opened = mine;
  for (const link of document.querySelectorAll('.views a')) {
    if (link.getAttribute('href') === `#/${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  replace(main, el('div', { class: 'card' }, skeleton()));
  try {
    const view = await VIEWS[name]();
    if (opened !== mine) return;
    document.title = `${view.title} · Sentiloop`;
    replace(main);
    mine.close = view.open(main, query, { setQuery, served, follow }) ?? null;
  } catch (error) {
    error.hint ??= 'The page may have been released anew: load it again.';
    replace(main, el('h1', {}, 'Sentiloop'), problem(error, () => location.reload()));
  }
  if (!isFirst) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

/** Ask which version answers and show it; returns the model's info, which is asked for once a call. */
async function served() {
  const chip = document.getElementById('served');
  asked += 1;
  const mine = asked;
  const info = await api('v1/model_info');
  if (mine < told) return info;  // overtaken: a later question has been answered
  told = mine;
  replace(chip, info.version);
  chip.title = `The version that answers${info.since ? ` since ${info.since}` : ''}`;
  return info;
}

/** Wait until the instance that answers here has followed a move to a version, so that the header tells the truth. */
async function follow(version, signal) {
  try {
    await until(() => served().then((info) => info.version === version, () => false), FOLLOWS, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById('theme').textContent = `◐ ${{ auto: 'Auto', light: 'Light', dark: 'Dark' }[theme]}`;
  document.getElementById('theme').setAttribute('aria-label', `Theme: ${theme}. Change it.`);
}

function chosenTheme() {
  const chosen = localStorage.getItem('sentiloop.theme');
  return THEMES.includes(chosen) ? chosen : 'auto';
}

document.getElementById('keys').addEventListener('click', manage);
document.getElementById('theme').addEventListener('click', () => {
  const next = THEMES[(THEMES.indexOf(chosenTheme()) + 1) % THEMES.length];
  localStorage.setItem('sentiloop.theme', next);
  setTheme(next);
});
document.querySelector('.skip-link').addEventListener('click', (event) => {
  event.preventDefault();  // the address names the view
  main.focus();
});
addEventListener('hashchange', show);
setTheme(chosenTheme());
show();
served().catch(() => replace(document.getElementById('served'), 'not known'));
