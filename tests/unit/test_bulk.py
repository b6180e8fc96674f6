"""The vectorised twin says what the scorer says."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import bulk
from sentiloop.bulk import BulkScorer, extract
from sentiloop.features import END, START, negated, negated_buckets, pair_buckets, tokenise, word_buckets
from sentiloop.scoring import Scorer

from tests.builders import TEXTS, make_model

WIDTH = 1024
BUILT = make_model(width=WIDTH, seed=2)
BATCHES = st.lists(TEXTS, max_size=8)


def buckets_by_definition(text: str, width: int) -> Counter[int]:
    words = tokenise(text)
    buckets = Counter(bucket for word in words for bucket in word_buckets(word, width))
    buckets.update(bucket for word in negated(words) for bucket in negated_buckets(word, width))
    neighbours = [START, *words, END] if words else []
    for left, right in pairwise(neighbours):
        buckets.update(pair_buckets(left, right, width))
    return buckets


def extracted_buckets(texts: list[str], width: int) -> list[Counter[int]]:
    units = extract(texts, width)
    found = []
    for start, end in zip(units.texts[:-1], units.texts[1:], strict=True):
        of_text: Counter[int] = Counter()
        for unit in units.units[start:end]:
            of_text.update(units.buckets[units.offsets[unit] : units.offsets[unit + 1]].tolist())
        found.append(of_text)
    return found


@given(BATCHES, st.sampled_from([2, WIDTH, 2**22]))
def test_extracted_buckets_are_exactly_those_of_the_feature_function(texts: list[str], width: int) -> None:
    assert extracted_buckets(texts, width) == [buckets_by_definition(text, width) for text in texts]


@given(BATCHES)
def test_probabilities_are_the_scorers(texts: list[str]) -> None:
    scorer = Scorer(BUILT.model)
    expected = np.array([scorer.score(text).probabilities for text in texts]).reshape(-1, 3)
    np.testing.assert_allclose(BulkScorer(BUILT.model).probabilities(texts), expected, rtol=0, atol=1e-12)


@given(BATCHES)
def test_logits_are_the_scorers_to_the_last_bit(texts: list[str]) -> None:
    scorer = Scorer(BUILT.model)
    assert BulkScorer(BUILT.model).logits(texts).tolist() == [list(scorer.explain(text)[1]) for text in texts]


def test_no_texts_give_no_rows() -> None:
    assert BulkScorer(BUILT.model).probabilities([]).shape == (0, 3)
    assert BulkScorer(BUILT.model).logits([]).shape == (0, 3)
    units = extract([], WIDTH)
    assert len(units.units) == 0
    assert units.texts.tolist() == [0]


@pytest.mark.parametrize("texts", [[""], ["", "..."], ["", "good", ""], ["good", "", "not", " ", "bad!"]])
def test_texts_without_words_get_the_prior_and_disturb_no_neighbour(texts: list[str]) -> None:
    scorer = Scorer(BUILT.model)
    expected = [scorer.score(text).probabilities for text in texts]
    np.testing.assert_allclose(BulkScorer(BUILT.model).probabilities(texts), expected, atol=1e-12)


def test_a_negation_does_not_reach_into_the_next_text() -> None:
    assert extracted_buckets(["not", "good"], WIDTH)[1] == buckets_by_definition("good", WIDTH)


def test_pairs_do_not_join_two_texts() -> None:
    together = extracted_buckets(["very", "good"], WIDTH)
    assert together == [buckets_by_definition("very", WIDTH), buckets_by_definition("good", WIDTH)]


@given(BATCHES, st.integers(1, 5))
def test_the_size_of_a_chunk_makes_no_difference(texts: list[str], size: int) -> None:
    scorer = BulkScorer(BUILT.model)
    whole = scorer.probabilities(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "CHUNK_TEXTS", size)
        assert scorer.probabilities(texts).tolist() == whole.tolist()


def test_a_very_long_text_overflows_nothing() -> None:
    model = make_model(("no", "yes"), width=2, scales=[1e-3, 1e-3, 1e-3]).model
    text = "unbelievably good " * 100_000
    np.testing.assert_allclose(
        BulkScorer(model).probabilities([text])[0], Scorer(model).score(text).probabilities, atol=1e-12
    )


def test_what_is_remembered_stays_within_its_bound_and_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [[f"never saw word{number} before, don't know"] for number in range(20)]
    expected = [BulkScorer(BUILT.model).logits(batch).tolist() for batch in batches]
    monkeypatch.setattr(bulk, "KEPT_PARTS", 8)
    scorer = BulkScorer(BUILT.model)
    for batch, logits in zip(batches, expected, strict=True):
        assert scorer.logits(batch).tolist() == logits
        assert len(scorer._vocabulary) <= 8 + len(batch[0].split())


def test_the_model_is_viewed_and_not_copied() -> None:
    assert np.shares_memory(BulkScorer(BUILT.model)._table, np.asarray(BUILT.model.table))
