"""Step 4: from the anchor and the feedback to a candidate that has learned the new without forgetting the old.

Three things are weighed against each other: the feedback; rows of the base data, gone over again with the anchor's own
answers as their labels; and samples of the traffic, likewise. Corrections are a biased sample, because people report
mistakes and seldom successes: of texts like them most were answered well, and the samples speak for those. Where the
reports show that a label is rare in the traffic, the samples say so too. Everything pulls on weights that are held to
the anchor as hard as the base data is certain of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sentiloop import bulk
from sentiloop.records import BY_CHANCE
from threadpoolctl import threadpool_limits

from retrain.anchor import Anchor
from retrain.influence import Influence, influence_of
from retrain.pipeline import BucketCounts, PriorLogisticRegression, TermWeights
from retrain.scarcity import scarcity, told, votes_of
from retrain.snapshot import FEEDBACK_SOURCE
from retrain.terms import coefficients_of
from retrain.train import Recipe, Trained, pack

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
TOLERANCE = 5e-6  # progress of a pass, of the loss of what pulls away from the anchor, below which fitting ends
CHANCE_STANDS_FOR = 10.0  # a sample by chance stands for many requests that were not kept, but must not rule alone


@dataclass(frozen=True, slots=True)
class Limits:
    """What one contributor may do, and how feedback ages; see `retrain.influence`."""

    max_weight: float
    half_life_days: float | None = None


class Adaptation:
    """All that candidates of one snapshot are fitted to; how much the feedback weighs is left open.

    Args:
        anchor: what to start from.
        rows: the training side of a snapshot.
        samples: columns text and reason; texts of the traffic, and why they were kept.
        recipe: how.
        limits: of the feedback's influence.
    """

    def __init__(
        self, anchor: Anchor, rows: pd.DataFrame, samples: pd.DataFrame, recipe: Recipe, limits: Limits
    ) -> None:
        self.anchor = anchor
        self.recipe = recipe
        self.labels = sorted(anchor.model.labels)
        self.terms, self._start = coefficients_of(anchor.model)
        feedback = rows[(rows["source"] == FEEDBACK_SOURCE) & rows["label"].isin(self.labels)]
        newest = feedback["received_at"].sort_values(kind="stable").index[-recipe.feedback_rows :]
        self.feedback = feedback.loc[newest.sort_values()]
        counts = self._count(self.feedback["text"])
        self.influence: Influence = influence_of(
            self.feedback,
            counts,
            anchor.certainty,
            max_weight=limits.max_weight,
            half_life_days=limits.half_life_days,
        )
        self._value_new_terms()
        self.vectors = self.terms.transform(counts)
        self._truth = np.asarray(np.array(self.labels) == self.feedback["label"].to_numpy()[:, None], float)
        base = rows[(rows["source"] != FEEDBACK_SOURCE) & rows["label"].isin(self.labels)]
        rehearsed, self.probes = _spread(base, recipe.rehearsal_rows)
        self._rehearsal = self.vectorise(rehearsed["text"])
        samples = samples[: recipe.sample_rows]
        self._samples = self.vectorise(samples["text"])
        before, said = self.answers(self._rehearsal), self.answers(self._samples)
        self._rarer = self._rarer_labels(before)
        self._kept = [before, told(said, self._rarer)]
        self._moved: Floats = np.abs(self._kept[1] - said).sum(axis=1) / 2
        self._stands_for = np.where(samples["reason"] == BY_CHANCE, CHANCE_STANDS_FOR, 1.0)

    def fit(self, feedback_weight: float, keep: Flags | None = None) -> PriorLogisticRegression:
        """Return the coefficients for a weight of the feedback.

        Args:
            feedback_weight: what a row of feedback weighs, before the limits of its contributor.
            keep: which rows of the feedback to use; None: all.
        """
        rows = np.flatnonzero(np.ones(len(self.feedback), bool) if keep is None else keep)
        of_feedback = self.influence.weights(feedback_weight)[rows]
        news = self.news(feedback_weight, float(of_feedback.sum()))
        weights = [
            of_feedback,
            np.full(self._rehearsal.shape[0], self.recipe.rehearsal_weight),
            self.recipe.sample_weight * self._stands_for + news,
        ]
        learner = PriorLogisticRegression(C=1.0, max_iter=self.recipe.max_iter)
        if not of_feedback.any():  # nothing pulls away from the anchor
            return _set(learner, self.labels, self._start)
        pulling = float(of_feedback.sum() + news.sum()) / sum(float(part.sum()) for part in weights)
        learner.tol = TOLERANCE * pulling
        with threadpool_limits(limits=1):
            return learner.fit(
                sp.vstack([self.vectors[rows], self._rehearsal, self._samples], format="csr"),
                np.vstack([self._truth[rows], *self._kept]),
                sample_weight=np.concatenate(weights),
                labels=self.labels,
                prior=self._start,
                stiffness=self.influence.stiffness,
                movable=self.influence.movable,
            )

    def vectorise(self, texts: Iterable[str]) -> sp.csr_matrix:
        """Return texts as the model sees them, n x width."""
        return self.terms.transform(self._count(texts))

    def answers(self, vectors: sp.csr_matrix) -> Floats:
        """Return what the anchor says of texts, n x K."""
        coefficients, intercepts = self._start
        return bulk.softmax(vectors @ coefficients.T + intercepts)

    def packed(self, learner: PriorLogisticRegression) -> Trained:
        """Return the candidate. Confidence and doubt are the anchor's: its base data can still tell them best."""
        known = self.anchor.model.manifest
        facts: dict[str, Any] = {
            "labels": self.labels,
            "temperature": known.get("temperature", 1.0),
            "low_confidence": self.anchor.model.low_confidence,
            "low_confidence_choice": known.get("low_confidence_choice", {}),
            "frequent_words": list(self.anchor.model.frequent_words),
        }
        terms = TermWeights()
        terms.values_ = self.terms.values_.copy()
        return pack(terms, learner, self.recipe, facts)

    def _count(self, texts: Iterable[str]) -> sp.csr_matrix:
        return BucketCounts(self.anchor.model.width).transform(list(texts))

    def news(self, feedback_weight: float, of_feedback: float) -> Floats:
        """Return what samples weigh because a label is rare: as far as that moves them, and no more than the reports.

        Args:
            feedback_weight: what a row of feedback weighs by itself; no sample weighs more.
            of_feedback: what all rows of feedback weigh; the samples together weigh `scarcity_weight` times as much.
        """
        total = float(self._moved.sum())
        return self._moved * min(feedback_weight, self.recipe.scarcity_weight * of_feedback / max(total, 1e-9))

    @property
    def scarcity(self) -> dict[str, float]:
        """By how much each label's share shrinks from the base data to the traffic, 1 where it does not."""
        return dict(zip(self.labels, self._rarer.round(4).tolist(), strict=True))

    def _rarer_labels(self, base_answers: Floats) -> Floats:
        if not len(base_answers):
            return np.ones(len(self.labels))
        votes = votes_of(self.influence.shares, self._truth.argmax(axis=1), len(self.labels))
        return scarcity(votes, base_answers.mean(axis=0))

    def _value_new_terms(self) -> None:
        """Let terms count that the anchor never saw, as much as one that it seldom saw, once contributors agree."""
        values = self.terms.values_
        unseen = self.influence.new & (values == 0)
        if unseen.any() and (values > 0).any():
            values[unseen] = np.median(values[values > 0])


