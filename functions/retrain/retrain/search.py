"""How much feedback weighs against what was known: chosen on training rows alone, within a budget of seconds.

A weight is good if rows of feedback that the trial model has not seen become likely, and allowed if other rows of the
base data, which neither trained nor judge, are answered as well as before: a loss that is more than `FORGETTING` and
more than chance forbids it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sentiloop import bulk, gate
from sentiloop.gate import Comparison

from retrain.adapt import Adaptation
from retrain.pipeline import PriorLogisticRegression

Floats = NDArray[np.float64]
FOLDS = 3
MOST_ROWS = 5_000  # of feedback in the cross-validation
FORGETTING = 0.0015  # the accuracy on a data set's probes that may be lost; on rows never trained on it is twice that
FORGETTING_LEVEL = 0.05  # evidence that a larger loss is none of chance


@dataclass(frozen=True, slots=True)
class Chosen:
    """The weight, the model fitted with it, and every weight that was tried with what it came to."""

    feedback_weight: float
    learner: PriorLogisticRegression
    tried: tuple[dict[str, Any], ...]


def choose(
    adaptation: Adaptation, weights: Sequence[float], seconds: float, clock: Callable[[], float] = time.monotonic
) -> Chosen:
    """Return the allowed weight with the least loss; where none is allowed, the smallest.

    Args:
        adaptation: the rows.
        weights: what to try, the largest first; the loss is taken to have one minimum.
        seconds: no further weight is tried after so many.
        clock: seconds from a monotonic clock.
    """
    begin = clock()
    losses: dict[float, float] = {}
    for weight in weights:
        if losses and clock() - begin >= seconds:
            break
        losses[weight] = held_out_loss(adaptation, weight)
        if losses[weight] > min(losses.values()):
            break
    tried: list[dict[str, Any]] = []
    best_first = sorted(losses, key=lambda weight: (losses[weight], weight))
    for weight in [*best_first, *(weight for weight in weights if weight not in losses)]:
        learner = adaptation.fit(weight)
        forgotten = forgetting(adaptation, learner)
        allowed = not any(-part.gain > FORGETTING and _is_beyond_chance(part) for part in forgotten)
        lost = {part.name: -part.gain for part in forgotten}
        tried.append({"weight": weight, "loss": losses.get(weight), "forgotten": lost, "allowed": allowed})
        if allowed:
            return Chosen(weight, learner, tuple(tried))
    least = min(weights)
    return Chosen(least, adaptation.fit(least), tuple(tried))


def held_out_loss(adaptation: Adaptation, weight: float) -> float:
    """Return the log loss on feedback by models that have not seen it.

    Zero, and so the same for every weight, where there is too little feedback to hold any out.
    """
    probabilities = out_of_fold(adaptation, weight)
    held = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    if not len(held):
        return 0.0
    said = probabilities[held, np.searchsorted(adaptation.labels, adaptation.feedback["label"])[held]]
    return -float(np.average(np.log(np.maximum(said, 1e-12)), weights=adaptation.influence.weights(1.0)[held]))


def out_of_fold(adaptation: Adaptation, weight: float) -> Floats:
    """Return what models say of feedback that they have not seen, n x K, all rows of a contributor in one fold.

    Rows that are in no fold, because there are too few or too many, are not numbers.
    """
    feedback = adaptation.feedback
    folds = feedback["contributors"].map(lambda names: _fold(names[0])).to_numpy()
    if len(np.unique(folds)) < 2:  # noqa: PLR2004 - of one contributor, text by text
        folds = feedback["key"].map(_fold).to_numpy()
    used = np.arange(len(feedback)) < MOST_ROWS
    found = np.full((len(feedback), len(adaptation.labels)), np.nan)
    for fold in np.unique(folds):
        held = (folds == fold) & used
        kept = (folds != fold) & used
        if held.any() and kept.any():
            learner = adaptation.fit(weight, kept)
            found[held] = bulk.softmax(learner.decision_function(adaptation.vectors[np.flatnonzero(held)]))
    return found


def forgetting(adaptation: Adaptation, learner: PriorLogisticRegression) -> list[Comparison]:
    """Return the anchor and a fitted model on the probes, one comparison a data set."""
    probes = adaptation.probes
    if probes.empty:
        return []
    vectors = adaptation.vectorise(probes["text"])
    truth = np.searchsorted(adaptation.labels, probes["label"])
    before = adaptation.answers(vectors).argmax(axis=1) == truth
    after = learner.decision_function(vectors).argmax(axis=1) == truth
    sources = probes["source"].to_numpy()
    return [
        gate.compare(str(name), before[sources == name].tolist(), after[sources == name].tolist())
        for name in np.unique(sources)
    ]


def _is_beyond_chance(part: Comparison) -> bool:
    return gate.mcnemar(part.lost, part.gained) <= FORGETTING_LEVEL


def _fold(name: str) -> int:
    return sha256(b"fold " + name.encode()).digest()[0] % FOLDS
