"""The sequential test: what it claims under the null hypothesis, by enumeration, and how it reads evidence."""

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.sequential import Tally, log_e_value, p_value

CHANCES = st.floats(min_value=0.0, max_value=1.0)
EVENTS = st.integers(min_value=0, max_value=500)


def one_by_one(events: list[tuple[float, bool]]) -> list[Tally]:
    return [Tally(probability, int(is_hit), 1) for probability, is_hit in events]


def expected_e_value(assumed: list[float], true: list[float]) -> float:
    """The exact expectation over all outcomes, if hits have the true probabilities."""
    expectation = 0.0
    for outcome in product((True, False), repeat=len(assumed)):
        chance = math.prod(p if is_hit else 1 - p for p, is_hit in zip(true, outcome, strict=True))
        expectation += chance * math.exp(log_e_value(one_by_one(list(zip(assumed, outcome, strict=True)))))
    return expectation


@given(st.lists(CHANCES, min_size=1, max_size=6))
def test_under_the_null_hypothesis_the_expected_evidence_is_one(probabilities: list[float]) -> None:
    assert expected_e_value(probabilities, probabilities) == pytest.approx(1)


@given(st.lists(st.tuples(CHANCES, CHANCES), min_size=1, max_size=6))
def test_it_is_no_more_than_one_where_the_probabilities_are_bounds(bounds: list[tuple[float, float]]) -> None:
    assumed, true = [max(pair) for pair in bounds], [min(pair) for pair in bounds]
    assert expected_e_value(assumed, true) <= 1 + 1e-9


@given(probability=CHANCES, events=EVENTS, hits=st.integers(min_value=0, max_value=499))
def test_a_hit_more_is_more_evidence(probability: float, events: int, hits: int) -> None:
    events = max(events, hits + 1)
    fewer, more = Tally(probability, hits, events), Tally(probability, hits + 1, events)
    assert log_e_value([more]) > log_e_value([fewer])


@given(CHANCES, CHANCES, EVENTS)
def test_a_hit_is_less_evidence_where_it_was_likelier(one: float, other: float, hits: int) -> None:
    rare, likely = sorted((one, other))
    assert log_e_value([Tally(rare, hits, hits)]) >= log_e_value([Tally(likely, hits, hits)]) - 1e-9


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), max_size=30), st.randoms())
def test_neither_order_nor_tallying_makes_a_difference(events: list[tuple[float, bool]], dice: random.Random) -> None:
    tallied = [
        Tally(each, sum(hit for at, hit in events if at == each), sum(1 for at, _ in events if at == each))
        for each in (0.1, 0.5, 0.9)
    ]
    shuffled = dice.sample(events, len(events))
    assert log_e_value(one_by_one(shuffled)) == pytest.approx(log_e_value(tallied), abs=1e-9)


def test_without_events_nothing_is_shown() -> None:
    assert p_value([]) == 1


@pytest.mark.parametrize(("hits", "events"), [(10**6, 10**6), (0, 10**6)])
def test_any_amount_of_evidence_has_a_p_value(hits: int, events: int) -> None:
    assert p_value([Tally(0.1, hits, events)]) == (0.0 if hits else 1.0)


def test_an_event_that_was_certain_says_nothing() -> None:
    assert p_value([Tally(1.0, 50, 50)]) == pytest.approx(1)


def ever_below(dice: random.Random, level: float, null: float, true: float, events: int) -> bool:
    """Whether somebody who looks after each event ever finds a p-value of at most the level."""
    hits = 0
    for number in range(1, events + 1):
        hits += dice.random() < true
        if p_value([Tally(null, hits, number)]) <= level:
            return True
    return False


@pytest.mark.parametrize("null", [0.1, 0.5])
def test_somebody_who_looks_after_each_event_is_misled_at_most_at_the_level(null: float) -> None:
    dice = random.Random(1)
    misled = sum(ever_below(dice, 0.05, null, null, 300) for _ in range(400))
    assert misled / 400 <= 0.05


@pytest.mark.parametrize(("null", "true"), [(0.1, 0.25), (0.5, 0.75)])
def test_odds_three_times_as_large_are_found(null: float, true: float) -> None:
    dice = random.Random(1)
    assert sum(ever_below(dice, 0.05, null, true, 150) for _ in range(100)) >= 95
