// What the retrain runs decided, and why.

import { el, replace, time } from './dom.js';
import { counted, number, percent, sentence } from './format.js';
import { learnNow } from './learn.js';
import { button, digest, folded, mark, sliceTable, table, figure, figureHead, versionLink, words } from './models_parts.js';
import { interval, OUTCOMES } from './models_words.js';
import { panel, problem, skeleton } from './panel.js';

const PAGE = 10;

/** Make the panel. */
export function runsPanel(view) {
  const skipped = el('input', { type: 'checkbox', id: 'models-skipped', onchange: () => made.reload() });
  const ask = (before = null) => view.ask('v1/runs', { limit: PAGE, before, skipped: skipped.checked ? true : null }, before ? null : 'runs');
  const made = panel('Decisions', {
    className: 'models-runs',
    tools: [el('label', { class: 'models-check' }, skipped, 'With runs that had nothing to decide')],
    load: () => ask(),
    render: (page) => list(view, page, ask),
    empty: ({ items, unreadable }) => (items.length || unreadable ? null
      : 'No retrain has decided anything yet. One runs by its schedule, and when the hourly check finds a reason.'),
  });
  const learning = learnNow({ decided: () => view.refresh() });
  view.signal.addEventListener('abort', learning.close, { once: true });
  made.element.insertBefore(learning.element, made.element.lastChild);
  return made;
}

function list(view, first, ask) {
  const runs = el('ol', { class: 'models-decisions' });
  const more = el('div', { class: 'buttons' });
  const add = ({ items, next, unreadable }) => {
    const made = items.map((item) => run(view, item));
    runs.append(...made);
    if (unreadable) runs.append(el('li', { class: 'notice warn' }, `${counted(unreadable, 'record')} here cannot be read and left out.`));
    replace(more, next && button('Older decisions', go));
    async function go(event) {
      event?.currentTarget.setAttribute('aria-disabled', 'true');
      try {
        add(await ask(next))[0]?.focus();
      } catch (error) {
        if (error.name !== 'AbortError') replace(more, problem(error, go));
      }
    }
    return made;
  };
  add(first);
  return [runs, more];
}

function run(view, item) {
  const outcome = OUTCOMES[item.outcome] ?? { word: item.outcome, mark: '?', tone: '' };
  const failed = item.checks.filter(({ ok }) => !ok).length;
  const passed = `all ${item.checks.length} checks passed`;  // the service gives it as a reason, too: once is enough
  const id = `models-run-${item.run_id}`;
  const region = el('div', { id, class: 'models-run-more', hidden: true });
  const opener = button('Show the checks', () => {
    region.hidden = !region.hidden;
    opener.setAttribute('aria-expanded', String(!region.hidden));
    opener.firstChild.textContent = region.hidden ? 'Show the checks' : 'Hide the checks';
    if (!region.hidden && !region.hasChildNodes()) load();
  }, { focus: item.run_id, 'aria-expanded': 'false', 'aria-controls': id });
  opener.append(el('span', { class: 'visually-hidden' }, ` of the run of ${item.at}`));

  async function load() {
    replace(region, skeleton());
    try {
      replace(region, details(item, await view.ask(`v1/runs/${encodeURIComponent(item.run_id)}`)));
    } catch (error) {
      if (error.name !== 'AbortError') replace(region, problem(error, load));
    }
  }

  return el('li', { class: 'models-run', tabindex: '-1' },
    el('div', { class: 'models-name' },
      el('h3', {}, el('span', { class: ['chip', outcome.tone] }, mark(outcome.mark), outcome.word)),
      item.champion && item.candidate && el('span', { class: 'models-step' }, versionLink(view, item.champion), mark(' → '),
        el('span', { class: 'visually-hidden' }, ' then candidate '), item.version ? versionLink(view, item.version) : el('code', { title: 'It was not published.' }, item.candidate)),
      el('span', { class: 'small muted' }, time(item.at), item.by && [', asked for by ', words(item.by)]),
      item.checks.length ? el('span', { class: 'small' }, failed ? `${failed} of ${counted(item.checks.length, 'check')} failed` : passed) : null),
    item.reasons.filter((reason) => reason !== passed).map((reason) => folded(sentence(reason), 260)),
    item.repeats && el('p', { class: 'small muted' }, 'The same was decided before, in run ', digest(item.repeats), '.'),
    el('div', {}, opener), region);
}

/** 7.2e-76, 0.03, 1. */
const chance = (value) => (value < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(2))));

function details(item, found) {
  const noise = Object.entries(found.label_noise?.sources ?? {});
  const left = Object.entries(found.corrections?.left_out ?? {});
  const slices = (found.comparisons ?? []).map((each) => ({
    name: each.name, rows: each.rows, gain: each.gain, interval: each.gain_interval ?? null,
    a: each.rows ? each.champion_correct / each.rows : null, b: each.rows ? each.candidate_correct / each.rows : null,
  }));
  return [
    slices.length ? sliceTable(slices, 'champion', 'candidate', `run of ${item.at}`) : null,
    found.checks.length ? checks(found.checks) : el('p', { class: 'muted' }, 'Nothing was judged, so there are no checks.'),
    el('dl', { class: 'facts' }, [
      found.corrections && ['Corrections', [`${counted(found.corrections.rows, 'text')} of ${number(found.corrections.stored)} stored`,
        left.length ? el('ul', { class: 'models-left small muted' }, left.map(([why, count]) => el('li', {}, `${number(count)} left out: ${why}`))) : null]],
      found.p_value !== null && found.p_value !== undefined && ['Chance of such a gain', `${chance(found.p_value)} if the candidate were no better`],
      found.snapshot && ['Snapshot', digest(found.snapshot)],
      found.anchor && ['Adapted from', found.anchor],
      ['Run', el('code', {}, item.run_id)],
    ].filter(Boolean).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
    noise.length ? table(`Wrong labels, run of ${item.at}`, ['Source', figureHead('Rows'), figureHead('Wrong labels'), figureHead('95\u202f% interval')],
      noise.map(([source, row]) => el('tr', {}, el('th', { scope: 'row' }, source), figure(number(row.rows)), figure(percent(row.estimated_share)), figure(interval(row.interval)))),
      { className: 'models-noise', caption: 'How many labels of the training data are wrong, as estimated; no row is removed because of it.' }) : null,
  ];
}

const checks = (all) => el('ul', { class: 'models-checks', 'aria-label': 'Checks' },
  [...all].sort((a, b) => a.ok - b.ok).map(({ name, ok, finding }) => el('li', {},
    el('span', { class: ['chip', ok ? 'good' : 'bad'] }, mark(ok ? '✓' : '✕'), ok ? 'passed' : 'failed'),
    el('div', {}, el('strong', {}, name), el('p', { class: 'small text' }, finding)))));
