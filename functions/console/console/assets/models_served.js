// What answers now, why, and what is on trial beside it.

import { el, time } from './dom.js';
import { counted, number, percent } from './format.js';
import { button, digest, erasedChip, folded, mark, points, roleChip, verdict, versionLink, words } from './models_parts.js';
import { canAnswer, goesBackTo, interval, since, step } from './models_words.js';
import { panel } from './panel.js';

/** How a version and its parent did on all rows that the gate compared them on; null: it did not, or it cannot be read. */
async function besideParent(view, { version, parents }) {
  if (!parents.length) return null;
  const { slices } = await view.ask(`v1/models/${encodeURIComponent(version)}`).catch(() => ({ slices: [] }));
  return slices.find(({ name }) => name === 'all') ?? null;
}

/** Make the panel. */
export const servedPanel = (view) => panel('Served now', {
  className: 'models-served',
  load: async () => {
    const facts = await view.facts();
    const [champion, challenger] = await Promise.all([facts.champion, facts.challenger].map((item) => item && besideParent(view, item)));
    return { ...facts, besideParent: { champion, challenger } };
  },
  render: (facts) => [
    facts.problem && el('p', { class: 'notice warn' }, `${facts.problem}. Promote the version that should be served.`),
    el('div', { class: 'models-pair' }, champion(view, facts), trial(view, facts)),
  ],
  empty: ({ champion: served }) => (served ? null : 'No version is served yet. Promote one of the list below.'),
});

function champion(view, { champion: served, besideParent: beside, moves, items, pinned }) {
  const began = since(moves, (move) => move.champion === served.version);
  const pin = pinned ? since(moves, (move) => move.pinned) : null;
  const back = goesBackTo(moves, new Set(items.filter((item) => item.erased).map((item) => item.version)));
  return el('article', { class: 'models-part' },
    head(view, served, pinned && el('span', { class: 'chip' }, mark('■'), 'pinned')),
    accuracy(served), gained(view, served, beside.champion),
    began && why(began, 'Put in service'),
    pin && why(pin, 'Pinned'),
    trained(served),
    el('div', { class: 'buttons' },
      back && button('Roll back…', () => view.act('rollback', { version: back, served: served.version })),
      pinned
        ? button('Unpin…', () => view.act('unpin', { served: served.version }), { focus: 'pin' })
        : button('Pin…', () => view.act('pin', { served: served.version }), { focus: 'pin' })));
}

function trial(view, { champion: served, challenger, besideParent: beside, moves, metrics, pinned }) {
  const now = moves[0]?.challenger;
  if (!now) {
    return el('article', { class: 'models-part models-none' },
      el('h3', {}, 'No version is on trial'),
      el('p', { class: 'muted' }, 'A version on trial answers nobody, or a share of the clients, until it has shown what it does. Open a version to put it on trial.'));
  }
  const began = since(moves, (move) => move.challenger?.version === now.version);
  const stepped = since(moves, (move) => move.challenger?.version === now.version && step(move.challenger) === step(now));
  const about = { version: now.version, served: served.version };
  return el('article', { class: 'models-part' },
    head(view, challenger ?? { version: now.version, role: 'challenger' }),
    challenger && [accuracy(challenger), gained(view, challenger, beside.challenger)],
    el('p', {}, `On trial as ${step(now)}. `,
      now.mode === 'shadow' ? 'It answers nobody: what it would have said is only counted.' : 'All other clients get the version that is served.'),
    differs(metrics?.versions?.[now.version]?.beside, metrics),
    began && why(began, 'Trial begun'),
    stepped && stepped !== began && why(stepped, 'This step begun'),
    challenger && trained(challenger),
    el('div', { class: 'buttons' },
      button('Promote…', () => view.act('promote', { ...about, erased: challenger?.erased, trial: now.version }), { kind: 'primary' }),
      !pinned && button('Change the trial…', () => view.act('try', { ...about, erased: challenger?.erased, step: now })),
      button('Withdraw…', () => view.act('withdraw', about))));
}

const head = (view, item, ...chips) => el('div', { class: 'models-name' },
  el('h3', {}, versionLink(view, item.version)), roleChip(item.role), item.erased && erasedChip(), ...chips);

/** The figure that a version is known by. */
function accuracy({ metrics, accuracy_interval: bounds }) {
  if (metrics?.accuracy === undefined) return el('p', { class: 'muted' }, 'Its accuracy was not measured.');
  return el('p', { class: 'models-accuracy' },
    el('strong', { class: 'number' }, percent(metrics.accuracy)), ' accuracy',
    el('span', { class: 'muted small' },
      bounds ? `, 95\u202f% interval ${interval(bounds)}` : '',
      metrics.rows ? `, on ${counted(metrics.rows, 'held-out row')}` : ''));
}

/** Accuracies of two versions compare on the same rows alone, so the parent's stands here as it is on these. */
function gained(view, { parents }, all) {
  if (!all) return null;
  const [sign, word] = verdict(all);
  return el('p', {}, 'On the same rows its parent ', versionLink(view, parents[0]), ' has ',
    el('strong', { class: 'number' }, percent(all.a)), `: ${points(all.gain)}`, all.interval && [', ', el('span', { class: sign && 'models-beyond' }, sign && mark(`${sign} `), word)], '.');
}

const why = (move, lead) => el('div', { class: 'models-why' },
  el('p', { class: 'small' }, `${lead} `, time(move.at), ', by ', words(move.by), ':'),
  folded(move.reason));

const trained = (item) => el('p', { class: 'small muted' },
  canAnswer(item) && item.base_rows !== null && item.base_rows !== undefined ? `Learned from ${counted(item.base_rows, 'base row')}` : 'Its base data is not known',
  ` and ${counted(item.feedback_rows ?? 0, 'corrected text')}`,
  item.snapshot ? [' (snapshot ', digest(item.snapshot), ').'] : '.');

function differs(beside, metrics) {
  if (!metrics) return el('p', { class: 'small muted' }, 'How often both differ cannot be read at this moment.');
  if (!beside?.texts) return el('p', { class: 'small muted' }, 'No text was scored by both yet.');
  const flips = Object.entries(beside.flips).sort(([, a], [, b]) => b - a).slice(0, 3);
  return el('p', {}, 'Both differ on ', el('strong', { class: 'number' }, percent(beside.disagreement)),
    ` of ${counted(beside.texts, 'text')} so far`,
    flips.length ? `, most often ${flips.map(([flip, count]) => `${flip.replace('>', ' → ')} (${number(count)})`).join(', ')}.` : '.');
}
