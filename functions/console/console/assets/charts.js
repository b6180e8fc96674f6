// Charts as plain SVG: a figure with a caption, what it shows in figures, a picture, and the same as a table.

import { announce, el, replace, svg } from './dom.js';
import { axes, cursor, frameOf, marks, pattern, placeOf, runsOf, swatch, thresholds } from './watch_marks.js';

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };

/**
 * @typedef {Object} Series
 * @property {string} name
 * @property {"line"|"bar"|"stack"} kind
 * @property {(number|null)[]} values one for each point; null: nothing is known, and a line has a gap.
 * @property {string} [overall] what is shown while no point is looked at.
 * @property {string} [className] gives the colour, as `--label`.
 * @property {number} [look] which dashes or texture it has, from 0.
 * @property {(value: number|null) => string} [format] of its values, if not the chart's.
 *
 * @typedef {Object} ChartData
 * @property {{name: string, place?: number}[]} points `place`: from 0 to 1, if points are not spread evenly.
 * @property {Series[]} series
 * @property {(value: number|null) => string} format a value with its unit.
 * @property {(value: number) => string} [axisFormat] the same for an axis.
 * @property {(most: number) => {place: number, text: string}[]} ticks names along the bottom.
 * @property {number[]} [valueTicks] along the side; by default round ones.
 * @property {boolean} [isCount] whether values are whole.
 * @property {{value: number, name: string}[]} [thresholds]
 * @property {string} summary sums the chart up in a sentence.
 * @property {string} [pointTitle] what points are, as a table's head.
 */

/**
 * Make a chart. It is made once and shows what it is given, so that a refresh leaves focus, cursor and table as they are.
 * @param {string} title
 * @param {{note?: (Node|string), className?: string, height?: number}} options `height`: of the picture, in pixels.
 * @returns {{element: HTMLElement, show: (data: ChartData) => void}}
 */
export function chart(title, { note = null, className = '', height = 190 } = {}) {
  const state = { data: null, width: 0, looked: null, paints: new Map() };
  const layers = { defs: svg('defs'), plot: svg('g'), cursor: svg('g', { class: 'chart-cursor' }) };
  const picture = svg('svg', { class: 'chart-picture', role: 'img', tabindex: 0, height }, Object.values(layers));
  const legend = legendOf(state);
  const table = tableOf(title, state);
  const element = el('figure', { class: ['chart', className] },
    el('figcaption', {}, el('strong', {}, title), note && el('span', { class: 'muted small' }, note)),
    legend.element, el('div', { class: 'chart-room', style: { height: `${height}px` } }, picture), table.element);

  const look = (at, aloud = false) => {
    state.looked = at;
    replace(layers.cursor, ...(at === null ? [] : cursor(state.data, state.frame, at)));
    legend.tell();
    if (aloud && at !== null) announce(spoken(state.data, at));
  };
  const draw = () => {
    if (!state.data || !state.width) return;
    state.frame = frameOf(state.data, state.width, height);
    picture.setAttribute('viewBox', `0 0 ${state.width} ${height}`);
    const paintOf = (series) => state.paints.get(series.name);
    replace(layers.plot, [axes, thresholds, marks].map((part) => part(state.data, state.frame, paintOf)));
    look(state.looked);
  };
  const show = (data) => {
    const lookedAt = state.looked === null ? null : state.data.points[state.looked].name;
    state.data = data;
    const found = data.points.findIndex(({ name }) => name === lookedAt);
    state.looked = found < 0 ? null : found;
    picture.setAttribute('aria-label', `${title}. ${data.summary}${data.points.length ? ' The arrow keys tell single values.' : ''}`);
    legend.show(layers.defs);
    table.show();
    draw();
  };
  listen(picture, state, look);
  new ResizeObserver(([{ contentRect }]) => {
    if (!contentRect.width || contentRect.width === state.width) return;
    state.width = contentRect.width;
    draw();
  }).observe(picture.parentElement ?? element);
  return { element, show };
}

