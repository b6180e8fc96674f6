"""What labels would prove: never less with more of them, as the gate itself says, in a sentence."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import gate
from sentiloop.profit import CLEARLY, DIFFERING, TESTS, detectable_gain, profit
from sentiloop.review_labels import Given

LEVEL = 0.05
levels = st.sampled_from([1e-6, 0.01, 0.05, 0.2, 0.5])
numbers = st.integers(0, 3_000)


@given(fewer=numbers, more=numbers, level=levels)
def test_more_labels_never_make_the_detectable_gain_larger(fewer: int, more: int, level: float) -> None:
    fewer, more = sorted((fewer, more))
    before, after = detectable_gain(fewer, level), detectable_gain(more, level)
    if before is not None:
        assert after is not None
        assert 0 < after <= before <= DIFFERING


@given(labels=numbers, looser=levels, stricter=levels)
def test_a_stricter_level_never_makes_it_smaller(labels: int, looser: float, stricter: float) -> None:
    stricter, looser = sorted((stricter, looser))
    strict, loose = detectable_gain(labels, stricter), detectable_gain(labels, looser)
    if strict is not None:
        assert loose is not None
        assert loose <= strict


@pytest.mark.parametrize("labels", [30, 100, 500, 2_000])
def test_the_gate_finds_such_a_gain_with_the_chance_that_is_told(labels: int) -> None:
    gain = detectable_gain(labels, LEVEL)
    assert gain is not None
    sizes = range(max(1, labels // 2), labels + 1)
    chances = [gate.power(rows, round(rows * DIFFERING), gain, LEVEL / TESTS) for rows in sizes]
    assert max(chances) >= gate.DETECTION - 1e-9
    least = [gate.power(rows, round(rows * DIFFERING), 0.8 * gain, LEVEL / TESTS) for rows in sizes]
    assert max(least) < gate.DETECTION


def test_too_few_labels_prove_nothing() -> None:
    # Of six that differ all have to be gains: 2 ** -6 is below half the level, 2 ** -5 is not.
    assert detectable_gain(29, LEVEL) is None
    assert detectable_gain(30, LEVEL) == gate.detectable_gain(30, 6, LEVEL / TESTS)


@given(labels=st.integers(0, 10_000), corrected=st.integers(0, 10_000), complete=st.booleans(), level=levels)
def test_the_labels_that_are_asked_for_prove_what_is_promised(
    labels: int, corrected: int, complete: bool, level: float
) -> None:
    found = profit(Given("v1", labels, min(labels, corrected), complete), level)
    assert (found.labels, found.corrected, found.at_least) == (labels, min(labels, corrected), not complete)
    assert found.detectable_gain == detectable_gain(labels, level)
    assert (found.next_labels is None) == (found.next_detectable_gain is None)
    if found.next_labels is not None and found.next_detectable_gain is not None:
        assert found.next_labels > 0
        reached = detectable_gain(labels + found.next_labels, level)
        assert reached is not None
        assert reached <= found.next_detectable_gain
        if found.detectable_gain is not None:
            assert found.next_detectable_gain <= CLEARLY * found.detectable_gain


@pytest.mark.parametrize(
    ("labels", "corrected", "complete", "sentence"),
    [
        (0, 0, True, "No label since v1 was made; with 30, the next retrain could prove a gain of 19 points."),
        (
            1,
            1,
            True,
            "1 label since v1 was made, 1 of them a correction; "
            "with 29 more, the next retrain could prove a gain of 19 points.",
        ),
        (
            12,
            0,
            True,
            "12 labels since v1 was made, none of them a correction; "
            "with 18 more, the next retrain could prove a gain of 19 points.",
        ),
        (
            60,
            20,
            True,
            "60 labels since v1 was made, 20 of them corrections; "
            "the next retrain could prove a gain of 15 points, with 75 more one of 12 points.",
        ),
        (
            1_000,
            333,
            False,
            "At least 1,000 labels since v1 was made, 333 of them corrections; "
            "the next retrain could prove a gain of 4.2 points, with 445 more one of 3.4 points.",
        ),
    ],
)
def test_a_reviewer_is_told_in_one_sentence(labels: int, corrected: int, complete: bool, sentence: str) -> None:
    assert profit(Given("v1", labels, corrected, complete), LEVEL).sentence == sentence


def test_where_no_number_of_labels_proves_anything_none_is_asked_for() -> None:
    found = profit(Given("v1", 40, 4, True), 0.0)
    assert asdict(found) == {
        "labels": 40,
        "corrected": 4,
        "at_least": False,
        "detectable_gain": None,
        "next_labels": None,
        "next_detectable_gain": None,
        "sentence": "40 labels since v1 was made, 4 of them corrections; the gate takes no number of them for a proof.",
    }


def test_where_there_are_more_than_are_worked_out_no_more_are_asked_for() -> None:
    found = profit(Given("v1", 10**6, 1, True), LEVEL)
    assert (found.next_labels, found.next_detectable_gain) == (None, None)
    assert found.sentence.endswith("could prove a gain of 1.9 points.")
