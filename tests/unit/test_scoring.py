"""The scorer that serves."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import scoring
from sentiloop.artefact import Model
from sentiloop.features import negated, negated_buckets, pair_buckets, tokenise, word_buckets
from sentiloop.scoring import Scorer, softmax

from tests.builders import LABELS, TEXTS, BuiltModel, make_model

BUILT = make_model(seed=1)


def logits_by_definition(model: Model, text: str) -> list[float]:
    """The logits as the documentation words them: every bucket of every occurrence, one by one."""
    words = tokenise(text)
    buckets = [bucket for word in words for bucket in word_buckets(word, model.width)]
    buckets += [bucket for word in negated(words) for bucket in negated_buckets(word, model.width)]
    neighbours = ["\x02", *words, "\x03"] if words else []
    for left, right in pairwise(neighbours):
        buckets += pair_buckets(left, right, model.width)
    columns = len(model.labels) + 1
    rows = [[model.table[bucket * columns + column] for column in range(columns)] for bucket in buckets]
    norm = math.sqrt(sum((row[-1] * model.scales[-1]) ** 2 for row in rows))
    return [
        bias + sum(row[number] * model.scales[number] for row in rows) / norm if norm else bias
        for number, bias in enumerate(model.bias)
    ]


@given(TEXTS)
def test_logits_are_what_the_documentation_says(text: str) -> None:
    _, logits = Scorer(BUILT.model).explain(text)
    assert logits == pytest.approx(logits_by_definition(BUILT.model, text), abs=1e-9)


@given(TEXTS)
def test_contributions_add_up_to_the_logits(text: str) -> None:
    terms, logits = Scorer(BUILT.model).explain(text)
    sums = [math.fsum(column) for column in zip(*(term.contributions for term in terms), strict=True)]
    assert sums == pytest.approx(logits, abs=1e-9)


@given(TEXTS)
def test_an_explanation_explains_the_prediction(text: str) -> None:
    scorer = Scorer(BUILT.model)
    _, logits = scorer.explain(text)
    assert softmax(logits) == scorer.score(text).probabilities


@given(TEXTS)
def test_a_prediction_is_the_likeliest_label_with_its_probability(text: str) -> None:
    label, confidence, probabilities = Scorer(BUILT.model).score(text)
    assert sum(probabilities) == pytest.approx(1)
    assert confidence == max(probabilities)
    assert probabilities[LABELS.index(label)] == confidence
    assert all(0 <= probability <= 1 for probability in probabilities)


def test_an_explanation_starts_with_the_largest_effect() -> None:
    terms, _ = Scorer(BUILT.model).explain("not a good day, never a good day!")
    effects = [max(term.contributions) - min(term.contributions) for term in terms]
    assert effects == sorted(effects, reverse=True)


def test_an_explanation_names_words_negated_words_pairs_and_the_bias() -> None:
    terms, _ = Scorer(BUILT.model).explain("Not good!")
    assert {(term.kind, term.term) for term in terms} == {
        ("bias", ""),
        ("word", "not"),
        ("word", "good"),
        ("word", "!"),
        ("negated", "not … good"),
        ("negated", "not … !"),
        ("pair", "⟨start⟩ not"),
        ("pair", "not good"),
        ("pair", "good !"),
        ("pair", "! ⟨end⟩"),
    }


def test_a_repeated_word_is_one_term_with_its_whole_contribution() -> None:
    terms, _ = Scorer(BUILT.model).explain("good good good")
    assert [term.term for term in terms if term.kind == "word"] == ["good"]


@pytest.mark.parametrize("text", ["", "...", "🎉"])
def test_a_text_without_words_gets_the_prior(text: str) -> None:
    scorer = Scorer(BUILT.model)
    terms, logits = scorer.explain(text)
    assert scorer.score(text).probabilities == softmax(BUILT.model.bias)
    assert logits == BUILT.model.bias
    assert [term.kind for term in terms] == ["bias"]


def test_words_that_training_never_saw_leave_the_prior() -> None:
    unseen = make_model(width=2)
    blank = Model(
        **{name: getattr(unseen.model, name) for name in Model.__slots__ if name != "table"},
        table=memoryview(bytes(len(unseen.weights))).cast("b"),
    )
    assert Scorer(blank).score("anything at all").probabilities == softmax(blank.bias)


def test_probabilities_come_in_the_order_of_the_models_labels() -> None:
    backwards = ("positive", "negative", "neutral")
    model = make_model(backwards, bias=[5.0, 0.0, -5.0]).model
    prediction = Scorer(model).score("")
    assert prediction.label == "positive"
    assert prediction.probabilities == tuple(sorted(prediction.probabilities, reverse=True))


def test_two_labels_are_enough() -> None:
    assert len(Scorer(make_model(("no", "yes")).model).score("good day").probabilities) == 2


def test_wider_integers_are_read_as_such() -> None:
    model = make_model(item_type="int16", scales=[1e-4] * 4).model
    _, logits = Scorer(model).explain("a good day")
    assert logits == pytest.approx(logits_by_definition(model, "a good day"))


@given(st.lists(TEXTS, max_size=8))
def test_what_was_scored_before_changes_nothing(texts: list[str]) -> None:
    warm = Scorer(BUILT.model)
    for text in texts:
        assert warm.score(text) == Scorer(BUILT.model).score(text)


def test_a_small_cache_stays_within_its_bound_and_changes_no_answer(
    monkeypatch: pytest.MonkeyPatch, tiny_model: BuiltModel
) -> None:
    texts = [f"never saw word{number} or word{number + 1} before, don't know" for number in range(50)]
    expected = [Scorer(tiny_model.model).score(text) for text in texts]
    monkeypatch.setattr(scoring, "KEPT_WORDS", 5)
    scorer = Scorer(tiny_model.model)
    for _ in range(2):
        for text, prediction in zip(texts, expected, strict=True):
            assert scorer.score(text) == prediction
            assert 0 < len(scorer._words) <= 5


def test_large_logits_do_not_overflow() -> None:
    assert softmax((1e6, 0.0, -1e6)) == (1.0, 0.0, 0.0)
    assert softmax((-1e6, -1e6)) == (0.5, 0.5)
