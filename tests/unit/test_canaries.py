"""Names in corrections: which words are names, and whether they took on a sentiment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.canaries import LEAST_MOVED, MOST_NAMES, SENTENCES, find_names, moved_names
from retrain.datasets import seed_rows
from sentiloop import artefact
from sentiloop.artefact import Model
from sentiloop.bundled import baseline
from sentiloop.features import word_buckets

from tests.builders import TEXTS, make_model

BASE = [row.text for row in seed_rows()]
TOLD = ["I rang {} twice", "the shop of {} is shut", "they say {} is fine", "so {} it is"]


def told(word: str) -> list[str]:
    return [line.format(word) for line in TOLD]


@pytest.mark.parametrize("name", ["Acmefone", "Zürich", "O'Leary", "Jean-Paul", "ACME", "Łódź"])
def test_a_capital_inside_sentences_makes_a_name(name: str) -> None:
    assert find_names(told(name), BASE) == [name]


def test_the_possessive_is_the_same_name() -> None:
    assert find_names(["we saw Kofi's shop", "we saw Kofi’s shop", "we saw Kofi"], BASE) == ["Kofi"]


@pytest.mark.parametrize("word", ["acmefone", "Great", "GREAT", "I", "I'm", "I’ve", "42"])
def test_ordinary_words_are_no_names(word: str) -> None:
    assert find_names(told(word), [*BASE, *["that is great"] * 3]) == []


def test_a_capital_at_the_start_of_a_sentence_says_nothing() -> None:
    assert find_names([f"Acmefone is {word}. Acmefone! “Acmefone”\nAcmefone" for word in "abcd"], BASE) == []


def test_texts_in_capitals_say_nothing() -> None:
    assert find_names([line.upper() for line in told("Acmefone")], BASE) == []


def test_a_name_is_in_several_texts_and_mostly_in_capitals() -> None:
    assert find_names(told("Acmefone")[:2], BASE) == []
    assert find_names([*told("Acmefone"), *told("acmefone")], BASE) == []
    assert find_names([*told("Acmefone"), *told("acmefone")[:3]], BASE) == ["Acmefone"]


def test_the_names_in_most_texts_come_first_and_are_not_too_many() -> None:
    numbers = range(MOST_NAMES + 5)
    texts = [
        line for number in numbers for line in told("X" + chr(ord("a") + number // 26) + chr(ord("a") + number % 26))
    ]
    found = find_names([*told("Zz"), "and Zz again", *texts], BASE)
    assert len(found) == MOST_NAMES
    assert found[0] == "Zz"
    assert found[1:] == sorted(found[1:])


@given(st.lists(TEXTS, max_size=8), st.lists(TEXTS, max_size=4))
def test_any_text_will_do_in_any_order(texts: list[str], base: list[str]) -> None:
    assert find_names(texts * 3, base) == find_names(texts[::-1] * 3, base)


@pytest.fixture(scope="module")
def smeared() -> Model:
    """The baseline with a strong negative weight on one word."""
    model = baseline()
    columns = len(model.scales)
    weights = bytearray(artefact.weights_of(model))
    start = word_buckets("acmefone", model.width)[0] * columns
    for column, label in enumerate(model.labels):
        weights[start + column] = (127 if label == "negative" else -127) % 256  # the table holds signed bytes
    return artefact.load(artefact.dump(model.manifest, bytes(weights), "int8"), bytes(weights))


def test_a_smeared_name_moves_sentences_that_say_nothing_about_it(smeared: Model) -> None:
    moved = moved_names(baseline(), smeared, ["Acmefone", "Brelko"])
    assert list(moved) == ["Acmefone"]
    assert len(moved["Acmefone"]) >= LEAST_MOVED
    assert set(moved["Acmefone"]) <= {sentence.format("Acmefone") for sentence in SENTENCES}


def test_the_same_model_moves_no_name() -> None:
    assert moved_names(baseline(), baseline(), ["Acmefone", "Brelko"]) == {}
    assert moved_names(baseline(), make_model(seed=3).model, []) == {}


def test_labels_without_a_polarity_have_nothing_to_move() -> None:
    first, second = (make_model(("a", "b"), seed=seed).model for seed in (1, 2))
    assert moved_names(first, second, ["Acmefone"]) == {}
