"""Texts that say the same with small changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.near_duplicates import minhash, near_duplicate_groups, read_words

from tests.builders import TEXTS

SLOGAN = "Acmefone {} number {} is a terrible phone, stay away from it!"


def groups(texts: list[str], scopes: list[int] | None = None) -> list[int]:
    numbers = np.array(scopes or [0] * len(texts), np.int64)
    return [int(group) for group in near_duplicate_groups(read_words(texts), numbers)]


def test_a_changed_word_and_changed_numbers_hide_nothing() -> None:
    words = ["model", "store", "device", "MODEL", "handset", "line", "thing", "Gadget"]
    texts = [SLOGAN.format(word, 7**number) for number, word in enumerate(words)]
    assert len(set(groups(texts))) == 1


def test_different_texts_are_in_groups_of_their_own() -> None:
    texts = ["The staff were kind to us.", "My parcel came two weeks late!", "Opens at nine.", "I would buy it again"]
    assert len(set(groups(texts))) == 4


def test_texts_of_different_scopes_are_not_compared() -> None:
    assert len(set(groups(["the same words again"] * 3, [1, 2, 1]))) == 2


@pytest.mark.parametrize("texts", [[], [""], ["", "   ", "…"]])
def test_texts_without_words_are_no_trouble(texts: list[str]) -> None:
    assert len(groups(texts)) == len(texts)


def test_signatures_agree_as_often_as_the_words_are_similar() -> None:
    vocabulary = [f"{first}{second}" for first in "abcdefghij" for second in "klmnopqrst"]
    dice = np.random.default_rng(1)
    estimated = []
    for _ in range(60):
        chosen = dice.permutation(vocabulary)[:30]
        left, right = minhash(read_words([" ".join(chosen[:20]), " ".join(chosen[10:])]))
        estimated.append((left == right).mean())
    assert np.mean(estimated) == pytest.approx(10 / 30, abs=0.04)  # 60 x 36 draws: a standard error of 0.01


@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_equal_texts_are_near_duplicates_and_so_are_their_words_in_another_order(texts: list[str]) -> None:
    reversed_words = [" ".join(reversed(text.split())) for text in texts]
    found = groups([*texts, *texts, *reversed_words])
    count = len(texts)
    assert found[:count] == found[count : 2 * count] == found[2 * count :]
