"""The scikit-learn pipeline: bucket counts, term weights with a length norm, multinomial logistic regression."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize
from sentiloop import bulk
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
Labels = Sequence[str] | NDArray[Any]


NEVER = -1e9  # the logit of a label that is not looked at


class BucketCounts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts to counts per feature bucket, n x width, by the feature function that serves.

    Args:
        width: number of buckets, a power of two.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def fit(self, _texts: Sequence[str], _labels: Any = None) -> Self:
        """Do nothing: hashing learns nothing."""
        return self

    def transform(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Return the counts."""
        units = bulk.extract(texts, self.width)
        ones = np.ones(len(units.units), np.float32)
        of_texts = sp.csr_matrix((ones, units.units, units.texts), shape=(len(texts), len(units.offsets) - 1))
        ones = np.ones(len(units.buckets), np.float32)
        of_units = sp.csr_matrix((ones, units.buckets, units.offsets), shape=(len(units.offsets) - 1, self.width))
        return of_texts @ of_units

    def __sklearn_is_fitted__(self) -> bool:
        return True


class TermWeights(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Counts to TF-IDF values, sharpened by what a term tells about the label, over a length norm.

    A bucket's value is its inverse document frequency, ln((1 + n) / (1 + df)) + 1, times one plus the mean over labels
    of |ln(P(term | label) / P(term | other labels))|, the log-count ratio of Wang and Manning, Baselines and
    Bigrams (2012). What never occurred has the value zero: nothing is known of it, and it neither counts nor dilutes.

    The norm of a text is the root of the sum of squared values over all occurrences. Unlike the Euclidean norm of the
    row it is a sum over words and pairs, which is what lets a scorer keep one small tuple a word.

    Attributes:
        values_: width numbers.
    """

    def fit(self, counts: sp.csr_matrix, labels: Labels) -> Self:
        """Learn document frequencies and log-count ratios."""
        rows, width = counts.shape
        frequencies = np.bincount(counts.indices, minlength=width)
        idf = np.log((1 + rows) / (1 + frequencies)) + 1
        names, numbers = np.unique(np.asarray(labels), return_inverse=True)
        one_hot = sp.csr_matrix((np.ones(rows), (numbers, np.arange(rows))), shape=(len(names), rows))
        occurrences = (one_hot @ counts).toarray()
        ratios = [_log_count_ratio(inside, occurrences.sum(axis=0) - inside) for inside in occurrences]
        self.values_: Floats = np.where(frequencies > 0, idf * (1 + np.mean(np.abs(ratios), axis=0)), 0.0)
        return self

    def transform(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Return the weighted, normalised rows."""
        norms = np.sqrt(counts @ self.values_**2)
        factors = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)
        weighted = counts.astype(np.float64)
        weighted.data *= self.values_[weighted.indices]
        weighted.data *= np.repeat(factors, np.diff(weighted.indptr))
        return weighted


