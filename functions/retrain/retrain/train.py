"""Step 4: from rows to a model: fit, calibrate, quantise. Deterministic: equal rows give equal bytes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sentiloop import artefact, bulk, features
from sentiloop.artefact import Model
from sentiloop.errors import SentiloopError
from sentiloop.features import tokenise, word_buckets
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from retrain.calibration import calibration_split
from retrain.metrics import choose_low_confidence
from retrain.pipeline import BucketCounts, PriorLogisticRegression, TermWeights
from retrain.snapshot import FEEDBACK_SOURCE
from retrain.terms import coefficients_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LOW_CONFIDENCE_ERRORS = 0.5  # the threshold is put where it catches this share of the errors on held-out data
FREQUENT_WORDS = 2_000  # nine tenths of a text; a scorer that starts anew need not add up their rows
FREQUENT_TEXTS = 50  # texts that a word has to be in: what few people wrote stays hashed
_ITEM_LIMITS = {"int8": 127, "int16": 32_767}


class TrainingError(SentiloopError):
    """Raise when rows cannot be learned from."""

    code = "cannot_train"
    hint = "Import base data with at least two labels: make data NAME=…"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides how rows become a model.

    Attributes:
        width: feature buckets, a power of two.
        item_type: integers that weights are rounded to.
        c: trust in a row against the prior: the penalty's inverse strength, as scikit-learn's C.
        balance: 0 takes sources and their labels as large as they come, 1 makes all weigh the same.
        max_iter: most passes of the solver.
        features: version of the feature function.
        feedback_weights: what a row of feedback may weigh in the adaptation; the search chooses.
        feedback_rows: most rows of feedback that the adaptation sees, the newest.
        rehearsal_rows: most base rows that the adaptation goes over again.
        rehearsal_weight: what each of them weighs.
        sample_rows: most samples of traffic that the adaptation sees.
        sample_weight: what each of them weighs.
        scarcity_weight: what samples weigh together at most, in weights of all feedback, because a label is rare in it.
    """

    width: int = 2**19
    item_type: str = "int8"
    c: float = 2.0
    balance: float = 0.5
    max_iter: int = 100
    features: int = features.VERSION
    feedback_weights: tuple[float, ...] = (4.0, 2.0, 1.0, 0.5, 0.25)
    feedback_rows: int = 100_000
    rehearsal_rows: int = 24_000
    rehearsal_weight: float = 5.0
    sample_rows: int = 5_000
    sample_weight: float = 0.1
    scarcity_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model on its way into the registry.

    Attributes:
        weights: the bytes of the table and of the frequent words' sums.
        facts: what the manifest says of them.
        pipeline: the scikit-learn pipeline with the same, rounded numbers.
    """

    weights: bytes
    facts: dict[str, Any]
    item_type: str
    pipeline: Pipeline

    def manifest(self, version: str, description: dict[str, Any]) -> bytes:
        """Return the manifest under a version's name; `description` says where the model comes from."""
        return artefact.dump({**description, **self.facts, "version": version}, self.weights, self.item_type)

    def model(self, version: str) -> Model:
        """Return the model as serving will load it."""
        return artefact.load(self.manifest(version, {}), self.weights)

    def joblib(self) -> bytes:
        """Return the pipeline as a joblib file, for people with scikit-learn; no function on the internet opens it."""
        buffer = BytesIO()
        joblib.dump(self.pipeline, buffer, compress=3)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Start:
    """What fitting starts from: the labels in sorted order and, with a prior, its term weights and coefficients."""

    labels: list[str]
    terms: TermWeights | None = None
    coefficients_and_bias: tuple[Floats, Floats] | None = None


