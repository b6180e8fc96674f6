"""From a served model back to what training works with: term weights, coefficients and intercepts."""

import numpy as np
from numpy.typing import NDArray
from sentiloop.artefact import Model

from retrain.pipeline import TermWeights

Floats = NDArray[np.float64]


def coefficients_of(model: Model) -> tuple[TermWeights, tuple[Floats, Floats]]:
    """Return a model's term weights, and its coefficients, K x width, and K intercepts with the labels sorted."""
    table = np.asarray(model.table, dtype=np.float64).reshape(model.width, -1) * np.array(model.scales)
    terms = TermWeights()
    terms.values_ = table[:, -1]
    seen = terms.values_ > 0
    order = np.argsort(model.labels)
    per_occurrence = table[:, :-1].T[order]
    coefficients = np.divide(per_occurrence, terms.values_, out=np.zeros_like(per_occurrence), where=seen)
    return terms, (coefficients, np.array(model.bias)[order])
