"""What is compared in `make bench-replay`: our retrain runs, naive merging, and what all labels would have given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from retrain.adapt import Adaptation, Limits
from retrain.anchor import Anchor, find_anchor
from retrain.champion import Champion
from retrain.datasets import read_datasets, store_dataset, store_seed
from retrain.importer import read_path
from retrain.merge import text_key
from retrain.pipeline import BucketCounts, PriorLogisticRegression, TermWeights
from retrain.run import retrain
from retrain.snapshot import FEEDBACK_SOURCE, base_rows
from retrain.splits import TRAIN
from retrain.train import Recipe, label_weights, possible_labels
from sentiloop import pointer, registry
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer, softmax
from sentiloop.bundled import baseline, baseline_target
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import BY_CHANCE, Correction, Sample, timestamp, to_lines
from sentiloop.review_samples import SAMPLES
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore
from threadpoolctl import threadpool_limits

from tests.benchmarks.replay_traffic import LABELS, reported
from tests.faults.memory_store import MemoryStore

Floats = NDArray[np.float64]
Answer = Callable[[Sequence[str]], Floats]
"""Returns what a model says of texts: probabilities, n x 3, in the order of `replay_traffic.LABELS`."""

BASE = ("sst3", "tweeteval")
UNHURRIED = 3_600.0  # seconds for the search, so that how busy this machine is decides nothing


@dataclass(frozen=True, slots=True)
class Begin:
    """Where all begin: a bucket with base data and a champion trained on it from nothing.

    Attributes:
        store: the bucket.
        anchor: the champion, which is also what candidates are adapted from, for both are the base data's model.
        rows: the base data's training side.
    """

    store: MemoryStore
    anchor: Anchor
    rows: pd.DataFrame


def begin(store: MemoryStore, folder: Path) -> Begin:
    """Import the base data and train the champion; what the store has already stays as it is."""
    store_seed(store)
    for name in BASE:
        store_dataset(store, name, read_path(folder / name), source="local", licence="see the folder")
    datasets = read_datasets(store)
    nothing_before = Champion("", baseline_target(), baseline(), prior=None, prior_target=None)
    anchor = find_anchor(store, nothing_before, datasets, Recipe())
    registry.promote(store, anchor.target, by="replay", reason="trained on the base data")
    rows = base_rows(datasets)
    return Begin(store, anchor, rows[rows["side"] == TRAIN].reset_index(drop=True))


class Ours:
    """The product: answers, kept samples and users' reports in a bucket, and the retrain run of each week."""

    def __init__(self, start: Begin, *, confirmations: bool) -> None:
        self._store = start.store.copy()
        self._confirmations = confirmations
        self._settings = replace(Settings(), search_seconds=UNHURRIED)

    def live(self, week: pd.DataFrame) -> dict[str, Any]:
        """Answer a week's requests, take the reports, and retrain; return what became of it."""
        model = served(self._store)
        probabilities = BulkScorer(model).probabilities(week["text"].tolist())
        said = np.array(model.labels)[probabilities.argmax(axis=1)]
        right = said == week["label"].to_numpy()
        reports = reported(week, right, self._confirmations)
        answered = week.assign(said=said, confidence=probabilities.max(axis=1), probabilities=probabilities.tolist())
        _store_samples(self._store, answered, model, self._settings)
        _store_corrections(self._store, answered[reports], model)
        record = retrain(self._store, self._settings, Recipe(), by="schedule")
        return {
            "outcome": record["outcome"],
            "reasons": record["reasons"],
            "weight": record.get("parameters", {}).get("feedback_weight"),
            "mistakes": int((~right).sum()),
            "corrected": int((reports & ~right).sum()),
            "left_out": dict(record.get("snapshot_manifest", {}).get("left_out", {})),
        }

    @property
    def answer(self) -> Answer:
        """What is served now."""
        return BulkScorer(served(self._store)).probabilities


class NaiveMerge:
    """What most projects do: train on base data and all reports so far, and serve whatever comes of it."""

    def __init__(self, start: Begin, weight: float, *, confirmations: bool) -> None:
        self._training = JointTraining(start.rows)
        self._weight = weight
        self._confirmations = confirmations
        self._reports = start.rows[:0]
        self.answer: Answer = BulkScorer(start.anchor.model).probabilities

    def live(self, week: pd.DataFrame) -> None:
        """Answer a week's requests, take the reports, and retrain."""
        reports = week[reported(week, is_right(self.answer, week), self._confirmations)]
        self._reports = pd.concat([self._reports, reports])
        self.answer = self._training.fit(self._reports, self._weight)