def train(rows: pd.DataFrame, recipe: Recipe, prior: Model | None = None) -> Trained:
    """Train on rows with the columns text and label; weight, where rows do not weigh alike; and source.

    One thread does the arithmetic: several would add up in another order every time, and take longer.

    Args:
        rows: the training side only.
        recipe: how.
        prior: a model to be pulled towards; its labels, width and term weights are taken over.

    Raises:
        TrainingError: there are fewer than two labels, or the prior has another width than the recipe.
    """
    with threadpool_limits(limits=1):
        return _train(rows, recipe, prior)


def _train(rows: pd.DataFrame, recipe: Recipe, prior: Model | None) -> Trained:
    rows = rows[rows["label"].isin(prior.labels)] if prior else rows
    labels = sorted(prior.labels if prior else set(rows["label"]))
    if len(labels) < 2 or rows.empty:  # noqa: PLR2004
        raise TrainingError(f"{len(rows)} rows with the labels {labels} are too little to learn from")
    if prior and prior.width != recipe.width:
        raise TrainingError(f"the prior is {prior.width} buckets wide, the recipe {recipe.width}")
    rows = rows.assign(weight=label_weights(rows, recipe.balance))
    texts = rows["text"].tolist()
    counts = BucketCounts(recipe.width).transform(texts)
    start = _Start(labels, *coefficients_of(prior)) if prior else _Start(labels)

    kept, held = calibration_split(texts)
    learner = PriorLogisticRegression(C=recipe.c, max_iter=recipe.max_iter, tol=1e-6, warm_start=True)
    trial = _fit(learner, counts[kept], rows[kept], start)
    logits = trial.decision_function(counts[held])
    positions = np.searchsorted(labels, rows["label"][held])
    lengths = np.array([len(text) for text, is_held in zip(texts, held, strict=True) if is_held])
    weight = rows["weight"][held].to_numpy() * lengths  # a fragment counts less than a sentence
    temperature = fit_temperature(logits, positions, weight)
    probabilities = bulk.softmax(logits / temperature)
    doubt = choose_low_confidence(
        probabilities.max(axis=1), probabilities.argmax(axis=1) == positions, LOW_CONFIDENCE_ERRORS
    )

    fitted = _fit(learner, counts, rows, start)
    learner.coef_ /= temperature
    learner.intercept_ /= temperature
    facts = {
        "labels": labels,
        "temperature": temperature,
        "low_confidence": doubt["threshold"],
        "low_confidence_choice": doubt,
        "frequent_words": frequent_words(texts),
    }
    return pack(fitted["terms"], learner, recipe, facts)


def pack(terms: TermWeights, learner: PriorLogisticRegression, recipe: Recipe, facts: dict[str, Any]) -> Trained:
    """Round a fitted model's numbers, in place, and return it.

    Args:
        terms: its term weights.
        learner: its coefficients and intercepts.
        recipe: gives the width and the kind of integers.
        facts: what the manifest is to say; labels and frequent_words have to be among it.
    """
    table, scales = quantise(terms, learner, recipe.item_type)
    numbers = {"width": recipe.width, "scales": scales, "bias": learner.intercept_.tolist()}
    weights = table.tobytes() + word_sums(table, facts["frequent_words"]).tobytes()
    pipeline = Pipeline([("counts", BucketCounts(recipe.width)), ("terms", terms), ("regression", learner)])
    return Trained(weights, {**facts, **numbers}, recipe.item_type, pipeline)


def possible_labels(rows: pd.DataFrame, labels: list[str]) -> NDArray[np.bool_]:
    """Return, n x K, the labels that a row could have had: those that its data set uses at all.

    A data set without neutral rows left them out; that its rows are not neutral is no news, and must not teach that
    nothing is. Rows without a source could have had any label, and so could feedback, whatever came so far.
    """
    if "source" not in rows:
        return np.ones((len(rows), len(labels)), bool)
    used = pd.crosstab(rows["source"], rows["label"]).reindex(columns=labels, fill_value=0) > 0
    used[used.index == FEEDBACK_SOURCE] = True
    return np.asarray(used.loc[rows["source"]].to_numpy())


