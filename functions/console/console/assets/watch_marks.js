// What is drawn inside a chart: lines, bars, thresholds, axes. Each takes the frame, which says where a value lies.

import { svg } from './dom.js';
import { roundTicks } from './watch_scale.js';

const LEFT = 50;
const RIGHT = 10;
const TOP = 16;
const BOTTOM = 24;
const LEAST_BAR = 2; // pixels: what happened once must be seen beside what happened often
const DASHES = [null, '7 4', '2 4', '10 3 2 3'];

/**
 * Say where things lie.
 * @param {Object} data as `chart` takes it.
 * @param {number} width of the whole chart, in pixels.
 * @param {number} height
 * @returns {{x: (number) => number, y: (number) => number, band: number, ticks: number[]}} `x` takes a part from 0 to 1.
 */
export function frameOf(data, width, height) {
  const ticks = data.valueTicks ?? ticksOf(data, height);
  const [low, high] = [ticks[0], ticks.at(-1)];
  const inner = Math.max(1, width - LEFT - RIGHT);
  const tall = height - TOP - BOTTOM;
  return {
    width, height, inner, left: LEFT, top: TOP, bottom: height - BOTTOM, ticks,
    band: inner / Math.max(1, data.points.length),
    x: (part) => LEFT + part * inner,
    y: (value) => TOP + tall * (1 - (Math.min(Math.max(value, low), high) - low) / (high - low)),
  };
}

function ticksOf(data, height) {
  const lines = data.series.filter((each) => each.kind !== 'stack').flatMap((each) => each.values);
  const stacks = data.series.filter((each) => each.kind === 'stack');
  const sums = stacks.length ? data.points.map((_, at) => stacks.reduce((sum, each) => sum + (each.values[at] ?? 0), 0)) : [];
  const limits = (data.thresholds ?? []).map((each) => each.value);
  const all = [...lines, ...sums, ...limits].filter((value) => value !== null && Number.isFinite(value));
  const ticks = roundTicks(Math.min(0, ...all), Math.max(0, ...all), Math.max(2, Math.floor(height / 45)));
  return data.isCount ? wholes(ticks) : ticks;
}

const wholes = (ticks) => {
  const kept = ticks.filter(Number.isInteger);
  return kept.length > 1 ? kept : [0, 1];
};

/** Where a point lies, from 0 to 1: in the middle of its band, unless it has a place of its own. */
export const placeOf = (data, at) => data.points[at].place ?? (at + 0.5) / data.points.length;

/** The axes, with their figures. */
export function axes(data, frame) {
  const lines = frame.ticks.map((value) => [
    svg('line', { class: ['chart-grid', value === 0 && 'zero'], x1: frame.left, x2: frame.x(1), y1: frame.y(value), y2: frame.y(value) }),
    svg('text', { class: 'chart-tick', x: frame.left - 8, y: frame.y(value) + 4, 'text-anchor': 'end' }, data.axisFormat?.(value) ?? data.format(value)),
  ]);
  const names = data.ticks(Math.max(2, Math.floor(frame.inner / 66))).map(({ place, text }) => [
    svg('line', { class: 'chart-grid', x1: frame.x(place), x2: frame.x(place), y1: frame.bottom, y2: frame.bottom + 4 }),
    svg('text', { class: 'chart-tick', x: frame.x(place), y: frame.bottom + 17, 'text-anchor': anchorOf(place) }, text),
  ]);
  return [lines, names];
}

/** Names at the ends stay inside the picture. */
const anchorOf = (place) => (place < 0.03 ? 'start' : place > 0.97 ? 'end' : 'middle');

/** Limits, dashed, each with its value. */
export function thresholds(data, frame) {
  return (data.thresholds ?? []).map(({ value, name }) => svg('g', { class: 'chart-threshold' },
    svg('line', { x1: frame.left, x2: frame.x(1), y1: frame.y(value), y2: frame.y(value) }),
    svg('text', { x: frame.x(1), y: frame.y(value) - 4, 'text-anchor': 'end' }, name)));
}

/** All series, in their order; `paint` returns what a series is filled with. */
export function marks(data, frame, paint) {
  const grouped = data.series.filter((each) => each.kind === 'bar');
  const stacked = data.series.filter((each) => each.kind === 'stack');
  return [
    stacks(data, frame, stacked, paint),
    grouped.map((series, number) => bars(data, frame, series, paint(series), [number, grouped.length])),
    data.series.filter((each) => each.kind === 'line').map((series) => line(data, frame, series)),
  ];
}