def _spread(base: pd.DataFrame, most: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return base rows to go over again and others to look for forgetting in, of all data sets alike.

    Which rows depends on their texts alone.
    """
    order = base["key"].map(lambda key: sha256(b"rehearsal " + key.encode()).digest())
    shuffled = base.loc[order.sort_values().index]
    number = shuffled.groupby("source").cumcount()
    halves = []
    for half in (0, 1):
        part = shuffled[number % 2 == half]
        share = _fair_share(part["source"].value_counts().tolist(), most)
        halves.append(part[part.groupby("source").cumcount() < share])
    return halves[0], halves[1]


def _fair_share(sizes: list[int], most: int) -> int:
    """Return the largest number of rows of each data set that together are not more than `most`."""
    share = most
    while share > 0 and sum(min(size, share) for size in sizes) > most:
        over = sum(min(size, share) for size in sizes) - most
        large = sum(size >= share for size in sizes)
        share -= max(1, over // max(large, 1))
    return share


def _set(learner: PriorLogisticRegression, labels: list[str], start: tuple[Floats, Floats]) -> PriorLogisticRegression:
    learner.classes_ = np.array(labels)
    learner.coef_, learner.intercept_ = start[0].copy(), start[1].copy()
    learner.n_iter_, learner.n_features_in_ = np.array([0]), start[0].shape[1]
    return learner