class PriorLogisticRegression(LogisticRegression):  # type: ignore[misc]
    """Multinomial logistic regression whose penalty pulls towards given weights instead of towards zero.

    It minimises C * sum(weight * log loss) + sum(stiffness * (coef - prior)^2) / 2, intercepts included. Without a
    prior they are free, and this is scikit-learn's objective. The solver is L-BFGS, which takes few passes at this
    width; only columns that occur in the data are touched. Two classes get two rows of coefficients, as three would.
    """

    def fit(
        self,
        X: sp.csr_matrix,
        y: Labels | Floats,
        sample_weight: Floats | None = None,
        labels: Sequence[str] | None = None,
        possible: NDArray[np.bool_] | None = None,
        prior: tuple[Floats, Floats] | None = None,
        stiffness: Floats | None = None,
        movable: NDArray[np.bool_] | None = None,
    ) -> Self:
        """Fit to rows `X` and labels `y`.

        Args:
            X: n x width.
            y: n labels; or, n x K, the probability of each of `labels`.
            sample_weight: n weights.
            labels: all labels in sorted order, for one that `y` may lack.
            possible: n x K, which labels a row could have had. Of the others it says nothing: they keep the share that
                the prior gives them, or are not looked at where there is none. None: all.
            prior: coefficients K x width and intercepts K.
            stiffness: how hard each column, and last the intercepts, is held to the prior: width + 1; None: 1.
            movable: width, the columns that may differ from the prior; None: all.
        """
        self.classes_ = np.array(labels if labels is not None else sorted(set(y)))
        rows, width, count = X.shape[0], X.shape[1], len(self.classes_)
        weights = np.ones(rows) if sample_weight is None else np.asarray(sample_weight, float)
        start, bias = prior if prior is not None else (np.zeros((count, width)), np.zeros(count))
        occurs = np.bincount(X.indices, minlength=width) > 0
        active = np.flatnonzero(occurs if movable is None else occurs & movable)
        begin = np.zeros((len(active) + 1, count))
        if self.warm_start and (before := getattr(self, "coef_", None)) is not None:
            begin[:-1], begin[-1] = (before - start)[:, active].T, self.intercept_ - bias
        offset = X @ start.T + bias
        said = np.asarray(y)
        targets = said.astype(float) if said.ndim > 1 else np.asarray(self.classes_ == said[:, None], float)
        if possible is not None and prior is not None:
            kept = np.where(possible, 0.0, bulk.softmax(offset))
            targets = targets * (1 - kept.sum(axis=1, keepdims=True)) + kept
        elif possible is not None:
            offset[~possible] = NEVER
        penalty = np.ones((len(active) + 1, count))
        if stiffness is not None:
            penalty[:] = stiffness[np.append(active, width)][:, None]
        penalty[-1] *= prior is not None  # an intercept is free, unless there is one to stay close to
        penalty /= self.C * weights.sum()
        problem = _Problem(X[:, active], targets, weights, penalty, offset)
        found = minimize(
            problem.loss_and_gradient,
            begin.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iter, "maxcor": 10, "ftol": self.tol, "gtol": 0.0},
        )
        learned = found.x.reshape(len(active) + 1, count)
        self.coef_: Floats = np.array(start, dtype=np.float64)
        self.coef_[:, active] += learned[:-1].T
        self.intercept_: Floats = bias + learned[-1]
        self.n_iter_ = np.array([found.nit])
        self.n_features_in_ = width
        return self

    def predict_proba(self, X: sp.csr_matrix) -> Floats:
        """Return the probabilities, n x K, for two classes as for more."""
        return bulk.softmax(self.decision_function(X))


class _Problem:
    """Mean loss and its gradient for the difference to the prior: flat (columns + 1) x K, intercepts last."""

    def __init__(self, rows: sp.csr_matrix, targets: Floats, weights: Floats, penalty: Floats, offset: Floats) -> None:
        self._rows = rows
        self._columns = rows.T.tocsr()
        self._offset = offset
        self._targets = targets
        self._weights = weights / weights.sum()
        self._penalty = penalty

    def loss_and_gradient(self, flat: Floats) -> tuple[float, Floats]:
        """Return the objective and its gradient at a point."""
        point = flat.reshape(-1, self._offset.shape[1])
        logits = self._rows @ point[:-1] + point[-1] + self._offset
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        totals = powers.sum(axis=1)
        loss = self._weights @ (np.log(totals) - (self._targets * logits).sum(axis=1))
        slopes = powers / totals[:, None]
        slopes -= self._targets
        slopes *= self._weights[:, None]
        gradient = np.empty_like(point)
        gradient[:-1] = self._columns @ slopes
        gradient[-1] = slopes.sum(axis=0)
        pull = self._penalty * point
        return loss + float((pull * point).sum()) / 2, (gradient + pull).ravel()


def _log_count_ratio(inside: Floats, outside: Floats) -> Floats:
    """Return ln(P(term | inside) / P(term | outside)), with one occurrence more of every term on both sides."""
    return np.asarray(np.log((inside + 1) / (inside + 1).sum()) - np.log((outside + 1) / (outside + 1).sum()))
