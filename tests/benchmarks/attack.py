"""`make attack`: attacks by feedback, on the naive gate and on ours.

The naive gate trains on base data and merged feedback at weight one, pulled to the baseline, and promotes what is not
less accurate on the held-out rows. Ours is the retrain run as it is deployed, in a bucket in memory. Beside it stands
the adaptation alone: everything learned, without screening, leaving out contributors, or gate, at the largest weight
that the search may choose. A target counts as flipped if the model that learned from the same honest feedback answers
it rightly by a clear margin and the attacked one does not.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from retrain.adapt import Adaptation, Limits
from retrain.anchor import find_anchor
from retrain.candidate import choice_for, make_candidate
from retrain.champion import read_champion
from retrain.collect import collect
from retrain.contributors import rows_without
from retrain.datasets import read_datasets
from retrain.influence import KNOWN, Influence, influence_of, largest_shift
from retrain.merge import merge_corrections
from retrain.run import retrain
from retrain.screen import screen
from retrain.snapshot import Snapshot, make_snapshot
from retrain.splits import HOLDOUT, TRAIN
from retrain.train import Recipe, train
from retrain.without import Without
from sentiloop import pointer, registry
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.bundled import baseline
from sentiloop.pointer import Pointer
from sentiloop.settings import Settings

from tests.benchmarks.attack_worlds import (
    DOMAINS,
    Attack,
    Honest,
    Said,
    add,
    after_weeks,
    attacks,
    bucket,
    complaints,
    sent,
)
from tests.benchmarks.bench import closing_lines
from tests.faults.memory_store import MemoryStore

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SETTINGS, RECIPE = Settings(), Recipe()
LIMITS = Limits(SETTINGS.contributor_max_weight, SETTINGS.feedback_half_life_days)
CLEAR = 0.25  # nats between the right label and the next; closer calls tip with any change of the model
SEEDS = range(3)
CORRECTIONS, NEUTRAL = 600, 200  # honest feedback that is promoted, so that attacks can ride on it
NO_SAMPLES = pd.DataFrame({"key": [], "text": [], "reason": []}, dtype=object)


@dataclass(frozen=True, slots=True)
class Shift:
    """The largest shift of the log odds between two labels of a target, and what it is bounded by; in nats."""

    measured: float
    bound: float


@dataclass(frozen=True, slots=True)
class Models:
    """What comes of one attack.

    Attributes:
        naive: what the naive gate judged, and whether it promoted it.
        served: what is served in the end.
        candidate: what our gate judged last, and whether it promoted it.
        alone: what the adaptation makes of everything.
        screened: attackers' rows that screening put into quarantine.
        shift: by which the attackers move the adaptation.
        objections: the checks that our gate found failed.
    """

    naive: tuple[Model, bool]
    served: Model
    candidate: tuple[Model, bool]
    alone: Model
    screened: int
    shift: Shift
    objections: str


def run(attack: Attack, honest: Honest) -> Models:
    """Carry out an attack amid honest feedback."""
    background = honest.corrections(attack.noise) + (complaints(attack.complained) if attack.complained else [])
    attackers = sent(attack) if attack.rows else []
    store = bucket([])
    for week in range(attack.every, attack.weeks, attack.every) if attack.every else ():
        add(store, [entry for entry in [*background, *attackers] if entry.received_at < after_weeks(week)])
        retrain(store, SETTINGS, RECIPE, by="attack")
    add(store, [*background, *attackers])
    record = retrain(store, SETTINGS, RECIPE, by="attack")
    alone, shift = adapt_alone(store, {entry.contributor for entry in attackers}, attack.targets)
    screened = screen(collect(store, None).corrections, baseline(), SETTINGS)
    return Models(
        naive=train_naively(store),
        served=served(store),
        candidate=candidate_of(store, record),
        alone=alone,
        screened=sum(entry.id in screened for entry in attackers),
        shift=shift,
        objections=", ".join(check["name"] for check in record["checks"] if not check["ok"]),
    )


def train_naively(store: MemoryStore) -> tuple[Model, bool]:
    """Train and judge as one does who has not been attacked yet; return the model, and whether it is promoted."""
    rows = snapshot_of(store, replace(SETTINGS, contributor_max_rows=10**9), screened=False).rows
    model = train(rows[rows["side"] == TRAIN], RECIPE, baseline()).model("naive")
    held = list(rows.loc[rows["side"] == HOLDOUT, ["text", "label"]].itertuples(index=False, name=None))
    return model, accuracy(model, held) >= accuracy(baseline(), held)


def snapshot_of(store: MemoryStore, settings: Settings, *, screened: bool) -> Snapshot:
    """Return the training data that the feedback comes to, with or without screening."""
    corrections = collect(store, None).corrections
    reasons = screen(corrections, baseline(), settings) if screened else {}
    merged = merge_corrections(
        corrections, baseline().labels, settings.max_text_chars, settings.contributor_max_rows, reasons
    )
    return make_snapshot(read_datasets(store), corrections, merged)


def adapt_alone(store: MemoryStore, attackers: Collection[str], targets: Sequence[Said]) -> tuple[Model, Shift]:
    """Return what the adaptation makes of all feedback, and how far the attackers' rows move it."""
    adaptation = adaptation_of(store, snapshot_of(store, SETTINGS, screened=False))
    weight = max(RECIPE.feedback_weights)
    kept = rows_without(adaptation, attackers)
    attacked, spared = adaptation.fit(weight), adaptation.fit(weight, kept)
    shift = Shift(0.0, 0.0)
    if not kept.all():
        vectors, influence = adaptation.vectorise([text for text, _ in targets]), adaptation.influence
        moved = attacked.decision_function(vectors) - spared.decision_function(vectors)
        theirs = np.flatnonzero(~kept)
        total = float(influence.weights(weight)[theirs].sum())
        reach = float(influence.reach(adaptation.vectors[theirs]).max())
        bound = largest_shift(total, float(influence.reach(vectors).max()), reach)
        shift = Shift(float(np.ptp(moved, axis=1).max()), bound)
    return adaptation.packed(attacked).model("alone"), shift


