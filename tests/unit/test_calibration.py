"""Which rows to calibrate on: none may be a part of one that training sees."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from retrain.calibration import LEAST_ROWS, RUN, SHARE, calibration_split
from sentiloop.features import tokenise

PHRASES = st.lists(
    st.lists(st.sampled_from(["a", "good", "film", "not", "very", "!"]), max_size=9).map(" ".join),
    min_size=1,
    max_size=40,
)


def contains(longer: list[str], shorter: list[str]) -> bool:
    return any(longer[place : place + len(shorter)] == shorter for place in range(len(longer) - len(shorter) + 1))


@given(PHRASES)
def test_no_row_that_is_learned_from_contains_a_held_out_one_or_is_contained_in_one(texts: list[str]) -> None:
    kept, held = calibration_split(texts)
    assume(not kept.all())
    words = [tokenise(text) for text in texts]
    long_enough = [number for number, row in enumerate(words) if len(row) >= RUN]
    for mine in (number for number in long_enough if kept[number]):
        for other in (number for number in long_enough if held[number]):
            assert not contains(words[mine], words[other])
            assert not contains(words[other], words[mine])


@given(PHRASES)
def test_only_rows_that_overlap_are_in_neither_part(texts: list[str]) -> None:
    kept, held = calibration_split(texts)
    assume(not kept.all())
    words = [tokenise(text) for text in texts]
    assert not (kept & held).any()
    for number in np.flatnonzero(~kept & ~held):
        overlapping = (
            contains(words[number], words[other]) or contains(words[other], words[number])
            for other in np.flatnonzero(held)
            if len(words[other]) >= RUN
        )
        assert any(overlapping)


@given(PHRASES)
def test_the_split_is_the_same_every_time(texts: list[str]) -> None:
    first, second = calibration_split(texts), calibration_split(texts)
    assert first[0].tolist() == second[0].tolist()
    assert first[1].tolist() == second[1].tolist()


@given(PHRASES)
def test_there_is_always_something_to_learn_from_and_something_held_out(texts: list[str]) -> None:
    kept, held = calibration_split(texts)
    assert kept.any()
    assert held.any()


@pytest.mark.parametrize("texts", [["a good film"], ["a good film"] * 5, ["a good film", "a good film!"]])
def test_rows_that_are_all_parts_of_each_other_are_in_both_parts(texts: list[str]) -> None:
    kept, held = calibration_split(texts)
    assert kept.all()
    assert held.all()


def test_of_many_rows_a_tenth_is_held_out() -> None:
    _, held = calibration_split([f"row number {number}" for number in range(20_000)])
    assert abs(held.mean() - SHARE) < 0.01


def test_of_fewer_rows_enough_are_held_out_but_never_more_than_half() -> None:
    _, held = calibration_split([f"row number {number}" for number in range(4_000)])
    assert abs(held.sum() - LEAST_ROWS) < 100
    _, held = calibration_split([f"row number {number}" for number in range(500)])
    assert abs(held.mean() - 0.5) < 0.1


def test_a_phrase_of_a_held_out_sentence_is_not_learned_from() -> None:
    sentences = [f"sentence {number} tells of a film" for number in range(300)]
    phrases = [f"{number} tells of" for number in range(300)]
    kept, held = calibration_split([*sentences, *phrases])
    for number in range(300):
        assert not (held[number] and kept[300 + number])
        assert not (held[300 + number] and kept[number])


def test_short_rows_do_not_count_as_parts() -> None:
    kept, held = calibration_split([f"word{number}" for number in range(100)] + ["word1 word2 word3 word4"] * 20)
    assert (kept | held)[:100].all()
