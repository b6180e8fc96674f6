"""The scikit-learn pipeline, part by part."""

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from retrain.pipeline import BucketCounts, PriorLogisticRegression, TermWeights
from sentiloop.features import END, START, negated, negated_buckets, pair_buckets, tokenise, word_buckets
from sklearn.linear_model import LogisticRegression

from tests.builders import TEXTS

Floats = NDArray[np.float64]
WIDTH = 64
LABELS = np.array(["a", "b", "c"])


def problem(
    rows: int = 240, columns: int = 12, labels: int = 3, seed: int = 0
) -> tuple[sp.csr_matrix, NDArray[np.str_]]:
    """A noisy problem in which about half of all numbers are not zero."""
    dice = np.random.default_rng(seed)
    points = dice.normal(size=(rows, columns)) * (dice.random((rows, columns)) < 0.5)
    noise = dice.gumbel(size=(rows, labels))
    chosen = (points @ dice.normal(size=(columns, labels)) + noise).argmax(axis=1)
    return sp.csr_matrix(points), LABELS[chosen]


@given(st.lists(TEXTS, max_size=5))
def test_counts_are_the_buckets_of_the_feature_function(texts: list[str]) -> None:
    expected = np.zeros((len(texts), WIDTH))
    for row, text in enumerate(texts):
        words = tokenise(text)
        neighbours = [START, *words, END] if words else []
        buckets = [bucket for word in words for bucket in word_buckets(word, WIDTH)]
        buckets += [bucket for word in negated(words) for bucket in negated_buckets(word, WIDTH)]
        for left, right in pairwise(neighbours):
            buckets += pair_buckets(left, right, WIDTH)
        np.add.at(expected[row], buckets, 1)
    assert BucketCounts(WIDTH).transform(texts).toarray().tolist() == expected.tolist()


def test_term_weights_are_what_their_documentation_says() -> None:
    counts = sp.csr_matrix(np.array([[2, 1, 0, 0], [0, 1, 0, 0], [0, 1, 3, 0]], float))
    values = TermWeights().fit(counts, ["a", "a", "b"]).values_
    # occurrences with one more each: label a 3, 3, 1, 1 of 8, label b 1, 2, 4, 1 of 8; two labels give the same ratio
    ratios = [abs(math.log((inside / 8) / (outside / 8))) for inside, outside in ((3, 1), (3, 2), (1, 4))]
    idf = [math.log(4 / (1 + frequency)) + 1 for frequency in (1, 3, 1)]
    assert values[:3] == pytest.approx([weight * (1 + ratio) for weight, ratio in zip(idf, ratios, strict=True)])


def test_what_never_occurred_has_no_value_and_does_not_dilute() -> None:
    terms = TermWeights().fit(sp.csr_matrix(np.array([[1.0, 0.0], [1.0, 0.0]])), ["a", "b"])
    assert terms.values_[1] == 0
    with_unseen = terms.transform(sp.csr_matrix(np.array([[1.0, 5.0]]))).toarray()
    without = terms.transform(sp.csr_matrix(np.array([[1.0, 0.0]]))).toarray()
    assert with_unseen.tolist() == without.tolist()


def test_the_norm_sums_squared_values_over_occurrences() -> None:
    terms = TermWeights()
    terms.values_ = np.array([1.0, 2.0, 3.0])
    found = terms.transform(sp.csr_matrix(np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 4.0]]))).toarray()
    norm = math.sqrt(2 * 1 + 1 * 4)
    assert found[0] == pytest.approx([2 / norm, 2 / norm, 0])
    assert found[1] == pytest.approx([0, 0, 4 * 3 / math.sqrt(4 * 9)])


def test_an_empty_text_is_a_row_of_zeros() -> None:
    terms = TermWeights()
    terms.values_ = np.ones(3)
    assert terms.transform(sp.csr_matrix((2, 3))).toarray().tolist() == [[0.0] * 3] * 2


def test_the_counts_are_not_changed_by_weighting_them() -> None:
    counts = sp.csr_matrix(np.array([[2.0, 1.0]]))
    TermWeights().fit(counts, ["a"]).transform(counts)
    assert counts.toarray().tolist() == [[2.0, 1.0]]


@pytest.mark.parametrize("strength", [0.05, 1.0, 20.0])
def test_without_prior_it_is_scikit_learns_regression(strength: float) -> None:
    points, truth = problem()
    ours = PriorLogisticRegression(C=strength, max_iter=1_000, tol=1e-12).fit(points, truth)
    theirs = LogisticRegression(C=strength, max_iter=10_000, tol=1e-8).fit(points, truth)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    np.testing.assert_allclose(ours.predict_proba(points), theirs.predict_proba(points), atol=1e-3)


def test_row_weights_count_as_repeated_rows() -> None:
    points, truth = problem()
    weights = np.random.default_rng(1).integers(1, 4, len(truth)).astype(float)
    ours = PriorLogisticRegression(C=0.5, max_iter=1_000, tol=1e-12).fit(points, truth, sample_weight=weights)
    theirs = LogisticRegression(C=0.5, max_iter=10_000, tol=1e-8).fit(points, truth, sample_weight=weights)
    np.testing.assert_allclose(ours.predict_proba(points), theirs.predict_proba(points), atol=1e-3)


def test_two_labels_get_two_rows_of_coefficients_and_probabilities_that_add_up() -> None:
    points, truth = problem(labels=2)
    fitted = PriorLogisticRegression(C=1.0, max_iter=500, tol=1e-10).fit(points, truth)
    assert fitted.coef_.shape == (2, 12)
    assert fitted.predict_proba(points).sum(axis=1) == pytest.approx(np.ones(len(truth)))
    assert (fitted.predict(points) == truth).mean() > 0.7


