"""The versions as people see and move them: list, details, differences, history, and moves that can be repeated."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import artefact, gate, moves, pointer, registry
from sentiloop.bundled import baseline, baseline_files
from sentiloop.errors import StorageUnavailableError
from sentiloop.history import History, described, tenures
from sentiloop.models import MOST_CHARACTERS, MOST_MOVES, REPORT, Models
from sentiloop.moves import Moved, PointerMovedError, RefusedError, VersionNotFoundError
from sentiloop.pointer import Pointer, Target
from sentiloop.records import now, timestamp, to_json, to_lines
from sentiloop.registry import MARK, version_key
from sentiloop.storage import StoredObject

from tests.builders import make_model, make_sample
from tests.faults.faulty_store import Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

WHO = moves.Signature(by="ada", reason="for a test")
START = datetime(2026, 3, 1, 8, tzinfo=UTC)


class CountingStore(MemoryStore):
    """Counts what is read."""

    reads = 0

    def get(self, key: str) -> StoredObject:
        self.reads += 1
        return super().get(key)


def publish(store: MemoryStore, version: str, seed: int = 0, report: Any = None, **fields: Any) -> Target:
    built = make_model(version=version, seed=seed, **fields)
    files = {artefact.WEIGHTS: built.weights, **({REPORT: to_json(report)} if report else {})}
    return registry.publish(store, version, built.manifest, files)


def write_history(store: MemoryStore, served: list[tuple[str, float]]) -> None:
    """Write moves as if made so many seconds after the start, by clocks that need not agree."""
    for generation, (version, seconds) in enumerate(served, 1):
        at = timestamp(START + timedelta(seconds=seconds))
        entry = Pointer(generation, f"{generation:032x}", None, Target(version, "0"), "test", at, "")
        store.objects[pointer.history_key(generation)] = store.objects[pointer.CURRENT] = entry.to_bytes()


def mark(store: MemoryStore, version: str) -> None:
    store.put(version_key(version, MARK), b"{}", if_absent=True)


def present(store: MemoryStore) -> Pointer:
    found = pointer.read(store)
    assert found is not None
    return found.pointer


def served_v2() -> MemoryStore:
    """A bucket where v1 and then v2 were served, v2 is, and v3 waits."""
    store = MemoryStore()
    for number, version in enumerate(("v1", "v2", "v3")):
        publish(store, version, seed=number)
    for version in ("v1", "v2"):
        moves.promote(store, version, by="test", reason="serve it")
    return store


SERVED_V2 = served_v2()


@pytest.fixture
def store() -> MemoryStore:
    return SERVED_V2.copy()


class TestTheList:
    def test_what_was_moved_last_comes_first_and_each_says_its_part(self, store: MemoryStore) -> None:
        moves.begin_trial(store, "v3", "canary", 0.1, **WHO)
        page = Models(store).page(10)
        assert [(item.version, item.role) for item in page.items] == [
            ("v3", "challenger"),
            ("v2", "champion"),
            ("v1", None),
        ]
        assert (page.versions, page.pinned) == (3, False)

    def test_of_several_moves_that_name_a_version_the_newest_counts(self, store: MemoryStore) -> None:
        moves.promote(store, "v1", **WHO)
        assert [item.version for item in Models(store).page(10).items] == ["v1", "v2", "v3"]

    def test_every_kind_of_version_is_told_from_the_others(self, store: MemoryStore) -> None:
        manifest, weights = baseline_files()
        registry.publish(store, baseline().version, manifest, {artefact.WEIGHTS: weights})
        publish(store, "anchor-0123456789ab")
        store.put(version_key("v4", artefact.WEIGHTS), b"cut short", if_absent=True)
        mark(store, "v1")
        told = {item.version: (item.kind, item.erased) for item in Models(store).page(10).items}
        assert told == {
            baseline().version: ("baseline", False),
            "anchor-0123456789ab": ("anchor", False),
            "v1": ("trained", True),
            "v2": ("trained", False),
            "v3": ("trained", False),
            "v4": ("incomplete", False),
        }

    def test_a_version_that_waits_stands_where_it_was_made(self, store: MemoryStore) -> None:
        publish(store, "held", created_at=timestamp(now() + timedelta(hours=1)))
        publish(store, "old", created_at="2020-01-01T00:00:00.000Z")
        names = [item.version for item in Models(store).page(10).items]
        assert names == ["held", "v2", "v1", "old", "v3"]

    def test_it_says_where_a_version_comes_from_and_how_good_it_was(self, store: MemoryStore) -> None:
        data = {
            "snapshot": "abc",
            "base": [{"name": "a", "rows": 3}, {"name": "b", "rows": 4}],
            "feedback": {"rows": 5},
        }
        compared = gate.described(gate.compare("all", [True] * 60 + [False] * 40, [True] * 70 + [False] * 30))
        publish(store, "v4", report={"slices": [compared]}, data=data, parents=["v2"], metrics={"accuracy": 0.7})
        [item] = [item for item in Models(store).page(10).items if item.version == "v4"]
        assert (item.snapshot, item.base_rows, item.feedback_rows, item.parents) == ("abc", 7, 5, ["v2"])
        assert item.metrics == {"accuracy": 0.7}
        assert item.accuracy_interval == gate.accuracy_interval(70, 100)

    @given(limit=st.integers(1, 7))
    def test_pages_hold_each_version_once(self, limit: int) -> None:
        store = MemoryStore()
        for number in range(6):
            publish(store, f"v{number}")
        moves.promote(store, "v3", **WHO)
        models = Models(store)
        seen = [item.version for skip in range(0, 6, limit) for item in models.page(limit, skip).items]
        assert sorted(seen) == [f"v{number}" for number in range(6)]
        assert seen[0] == "v3"

    def test_of_many_versions_few_are_read_and_none_of_them_twice(self) -> None:
        store = CountingStore()
        for number in range(300):
            store.objects[version_key(f"v{number}", artefact.MANIFEST)] = b'{"version": "any"}'
        write_history(store, [(f"v{number}", number) for number in range(300)])
        models = Models(store)
        page = models.page(20)
        assert [item.version for item in page.items] == [f"v{number}" for number in range(299, 279, -1)]
        assert page.versions == 300
        assert store.reads < 400  # the moves, and two files of each version that is shown
        before = store.reads
        models.page(20)
        assert store.reads - before < 30  # the pointer, and reports that may yet come

    def test_a_served_version_whose_files_are_gone_is_listed_as_missing(self, store: MemoryStore) -> None:
        models = Models(store)
        models.page(10)  # what was read of it before is no proof that it is there
        for name in (artefact.MANIFEST, artefact.WEIGHTS):
            store.delete(version_key("v2", name))
        [item] = [item for item in models.page(10).items if item.role == "champion"]
        assert (item.version, item.kind) == ("v2", "missing")
        assert models.show("champion").summary.kind == "missing"

    def test_a_version_that_lost_one_file_is_missing_and_not_incomplete(self, store: MemoryStore) -> None:
        store.delete(version_key("v1", artefact.WEIGHTS))
        store.delete(version_key("v2", artefact.MANIFEST))
        told = {item.version: item.kind for item in Models(store).page(10).items}
        assert told == {"v1": "missing", "v2": "missing", "v3": "trained"}

    def test_without_the_pointer_it_goes_by_the_history_and_says_so(self, store: MemoryStore) -> None:
        with_pointer = Models(store).page(10)
        store.delete(pointer.CURRENT)
        page = Models(store).page(10)
        assert [(item.version, item.role) for item in page.items] == [
            (item.version, item.role) for item in with_pointer.items
        ]
        assert with_pointer.problem is None
        assert page.problem == "models/current.json is gone; generation 2 served v2"
        assert Models(store).show("v2").summary.role == "champion"

    def test_where_nothing_was_published_it_says_what_to_do(self) -> None:
        with pytest.raises(RefusedError, match="no model was published yet"):
            Models(MemoryStore()).page(10)


class TestTenures:
    def test_times_as_champion_add_up_and_the_latest_is_told(self) -> None:
        store = MemoryStore()
        write_history(store, [("v1", 0), ("v2", 100), ("v1", 150), ("v1", 160)])
        found = tenures(History(store).newest(10), START + timedelta(seconds=200))
        assert (found["v1"].seconds, found["v1"].since, found["v1"].until) == (
            150,
            timestamp(START + timedelta(seconds=150)),
            None,
        )
        assert found["v2"].seconds == 50
        assert found["v2"].until == timestamp(START + timedelta(seconds=150))

    @given(versions=st.lists(st.sampled_from(["v1", "v2", "v3"]), min_size=1, max_size=12))
    def test_at_every_moment_exactly_one_version_was_champion(self, versions: list[str]) -> None:
        store = MemoryStore()
        write_history(store, [(version, 10 * number) for number, version in enumerate(versions)])
        found = tenures(History(store).newest(100), START + timedelta(seconds=10 * len(versions)))
        assert sum(tenure.seconds for tenure in found.values()) == pytest.approx(10 * len(versions))
        assert [version for version, tenure in found.items() if tenure.until is None] == [versions[-1]]


class TestHistory:
    def test_it_says_who_moved_the_pointer_why_and_where(self, store: MemoryStore) -> None:
        moves.begin_trial(store, "v3", "canary", 0.25, **WHO)
        [newest, *_] = History(store).newest(10)
        told = described(newest)
        assert json.loads(json.dumps(told)) == told
        assert (told["generation"], told["by"], told["reason"]) == (3, "ada", "for a test")
        assert (told["champion"], told["challenger"]["version"], told["challenger"]["share"]) == ("v2", "v3", 0.25)

    @given(limit=st.integers(1, 9))
    def test_pages_hold_each_move_once_newest_first(self, limit: int) -> None:
        store = MemoryStore()
        write_history(store, [(f"v{number}", number) for number in range(8)])
        history, seen, before = History(store), list[int](), None
        while page := history.newest(limit, before):
            seen += [move.generation for move in page]
            before = seen[-1]
        assert seen == [8, 7, 6, 5, 4, 3, 2, 1]

    def test_a_move_that_was_cut_short_is_part_of_it(self, store: MemoryStore) -> None:
        before = store.objects[pointer.CURRENT]
        moves.promote(store, "v3", **WHO)
        store.objects[pointer.CURRENT] = before
        assert [move.champion.version for move in History(store).newest(10)] == ["v3", "v2", "v1"]

    def test_without_any_move_it_is_empty(self) -> None:
        assert History(MemoryStore()).newest(10) == []
        assert History(MemoryStore()).served_at(now()) is None

    @given(times=st.lists(st.integers(0, 100), max_size=12), asked=st.integers(-1, 101))
    def test_what_was_served_is_the_last_move_before_the_first_later_one(self, times: list[int], asked: int) -> None:
        store = MemoryStore()
        write_history(store, [(f"v{number}", seconds) for number, seconds in enumerate(times)])
        served = History(store).served_at(START + timedelta(seconds=asked))
        begun = len(list(takewhile(lambda seconds: seconds <= asked, times)))
        assert (served.champion.version if served else None) == (f"v{begun - 1}" if begun else None)

    def test_of_more_moves_than_are_read_at_once_the_right_one_is_found(self) -> None:
        store = MemoryStore()
        write_history(store, [(f"v{number}", number) for number in range(450)])
        for seconds in (0, 199, 200, 399, 449):
            found = History(store).served_at(START + timedelta(seconds=seconds))
            assert found is not None
            assert found.champion.version == f"v{seconds}"
        assert MOST_MOVES > 450


class TestDetails:
    def test_the_manifest_is_told_without_its_words(self, store: MemoryStore) -> None:
        publish(store, "v4", parameters={"c": 1}, frequent_words=[])
        details = Models(store).show("v4")
        assert details.manifest["parameters"] == {"c": 1}
        assert "frequent_words" not in details.manifest
        assert (details.moves, details.summary.served) == ([], None)

    def test_the_moves_that_name_it_are_told_as_champion_and_on_trial(self, store: MemoryStore) -> None:
        moves.begin_trial(store, "v3", "shadow", 0, **WHO)
        assert [move.generation for move in Models(store).show("v3").moves] == [3]
        assert [move.generation for move in Models(store).show("v2").moves] == [3, 2]

    def test_the_parts_of_champion_and_challenger_are_names(self, store: MemoryStore) -> None:
        assert Models(store).show("champion").summary.version == "v2"
        with pytest.raises(VersionNotFoundError, match="on trial"):
            Models(store).show("challenger")
        moves.begin_trial(store, "v3", "shadow", 0, **WHO)
        assert Models(store).show("challenger").summary.version == "v3"

    @pytest.mark.parametrize("name", ["v9", "", "../v1", "history", "v1/manifest.json", "a" * 101])
    def test_a_version_that_is_not_there_is_not_found(self, name: str, store: MemoryStore) -> None:
        with pytest.raises(VersionNotFoundError):
            Models(store).show(name)


class TestDifferences:
    def compared(self) -> dict[str, Any]:
        return gate.described(gate.compare("all", [True] * 6 + [False] * 4, [True] * 9 + [False]))

    def test_two_versions_are_compared_on_sampled_texts(self, store: MemoryStore) -> None:
        kept = [make_sample(number) for number in range(50)]
        store.put(f"samples/dt={now().date()}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
        found = Models(store).diff("v1", "v2", samples=40, most=5)
        assert (found.a, found.b, found.answers.texts) == ("v1", "v2", 40)
        assert found.answers.changed > 0
        assert len(found.words) == 5

    def test_of_very_long_texts_fewer_are_compared(self, store: MemoryStore) -> None:
        kept = [make_sample(number, text=f"{number} " * 2_500) for number in range(300)]
        store.put(f"samples/dt={now().date()}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
        assert 0 < Models(store).diff("v1", "v2", samples=500, most=5).answers.texts * 5_000 <= MOST_CHARACTERS

    def test_where_the_gate_judged_them_their_slices_are_told_in_the_order_that_was_asked(
        self, store: MemoryStore
    ) -> None:
        publish(store, "v4", report={"slices": [self.compared()]}, parents=["v2"])
        [there] = Models(store).diff("v2", "v4", 10, 5).slices
        [back] = Models(store).diff("v4", "v2", 10, 5).slices
        assert (there.a, there.b, back.a, back.b) == (0.6, 0.9, 0.9, 0.6)
        assert not Models(store).diff("v1", "v4", 10, 5).slices

    def test_what_cannot_be_loaded_is_refused_with_the_reason(self, store: MemoryStore) -> None:
        store.delete(version_key("v3", artefact.WEIGHTS))
        with pytest.raises(RefusedError, match="complete"):
            Models(store).diff("v1", "v3", 10, 5)


REQUESTS: dict[str, Callable[[MemoryStore], Moved]] = {
    "promote": lambda store: moves.promote(store, "v3", expected="v2", **WHO),
    "promote what was served": lambda store: moves.promote(store, "v1", **WHO),
    "shadow": lambda store: moves.begin_trial(store, "v3", "shadow", 0, **WHO),
    "canary": lambda store: moves.begin_trial(store, "v3", "canary", 0.1, expected="v2", **WHO),
    "withdraw": lambda store: moves.withdraw(store, version="v3", **WHO),
    "rollback": lambda store: moves.rollback(store, away_from="v2", **WHO),
    "pin": lambda store: moves.pin(store, True, **WHO),
    "unpin": lambda store: moves.pin(store, False, **WHO),
}


class TestMoves:
    @given(names=st.lists(st.sampled_from(sorted(REQUESTS)), max_size=5))
    def test_a_request_that_is_repeated_at_once_moves_nothing_more(self, names: list[str]) -> None:
        store = SERVED_V2.copy()
        for name in names:
            try:
                REQUESTS[name](store)
            except (PointerMovedError, RefusedError):
                continue
            before = present(store)
            again = REQUESTS[name](store)
            assert (again.moved, again.pointer, present(store)) == (False, before, before)

    @pytest.mark.parametrize("name", sorted(REQUESTS))
    def test_what_is_done_is_signed_and_in_the_history(self, name: str, store: MemoryStore) -> None:
        moves.begin_trial(store, "v3", "canary", 0.5, by="test", reason="so that there is a trial")
        done = REQUESTS[name](store)
        entry = pointer.read_history(store, done.pointer.generation)
        assert entry == done.pointer == present(store)
        assert (entry.by, entry.reason) == (("ada", "for a test") if done.moved else ("test", entry.reason))

    def test_a_champion_that_was_not_expected_stops_a_promotion_and_a_trial(self, store: MemoryStore) -> None:
        before = present(store)
        with pytest.raises(PointerMovedError, match="v2 is served, and not v1"):
            moves.promote(store, "v3", expected="v1", **WHO)
        with pytest.raises(PointerMovedError, match="v2 is served, and not v1"):
            moves.begin_trial(store, "v3", "shadow", 0, expected="v1", **WHO)
        assert present(store) == before

    def test_a_promotion_brings_back_a_pointer_that_was_lost(self, store: MemoryStore) -> None:
        store.delete(pointer.CURRENT)
        assert moves.promote(store, "v3", **WHO).moved
        assert (present(store).champion.version, present(store).generation) == ("v3", 3)

    def test_promoting_what_was_served_restores_a_pointer_that_was_lost(self, store: MemoryStore) -> None:
        before = present(store)
        store.delete(pointer.CURRENT)
        done = moves.promote(store, "v2", by=before.by, reason=before.reason)  # the same words: still no move
        assert (done.moved, done.restored, done.pointer, present(store)) == (False, True, before, before)
        assert not moves.promote(store, "v2", **WHO).restored

    @pytest.mark.parametrize("name", ["withdraw", "pin", "shadow"])
    def test_without_the_pointer_a_move_says_what_brings_it_back(self, name: str, store: MemoryStore) -> None:
        store.delete(pointer.CURRENT)
        with pytest.raises(RefusedError, match="is gone; generation 2 served v2") as refused:
            REQUESTS[name](store)
        assert refused.value.hint == "Promote that version to bring it back."

    def test_a_folder_marker_is_no_move(self) -> None:
        with pytest.raises(RefusedError, match="no model was published yet"):
            moves.present(MemoryStore({"models/history/": b""}))

    def test_the_plan_of_a_rollback_is_what_it_does(self, store: MemoryStore) -> None:
        moves.promote(store, "v3", **WHO)
        mark(store, "v2")
        assert moves.rollback_plan(store) == ("v3", "v1")
        assert moves.rollback(store, **WHO).pointer.champion.version == "v1"

    def test_a_champion_that_goes_just_before_a_trial_begins_stops_it(self, store: MemoryStore) -> None:
        racing = FaultyStore(store)

        def overtake(_key: str) -> None:
            racing.before_write = lambda _key: None
            moves.promote(store, "v1", by="somebody", reason="was quicker")

        racing.before_write = overtake
        with pytest.raises(PointerMovedError, match="was quicker"):
            moves.begin_trial(racing, "v3", "shadow", 0, expected="v2", **WHO)
        assert (present(store).champion.version, present(store).challenger) == ("v1", None)

    def test_a_version_that_was_marked_takes_force(self, store: MemoryStore) -> None:
        mark(store, "v3")
        with pytest.raises(RefusedError, match="erased since"):
            moves.promote(store, "v3", **WHO)
        with pytest.raises(RefusedError, match="erased since"):
            moves.begin_trial(store, "v3", "shadow", 0, **WHO)
        assert moves.begin_trial(store, "v3", "shadow", 0, force=True, **WHO).moved
        assert moves.promote(store, "v3", force=True, **WHO).moved

    def test_an_incomplete_version_is_refused_with_the_reason(self, store: MemoryStore) -> None:
        store.delete(version_key("v3", artefact.WEIGHTS))
        with pytest.raises(RefusedError, match="complete"):
            moves.promote(store, "v3", **WHO)
        assert present(store).champion.version == "v2"

    def test_a_promotion_keeps_the_pin_and_ends_the_trial(self, store: MemoryStore) -> None:
        moves.begin_trial(store, "v3", "shadow", 0, **WHO)
        moves.pin(store, True, **WHO)
        after = moves.promote(store, "challenger", **WHO).pointer
        assert (after.champion.version, after.challenger, after.pinned) == ("v3", None, True)

    def test_a_trial_gets_another_mode_and_share_and_keeps_its_beginning(self, store: MemoryStore) -> None:
        first = moves.begin_trial(store, "v3", "shadow", 0, **WHO).pointer.challenger
        second = moves.begin_trial(store, "v3", "canary", 0.25, **WHO).pointer.challenger
        assert first is not None
        assert second is not None
        assert (second.mode, second.share, second.began_at) == ("canary", 0.25, first.began_at)

    def test_while_pinned_a_trial_stays_at_its_step(self, store: MemoryStore) -> None:
        moves.begin_trial(store, "v3", "canary", 0.1, **WHO)
        moves.pin(store, True, **WHO)
        with pytest.raises(RefusedError, match="pinned"):
            moves.begin_trial(store, "v3", "canary", 0.5, **WHO)

    @pytest.mark.parametrize(("mode", "share"), [("canary", 0.0), ("canary", 1.5), ("shadow", 0.1)])
    def test_a_share_has_to_fit_the_mode(self, mode: pointer.Mode, share: float, store: MemoryStore) -> None:
        with pytest.raises(RefusedError, match="does not fit"):
            moves.begin_trial(store, "v3", mode, share, **WHO)

    def test_the_champion_is_not_tried(self, store: MemoryStore) -> None:
        with pytest.raises(RefusedError, match="served already"):
            moves.begin_trial(store, "v2", "shadow", 0, **WHO)

    def test_the_trial_of_another_version_is_not_withdrawn(self, store: MemoryStore) -> None:
        moves.begin_trial(store, "v3", "shadow", 0, **WHO)
        with pytest.raises(PointerMovedError, match="v3 is on trial, and not v1"):
            moves.withdraw(store, version="v1", **WHO)
        assert present(store).challenger

    def test_a_rollback_goes_back_once_however_often_it_is_asked_for(self, store: MemoryStore) -> None:
        moves.promote(store, "v3", **WHO)
        assert [moves.rollback(store, away_from="v3", **WHO).moved for _ in range(3)] == [True, False, False]
        assert present(store).champion.version == "v2"

    def test_a_rollback_that_is_repeated_after_other_moves_is_still_known_as_done(self, store: MemoryStore) -> None:
        moves.rollback(store, away_from="v2", **WHO)
        moves.pin(store, True, **WHO)
        assert not moves.rollback(store, away_from="v2", **WHO).moved
        assert present(store).champion.version == "v1"

    @pytest.mark.parametrize("write", [1, 2])
    @pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.RETRY_REFUSED, Fault.CONFLICT, Fault.DOWN])
    def test_a_rollback_that_failed_and_is_repeated_goes_back_once(
        self, fault: Fault, write: int, store: MemoryStore
    ) -> None:
        with suppress(StorageUnavailableError):
            moves.rollback(FaultyStore(store, {write: fault}), away_from="v2", **WHO)
        after = moves.rollback(store, away_from="v2", **WHO).pointer
        assert (after.champion.version, after.generation) == ("v1", 3)
        assert present(store) == after

    def test_a_rollback_away_from_what_is_not_served_is_refused(self, store: MemoryStore) -> None:
        with pytest.raises(PointerMovedError, match="v2 is served, and not v3"):
            moves.rollback(store, away_from="v3", **WHO)

    def test_a_rollback_needs_something_to_go_back_to(self) -> None:
        store = MemoryStore()
        publish(store, "v1")
        moves.promote(store, "v1", **WHO)
        with pytest.raises(RefusedError, match="no other version was ever served"):
            moves.rollback(store, **WHO)
