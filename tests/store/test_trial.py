"""Trials of challengers: whom they answer, and how they begin, go on and end by moves of the pointer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import artefact, pointer, registry, trial
from sentiloop.errors import ArtefactError, PointerError
from sentiloop.pointer import Challenger, Pointer, Target
from sentiloop.records import now, timestamp

from tests.builders import make_model
from tests.faults.memory_store import MemoryStore

SHARES = st.floats(min_value=0.001, max_value=1)


def challenger(share: float, version: str = "v2") -> Challenger:
    moment = timestamp(now())
    return Challenger(Target(version, "0"), "canary" if share else "shadow", share, moment, moment)


def publish(store: MemoryStore, version: str) -> Target:
    built = make_model(version=version)
    return registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})


@pytest.fixture
def store() -> MemoryStore:
    """A bucket that serves v1 and holds v2 and v3."""
    store = MemoryStore()
    registry.promote(store, publish(store, "v1"), by="test", reason="the first")
    for version in ("v2", "v3"):
        publish(store, version)
    return store


def begin(store: MemoryStore, version: str = "v2", share: float = 0.1) -> Challenger:
    mode: pointer.Mode = "canary" if share else "shadow"
    moved = trial.begin(store, registry.find(store, version), mode, share, by="test", reason="try it")
    assert moved.challenger is not None
    return moved.challenger


def present(store: MemoryStore) -> Pointer:
    found = pointer.read(store)
    assert found is not None
    return found.pointer


@given(client=st.text(), small=SHARES, large=SHARES)
def test_whom_a_challenger_answers_it_answers_at_every_larger_share(client: str, small: float, large: float) -> None:
    small, large = sorted((small, large))
    assert trial.answers(challenger(small), client) <= trial.answers(challenger(large), client)


@given(client=st.text())
def test_a_challenger_answers_nobody_in_shadow_and_everybody_at_a_share_of_one(client: str) -> None:
    assert not trial.answers(challenger(0), client)
    assert trial.answers(challenger(1), client)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_challenger_answers_about_its_share_of_the_clients_and_each_one_others(share: float) -> None:
    drawn = {
        version: {number for number in range(10_000) if trial.answers(challenger(share, version), f"client {number}")}
        for version in ("v2", "v3")
    }
    for clients in drawn.values():
        assert abs(len(clients) / 10_000 - share) < 5 * (share * (1 - share) / 10_000) ** 0.5
    both = len(drawn["v2"] & drawn["v3"]) / 10_000
    assert abs(both - share**2) < 0.02


def test_a_trial_leaves_the_champion_and_is_told_by_history(store: MemoryStore) -> None:
    first = begin(store)
    trial.advance(store, first, "canary", 0.5, by="check", reason="nothing speaks against it")
    second = present(store).challenger
    assert second is not None
    trial.crown(store, second, by="check", reason="nothing speaks against it")
    entries = [pointer.read_history(store, generation) for generation in range(1, 5)]
    told = [(entry.champion.version, entry.challenger and entry.challenger.share) for entry in entries if entry]
    assert told == [("v1", None), ("v1", 0.1), ("v1", 0.5), ("v2", None)]
    assert second.began_at == first.began_at


def test_a_trial_that_is_begun_again_goes_on_where_it_was(store: MemoryStore) -> None:
    trial.advance(store, begin(store), "canary", 0.5, by="check", reason="")
    assert begin(store).share == 0.5


def test_another_challenger_takes_the_place_of_the_first(store: MemoryStore) -> None:
    begin(store, "v2")
    assert begin(store, "v3").target.version == "v3"


@pytest.mark.parametrize("end", ["withdraw", "promote", "rollback"])
def test_a_trial_ends_with_its_withdrawal_and_with_every_other_champion(store: MemoryStore, end: str) -> None:
    registry.promote(store, registry.find(store, "v3"), by="test", reason="so that there is something to go back to")
    begin(store, "v2")
    if end == "withdraw":
        trial.withdraw(store, "v2", by="test", reason="worse")
    elif end == "promote":
        registry.promote(store, registry.find(store, "v1"), by="test", reason="")
    else:
        registry.rollback(store, by="test", reason="")
    assert present(store).challenger is None
    assert present(store).champion.version == ("v3" if end == "withdraw" else "v1")


def test_what_somebody_else_did_meanwhile_stands(store: MemoryStore) -> None:
    outdated = begin(store)
    trial.advance(store, outdated, "canary", 0.5, by="somebody", reason="")
    before = present(store)
    trial.crown(store, outdated, by="check", reason="")
    trial.advance(store, outdated, "canary", 1.0, by="check", reason="")
    trial.give_up(store, outdated, by="check", reason="")
    trial.withdraw(store, "v3", by="check", reason="")
    assert present(store) == before


def test_a_trial_against_a_champion_that_went_does_not_begin(store: MemoryStore) -> None:
    judged_against = present(store).commit_id
    registry.promote(store, registry.find(store, "v3"), by="somebody", reason="")
    target = registry.find(store, "v2")
    moved = trial.begin(store, target, "shadow", 0.0, by="run", reason="", against=judged_against)
    assert moved.challenger is None


def test_a_pinned_pointer_is_moved_by_people_only(store: MemoryStore) -> None:
    on_trial = begin(store)
    trial.pin(store, True, by="ada", reason="the fair is on")
    trial.advance(store, on_trial, "canary", 0.5, by="check", reason="")
    trial.crown(store, on_trial, by="check", reason="")
    assert present(store).challenger == on_trial
    registry.promote(store, registry.find(store, "v3"), by="ada", reason="I know better")
    assert (present(store).champion.version, present(store).pinned) == ("v3", True)
    trial.pin(store, False, by="ada", reason="it is over")
    assert not present(store).pinned


def test_an_incomplete_version_is_not_tried(store: MemoryStore) -> None:
    target = registry.find(store, "v2")
    store.delete(registry.version_key("v2", artefact.WEIGHTS))
    with pytest.raises(ArtefactError):
        trial.begin(store, target, "shadow", 0.0, by="test", reason="")
    assert present(store).challenger is None


def test_the_champion_is_not_tried_against_itself(store: MemoryStore) -> None:
    with pytest.raises(PointerError, match="served already"):
        begin(store, "v1")


def test_a_rollback_that_is_repeated_goes_back_once(store: MemoryStore) -> None:
    registry.promote(store, registry.find(store, "v2"), by="test", reason="")
    registry.promote(store, registry.find(store, "v3"), by="test", reason="")
    for _ in range(2):
        registry.rollback(store, by="test", reason="", away_from="v3")
    assert present(store).champion.version == "v2"