def test_an_endless_pull_leaves_the_coefficients_of_the_prior() -> None:
    points, truth = problem()
    dice = np.random.default_rng(2)
    prior = (dice.normal(size=(3, 12)), dice.normal(size=3))
    fitted = PriorLogisticRegression(C=1e-9, max_iter=500, tol=1e-12).fit(points, truth, prior=prior)
    np.testing.assert_allclose(fitted.coef_, prior[0], atol=1e-5)


def test_a_prior_that_explains_the_rows_already_stays() -> None:
    points, _ = problem()
    dice = np.random.default_rng(3)
    coefficients, bias = dice.normal(size=(3, 12)), dice.normal(size=3)
    logits = points @ coefficients.T + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    every_label = sp.vstack([points] * 3).tocsr()
    truth = np.repeat(LABELS, points.shape[0])
    fitted = PriorLogisticRegression(C=1.0, max_iter=500, tol=1e-12).fit(
        every_label, truth, sample_weight=shares.T.ravel(), prior=(coefficients, bias)
    )
    np.testing.assert_allclose(fitted.predict_proba(points), shares, atol=1e-3)


def test_an_endless_pull_leaves_the_intercepts_of_the_prior_as_well() -> None:
    points, truth = problem()
    prior = (np.zeros((3, 12)), np.array([0.5, -1.0, 2.0]))
    fitted = PriorLogisticRegression(C=1e-9, max_iter=500, tol=1e-12).fit(points, truth, prior=prior)
    np.testing.assert_allclose(fitted.intercept_, prior[1], atol=1e-5)


def test_a_weak_prior_of_zeros_is_as_good_as_none() -> None:
    points, truth = problem()
    zeros = (np.zeros((3, 12)), np.zeros(3))
    learner = PriorLogisticRegression(C=1e6, max_iter=2000, tol=1e-14)
    without: Floats = learner.fit(points, truth).predict_proba(points)
    with_zeros: Floats = learner.fit(points, truth, prior=zeros).predict_proba(points)
    np.testing.assert_allclose(with_zeros, without, atol=1e-3)


def test_columns_that_do_not_occur_keep_what_the_prior_says_of_them() -> None:
    points, truth = problem()
    wide = sp.hstack([points, sp.csr_matrix((points.shape[0], 3))]).tocsr()
    prior = (np.full((3, 15), 0.25), np.zeros(3))
    fitted = PriorLogisticRegression(C=10.0, max_iter=100, tol=1e-6).fit(wide, truth, prior=prior)
    assert (fitted.coef_[:, 12:] == 0.25).all()
    assert (fitted.coef_[:, :12] != 0.25).any()
    assert prior[0].tolist() == np.full((3, 15), 0.25).tolist()


def test_a_label_without_rows_has_its_place() -> None:
    points, truth = problem(labels=2)
    fitted = PriorLogisticRegression(C=1.0, max_iter=50, tol=1e-6).fit(points, truth, labels=["a", "b", "c"])
    assert fitted.predict_proba(points).shape == (len(truth), 3)
    assert fitted.predict_proba(points)[:, 2].max() < 0.1


def test_of_labels_that_a_row_could_not_have_had_it_says_nothing() -> None:
    points, truth = problem()
    two, of_two = points[:120][truth[:120] != "c"], truth[:120][truth[:120] != "c"]
    rows, labels = sp.vstack([two, points[120:]]).tocsr(), np.concatenate([of_two, truth[120:]])
    possible = np.ones((len(labels), 3), bool)
    possible[: len(of_two), 2] = False
    learner = PriorLogisticRegression(C=1.0, max_iter=500, tol=1e-10)
    misled = learner.fit(rows, labels).predict_proba(points)[:, 2].mean()
    told = learner.fit(rows, labels, possible=possible).predict_proba(points)[:, 2].mean()
    assert abs(told - (truth == "c").mean()) < abs(misled - (truth == "c").mean())


def test_a_warm_start_arrives_where_a_cold_one_does() -> None:
    points, truth = problem()
    cold = PriorLogisticRegression(C=1.0, max_iter=500, tol=1e-12).fit(points, truth)
    warm = PriorLogisticRegression(C=1.0, max_iter=500, tol=1e-12, warm_start=True)
    warm.fit(points[:100], truth[:100]).fit(points, truth)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-3)
    assert warm.n_iter_[0] < 500


def test_fitting_is_deterministic() -> None:
    points, truth = problem()
    learner = PriorLogisticRegression(C=1.0, max_iter=100, tol=1e-6)
    assert learner.fit(points, truth).coef_.tobytes() == learner.fit(points, truth).coef_.tobytes()


def test_a_label_that_a_row_says_nothing_of_keeps_the_share_of_the_prior() -> None:
    points, truth = problem()
    two = truth != LABELS[1]
    points, truth = points[np.flatnonzero(two)], truth[two]
    possible = np.tile([True, False, True], (len(truth), 1))
    dice = np.random.default_rng(4)
    coefficients, bias = dice.normal(size=(3, 12)), dice.normal(size=3)
    before = np.exp(points @ coefficients.T + bias)
    before /= before.sum(axis=1, keepdims=True)
    learner = PriorLogisticRegression(C=1e3, max_iter=2000, tol=1e-12)
    after = learner.fit(points, truth, labels=sorted(LABELS), possible=possible, prior=(coefficients, bias))
    shares = after.predict_proba(points)
    assert shares[:, 1].mean() == pytest.approx(before[:, 1].mean(), abs=0.01)
    assert (shares[:, [0, 2]].argmax(axis=1) * 2 == np.searchsorted(sorted(LABELS), truth)).mean() > 0.7
