// Small pieces that the parts of this view share.

import { el, svg } from './dom.js';
import { percent, signed } from './format.js';

const LONG = 180;  // characters of a reason that stand there before it is opened

/** Digests are long and only compared: the beginning, in full in the title. */
export const digest = (value) => (value ? el('code', { title: value }, value.slice(0, 12)) : '–');

/** Somebody's words, which keep their own direction and cannot turn what stands beside them. */
export const words = (text) => el('bdi', { class: 'text' }, text);

/** A text that is opened where it is long; what stands there before ends with a clause, where one ends early enough. */
export function folded(text, limit = LONG) {
  const characters = Array.from(text);
  if (characters.length <= limit) return el('p', { class: 'models-reason text', dir: 'auto' }, text);
  const room = characters.slice(0, limit).join('');
  const start = room.match(/^.{12,}?(?=: )/s)?.[0] ?? room;
  return el('details', { class: 'models-folded' },
    el('summary', {}, el('span', { class: 'models-start text', dir: 'auto' }, `${start}…`), el('span', { class: 'models-less' }, 'Show less')),
    el('p', { class: 'models-reason text', dir: 'auto' }, text));
}

/** A link to a version: a plain click opens it on this page as it stands. */
export function versionLink(view, version, { stretched = false } = {}) {
  return el('a', {
    class: ['models-version', stretched && 'models-stretched'],
    href: `#/models?${new URLSearchParams({ version })}`,
    dataset: { keep: `open ${version}` },
    'aria-current': view.state.version === version ? 'true' : null,
    onclick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;  // in a tab of its own
      event.preventDefault();
      view.openVersion(version);
    },
  }, version);
}

/** A button that opens a dialog or does something; its focus survives when its part is drawn anew. */
export const button = (text, onclick, { kind = '', focus = text, ...more } = {}) =>
  el('button', { class: ['button', kind], type: 'button', onclick, dataset: { keep: focus }, ...more }, text);

/** The part that a version plays, by a mark and a word. */
export function roleChip(role) {
  if (role === 'champion') return el('span', { class: 'chip good' }, mark('●'), 'served now');
  if (role === 'challenger') return el('span', { class: 'chip strong' }, mark('◆'), 'on trial');
  return null;
}

export const erasedChip = () => el('span', { class: 'chip bad', title: 'It learned from corrections that were erased since.' }, mark('✕'), 'erased data');

/** A sign for those who see it; a word stands beside it. */
export const mark = (sign) => el('span', { 'aria-hidden': 'true' }, sign);

/** A table that scrolls inside itself. */
export const table = (name, head, rows, { className = '', caption = null } = {}) =>
  el('div', { class: 'table-wrap', tabindex: '0', role: 'region', 'aria-label': name },
    el('table', { class: className },
      el('caption', { class: caption ? '' : 'visually-hidden' }, caption ?? name),
      el('thead', {}, el('tr', {}, head.map((cell) => (cell.nodeName ? cell : el('th', { scope: 'col' }, cell))))),
      el('tbody', {}, rows)));

/** A cell of figures. */
export const figure = (...content) => el('td', { class: 'number' }, ...content);

/** A figure's head. */
export const figureHead = (text) => el('th', { scope: 'col', class: 'number' }, text);

/** Where a value lies between two bounds, as a share of the width. */
export const place = (value, [low, high]) => `${(100 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)))).toFixed(3)}%`;

/**
 * Draw a value with its interval: a line with caps, and a mark on it. For those who do not see it the figures stand in
 * words beside it.
 * @param {number} value
 * @param {[number, number]|null} bounds
 * @param {[number, number]} scale what the left and the right edge stand for.
 * @param {{shape?: string, zero?: boolean}} options `zero`: draw where nothing has changed.
 */
export function whisker(value, bounds, scale, { shape = 'hollow', zero = false } = {}) {
  const x = (of) => place(of, scale);
  return svg('svg', { class: 'models-whisker', 'aria-hidden': 'true' },
    zero && svg('line', { class: 'models-zero', x1: x(0), x2: x(0), y1: 0, y2: '100%' }),
    bounds && [
      svg('line', { class: 'models-bar', x1: x(bounds[0]), x2: x(bounds[1]), y1: '50%', y2: '50%' }),
      bounds.map((bound) => svg('line', { class: 'models-bar', x1: x(bound), x2: x(bound), y1: '25%', y2: '75%' })),
    ],
    sign(x(value), shape));
}

const SHAPES = {
  champion: 'M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0Z',
  challenger: 'M0 -7L7 0L0 7L-7 0Z',
  hollow: 'M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z',
  serve: 'M-5 -6L6 0L-5 6Z',
  trial: 'M0 -6.5L6.5 0L0 6.5L-6.5 0Z',
  end: 'M-5 -5L5 5M-5 5L5 -5',
  pin: 'M-5 -5H5V5H-5Z',
  unpin: 'M-5 -5H5V5H-5Z',
  same: 'M-3 0H3',
};

/** A mark of a shape that tells it apart without colour, at a place in percent. */
export function sign(x, shape, title = null, y = '50%') {
  return svg('svg', { x, y, class: ['models-sign', `models-${shape}`] },
    svg('path', { d: SHAPES[shape] }, title && svg('title', {}, title)));
}

/** What a gain with its interval says. */
export function verdict({ gain, interval }) {
  if (!interval) return ['', '–'];
  if (interval[0] > 0) return ['▲', 'better beyond chance'];
  if (interval[1] < 0) return ['▼', 'worse beyond chance'];
  return ['', gain === 0 ? 'the same' : 'within chance'];
}

/** In points of a hundred, with a sign: 0.0705 → "+7.0 points". */
export const points = (gain) => (Math.abs(gain) < 0.0005 ? 'no change' : `${signed(100 * gain, 1)}\u202fpoints`);

/** Slices in which two versions were compared on the same rows. */
export function sliceTable(slices, a, b, where) {
  const edge = Math.max(0.02, ...slices.flatMap(({ gain, interval }) => [gain, ...(interval ?? [])].map(Math.abs)));
  const rows = slices.map((slice) => {
    const [signOf, word] = verdict(slice);
    return el('tr', {},
      el('th', { scope: 'row' }, slice.name === 'all' ? 'all rows' : slice.name),
      figure(String(slice.rows)), figure(percent(slice.a)), figure(percent(slice.b)),
      figure(points(slice.gain), slice.interval && el('span', { class: 'visually-hidden' }, `, from ${points(slice.interval[0])} to ${points(slice.interval[1])}`)),
      el('td', { class: 'models-plot' }, whisker(slice.gain, slice.interval, [-edge, edge], { zero: true })),
      el('td', { class: signOf && 'models-beyond' }, signOf && mark(`${signOf} `), word));
  });
  return table(`Slice by slice, ${where}`,
    ['Rows', figureHead('Count'), figureHead(a), figureHead(b), figureHead('Change'), '95\u202f% interval', 'Verdict'], rows,
    { className: 'models-slices', caption: 'Both on the same held-out rows and behavioural cases. Of twenty intervals one misses the truth by chance.' });
}