/** Let pointer and keys move the cursor. */
function listen(picture, state, look) {
  const nearest = (event) => {
    if (!state.frame || !state.data.points.length) return;
    const part = (event.clientX - picture.getBoundingClientRect().left - state.frame.left) / state.frame.inner;
    const far = state.data.points.map((_, at) => Math.abs(placeOf(state.data, at) - part));
    look(far.indexOf(Math.min(...far)));
  };
  picture.addEventListener('pointermove', nearest);
  picture.addEventListener('pointerdown', nearest);
  picture.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && state.frame && look(null));
  picture.addEventListener('blur', () => state.frame && look(null));
  picture.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !state.frame) return;
    const last = state.data.points.length - 1;
    if (last < 0) return;
    const ends = { Home: 0, End: last, Escape: null };
    if (!(event.key in STEPS) && !(event.key in ends)) return;
    event.preventDefault();
    const from = state.looked ?? (STEPS[event.key] < 0 ? last + 1 : -1);
    look(event.key in ends ? ends[event.key] : Math.min(Math.max(from + STEPS[event.key], 0), last), true);
  });
}

/** The series' names with their marks, and the values: of the point that is looked at, or of all together. */
function legendOf(state) {
  const keys = el('div', { class: 'chart-keys' });
  const when = el('div', { class: 'chart-when muted' });
  let made = null;
  let values = [];
  const tell = () => {
    const { data, looked } = state;
    data.series.forEach((each, at) => {
      values[at].textContent = looked === null ? each.overall ?? '' : (each.format ?? data.format)(each.values[looked]);
    });
    when.textContent = looked === null ? data.overall ?? '' : data.points[looked].name;
  };
  const show = (defs) => {
    const { series } = state.data;
    const wanted = JSON.stringify(series.map(({ name, kind, className, look }) => [name, kind, className, look]));
    if (wanted !== made) {
      made = wanted;
      const patterns = series.map((each) => (each.kind === 'line' ? null : pattern(each)));
      state.paints = new Map(series.map((each, at) => [each.name, patterns[at]?.fill]));
      replace(defs, ...patterns.map((each) => each?.element));
      values = series.map(() => el('span', { class: 'chart-value number' }));
      replace(keys, ...series.map((each, at) =>
        el('span', { class: 'chart-key' }, swatch(each, patterns[at]?.fill), el('bdi', {}, each.name), values[at])));
    }
    tell();
  };
  return { element: el('div', { class: 'chart-legend' }, keys, when), tell, show };
}

const spoken = (data, at) =>
  `${data.points[at].name}: ${data.series.map((each) => `${each.name} ${(each.format ?? data.format)(each.values[at])}`).join(', ')}`;

/** The same as a table, made only where somebody looks at it. */
function tableOf(title, state) {
  const room = el('div', { class: 'table-wrap', tabindex: 0, role: 'region', 'aria-label': `${title} as a table` });
  const element = el('details', { class: 'chart-table' },
    el('summary', {}, 'Show as table', el('span', { class: 'visually-hidden' }, `: ${title}`)), room);
  const show = () => element.open && state.data && replace(room, rowsOf(title, state.data));
  element.addEventListener('toggle', show);
  return { element, show };
}

function rowsOf(title, data) {
  return el('table', {},
    el('caption', { class: 'visually-hidden' }, title),
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, data.pointTitle ?? 'Time'),
      data.series.map(({ name }) => el('th', { scope: 'col', class: 'number' }, name)))),
    el('tbody', {}, data.points.map(({ name }, at) => el('tr', {}, el('th', { scope: 'row' }, name),
      data.series.map((each) => el('td', { class: 'number' }, (each.format ?? data.format)(each.values[at])))))));
}

/** A line so small that it has no axes, beside a figure that says what matters; gaps as in a chart. */
export function spark(values) {
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(0, ...known), Math.max(...known, 1e-9)];
  const at = (number) => `${((100 * (number + 0.5)) / values.length).toFixed(2)} ${(22 - (20 * (values[number] - low)) / (high - low)).toFixed(2)}`;
  return svg('svg', { class: 'chart-spark', viewBox: '0 0 100 24', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    runsOf(values).map((run) => svg('path', { d: `M${run.map(at).join('L')}${run.length === 1 ? 'h0.01' : ''}` })));
}
