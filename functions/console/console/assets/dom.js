// Building the page. Texts become text nodes and attributes, never markup: nothing here, or anywhere, parses HTML.

import { ago, fullDate, labelClass } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Make an element.
 * @param {string} name of the tag.
 * @param {Object} attributes by name: a function is a listener (`onclick`), true and false set and leave out, `class`
 *   takes a string or a list, `dataset` and `style` take objects (a style's custom properties too).
 * @param {...(Node|string|number|null|undefined|false|Array)} children strings and numbers become text.
 * @returns {HTMLElement}
 */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Make an SVG element; as `el`. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else if (name === 'class') element.setAttribute('class', [value].flat().filter(Boolean).join(' '));
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else if (name === 'style') Object.entries(value).forEach(([property, set]) => element.style.setProperty(property, set));
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...kept(children));
  return element;
}

function kept(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== '');
}

/** Put children in the place of all that an element has. */
export function replace(element, ...children) {
  element.replaceChildren(...kept(children));
  return element;
}

/**
 * Put something in the place of all that an element has, without taking the focus or what is unfolded from its user.
 * Elements with the same `data-keep` count as the same. Where the one with the focus is gone, `instead` gets it.
 * @param {HTMLElement} element
 * @param {Node|string|Array|null} content as children of `el`; nothing changes if these very nodes are there.
 * @param {HTMLElement|null} instead
 */
export function exchange(element, content, instead = null) {
  const wanted = kept([content]);
  if (wanted.length === element.childNodes.length && wanted.every((node, at) => node === element.childNodes[at])) return;
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const unfolded = [...element.querySelectorAll('details[open][data-keep]')].map((each) => each.dataset.keep);
  element.replaceChildren(...wanted);
  const same = (keep) => keep && [...element.querySelectorAll('[data-keep]')].find((each) => each.dataset.keep === keep);
  for (const keep of unfolded) same(keep)?.setAttribute('open', '');
  if (!focused) return;
  const next = element.contains(focused) ? focused : same(focused.closest('[data-keep]')?.dataset.keep) ?? instead;
  if (next === instead && instead?.tabIndex === -1) instead.setAttribute('tabindex', '-1');  // a heading takes none by itself
  (next?.matches('details') ? next.querySelector('summary') : next)?.focus({ preventScroll: true });
}

/** A time as "5 minutes ago", or as another text, in full in its title. */
export const time = (iso, text = ago(iso)) => (iso ? el('time', { datetime: iso, title: fullDate(iso) }, text) : '–');

/** One line of a list of figures, `dl.facts`. */
export const fact = (name, value) => [el('dt', {}, name), el('dd', { class: 'number' }, value)];

/** What a bar consists of: its name, its track filled by a share from 0 to 1, and its figure for those who do not see it. */
export const barParts = (name, share, figure) => [
  el('span', {}, name),
  el('div', { class: 'track', 'aria-hidden': 'true' }, el('div', { class: 'fill', style: { '--share': `${100 * share}%` } })),
  el('span', { class: 'number' }, figure),
];

/** A label's name in its colour. */
export const labelName = (label, labels) => el('span', { class: ['label-name', 'label-dot', labelClass(label, labels)] }, label);

let spoken = 0;

/** Say something to those who hear the page, where what changed is not where they are. */
export function announce(text) {
  const announcer = document.getElementById('announcer');
  spoken += 1;  // the same sentence twice is news only if the text differs
  announcer.textContent = text + (spoken % 2 ? '\u00a0' : '');
}

/** Wait until nothing was asked for some milliseconds, then do the last of it. */
export function debounced(action, milliseconds) {
  let timer;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Make a switch: while it is on, the browser asks before the tab is closed on what was not sent. */
export function closingGuard() {
  const warn = (event) => event.preventDefault();
  return (isOn) => (isOn ? addEventListener('beforeunload', warn) : removeEventListener('beforeunload', warn));
}

/** Offer a text as a file to keep. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
