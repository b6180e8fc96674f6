"""The seed corpus: written one by one, balanced, of many kinds."""

import re
from collections import Counter
from importlib.resources import files

import pytest
from retrain.datasets import seed_rows
from retrain.merge import text_key

ROWS = seed_rows()
KINDS = sorted(path.name for path in (files("retrain") / "seed").iterdir())


def test_there_are_at_least_1500_sentences_of_at_least_twelve_kinds() -> None:
    assert len(ROWS) >= 1_500
    assert len(KINDS) >= 12


def test_every_row_is_a_text_with_one_of_three_labels() -> None:
    assert {row.label for row in ROWS} == {"negative", "neutral", "positive"}
    assert all(row.text.strip() == row.text and row.text for row in ROWS)
    assert {row.split for row in ROWS} == {None}


def test_labels_are_within_a_tenth_of_each_other() -> None:
    counts = Counter(row.label for row in ROWS)
    assert max(counts.values()) <= 1.1 * min(counts.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_fair_share(kind: str) -> None:
    lines = (files("retrain") / "seed" / kind).read_text("utf-8").splitlines()
    assert len(lines) >= 100


def test_no_sentence_comes_twice() -> None:
    repeated = [key for key, count in Counter(text_key(row.text) for row in ROWS).items() if count > 1]
    assert repeated == []


def test_no_run_of_five_words_occurs_in_more_than_three_sentences() -> None:
    sentences: Counter[tuple[str, ...]] = Counter()
    for row in ROWS:
        words = re.findall(r"[\w']+", text_key(row.text))
        sentences.update({tuple(words[place : place + 5]) for place in range(len(words) - 4)})
    assert [run for run, count in sentences.items() if count > 3] == []