function stacks(data, frame, stacked, paint) {
  const base = data.points.map(() => 0);
  const wide = Math.max(1, frame.band - (frame.band > 6 ? 2 : 0.5));
  return stacked.map((series) => svg('g', { class: series.className },
    series.values.map((value, at) => {
      if (!value) return null;
      const [low, high] = [frame.y(base[at]), frame.y(base[at] + value)];
      base[at] += value;
      return svg('rect', {
        x: frame.x(placeOf(data, at)) - wide / 2, y: high, width: wide, height: Math.max(low - high, 0.5), fill: paint(series),
      });
    })));
}

function bars(data, frame, series, fill, [number, count]) {
  const room = frame.band * (count > 1 ? 0.8 : 0.86);
  const wide = Math.max(1, room / count - (count > 1 ? 1 : 0));
  return svg('g', { class: series.className }, series.values.map((value, at) => {
    if (!value) return null;
    const [zero, end] = [frame.y(0), frame.y(value)];
    const tall = Math.max(Math.abs(zero - end), LEAST_BAR);
    const left = frame.x(placeOf(data, at)) - room / 2 + (room / count) * number;
    return svg('rect', { x: left, y: value < 0 ? zero : zero - tall, width: wide, height: tall, fill });
  }));
}

/** A line breaks where nothing is known; a value alone between two gaps is a dot. */
function line(data, frame, series) {
  const at = (number) => [frame.x(placeOf(data, number)), frame.y(series.values[number])].map((each) => each.toFixed(1)).join(' ');
  const runs = runsOf(series.values);
  return svg('g', { class: ['chart-line', series.className] },
    runs.filter((run) => run.length > 1).map((run) => svg('path', {
      d: `M${run.map(at).join('L')}`, 'stroke-dasharray': DASHES[series.look ?? 0],
    })),
    runs.filter((run) => run.length === 1).map(([number]) => svg('circle', {
      cx: frame.x(placeOf(data, number)), cy: frame.y(series.values[number]), r: 3,
    })));
}

/** The places of values that follow one another without a gap. */
export function runsOf(values) {
  const runs = [[]];
  values.forEach((value, number) => {
    if (value === null || value === undefined) runs.push([]);
    else runs.at(-1).push(number);
  });
  return runs.filter((run) => run.length);
}

/** The cursor: a line at a point, and a ring on each line there. */
export function cursor(data, frame, at) {
  const x = frame.x(placeOf(data, at));
  return [
    svg('line', { x1: x, x2: x, y1: frame.top, y2: frame.bottom }),
    data.series.filter((each) => each.kind === 'line' && each.values[at] !== null && each.values[at] !== undefined).map((each) =>
      svg('g', { class: each.className }, svg('circle', { cx: x, cy: frame.y(each.values[at]), r: 4 }))),
  ];
}

let patterns = 0;

/** A pattern in the colour of a series: filled, striped or dotted, so that no colour alone tells series apart. */
export function pattern(series) {
  patterns += 1;
  const id = `chart-pattern-${patterns}`;
  const textures = [
    [],
    [svg('path', { class: 'chart-texture', d: 'M-2 2 L2 -2 M0 8 L8 0 M6 10 L10 6' })],
    [svg('circle', { class: 'chart-texture', cx: 2, cy: 2, r: 1 }), svg('circle', { class: 'chart-texture', cx: 6, cy: 6, r: 1 })],
    [svg('path', { class: 'chart-texture', d: 'M0 4 H8' })],
  ];
  const element = svg('pattern', { id, class: series.className, width: 8, height: 8, patternUnits: 'userSpaceOnUse' },
    svg('rect', { class: 'chart-ground', width: 8, height: 8 }), textures[(series.look ?? 0) % textures.length]);
  return { element, fill: `url(#${id})` };
}

/** What stands beside a series' name: a piece of its line, or of its bars. */
export function swatch(series, fill) {
  const mark = series.kind === 'line'
    ? svg('g', { class: ['chart-line', series.className] }, svg('path', { d: 'M0 6H24', 'stroke-dasharray': DASHES[series.look ?? 0] }))
    : svg('rect', { x: 4, y: 0, width: 16, height: 12, fill });
  return svg('svg', { class: 'chart-swatch', width: 24, height: 12, 'aria-hidden': 'true' }, mark);
}