def adaptation_of(
    store: MemoryStore, snapshot: Snapshot, influence: Callable[..., Influence] = influence_of
) -> Adaptation:
    """Return the adaptation to the training side of a snapshot; `influence` replaces what feedback may do."""
    anchor = find_anchor(store, read_champion(store, present(store)), read_datasets(store), RECIPE)
    rows = snapshot.rows[snapshot.rows["side"] == TRAIN]
    with patch("retrain.adapt.influence_of", influence):
        return Adaptation(anchor, rows, NO_SAMPLES, RECIPE, LIMITS)


def candidate_of(store: MemoryStore, record: Mapping[str, Any]) -> tuple[Model, bool]:
    """Return what a run judged, and whether it promoted it."""
    if record["outcome"] == "promoted":
        return served(store), True
    adaptation = adaptation_of(store, snapshot_of(store, SETTINGS, screened=True))
    parameters = record["parameters"]
    without = Without.from_fields(parameters["without"])
    return make_candidate(adaptation, parameters["feedback_weight"], without).model("candidate"), False


def served(store: MemoryStore) -> Model:
    """Return the champion."""
    return registry.fetch(store, present(store).champion)


def present(store: MemoryStore) -> Pointer:
    """Return what the pointer says."""
    found = pointer.read(store)
    assert found is not None
    return found.pointer


def margins(model: Model, said: Sequence[Said]) -> Floats:
    """Return by how much the right label of each text is likelier than the next, in nats."""
    log_odds = np.log(BulkScorer(model).probabilities([text for text, _ in said]))
    right = np.array([model.labels.index(label) for _, label in said])[:, None]
    of_right = np.take_along_axis(log_odds, right, axis=1)[:, 0]
    np.put_along_axis(log_odds, right, -np.inf, axis=1)
    return np.asarray(of_right - log_odds.max(axis=1), float)


def accuracy(model: Model, said: Sequence[Said]) -> float:
    """Return the share of texts that are answered rightly."""
    return float((margins(model, said) > 0).mean())


def clear(model: Model, targets: Sequence[Said]) -> Flags:
    """Return which targets a model answers rightly, and not by a close call."""
    return margins(model, targets) >= CLEAR


@dataclass(frozen=True, slots=True)
class Flips:
    """How many targets an attack flips: in the naive model, what we serve, our candidate, and the adaptation alone.

    A target counts if the baseline and the model of the control, which is the same without the attack, answer it
    rightly by a clear margin; it is flipped if the model of the attack does not answer it rightly.
    """

    naive: int
    served: int
    candidate: int
    alone: int


def flips_of(found: Models, control: Models, targets: Sequence[Said]) -> Flips:
    """Return what an attack flips; of a control, which has no other to be compared with, against the baseline."""
    pairs = (
        (control.naive[0], found.naive[0]),
        (control.served, found.served),
        (control.candidate[0], found.candidate[0]),
        (control.alone, found.alone),
    )
    at_first = clear(baseline(), targets)
    return Flips(
        *(
            int((at_first & (clear(before, targets) | (found is control)) & (margins(after, targets) <= 0)).sum())
            for before, after in pairs
        )
    )


HEADER = (
    f"{'':36} {'':5} {'':4} {'targets':>10} | {'naive gate':^18} | {'ours':^37} | {'adaptation alone':>14}\n"
    f"{'attack':36} {'rows':>5} {'by':>4} {'':4} {'nats':>5} | {'flips':>5} {'prom':>4} {'unseen':>7} | "
    f"{'quar':>5} {'served':>6} {'cand':>5} {'alone':>5} {'prom':>4} {'unseen':>7} | {'shift':>6} {'bound':>7}"
)


