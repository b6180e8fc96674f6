// What came out of scoring a table: shares of the labels, the rows, and the file to take away.

import { barParts, download, el, fact } from './dom.js';
import { counted, labelClass, number, percent } from './format.js';
import { createRows } from './many_rows.js';
import { scoredCsv, scoredName } from './many_table.js';

/**
 * @param {Object} scoring as `createScoring` makes it.
 * @returns {{element: HTMLElement, rows: HTMLElement, focus: () => void}} `element` sums up, `rows` shows each.
 */
export function createResult(scoring) {
  const { table } = scoring;
  const heading = el('h2', { tabindex: -1 }, 'Result of ', table.source.name === 'texts.csv' ? 'the pasted texts' : el('bdi', {}, table.source.name));
  const name = scoredName(table.source.name);
  const element = el('section', { class: 'card panel many-result' },
    el('div', { class: 'panel-head' }, heading,
      el('button', { class: 'button', type: 'button', onclick: () => download(name, 'text/csv;charset=utf-8', scoredCsv(scoring)) }, 'Download as CSV')),
    summary(scoring), versions(scoring));
  const rows = el('section', { class: 'card panel' }, el('h2', {}, 'Rows'), createRows(scoring));
  return { element, rows, focus: () => heading.focus() };
}

function summary({ answers, labels }) {
  const counts = new Map(labels.map((label) => [label, 0]));
  let confidence = 0;
  let scored = 0;
  let errors = 0;
  for (const answer of answers) {
    if (answer?.label) {
      counts.set(answer.label, (counts.get(answer.label) ?? 0) + 1);
      confidence += answer.confidence;
      scored += 1;
    } else if (answer) {
      errors += 1;
    }
  }
  const open = answers.length - scored - errors;
  return el('div', { class: 'many-summary' },
    el('div', { class: 'many-bars' }, [...counts].map(([label, count]) => bar(label, count, scored, labels))),
    el('dl', { class: 'facts' },
      fact('Scored', counted(scored, 'row')),
      fact('Mean confidence', scored ? percent(confidence / scored) : '–'),
      errors > 0 && fact('Errors', counted(errors, 'row')),
      open > 0 && fact('Not scored yet', counted(open, 'row'))));
}

function bar(label, count, all, labels) {
  const share = all ? count / all : 0;
  return el('div', { class: ['bar', 'many-share', labelClass(label, labels)] },
    barParts(el('bdi', { class: 'label-name' }, label), share, [number(count), ' · ', percent(share)]));
}

function versions({ versions: found }) {
  if (found.size < 2) {
    return el('p', { class: 'muted small' }, found.size ? ['All answers are of ', el('code', {}, [...found.keys()][0]), '.'] : 'Nothing was answered.');
  }
  const words = found.size === 2 ? 'Two' : number(found.size);
  return el('div', { class: 'notice warn' },
    el('p', {}, el('strong', {}, `${words} versions answered.`), ' The model was changed meanwhile, or another one is on trial.'),
    el('ul', { class: 'many-list' }, [...found].map(([version, count]) => el('li', {}, el('code', {}, version), `: ${counted(count, 'row')}`))),
    el('p', {}, 'To compare rows with one another, score them again.'));
}
