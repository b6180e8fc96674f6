"""How sure the data behind a model is of each of its weights, so that its successors know what they may change.

The certainty of a bucket is the curvature of the objective in its weights, the diagonal of the Fisher information: the
sum over the rows of weight * p * (1 - p) * x^2, averaged over the labels. Held to a model that hard, a successor gives
way where the old data said little and stays where it said much, so that it learns from few rows and forgets little
(Kirkpatrick et al., Overcoming Catastrophic Forgetting in Neural Networks, 2017).
"""

import gzip
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from sentiloop import bulk
from sentiloop.artefact import Model
from sentiloop.errors import ArtefactError

from retrain.pipeline import BucketCounts
from retrain.terms import coefficients_of

Floats = NDArray[np.float64]
FILE = "certainty.bin.gz"
STEPS = 8  # a byte holds a certainty to an eighth of a power of two, which is more than its estimate deserves
LEAST = 2.0**-16
BLOCK = 4_096  # rows at a time


def certainty_of(model: Model, texts: Sequence[str], weights: Floats) -> Floats:
    """Return the certainty that rows give a model's weights: one number a bucket, and last that of the intercepts.

    Args:
        model: has learned from the rows.
        texts: of the rows.
        weights: how much each row weighed against the penalty.
    """
    terms, (coefficients, intercepts) = coefficients_of(model)
    total = np.zeros(model.width + 1)
    for start in range(0, len(texts), BLOCK):
        rows = terms.transform(BucketCounts(model.width).transform(texts[start : start + BLOCK]))
        probabilities = bulk.softmax(rows @ coefficients.T + intercepts)
        curvature = (probabilities * (1 - probabilities)).mean(axis=1) * weights[start : start + BLOCK]
        total[:-1] += rows.power(2).T @ curvature
        total[-1] += curvature.sum()
    return total


def dump(certainty: Floats) -> bytes:
    """Write certainties, a byte each, compressed; equal ones have equal bytes."""
    steps = np.rint(STEPS * np.log2(np.maximum(certainty, LEAST) / LEAST)) + 1
    codes = np.where(certainty >= LEAST, np.minimum(steps, 255), 0)
    return gzip.compress(codes.astype(np.uint8).tobytes(), mtime=0)


def load(body: bytes, width: int) -> Floats:
    """Read what `dump` wrote.

    Raises:
        ArtefactError: it is not that of a model of this width.
    """
    codes = np.frombuffer(gzip.decompress(body), np.uint8).astype(np.float64)
    if len(codes) != width + 1:
        raise ArtefactError("certainty", f"{len(codes)} numbers for {width} buckets and an intercept")
    return np.where(codes > 0, LEAST * 2 ** ((codes - 1) / STEPS), 0.0)


def bundled(width: int) -> Floats:
    """Return the certainty of the bundled baseline; `make baseline` writes it."""
    return load((files("retrain") / "baseline" / FILE).read_bytes(), width)
