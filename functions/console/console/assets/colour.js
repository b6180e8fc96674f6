// The text in the colours of its explanation: which words speak for which label, and how much.

import { announce, el, replace } from './dom.js';
import { labelClass, number, shortened, signed } from './format.js';

const MOST_MARKS = 500;  // of a text with thousands of words the strongest; the rest stays plain
export const LONGEST_WORD = 60;  // characters of a word beside its figures
const SAMPLE = 25;  // of the samples in the legend
const DEEPEST = 42;  // per cent of the label's colour in the background: ink on it keeps its contrast
const WEAK = 0.04;  // part of the strongest effect below which a word is not worth a colour
const LEAST_SCALE = 0.5;  // where all effects are tiny, the strongest is not made to look like much

/**
 * Say what each span adds to each label, and for which label it speaks.
 *
 * Softmax does not see what all labels get alike, so of each contribution the mean over the labels is taken away. That
 * is exact and no estimate: the differences of any two labels stay what they were, and with them the probabilities.
 * What is left says which labels a word raises and which it lowers, and adds up to 0.
 * @param {Object} answer of `v1/predict?explain=true`.
 * @returns {{label: string, labels: string[], spans: Object[], bias: Object, total: Object}} `label` is the answer's; of
 *   each span `start`, `end`, `adds` by label, `label`, for which it speaks, and `effect`, what it adds to that one.
 */
export function effects({ label, probabilities, explanation }) {
  const labels = Object.keys(probabilities);
  const bias = explanation.terms.find((term) => term.kind === 'bias')?.contributions ?? {};
  const spans = explanation.spans.map(({ start, end, contributions }) => {
    const adds = centred(contributions, labels);
    const strongest = raised(adds);
    return { start, end, adds, label: strongest, effect: adds[strongest] };
  });
  return { label, labels, spans, bias: centred(bias, labels), total: centred(explanation.logits, labels) };
}

function centred(contributions, labels) {
  const mean = labels.reduce((sum, label) => sum + (contributions[label] ?? 0), 0) / labels.length;
  return Object.fromEntries(labels.map((label) => [label, (contributions[label] ?? 0) - mean]));
}

/** The label that gets most of what is added. */
export const raised = (adds) => Object.keys(adds).reduce((most, label) => (adds[label] > adds[most] ? label : most));

/**
 * Cut a text into what is coloured and what stands between.
 * @param {string} text
 * @param {{start: number, end: number, label: string, effect: number}[]} spans places in Unicode code points, in order.
 * @param {number} most how many are coloured, the strongest.
 * @returns {{text: string, span?: Object, strength?: number}[]} strength from 0 to 1.
 */
function cut(text, spans, most = MOST_MARKS) {
  const points = Array.from(text);  // places count code points, strings count UTF-16 units
  const sizes = spans.map(({ effect }) => effect).sort((one, other) => other - one);
  const scale = Math.max(sizes[0] ?? 0, LEAST_SCALE);
  const least = Math.max(sizes[most] ?? 0, WEAK * scale);
  const pieces = [];
  let at = 0;
  for (const span of spans) {
    if (span.effect <= least) continue;
    if (span.start > at) pieces.push({ text: points.slice(at, span.start).join('') });
    pieces.push({ text: points.slice(span.start, span.end).join(''), span, strength: span.effect / scale });
    at = span.end;
  }
  if (at < points.length) pieces.push({ text: points.slice(at).join('') });
  return pieces;
}

/** "“lovely” speaks for positive: +0.62; neutral −0.20, negative −0.42." */
function told(word, { adds, label }) {
  const others = Object.entries(adds).filter(([each]) => each !== label).sort(([, one], [, other]) => other - one);
  return [
    '“', el('bdi', { class: 'try-said' }, shortened(word, LONGEST_WORD)),
    `” speaks for ${label}: ${signed(adds[label])}; ${others.map(([each, added]) => `${each} ${signed(added)}`).join(', ')}.`,
  ];
}

/**
 * Show a text in colours. It is one stop of the Tab key; the arrow keys go from word to word.
 * @param {string} text as it was scored.
 * @param {Object} found by `effects`.
 * @returns {Node[]} the text, the legend, and the line that tells of one word.
 */
export function coloured(text, found) {
  const pieces = cut(text, found.spans);
  const parts = pieces.filter(({ span }) => span);
  const hint = parts.length ? 'Point at a word, or go through them with the arrow keys, to see what it adds.' : 'No word stands out.';
  const readout = el('p', { class: 'try-readout small' }, hint);
  const shown = pieces.map((piece) => (piece.span ? mark(piece.text, piece.span.label, depth(piece.strength), found) : piece.text));
  const marks = shown.filter((each) => typeof each !== 'string');
  marks.forEach((each, place) => { each.tabIndex = place ? -1 : 0; });
  const words = new Map(marks.map((each, place) => [each, { place, ...parts[place] }]));
  const tell = (target) => {
    const word = words.get(target);
    if (word) replace(readout, told(word.text, word.span));
    return word;
  };
  const box = el('div', {
    class: 'try-text text', role: 'group', tabindex: marks.length ? null : '0', 'aria-label': 'Your text, word by word', dir: 'auto',
    onmouseover: (event) => tell(event.target),
    onfocusin: (event) => {
      if (!tell(event.target)) return;
      for (const each of marks) each.tabIndex = each === event.target ? 0 : -1;
      announce(readout.textContent);
    },
    onclick: (event) => tell(event.target),
    onkeydown: (event) => step(event, marks, words),
  }, shown);
  return [box, legend(parts, found), readout];
}

function step(event, marks, words) {
  const here = words.get(event.target)?.place;
  const [next, before] = [here + 1, here - 1];
  const to = { ArrowRight: next, ArrowDown: next, ArrowLeft: before, ArrowUp: before, Home: 0, End: marks.length - 1 }[event.key];
  if (here === undefined || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  marks[Math.min(Math.max(to, 0), marks.length - 1)].focus();
}

const depth = (strength) => Math.round(8 + (DEEPEST - 8) * Math.min(strength, 1));

/** A word in its label's colour; the line below it tells those who see no colours whether that is the answer. */
function mark(text, label, depthOf, { label: answered, labels }) {
  return el('span', {
    class: ['try-mark', label === answered ? 'try-agrees' : 'try-differs', labelClass(label, labels)],
    style: { '--depth': `${depthOf}%` },
  }, text);
}

function legend(parts, found) {
  const said = found.labels.filter((label) => parts.some(({ span }) => span.label === label));
  const sample = (label) => mark(`speaks for ${label}${label === found.label ? ', the answer' : ''}`, label, SAMPLE, found);
  return el('p', { class: 'try-legend small muted' },
    said.map((label) => [sample(label), ' ']),
    said.length > 0 && 'The deeper, the stronger.',
    parts.length >= MOST_MARKS && ` The ${number(parts.length)} strongest of ${number(found.spans.length)} words are coloured.`);
}
