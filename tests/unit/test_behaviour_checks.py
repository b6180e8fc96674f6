"""The behavioural cases: enough of each kind, none of them trained on, and passed or not as a model answers."""

from collections import Counter

import pytest
from retrain.behaviour_checks import Case, compare_behaviour, passed, read_cases
from retrain.datasets import seed_rows
from retrain.merge import text_key
from sentiloop.bundled import baseline
from sentiloop.scoring import Scorer

from tests.builders import make_model

CASES = read_cases()
INVARIANT = {"names", "typos"}


def test_the_capabilities_are_those_that_the_gate_promises() -> None:
    assert set(CASES) == {"vocabulary", "negation", "contrast", "neutral", *INVARIANT}


@pytest.mark.parametrize("capability", sorted(CASES))
def test_there_are_forty_different_cases_or_more(capability: str) -> None:
    cases = CASES[capability]
    assert 40 <= len(cases) <= 60
    assert len({tuple(map(text_key, case.texts)) for case in cases}) == len(cases)


@pytest.mark.parametrize("capability", sorted(CASES))
def test_a_case_has_a_label_or_several_texts(capability: str) -> None:
    for case in CASES[capability]:
        if capability in INVARIANT:
            assert case.label is None
            assert len(set(case.texts)) == len(case.texts) >= 2
        else:
            assert case.label in {"negative", "neutral", "positive"}
            assert len(case.texts) == 1


def test_no_constant_answer_passes_much_more_than_half_of_a_capability() -> None:
    for capability in CASES.keys() - INVARIANT - {"neutral"}:
        counts = Counter(case.label for case in CASES[capability])
        assert max(counts.values()) <= 0.55 * len(CASES[capability])


def test_no_case_is_in_the_seed_corpus() -> None:
    trained = {text_key(row.text) for row in seed_rows()}
    assert [
        text for cases in CASES.values() for case in cases for text in case.texts if text_key(text) in trained
    ] == []


def test_a_case_is_passed_if_the_model_says_its_label_and_nothing_else() -> None:
    model = make_model().model
    texts = [f"word{number}" for number in range(40)]
    said = {text: Scorer(model).score(text).label for text in texts}
    assert len(set(said.values())) > 1
    other = {text: next(label for label in model.labels if label != said[text]) for text in texts}
    assert all(passed(model, [Case((text,), said[text]) for text in texts]))
    assert not any(passed(model, [Case((text,), other[text]) for text in texts]))
    pairs = [(first, second) for first in texts[:8] for second in texts[:8]]
    assert passed(model, [Case(pair) for pair in pairs]) == [said[first] == said[second] for first, second in pairs]
    assert passed(model, []) == []


def test_the_bundled_baseline_passes_most_of_what_is_easy() -> None:
    for capability in ("vocabulary", "neutral", "names", "typos"):
        assert sum(passed(baseline(), CASES[capability])) > 0.7 * len(CASES[capability])


def test_cases_with_a_label_that_a_model_does_not_know_are_left_out() -> None:
    three, two = make_model().model, make_model(("negative", "positive")).model
    compared = {part.name: part.rows for part in compare_behaviour(three, two)}
    assert "neutral" not in compared
    assert compared["negation"] == sum(case.label != "neutral" for case in CASES["negation"])
    assert compared["typos"] == len(CASES["typos"])
    assert {part.rows for part in compare_behaviour(make_model(("a", "b")).model, three)} == {
        len(CASES[capability]) for capability in INVARIANT
    }
