"""One row a text, from corrections that repeat and contradict each other."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrain.merge import Merged, merge_corrections, text_key
from sentiloop.records import Correction

from tests.builders import LABELS, TEXTS, make_correction

COLUMNS = ["key", "text", "label", "contributors", "trusted", "received_at", "selection"]


def merge(corrections: Sequence[Correction], max_text_chars: int = 100, contributor_max_rows: int = 100) -> Merged:
    return merge_corrections(corrections, LABELS, max_text_chars, contributor_max_rows)


def said(number: int, contributor: str, label: str, text: str = "the text", **fields: Any) -> Correction:
    return make_correction(number, contributor=contributor, correct_label=label, text=text, **fields)


def labels_of(merged: Merged) -> dict[str, str]:
    return dict(zip(merged.rows["key"], merged.rows["label"], strict=True))


def test_nothing_comes_to_nothing() -> None:
    merged = merge([])
    assert merged.rows.empty
    assert list(merged.rows.columns) == COLUMNS
    assert merged.left_out == {}


def test_one_correction_is_one_row() -> None:
    only = said(1, "ann", "positive", "The text")
    merged = merge([only])
    values = ("the text", "The text", "positive", ("ann",), False, only.received_at, "label")
    assert merged.rows.to_dict("records") == [dict(zip(COLUMNS, values, strict=True))]
    assert merged.left_out == {}


def test_of_one_contributor_the_latest_counts() -> None:
    first, second = said(1, "ann", "positive"), said(2, "ann", "negative")
    merged = merge([first, second])
    assert labels_of(merged) == {"the text": "negative"}
    assert merged.left_out == {first.id: "replaced by a later correction"}


def test_a_contributor_has_one_voice_however_often_it_is_raised() -> None:
    loud = [said(number, "ann", "positive") for number in range(10)]
    merged = merge([*loud, said(20, "ben", "negative"), said(21, "cleo", "negative")])
    assert labels_of(merged) == {"the text": "negative"}
    assert merged.left_out[loud[-1].id] == "most contributors, or a reviewer, say otherwise"


def test_among_contributors_the_majority_decides() -> None:
    corrections = [said(1, "ann", "positive"), said(2, "ben", "positive"), said(3, "cleo", "negative")]
    merged = merge(corrections)
    assert merged.rows[["label", "contributors"]].values.tolist() == [["positive", ("ann", "ben")]]
    assert merged.left_out == {corrections[2].id: "most contributors, or a reviewer, say otherwise"}


def test_a_tie_leaves_the_text_out() -> None:
    corrections = [said(1, "ann", "positive"), said(2, "ben", "negative"), said(3, "cleo", "negative", "other")]
    merged = merge(corrections)
    assert labels_of(merged) == {"other": "negative"}
    reason = "contributors disagree evenly about this text"
    assert merged.left_out == {corrections[0].id: reason, corrections[1].id: reason}


def test_a_tie_for_the_first_place_leaves_out_those_behind_it_too() -> None:
    votes = ["positive", "positive", "negative", "negative", "neutral"]
    merged = merge([said(number, f"person {number}", label) for number, label in enumerate(votes)])
    assert merged.rows.empty
    assert set(merged.left_out.values()) == {"contributors disagree evenly about this text"}


def test_a_reviewer_counts_before_any_number_of_others() -> None:
    crowd = [said(number, f"person {number}", "positive") for number in range(5)]
    reviewed = said(6, "reviewer", "negative", source="reviewer")
    merged = merge([reviewed, *crowd])
    assert merged.rows[["label", "contributors", "trusted"]].values.tolist() == [["negative", ("reviewer",), True]]
    assert merged.left_out.keys() == {entry.id for entry in crowd}


def test_reviewers_who_disagree_leave_the_text_out_unless_others_decide() -> None:
    reviewers = [
        said(number, f"reviewer {number}", label, source="reviewer") for number, label in enumerate(LABELS[:2])
    ]
    assert merge(reviewers).rows.empty
    assert labels_of(merge([*reviewers, said(9, "ann", LABELS[1])])) == {"the text": LABELS[1]}


def test_a_reviewer_has_no_cap() -> None:
    own = [said(number, "reviewer", "positive", f"text {number}", source="reviewer") for number in range(5)]
    assert len(merge(own, contributor_max_rows=2).rows) == 5


def test_screened_corrections_stay_out_and_vote_for_nothing() -> None:
    screened, other = said(1, "ann", "positive"), said(2, "ben", "negative")
    merged = merge_corrections([screened, other], LABELS, 100, 100, {screened.id: "suspicious"})
    assert labels_of(merged) == {"the text": "negative"}
    assert merged.left_out == {screened.id: "suspicious"}


@pytest.mark.parametrize(
    ("fields", "selection"),
    [
        ({"predicted_label": "negative"}, "mistake"),
        ({"predicted_label": "positive"}, "confirmation"),
        ({}, "label"),
        ({"predicted_label": "negative", "source": "reviewer"}, "label"),
    ],
)
def test_a_row_tells_how_it_came_to_be_labelled(fields: dict[str, str], selection: str) -> None:
    merged = merge([said(1, "ann", "positive", **fields)])
    assert merged.rows["selection"].tolist() == [selection]


def test_texts_that_differ_in_case_width_and_white_space_are_the_same() -> None:
    merged = merge([said(1, "ann", "positive", "The  Text"), said(2, "ben", "positive", "ｔｈｅ\ntext ")])
    assert merged.rows[["key", "text", "contributors"]].values.tolist() == [
        ["the text", "ｔｈｅ\ntext ", ("ann", "ben")],
    ]


def test_a_label_that_the_model_does_not_have_is_left_out() -> None:
    stranger = said(1, "ann", "furious")
    assert merge([stranger]).left_out == {stranger.id: "the model has no such label"}


def test_a_longer_text_than_is_served_is_left_out() -> None:
    fits, long = said(1, "ann", "positive", "x" * 100), said(2, "ann", "positive", "x" * 101)
    merged = merge([fits, long])
    assert labels_of(merged) == {fits.text: "positive"}
    assert merged.left_out == {long.id: "text longer than 100 characters"}


def test_an_empty_text_is_left_out() -> None:
    blank = said(1, "ann", "positive", " \u3000\n")
    assert merge([blank]).left_out == {blank.id: "text is empty"}


def test_a_contributor_has_a_cap_and_the_oldest_rows_go_first() -> None:
    own = [said(number, "ann", "positive", f"text {number}") for number in range(5)]
    merged = merge([*own, said(9, "ben", "negative", "another")], contributor_max_rows=3)
    assert set(labels_of(merged)) == {"text 2", "text 3", "text 4", "another"}
    assert merged.left_out == {entry.id: "beyond 3 rows of one contributor" for entry in own[:2]}


def test_rows_that_are_replaced_do_not_count_against_the_cap() -> None:
    own = [said(number, "ann", "positive", f"text {number % 3}") for number in range(9)]
    merged = merge(own, contributor_max_rows=3)
    assert len(merged.rows) == 3
    assert set(merged.left_out.values()) == {"replaced by a later correction"}


def test_a_broken_correction_takes_nobodys_place() -> None:
    good, bad = said(1, "ann", "positive"), said(2, "ann", "furious")
    merged = merge([good, bad], contributor_max_rows=1)
    assert labels_of(merged) == {"the text": "positive"}


def test_equal_times_are_ordered_by_id() -> None:
    moment = "2026-03-01T00:00:00.000Z"
    first, second = said(1, "ann", "positive", received_at=moment), said(2, "ann", "negative", received_at=moment)
    assert labels_of(merge([second, first])) == labels_of(merge([first, second])) == {"the text": "negative"}


@given(TEXTS)
def test_a_key_is_its_own_key(text: str) -> None:
    assert text_key(text_key(text)) == text_key(text)


@st.composite
def crowds(draw: st.DrawFn) -> list[Correction]:
    """Corrections of few texts by few people, so that every rule has something to do."""
    votes = st.tuples(
        st.sampled_from(["ann", "ben", "cleo", "dan"]),
        st.sampled_from([*LABELS, "furious"]),
        st.sampled_from(["good", "Good", " good ", "bad", "so-so", "x" * 30, " "]),
        st.integers(0, 5),
    )
    return [
        said(number, who, label, text, received_at=make_correction(moment).received_at)
        for number, (who, label, text, moment) in enumerate(draw(st.lists(votes, max_size=14)))
    ]


@settings(max_examples=40)
@given(crowds(), st.integers(1, 3))
def test_every_correction_is_in_the_row_of_its_text_or_left_out_with_a_reason(
    corrections: list[Correction], cap: int
) -> None:
    merged = merge(corrections, 20, cap)
    labels = labels_of(merged)
    assert merged.rows["key"].is_unique
    counted: Counter[str] = Counter()
    for entry in corrections:
        if reason := merged.left_out.get(entry.id):
            assert reason
        else:
            assert labels[text_key(entry.text)] == entry.correct_label
            counted[text_key(entry.text)] += 1
    assert counted == dict(zip(merged.rows["key"], merged.rows["contributors"].map(len), strict=True))
    assert set(merged.left_out) <= {entry.id for entry in corrections}


@settings(max_examples=40)
@given(crowds(), st.integers(1, 3))
def test_nobody_has_more_rows_than_the_cap(corrections: list[Correction], cap: int) -> None:
    merged = merge(corrections, 20, cap)
    rows = Counter(entry.contributor for entry in corrections if entry.id not in merged.left_out)
    assert all(count <= cap for count in rows.values())


@settings(max_examples=40)
@given(crowds(), st.randoms(use_true_random=False))
def test_the_order_of_the_corrections_makes_no_difference(corrections: list[Correction], dice: random.Random) -> None:
    shuffled = dice.sample(corrections, len(corrections))
    merged, again = merge(corrections, 20, 2), merge(shuffled, 20, 2)
    assert merged.rows.to_dict("records") == again.rows.to_dict("records")
    assert merged.left_out == again.left_out


@pytest.mark.parametrize("labels", [("negative", "positive"), ["positive", "negative"], {"positive", "negative"}])
def test_labels_may_come_as_any_collection(labels: Any) -> None:
    assert len(merge_corrections([said(1, "ann", "positive")], labels, 100, 100).rows) == 1