class JointTraining:
    """Training on base data and other rows together, pulled towards no model.

    Features, learner, balance and number of passes are those of `retrain.train`; like its last fit, a second fit goes
    on from the first. Temperature and rounding are left out, for they do not change which label is the likeliest.
    """

    def __init__(self, base: pd.DataFrame) -> None:
        self._recipe = Recipe()
        self._base = base
        self._learner = PriorLogisticRegression(
            C=self._recipe.c, max_iter=self._recipe.max_iter, tol=1e-6, warm_start=True
        )

    def fit(self, rows: pd.DataFrame, weight: float) -> Answer:
        """Train; `rows` count as feedback, which may have any label, and each of them weighs `weight`."""
        added = pd.DataFrame(
            {"text": rows["text"], "label": rows["label"], "source": FEEDBACK_SOURCE, "weight": weight}
        )
        together = pd.concat([self._base.assign(weight=1.0), added], ignore_index=True)
        counts = sp.vstack([_counts(tuple(self._base["text"])), _counts(tuple(rows["text"]))], format="csr")
        truth = together["label"].to_numpy()
        with threadpool_limits(limits=1):
            terms = TermWeights().fit(counts, truth)
            self._learner.fit(
                terms.transform(counts),
                truth,
                sample_weight=label_weights(together, self._recipe.balance),
                labels=LABELS,
                possible=possible_labels(together, list(LABELS)),
            )
        coefficients, intercepts = self._learner.coef_, self._learner.intercept_
        return lambda texts: softmax(terms.transform(_counts(tuple(texts))) @ coefficients.T + intercepts)


def adapt_to_all(start: Begin, traffic: pd.DataFrame) -> Answer:
    """Return our adaptation to every label of the traffic: feedback of reviewers, each row as one of base data."""
    feedback = pd.DataFrame(
        {
            "key": traffic["text"].map(text_key),
            "text": traffic["text"],
            "label": traffic["label"],
            "source": FEEDBACK_SOURCE,
            "contributors": [(name,) for name in traffic["contributor"]],
            "trusted": True,
            "received_at": "",
        }
    )
    rows = pd.concat([start.rows, feedback], ignore_index=True)
    no_samples = pd.DataFrame({"text": [], "reason": []}, dtype=object)
    adaptation = Adaptation(start.anchor, rows, no_samples, Recipe(), Limits(max_weight=1e9))
    return BulkScorer(adaptation.packed(adaptation.fit(1.0)).model("bound")).probabilities


def is_right(answer: Answer, rows: pd.DataFrame, *, polar: bool = False) -> NDArray[np.bool_]:
    """Return where the likeliest label is the right one; `polar` looks at negative and positive only."""
    probabilities = answer(rows["text"].tolist())
    if polar:
        probabilities = probabilities * (np.array(LABELS) != "neutral")
    return np.asarray(np.array(LABELS)[probabilities.argmax(axis=1)] == rows["label"].to_numpy())


def served(store: ObjectStore) -> Model:
    """Return the model that the pointer names."""
    found = pointer.read(store)
    assert found is not None
    return registry.fetch(store, found.pointer.champion)


def _store_samples(store: ObjectStore, week: pd.DataFrame, model: Model, settings: Settings) -> None:
    """Keep what production keeps: the doubtful answers and some by chance; an object a day."""
    doubtful, drawn = week["confidence"] < model.low_confidence, week["luck"] < settings.sample_share
    kept = week.assign(reason=np.where(drawn, BY_CHANCE, "low_confidence"))[doubtful | drawn]
    for day, rows in kept.groupby(kept["moment"].dt.strftime("%Y-%m-%d")):
        samples = [
            Sample(
                id=f"pr-{_number(row)[:24]}",
                received_at=timestamp(row["moment"]),
                text=row["text"],
                label=row["said"],
                confidence=row["confidence"],
                probabilities=dict(zip(model.labels, row["probabilities"], strict=True)),
                model_version=model.version,
                reason=row["reason"],
            )
            for row in rows.to_dict("records")
        ]
        store.put(f"{SAMPLES}dt={day}/{samples[0].id}.jsonl", to_lines(samples), if_absent=True)


def _store_corrections(store: ObjectStore, reports: pd.DataFrame, model: Model) -> None:
    for row in reports.to_dict("records"):
        name = correction_id(row["moment"].date(), _number(row)[:32])
        correction = Correction(
            id=name,
            received_at=timestamp(row["moment"]),
            text=row["text"],
            correct_label=row["label"],
            contributor=row["contributor"],
            source="user",
            predicted_label=row["said"],
            confidence=row["confidence"],
            model_version=model.version,
            prediction_id=f"pr-{_number(row)[:24]}",
        )
        store.put(correction_key(name), correction.to_line(), if_absent=True)


def _number(row: Mapping[Any, Any]) -> str:
    return sha256(f"{row['moment']} {row['text']}".encode()).hexdigest()


@cache
def _counts(texts: tuple[str, ...]) -> sp.csr_matrix:
    return BucketCounts(Recipe().width).transform(list(texts))
