"""Which side of the split a text is on."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.datasets import seed_rows
from retrain.merge import text_key
from retrain.splits import HOLDOUT, HOLDOUT_SHARE, TRAIN, declared_side, side_of


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_always_on_the_same_side(key: str) -> None:
    assert side_of(key) == side_of(key)
    assert side_of(key) in (TRAIN, HOLDOUT)


def test_sides_stay_what_they_are_because_history_is_judged_by_them() -> None:
    held = [number for number in range(30) if side_of(f"text {number}") == HOLDOUT]
    assert held == [6, 12, 13, 14, 17, 19, 20, 26, 28]


@pytest.mark.parametrize(("split", "side"), [("train", TRAIN), ("dev", HOLDOUT), ("test", HOLDOUT)])
def test_a_side_that_the_source_declares_is_kept(split: str, side: str) -> None:
    assert {declared_side(split, f"text {number}") for number in range(50)} == {side}


@pytest.mark.parametrize("split", [None, "", "unsupervised"])
def test_without_a_known_declaration_the_hash_decides(split: str | None) -> None:
    for number in range(50):
        assert declared_side(split, f"text {number}") == side_of(f"text {number}")


def test_about_a_fifth_of_many_texts_is_held_out() -> None:
    share = sum(side_of(f"text {number}") == HOLDOUT for number in range(10_000)) / 10_000
    assert share == pytest.approx(HOLDOUT_SHARE, abs=0.015)


def test_of_every_label_of_the_seed_corpus_about_a_fifth_is_held_out() -> None:
    rows = seed_rows()
    held = Counter(row.label for row in rows if side_of(text_key(row.text)) == HOLDOUT)
    for label, count in Counter(row.label for row in rows).items():
        assert held[label] / count == pytest.approx(HOLDOUT_SHARE, abs=0.05)
