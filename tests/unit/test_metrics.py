"""Figures of merit, against examples worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.metrics import calibration_error, choose_low_confidence, evaluate

LABELS = ["negative", "neutral", "positive"]
ANSWERS = st.lists(st.tuples(st.floats(0.34, 1), st.booleans()), min_size=1, max_size=50)


def split(answers: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([confidence for confidence, _ in answers]), np.array([right for _, right in answers], bool)


def test_perfect_confidence_has_no_calibration_error() -> None:
    assert calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0.0
    assert calibration_error(np.array([0.75] * 4), np.array([True, True, True, False])) == 0.0


def test_full_confidence_in_nonsense_has_the_largest_calibration_error() -> None:
    assert calibration_error(np.array([1.0, 1.0]), np.array([False, False])) == 1.0


def test_the_calibration_error_weighs_bins_by_their_rows() -> None:
    confidence = np.array([0.92, 0.94, 0.96, 0.55])
    correct = np.array([True, True, False, False])
    # bin 0.9-1.0: |2.82 - 2| over four rows, bin 0.5-0.6: |0.55 - 0| over four rows
    assert calibration_error(confidence, correct) == pytest.approx((0.82 + 0.55) / 4)


def test_errors_in_opposite_directions_cancel_within_a_bin_only() -> None:
    correct = np.array([True, False])
    assert calibration_error(np.array([0.5, 0.5]), correct) == 0.0
    assert calibration_error(np.array([0.45, 0.55]), correct) == pytest.approx((0.55 + 0.55) / 2)


def test_no_rows_have_no_calibration_error() -> None:
    assert calibration_error(np.array([]), np.array([], bool)) == 0.0


@given(ANSWERS)
def test_a_calibration_error_is_a_share(answers: list[tuple[float, bool]]) -> None:
    assert 0 <= calibration_error(*split(answers)) <= 1


@given(ANSWERS)
def test_one_bin_compares_mean_confidence_with_accuracy(answers: list[tuple[float, bool]]) -> None:
    confidence, correct = split(answers)
    expected = abs(confidence.mean() - correct.mean())
    assert calibration_error(confidence, correct, bins=1) == pytest.approx(expected)


def test_the_threshold_catches_the_share_of_errors_that_is_asked_for() -> None:
    confidence = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    correct = np.array([False, True, False, True, False, False])
    chosen = choose_low_confidence(confidence, correct, 0.5)
    assert chosen["threshold"] == pytest.approx(0.6)
    assert chosen["threshold"] > 0.6
    assert chosen["catches_errors"] == 0.5
    assert chosen["flags_rows"] == 0.5


def test_all_errors_can_be_asked_for() -> None:
    chosen = choose_low_confidence(np.array([0.4, 0.9, 0.95]), np.array([False, False, True]), 1.0)
    assert chosen["catches_errors"] == 1.0
    assert chosen["flags_rows"] == pytest.approx(2 / 3)


def test_without_errors_the_threshold_is_an_even_chance() -> None:
    chosen = choose_low_confidence(np.array([0.4, 0.9]), np.array([True, True]), 0.5)
    assert chosen == {"threshold": 0.5, "catches_errors": 0.0, "flags_rows": 0.5}


@given(ANSWERS, st.floats(0.01, 1))
def test_the_threshold_is_the_lowest_that_catches_enough(answers: list[tuple[float, bool]], share: float) -> None:
    confidence, correct = split(answers)
    chosen = choose_low_confidence(confidence, correct, share)
    assert 0 <= chosen["threshold"] <= 1
    wrong = confidence[~correct]
    if not len(wrong) or wrong.max() == 1.0:
        return  # nothing lies above full confidence
    assert chosen["catches_errors"] >= share - 1e-12
    lower = np.nextafter(chosen["threshold"], 0)
    assert (wrong < lower).mean() < share


def test_figures_of_a_small_example() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.6, 0.2, 0.2]])
    found = evaluate(probabilities, ["negative", "neutral", "positive", "positive"], LABELS)
    assert found["rows"] == 4
    assert found["accuracy"] == 0.75
    assert found["macro_recall"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.7, 0.7, 0.2]).mean())
    assert found["confusion"] == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]


def test_labels_that_do_not_occur_do_not_count_in_the_means() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    found = evaluate(probabilities, ["negative", "positive"], LABELS)
    assert found["macro_recall"] == found["macro_f1"] == 1.0
    assert len(found["confusion"]) == 3


def test_figures_are_plain_numbers_that_json_can_hold() -> None:
    found = evaluate(np.array([[0.5, 0.3, 0.2]]), ["negative"], LABELS)
    assert all(type(value) in (int, float, list) for value in found.values())
