"""Step 5: champion and candidate on the same held-out rows, behavioural cases and names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sentiloop import gate
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.gate import Check, Comparison, Selected, Verdict
from sentiloop.settings import Settings

from retrain.behaviour_checks import compare_behaviour
from retrain.canaries import find_names, moved_names
from retrain.checks import base_check, behaviour_check, calibration_check, gain_checks, names_check, slice_checks
from retrain.metrics import ECE_BINS, calibration_error, evaluate
from retrain.snapshot import FEEDBACK_SOURCE
from retrain.splits import HOLDOUT, TRAIN
from retrain.train import TrainingError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SELECTED = ("mistake", "confirmation")  # rows that are there because a model was wrong or right on them
CONTRIBUTOR_ROWS = 20  # held-out rows that make a contributor's rows a slice
MOST_CONTRIBUTORS = 10  # with the most held-out rows
RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate, what it said on the held-out rows, and what follows.

    Attributes:
        candidate: the model.
        truth: labels of the held-out rows.
        probabilities: what the candidate says of them, n x K.
        metrics: the candidate's figures.
        comparisons: against the champion: all rows first, then the guarded slices, then the behavioural cases.
        verdict: promote or not, why, and every check.
    """

    candidate: Model
    truth: list[str]
    probabilities: Floats
    metrics: dict[str, Any]
    comparisons: list[Comparison]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of rows: its labels, whether they are right, and their probabilities."""

    said: NDArray[Any]
    right: Flags
    confidence: Floats

    def take(self, where: Flags) -> "Answers":
        """Return some of the answers."""
        return Answers(self.said[where], self.right[where], self.confidence[where])


def judge(
    champion: Model,
    candidate: Model,
    rows: pd.DataFrame,
    settings: Settings,
    *,
    since: str | None = None,
    cross_fitted: Mapping[str, str] | None = None,
) -> Judged:
    """Judge a candidate on the held-out rows of a snapshot; rows with a label it does not know are not counted.

    The news, feedback since the champion's, is little: of it the training side counts as well, with what models like
    the candidate say that have not learned from these rows. The champion has not learned from them either.

    Reported mistakes and confirmations count in the test of the gain as `gate.p_value` says. In slices of labels and
    data sets they would hide or feign a fall, so they are left out there; slices of the feedback take all of it.

    Args:
        champion: the served model.
        candidate: the model to judge.
        rows: columns key, text, label, source, side; of feedback also contributors, received_at and selection.
        settings: of the gate.
        since: time of the newest correction that the champion learned from; what is newer is a slice of its own.
        cross_fitted: of rows of the training side, by key, the label that such models give.

    Raises:
        TrainingError: no row is held out.
    """
    holdout = rows[(rows["side"] == HOLDOUT) & rows["label"].isin(candidate.labels)]
    if holdout.empty:
        raise TrainingError("there are no held-out rows to judge on", "Import more base data: make data NAME=…")
    truth = holdout["label"].tolist()
    probabilities = BulkScorer(candidate).probabilities(holdout["text"].tolist())
    old = _answers(champion, BulkScorer(champion).probabilities(holdout["text"].tolist()), truth)
    new = _answers(candidate, probabilities, truth)
    chosen = _column(holdout, "selection").isin(SELECTED).to_numpy()
    feedback = (holdout["source"] == FEEDBACK_SOURCE).to_numpy()

    def compare(name: str, where: Flags) -> Comparison:
        return gate.compare(name, old.right[where].tolist(), new.right[where].tolist())

    kinds = [
        [part for name, where in slices if (part := compare(name, where)).rows]
        for slices in _slices(holdout, chosen, since)
    ]
    behaviour = compare_behaviour(champion, candidate)
    fair, selected = compare("fair", ~chosen), _selected(old, new, chosen)
    checks = [
        *gain_checks(
            fair,
            selected,
            level=settings.gate_level,
            min_gain=settings.gate_min_gain,
            news=_news(champion, candidate, rows, since or "", cross_fitted or {}),
        ),
        base_check(compare("base data", ~feedback)),
        *(check for parts in kinds for check in slice_checks(parts, slice_drop=settings.gate_slice_drop)),
        compare_calibration(old.take(~chosen), new.take(~chosen), settings.gate_calibration_rise),
        *(
            behaviour_check(part, floor=settings.gate_behaviour_floor, drop=settings.gate_slice_drop)
            for part in behaviour
        ),
        _names(champion, candidate, rows),
    ]
    return Judged(
        candidate=candidate,
        truth=truth,
        probabilities=probabilities,
        metrics=evaluate(probabilities, truth, candidate.labels),
        comparisons=[
            compare("all", np.ones_like(chosen)),
            *(part for parts in kinds for part in parts),
            *behaviour,
        ],
        verdict=gate.decide(checks[0].figures["p_value"], checks),
    )


def _news(
    champion: Model, candidate: Model, rows: pd.DataFrame, since: str, cross_fitted: Mapping[str, str]
) -> tuple[Comparison, Selected]:
    """Return both models on the news: held-out rows, and rows of the training side that were cross-fitted."""
    news = rows[(rows["source"] == FEEDBACK_SOURCE) & rows["label"].isin(candidate.labels)]
    news = news[(_column(news, "received_at") > since) & ((news["side"] == HOLDOUT) | news["key"].isin(cross_fitted))]
    if news.empty:
        return gate.compare("news", [], []), Selected()
    texts, truth = news["text"].tolist(), news["label"].tolist()
    old = _answers(champion, BulkScorer(champion).probabilities(texts), truth)
    new = _answers(candidate, BulkScorer(candidate).probabilities(texts), truth)
    trained = (news["side"] == TRAIN).to_numpy()
    said = np.where(trained, news["key"].map(cross_fitted).astype(object), new.said)
    new = Answers(said, said == np.array(truth), new.confidence)
    chosen = _column(news, "selection").isin(SELECTED).to_numpy()
    fair = gate.compare("news", old.right[~chosen].tolist(), new.right[~chosen].tolist())
    return fair, _selected(old, new, chosen)


def _answers(model: Model, probabilities: Floats, truth: list[str]) -> Answers:
    said = np.array(model.labels)[probabilities.argmax(axis=1)]
    return Answers(said, said == np.array(truth), probabilities.max(axis=1))


def _selected(old: Answers, new: Answers, chosen: Flags) -> Selected:
    wrong, right = chosen & ~old.right, chosen & old.right
    return Selected(
        wrong=int(wrong.sum()),
        fixed=int((wrong & new.right).sum()),
        turned=int((wrong & ~new.right & (old.said != new.said)).sum()),
        right=int(right.sum()),
        broken=int((right & ~new.right).sum()),
    )


def _slices(holdout: pd.DataFrame, chosen: Flags, since: str | None) -> list[list[tuple[str, Flags]]]:
    """Return the guarded slices, those of a kind together, each with its name and its rows."""
    labels, sources = holdout["label"].to_numpy(), holdout["source"].to_numpy()
    feedback = sources == FEEDBACK_SOURCE
    parts = [("feedback", feedback)]
    if since is not None:
        parts.append(("feedback new", feedback & (_column(holdout, "received_at") > since).to_numpy()))
    return [
        [(f"label {label}", (labels == label) & ~chosen) for label in np.unique(labels)],
        [(f"source {source}", sources == source) for source in np.unique(sources[~feedback])],
        parts,
        _contributor_slices(holdout),
    ]


def _contributor_slices(holdout: pd.DataFrame) -> list[tuple[str, Flags]]:
    if "contributors" not in holdout:
        return []
    numbered = holdout["contributors"].reset_index(drop=True).explode().dropna()
    counts = numbered.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    large = counts[counts >= CONTRIBUTOR_ROWS].index[:MOST_CONTRIBUTORS]
    places = np.arange(len(holdout))
    return [(f"contributor {name[:12]}", np.isin(places, numbered.index[numbered == name])) for name in large]


def compare_calibration(old: Answers, new: Answers, allowed_rise: float) -> Check:
    """Compare the calibration errors, and those of rows drawn with replacement: few rows make any model look worse."""
    dice = np.random.default_rng(0)
    champion, candidate = (calibration_error(answers.confidence, answers.right) for answers in (old, new))
    count, gaps = len(old.right), [_gaps(answers) for answers in (old, new)]
    risen = 0
    for _ in range(RESAMPLES):
        drawn = dice.integers(0, max(count, 1), count)
        before, now = (np.abs(np.bincount(bins[drawn], gap[drawn], ECE_BINS)).sum() for bins, gap in gaps)
        risen += bool(now > before)
    return calibration_check(champion, candidate, 1 - risen / RESAMPLES, allowed_rise=allowed_rise)


def _gaps(answers: Answers) -> tuple[NDArray[np.int64], Floats]:
    """Return each row's bin of confidence, and by how much confidence exceeds being right."""
    bins = np.minimum((answers.confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    return bins, answers.confidence - answers.right


def _names(champion: Model, candidate: Model, rows: pd.DataFrame) -> Check:
    feedback = rows["source"] == FEEDBACK_SOURCE
    names = find_names(rows["text"][feedback & (rows["side"] == TRAIN)], rows["text"][~feedback])
    return names_check(moved_names(champion, candidate, names), len(names))


def _column(rows: pd.DataFrame, name: str) -> "pd.Series[Any]":
    """Return a column that rows from before it existed lack."""
    return rows[name].fillna("") if name in rows else pd.Series("", index=rows.index)
