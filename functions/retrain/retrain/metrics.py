"""Figures of merit from probabilities and true labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, log_loss, recall_score

Floats = NDArray[np.float64]
ECE_BINS = 10  # equal width, after Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning (2015)


def evaluate(probabilities: Floats, truth: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, macro F1, macro recall, log loss, calibration error, and the confusion matrix.

    Args:
        probabilities: n x K, rows sum to one.
        truth: n labels, each one of `labels`.
        labels: K labels in the order of the columns.
    """
    chosen = np.array(labels)[probabilities.argmax(axis=1)]
    present = [label for label in labels if label in set(truth)]
    positions = np.array([labels.index(label) for label in truth])
    return {
        "rows": len(truth),
        "accuracy": float((chosen == np.array(truth)).mean()),
        "macro_f1": float(f1_score(truth, chosen, labels=present, average="macro", zero_division=0)),
        "macro_recall": float(recall_score(truth, chosen, labels=present, average="macro", zero_division=0)),
        "log_loss": float(log_loss(positions, probabilities, labels=range(len(labels)))),
        "calibration_error": calibration_error(probabilities.max(axis=1), chosen == np.array(truth)),
        "confusion": confusion_matrix(truth, chosen, labels=list(labels)).tolist(),
    }


def calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = ECE_BINS) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy, bin by bin."""
    numbers = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(numbers, confidence, bins) - np.bincount(numbers, correct.astype(float), bins)
    return float(np.abs(gaps).sum() / max(len(confidence), 1))


def choose_low_confidence(confidence: Floats, correct: NDArray[np.bool_], share_of_errors: float) -> dict[str, float]:
    """Return the lowest threshold below which `share_of_errors` of all errors lie, and the share of rows below it."""
    wrong = np.sort(confidence[~correct])
    if not len(wrong):
        return {"threshold": 0.5, "catches_errors": 0.0, "flags_rows": float((confidence < 0.5).mean())}  # noqa: PLR2004
    last = wrong[min(int(np.ceil(share_of_errors * len(wrong))), len(wrong)) - 1]
    threshold = float(np.nextafter(last, 1.0))
    return {
        "threshold": threshold,
        "catches_errors": float((wrong < threshold).mean()),
        "flags_rows": float((confidence < threshold).mean()),
    }
