"""How much feedback weighs is chosen on training rows, within a budget of seconds."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from retrain import search
from retrain.adapt import Adaptation
from retrain.search import FORGETTING, choose, forgetting, held_out_loss

from tests.adaptations import RECIPE, adapt, base_table, feedback_table

HUGE = 10_000.0  # outweighs the base data
WEIGHTS = (2.0, 4.0, 1.0, 0.5, 0.25)


@pytest.fixture(scope="module")
def learnable() -> Adaptation:
    """New words that many contributors agree about, and that contradict nothing."""
    rows = [
        (f"{word} {filler} today", label, [f"h{number}{filler}"])
        for number, (word, label) in enumerate((("gnarly", "positive"), ("bogus", "negative"), ("zilch", "negative")))
        for filler in ("film", "phone", "room", "home")
    ]
    return adapt(feedback_table(rows))


@pytest.fixture(scope="module")
def contradicting() -> Adaptation:
    """Contributors who agree on the opposite of what the base data says; to learn from them is to forget."""
    rows = [
        (f"{word} {filler} {number}", label, [f"h{number}"])
        for word, label in (("great", "negative"), ("lovely", "negative"), ("worst", "positive"), ("awful", "positive"))
        for number, filler in enumerate(("film", "phone", "room", "home", "today", "with", "and", "at"))
    ]
    return adapt(feedback_table(rows), max_weight=1e9, recipe=replace(RECIPE, rehearsal_weight=0.01))


def ticks(*seconds: float) -> Iterator[float]:
    yield from seconds
    while True:
        yield seconds[-1]


def test_every_weight_is_tried_while_there_is_time(learnable: Adaptation) -> None:
    clock = ticks(0.0, 1.0, 2.0, 3.0, 4.0)
    chosen = choose(learnable, WEIGHTS, 60.0, lambda: next(clock))
    assert chosen.feedback_weight in WEIGHTS
    losses = {weight: held_out_loss(learnable, weight) for weight in WEIGHTS}
    assert chosen.tried[0]["weight"] == min(losses, key=lambda weight: losses[weight])


def test_no_weight_is_tried_after_the_time_but_the_first_always_is(learnable: Adaptation) -> None:
    tried = []

    def record(adaptation: Adaptation, weight: float) -> float:
        tried.append(weight)
        return held_out_loss(adaptation, weight)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "held_out_loss", record)
        clock = ticks(0.0, 100.0)
        assert choose(learnable, WEIGHTS, 60.0, lambda: next(clock)).feedback_weight == WEIGHTS[0]
        assert tried == [WEIGHTS[0]]
        tried.clear()
        clock = ticks(0.0, 30.0, 61.0)
        choose(learnable, WEIGHTS, 60.0, lambda: next(clock))
        assert tried == list(WEIGHTS[:2])


def test_of_the_allowed_weights_the_one_with_the_least_loss_is_chosen(learnable: Adaptation) -> None:
    chosen = choose(learnable, WEIGHTS, 60.0, lambda: 0.0)
    assert chosen.tried[-1]["allowed"]
    assert not any(entry["allowed"] for entry in chosen.tried[:-1])
    assert chosen.tried[-1]["weight"] == chosen.feedback_weight
    assert (chosen.learner.coef_ == learnable.fit(chosen.feedback_weight).coef_).all()


def test_weights_that_make_it_forget_are_not_allowed(contradicting: Adaptation) -> None:
    weights = (HUGE, 0.001)
    assert held_out_loss(contradicting, HUGE) < held_out_loss(contradicting, 0.001)
    chosen = choose(contradicting, weights, 60.0, lambda: 0.0)
    assert chosen.feedback_weight == 0.001
    refused = chosen.tried[0]
    assert (refused["weight"], refused["allowed"]) == (HUGE, False)
    assert refused["forgotten"]["base"] > FORGETTING


def test_where_no_weight_is_allowed_it_is_the_smallest(contradicting: Adaptation) -> None:
    chosen = choose(contradicting, (HUGE, HUGE / 2), 60.0, lambda: 0.0)
    assert chosen.feedback_weight == HUGE / 2
    assert [entry["allowed"] for entry in chosen.tried] == [False, False]


def test_forgetting_is_told_by_data_set_and_is_none_at_first(contradicting: Adaptation) -> None:
    [before], [after] = (forgetting(contradicting, contradicting.fit(weight)) for weight in (0.0, HUGE))
    assert (before.name, before.rows, before.discordant) == ("base", len(contradicting.probes), 0)
    assert (after.name, after.gain < -FORGETTING) == ("base", True)


def test_without_probes_nothing_is_forgotten() -> None:
    adaptation = adapt(feedback_table([("great", "negative", ["v"])]), base=base_table()[:0])
    assert forgetting(adaptation, adaptation.fit(4.0)) == []


def test_feedback_that_generalises_has_less_loss_the_more_it_weighs(learnable: Adaptation) -> None:
    assert held_out_loss(learnable, 4.0) < held_out_loss(learnable, 1.0) < held_out_loss(learnable, 0.0)


def test_feedback_is_learned_however_much_more_the_rehearsal_weighs(learnable: Adaptation) -> None:
    """As in a bucket with large base data: the whole loss hardly moves, and fitting must not end for that."""
    heavy = adapt(learnable.feedback, recipe=replace(RECIPE, rehearsal_weight=500.0))
    assert held_out_loss(heavy, 4.0) < 1.1 * held_out_loss(learnable, 4.0)


def test_the_loss_is_on_rows_that_the_trial_has_not_seen() -> None:
    """Each text has a word of its own, which cannot be learned from the others."""
    rows = [(f"{word * 6}", "negative", [f"h{number}", f"i{number}"]) for number, word in enumerate("bcdfgjkz")]
    adaptation = adapt(feedback_table(rows), max_weight=1e9)
    seen = -np.log(adaptation.fit(HUGE).predict_proba(adaptation.vectors)[:, 0]).mean()
    assert held_out_loss(adaptation, HUGE) > 10 * seen


@pytest.mark.parametrize("names", ["one", "many"])
def test_one_contributors_rows_are_held_out_text_by_text(names: str) -> None:
    rows = [
        (f"the {word} council", "negative", ["v" if names == "one" else f"h{number}"])
        for number, word in enumerate("abcdefgh")
    ]
    assert held_out_loss(adapt(feedback_table(rows)), 1.0) > 0


def test_with_too_little_feedback_to_hold_any_out_every_weight_is_alike() -> None:
    adaptation = adapt(feedback_table([("great", "negative", ["v"])]))
    assert {held_out_loss(adaptation, weight) for weight in WEIGHTS} == {0.0}
    assert choose(adaptation, WEIGHTS, 60.0, lambda: 0.0).feedback_weight in WEIGHTS
    nothing = adapt(feedback_table([]))
    chosen = choose(nothing, WEIGHTS, 60.0, lambda: 0.0)
    assert np.abs(chosen.learner.coef_ - nothing.fit(0.0).coef_).max() == 0
