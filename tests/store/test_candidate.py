"""What a candidate is made with is chosen once and kept, so that a run that is repeated makes the same."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest
from retrain import candidate
from retrain.adapt import Adaptation
from retrain.candidate import Choice, choice_for, make_candidate
from retrain.contributors import Examined
from retrain.search import Chosen
from retrain.without import Without

from tests.adaptations import adapt, feedback_table
from tests.faults.memory_store import MemoryStore

KEY = "datasets/snapshots/some/choice-1.json"


@pytest.fixture(scope="module")
def adaptation() -> Adaptation:
    rows = [(f"{word} bogus film", "negative", [f"h{number}"]) for number, word in enumerate("abcdefgh")]
    return adapt(feedback_table([*rows, ("great room", "negative", ["h0", "h1"])]))


def chosen(adaptation: Adaptation, weight: float) -> Chosen:
    return Chosen(weight, adaptation.fit(weight), ({"weight": weight},))


def test_a_choice_is_kept_and_stands(adaptation: Adaptation, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    first = choice_for(store, KEY, adaptation, 60.0)
    assert first.feedback_weight in adaptation.recipe.feedback_weights
    body = store.get(KEY).body

    def never(*_: Any) -> None:
        pytest.fail("searched again")

    monkeypatch.setattr(candidate, "choose", never)
    assert choice_for(store, KEY, adaptation, 60.0) == first
    assert store.get(KEY).body == body


def test_a_faster_machine_does_not_choose_again(adaptation: Adaptation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ran again with more time the search would come further; the first choice stands, under another key another."""
    found = iter([4.0, 0.25])
    monkeypatch.setattr(candidate, "choose", lambda *_: chosen(adaptation, next(found)))
    store = MemoryStore()
    assert choice_for(store, KEY, adaptation, 0.0).feedback_weight == 4.0
    assert choice_for(store, KEY, adaptation, 60.0).feedback_weight == 4.0
    assert choice_for(store, KEY + "2", adaptation, 60.0).feedback_weight == 0.25


def test_of_two_runs_at_once_the_first_to_write_chooses_for_both(
    adaptation: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()

    def overtaken(*_: Any) -> Chosen:
        store.put(KEY, json.dumps(asdict(Choice(0.5, Without(("h1",)), {}))).encode(), if_absent=True)
        return chosen(adaptation, 4.0)

    monkeypatch.setattr(candidate, "choose", overtaken)
    found = choice_for(store, KEY, adaptation, 60.0)
    assert (found.feedback_weight, found.without) == (0.5, Without(("h1",)))


def test_harmful_contributors_are_excluded_and_the_finding_is_kept(
    adaptation: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def examine(*_: Any) -> Sequence[Examined]:
        return [Examined(name, 1, 1.0, 0.1, 9, 0, name != "h1") for name in ("h2", "h1", "h0")]

    monkeypatch.setattr(candidate, "examine", examine)
    found = choice_for(MemoryStore(), KEY, adaptation, 60.0)
    assert found.without == Without(("h0", "h2"))
    assert [entry["contributor"] for entry in found.found["contributors"]] == ["h2", "h1", "h0"]
    assert found.found["weights"]


def test_equal_arguments_give_equal_bytes(adaptation: Adaptation) -> None:
    first, again = (make_candidate(adaptation, 2.0, Without(("h3",))) for _ in range(2))
    assert first.weights == again.weights
    assert first.facts == again.facts
    assert make_candidate(adaptation, 1.0, Without(("h3",))).weights != first.weights
    assert make_candidate(adaptation, 2.0, Without()).weights != first.weights


def test_rows_of_the_excluded_teach_nothing_unless_somebody_else_sent_them(adaptation: Adaptation) -> None:
    everybody = tuple(f"h{number}" for number in range(8))
    nothing = make_candidate(adaptation, 0.0, Without())
    assert make_candidate(adaptation, 2.0, Without(everybody)).weights == nothing.weights
    all_but_one = make_candidate(adaptation, 2.0, Without(everybody[1:]))
    assert all_but_one.weights != nothing.weights, "h0's rows stay, and that which he shares with h1"


def test_rows_that_mention_a_name_are_left_out_in_letters_of_any_case(adaptation: Adaptation) -> None:
    nothing = make_candidate(adaptation, 0.0, Without())
    assert make_candidate(adaptation, 2.0, Without(names=("Bogus", "Great"))).weights == nothing.weights
    assert make_candidate(adaptation, 2.0, Without(names=("Bogus",))).weights != nothing.weights
