"""Step 5: champion and candidate on the same held-out rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sentiloop import gate
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.gate import Comparison, Verdict
from sentiloop.settings import Settings

from retrain.metrics import evaluate
from retrain.splits import HOLDOUT
from retrain.train import TrainingError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate, what it said on the held-out rows, and what follows.

    Attributes:
        candidate: the model.
        truth: labels of the held-out rows.
        probabilities: what the candidate says of them, n x K.
        metrics: the candidate's figures.
        comparisons: against the champion: all rows first, then the guarded slices.
        verdict: promote or not, and why.
    """

    candidate: Model
    truth: list[str]
    probabilities: Floats
    metrics: dict[str, Any]
    comparisons: list[Comparison]
    verdict: Verdict


def judge(champion: Model, candidate: Model, rows: pd.DataFrame, settings: Settings) -> Judged:
    """Judge a candidate on the held-out rows of a snapshot; rows with a label it does not know are not counted.

    Raises:
        TrainingError: no row is held out.
    """
    holdout = rows[(rows["side"] == HOLDOUT) & rows["label"].isin(candidate.labels)]
    if holdout.empty:
        raise TrainingError("there are no held-out rows to judge on", "Import more base data: make data NAME=…")
    texts, truth = holdout["text"].tolist(), holdout["label"].to_numpy()
    old = _right(champion, BulkScorer(champion).probabilities(texts), truth)
    probabilities = BulkScorer(candidate).probabilities(texts)
    new = _right(candidate, probabilities, truth)
    overall = gate.compare("all", old.tolist(), new.tolist())
    slices = []
    for column in ("label", "source"):
        for value in sorted(holdout[column].unique()):
            where = (holdout[column] == value).to_numpy()
            slices.append(gate.compare(f"{column} {value}", old[where].tolist(), new[where].tolist()))
    verdict = gate.judge(
        overall,
        slices,
        level=settings.gate_level,
        min_gain=settings.gate_min_gain,
        slice_drop=settings.gate_slice_drop,
    )
    metrics = evaluate(probabilities, truth.tolist(), candidate.labels)
    return Judged(candidate, truth.tolist(), probabilities, metrics, [overall, *slices], verdict)


def _right(model: Model, probabilities: Floats, truth: Any) -> NDArray[np.bool_]:
    return np.asarray(np.array(model.labels)[probabilities.argmax(axis=1)] == truth)