def label_weights(rows: pd.DataFrame, balance: float) -> Floats:
    """Return each row's weight, raised where its source has few rows of its label.

    The factor is (mean weight of all labels of all sources / weight of this label of this source) ** balance, so that a
    large data set does not drown a small one. Feedback is balanced by itself: corrections are a biased sample, and that
    they are few is no reason to make more of each.
    """
    weight = rows["weight"] if "weight" in rows else pd.Series(1.0, index=rows.index)
    source = rows["source"] if "source" in rows else pd.Series("", index=rows.index)
    group = source + "\0" + rows["label"]
    pool = source == FEEDBACK_SOURCE
    totals = weight.groupby(group).transform("sum")
    means = weight.groupby(pool).transform("sum") / group.groupby(pool).transform("nunique")
    return np.asarray(weight * (means / totals) ** balance, dtype=float)


def fit_temperature(logits: Floats, truth: NDArray[np.int64], weight: Floats) -> float:
    """Return the divisor of the logits that gives the held-out rows the least log loss (Guo et al., 2017)."""

    def loss(log_temperature: float) -> float:
        probabilities = bulk.softmax(logits / np.exp(log_temperature))[np.arange(len(truth)), truth]
        return -float(np.average(np.log(np.maximum(probabilities, 1e-300)), weights=weight))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def frequent_words(texts: Sequence[str]) -> list[str]:
    """Return the words that are in most texts, the most frequent first."""
    texts_with = Counter(chain.from_iterable(set(tokenise(text)) for text in texts))
    frequent = ((word, count) for word, count in texts_with.items() if count >= FREQUENT_TEXTS)
    return [word for word, _ in sorted(frequent, key=lambda found: (-found[1], found[0]))[:FREQUENT_WORDS]]


def word_sums(table: NDArray[Any], words: Sequence[str]) -> Ints:
    """Return for each word the sums of its buckets' rows, with the value squared; see `sentiloop.artefact`."""
    sums = np.zeros((len(words), table.shape[1]), "<i8")
    for number, word in enumerate(words):
        rows = table[word_buckets(word, len(table))].astype(np.int64)
        rows[:, -1] **= 2
        sums[number] = rows.sum(axis=0)
    return sums


def quantise(terms: TermWeights, learner: PriorLogisticRegression, item_type: str) -> tuple[NDArray[Any], list[float]]:
    """Round values and weights to integers, in place, and return the table, little-endian, and the columns' scales.

    The pipeline keeps the rounded numbers, so what is judged, kept for people and served is one and the same model.
    """
    limit = _ITEM_LIMITS[item_type]
    value_scale = float(terms.values_.max() / limit)
    seen = terms.values_ > 0
    values = np.where(seen, np.maximum(np.rint(terms.values_ / value_scale), 1), 0)
    per_occurrence = learner.coef_ * terms.values_
    scales = np.maximum(np.abs(per_occurrence).max(axis=1), 1e-12) / limit
    rounded = np.rint(per_occurrence / scales[:, None])
    terms.values_ = values * value_scale
    learner.coef_ = np.divide(rounded * scales[:, None], terms.values_, out=np.zeros_like(rounded), where=seen)
    table = np.vstack([rounded, values]).T
    return table.astype(np.dtype(item_type).newbyteorder("<")), [*scales.tolist(), value_scale]


def _fit(learner: PriorLogisticRegression, counts: Any, rows: pd.DataFrame, start: _Start) -> Pipeline:
    """Fit term weights, unless the prior brings its own, and the regression to counts, going on from its last fit."""
    truth = rows["label"].to_numpy()
    terms = start.terms or TermWeights().fit(counts, truth)
    learner.fit(
        terms.transform(counts),
        truth,
        sample_weight=rows["weight"].to_numpy(),
        labels=start.labels,
        possible=possible_labels(rows, start.labels),
        prior=start.coefficients_and_bias,
    )
    return Pipeline([("terms", terms), ("regression", learner)])