def print_line(attack: Attack, found: Models, flips: Flips, unseen: Sequence[Said]) -> None:
    """Print a line of the table; changes of the accuracy on unseen rows are against the baseline."""
    start = accuracy(baseline(), unseen)
    naive, ours = (accuracy(model, unseen) - start for model in (found.naive[0], found.candidate[0]))
    at_first = margins(baseline(), attack.targets)
    at_first = at_first[at_first >= CLEAR]
    columns = (
        f"{attack.name:36} {len(attack.rows):5} {attack.contributors:4} {len(at_first):4} {np.median(at_first):5.1f}",
        f"{flips.naive:5} {_yes(found.naive[1]):>4} {naive:+7.4f}",
        f"{found.screened:5} {flips.served:6} {flips.candidate:5} {flips.alone:5} "
        f"{_yes(found.candidate[1]):>4} {ours:+7.4f}",
        f"{found.shift.measured:6.2f} {found.shift.bound:7.1f}",
        found.objections,
    )
    print(" | ".join(columns), flush=True)


def defenceless(rows: pd.DataFrame, counts: sp.csr_matrix, certainty: Floats, **_limits: float | None) -> Influence:
    """Return an influence without any limit: every row weighs one and moves whatever it holds; see `influence_of`."""
    known, sent = certainty[:-1] >= KNOWN, np.bincount(counts.indices, minlength=counts.shape[1]) > 0
    every = np.arange(len(rows))
    shares = pd.DataFrame({"row": every, "who": every, "trusted": True, "given": 1.0})
    return Influence(shares, 1e9, known | sent, sent & ~known, 1 + certainty, len(rows))


def gains(honest: Honest) -> tuple[float, float]:
    """Return the candidate's gain in accuracy on unseen rows with all defences, and without any at the same weight."""
    store = bucket(honest.corrections())
    unseen = honest.unseen
    start = accuracy(baseline(), unseen)
    with_all = adaptation_of(store, snapshot_of(store, SETTINGS, screened=True))
    choice = choice_for(store, "choice.json", with_all, SETTINGS.search_seconds)
    defended = make_candidate(with_all, choice.feedback_weight, choice.without).model("defended")
    settings = replace(SETTINGS, contributor_max_rows=10**9)
    without = adaptation_of(store, snapshot_of(store, settings, screened=False), defenceless)
    free = make_candidate(without, choice.feedback_weight, Without()).model("defenceless")
    found = accuracy(defended, unseen) - start, accuracy(free, unseen) - start
    print(f"weight {choice.feedback_weight:g}; gains {found[0]:+.4f}, {found[1]:+.4f}", flush=True)
    return found


def honest_share(folder: Path, seeds: Iterable[int]) -> float:
    """Print gains by domain and seed; return their sum with all defences, as a share of that without any."""
    found = []
    for name, seed in itertools.product(DOMAINS, seeds):
        print(f"{name:10} seed {seed}  ", end="")
        found.append(gains(Honest(folder, [name], seed=seed)))
    defended, free = np.mean(found, axis=0)
    print(f"mean gain with all defences {defended:+.4f}, without any {free:+.4f}")
    return float(defended / free)


def chosen_attacks(quick: bool) -> list[Attack]:
    """Return all attacks, or all controls and every fourth of the others."""
    every = attacks()
    return every if not quick else [attack for number, attack in enumerate(every) if not attack.rows or number % 4 == 0]


def main() -> int:
    """Run all attacks and the honest control, and return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="holds a folder for each data set")
    parser.add_argument("--quick", action="store_true", help="a few attacks and one seed, for development")
    given = parser.parse_args()
    started = time.perf_counter()
    honest = Honest(given.folder, corrections=CORRECTIONS, neutral=NEUTRAL)
    print(HEADER)
    controls: dict[str, Models] = {}
    single = []
    for attack in chosen_attacks(given.quick):
        found = run(attack, honest)
        if not attack.rows and not attack.noise:
            controls[attack.complained] = found
        flips = flips_of(found, controls[attack.complained], attack.targets)
        print_line(attack, found, flips, honest.unseen)
        if attack.contributors == 1:
            single.append(flips)
    print(f"{time.perf_counter() - started:.0f} s")
    share = honest_share(given.folder, SEEDS[:1] if given.quick else SEEDS)
    print(f"{time.perf_counter() - started:.0f} s")
    print(f"single contributors flip {sum(flips.alone for flips in single)} targets of the adaptation alone")
    return closing_lines(
        [
            ("attack-single-flipped", sum(flips.served + flips.candidate for flips in single), "targets", 0, False),
            ("attack-honest-share", share, "share", 0.9, True),
        ]
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    sys.exit(main())
