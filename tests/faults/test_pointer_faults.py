"""The pointer under crashes, lost replies, conflicts, races, old contents and wrong clocks: guarantees 3 and 4.

What comes of all of them together is in test_pointer_properties.
"""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import artefact, pointer, registry
from sentiloop.errors import StorageUnavailableError
from sentiloop.history import History
from sentiloop.pointer import CURRENT, Move, Pointer, Target, history_key
from sentiloop.storage import ObjectStore

from tests.builders import make_model
from tests.faults.faulty_store import LANDED, CrashError, Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = {version: make_model(version=version, seed=seed, width=2) for seed, version in enumerate(("a", "b", "c"))}


def library() -> MemoryStore:
    """A store with three published versions and no pointer."""
    store = MemoryStore()
    for version, built in VERSIONS.items():
        registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
    return store


def promote(store: ObjectStore, version: str) -> Pointer:
    return registry.promote(store, VERSIONS[version].target, by="test", reason=f"serve {version}")


def current(store: ObjectStore) -> Pointer:
    found = pointer.read(store)
    assert found is not None
    return found.pointer


def history(store: ObjectStore) -> list[Pointer]:
    """All entries in order of their generations, which have to be gapless."""
    keys = list(store.keys("models/history/"))
    assert keys == [history_key(generation) for generation in range(1, len(keys) + 1)]
    return [Pointer.from_bytes(store.get(key).body) for key in keys]


def check(store: ObjectStore) -> None:
    """Hold the store to what is true at every moment, whatever is under way."""
    entries = history(store)
    for generation, entry in enumerate(entries, 1):
        assert entry.generation == generation
        assert entry.parent_commit == (entries[generation - 2].commit_id if generation > 1 else None)
        registry.fetch(store, entry.champion)  # whole, and its bytes match
    assert len({entry.commit_id for entry in entries}) == len(entries)
    found = pointer.read(store)
    if found:
        assert found.pointer == entries[found.pointer.generation - 1]
        assert found.pointer.generation >= len(entries) - 1, "at most one move is under way"
    else:
        assert len(entries) <= 1


CRASHES = [(fault, write) for write in (1, 2) for fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)]


@pytest.mark.parametrize(("fault", "write"), CRASHES)
@pytest.mark.parametrize("moves_before", [0, 1])
def test_after_a_crash_the_pointer_is_the_old_one_or_the_new_one(fault: Fault, write: int, moves_before: int) -> None:
    store = library()
    for _ in range(moves_before):
        promote(store, "a")
    with pytest.raises(CrashError):
        promote(FaultyStore(store, {write: fault}), "b")
    check(store)
    found = pointer.read(store)
    moved = (fault, write) == (Fault.CRASH_AFTER, 2)
    assert (found.pointer.champion.version if found else None) == ("b" if moved else "a" if moves_before else None)


@pytest.mark.parametrize(("fault", "write"), CRASHES)
@pytest.mark.parametrize("moves_before", [0, 1])
def test_the_next_mover_finishes_what_a_crash_left(fault: Fault, write: int, moves_before: int) -> None:
    store = library()
    for _ in range(moves_before):
        promote(store, "a")
    with pytest.raises(CrashError):
        promote(FaultyStore(store, {write: fault}), "b")
    recorded = (fault, write) != (Fault.CRASH_BEFORE, 1)
    promote(store, "c")
    check(store)
    versions = [entry.champion.version for entry in history(store)]
    assert versions == ["a"] * moves_before + ["b"] * recorded + ["c"]
    assert current(store).champion.version == "c"


def test_even_a_mover_who_wants_nothing_finishes_what_a_crash_left() -> None:
    store = library()
    promote(store, "a")
    with pytest.raises(CrashError):
        promote(FaultyStore(store, {2: Fault.CRASH_BEFORE}), "b")
    assert current(store).champion.version == "a"
    moved = pointer.move(store, lambda _current: None)
    assert moved == current(store) == history(store)[-1]
    assert moved.champion.version == "b"


def test_a_repair_that_is_cut_short_is_repaired_in_turn() -> None:
    store = library()
    promote(store, "a")
    with pytest.raises(CrashError):
        promote(FaultyStore(store, {2: Fault.CRASH_BEFORE}), "b")
    for fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CRASH_BEFORE):
        with pytest.raises(CrashError):
            promote(FaultyStore(store, {1: fault}), "c")
        check(store)
    assert promote(store, "a").champion.version == "a"
    check(store)


@pytest.mark.parametrize("write", [1, 2])
@pytest.mark.parametrize("fault", [fault for fault in LANDED if fault is not Fault.CRASH_AFTER])
def test_a_move_whose_reply_was_lost_is_recognised_as_done(fault: Fault, write: int) -> None:
    store = library()
    promote(store, "a")
    moved = promote(FaultyStore(store, {write: fault}), "b")
    assert (moved.generation, moved.champion.version) == (2, "b")
    assert current(store) == moved
    assert len(history(store)) == 2


@pytest.mark.parametrize("write", [1, 2])
def test_a_conflict_that_left_nothing_is_tried_again(write: int) -> None:
    store = library()
    promote(store, "a")
    moved = promote(FaultyStore(store, {write: Fault.CONFLICT}), "b")
    assert current(store) == moved
    assert [entry.champion.version for entry in history(store)] == ["a", "b"]


def test_storage_that_fails_before_anything_is_recorded_moves_nothing() -> None:
    store = library()
    promote(store, "a")
    with pytest.raises(StorageUnavailableError):
        promote(FaultyStore(store, {1: Fault.DOWN}), "b")
    assert len(history(store)) == 1
    assert current(store).champion.version == "a"


def test_storage_that_stays_down_after_the_move_was_recorded_says_so_and_the_next_mover_finishes() -> None:
    store = library()
    promote(store, "a")
    with pytest.raises(StorageUnavailableError, match=r"generation 2 is recorded but models/current\.json was not"):
        promote(FaultyStore(store, dict.fromkeys(range(2, 100), Fault.DOWN)), "b")
    check(store)
    assert promote(store, "b").generation == 2, "it is served already, once the interrupted move is finished"
    check(store)


def test_equal_bytes_prove_no_authorship() -> None:
    """Two movers want the same; the one whose entry was refused must not take the other's for its own."""
    store = library()
    theirs: list[Pointer | None] = []
    ours = FaultyStore(store)
    move = Move(VERSIONS["a"].target, "test", "the same")

    def another_comes_first(_key: str) -> None:
        ours.before_write = lambda _key: None
        theirs.append(pointer.move(store, lambda _current: move))

    ours.before_write = another_comes_first
    moved = pointer.move(ours, lambda _current: move)
    assert moved is not None
    assert theirs[0] is not None
    assert (theirs[0].generation, moved.generation) == (1, 2)
    assert theirs[0].commit_id != moved.commit_id


@pytest.mark.parametrize("contenders", [2, 8])
def test_of_concurrent_movers_exactly_one_wins_a_generation(contenders: int) -> None:
    store = library()
    promote(store, "a")
    start = threading.Barrier(contenders)
    moved: list[Pointer | None] = []

    def contend(number: int) -> None:
        first = True

        def decide(found: Pointer | None) -> Move | None:
            nonlocal first
            if first:
                start.wait(30)  # all of them have read generation 1
            first = False
            assert found is not None
            return Move(VERSIONS["b"].target, f"mover {number}", "") if found.generation == 1 else None

        moved.append(pointer.move(store, decide))

    run_threads(contend, contenders)
    winner = current(store)
    assert len(history(store)) == winner.generation == 2
    assert moved == [winner] * contenders
    check(store)


def test_concurrent_promotions_and_rollbacks_take_effect_one_after_another() -> None:
    store = library()
    promote(store, "a")
    promote(store, "b")
    done: list[Pointer] = []

    def contend(number: int) -> None:
        for turn in range(3):
            if (number + turn) % 3 == 0:
                done.append(registry.rollback(store, by=f"mover {number}", reason=str(turn)))
            else:
                move = Move(VERSIONS["abc"[number % 3]].target, f"mover {number}", str(turn))
                moved = pointer.move(store, lambda _current, move=move: move)  # type: ignore[misc]
                assert moved is not None
                done.append(moved)

    run_threads(contend, 6)
    assert len(done) == 18
    assert sorted(done, key=lambda commit: commit.generation) == history(store)[2:]
    assert current(store) == history(store)[-1]
    check(store)


def run_threads(work: Any, count: int) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as failure:  # noqa: BLE001 - raised again in the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []


def test_a_restored_pointer_goes_straight_to_the_newest_entry() -> None:
    """Nobody is served again what stood between; and newest is the last generation, whatever the clocks said."""
    store = library()
    move_at(store, [5, 4, 3, 2, 1])
    restore(store, generation=1)
    mover = FaultyStore(store)
    assert pointer.move(mover, lambda _current: None) == current(store) == history(store)[-1]
    assert mover.writes == [CURRENT]


def test_a_pointer_that_is_restored_during_a_move_is_moved_all_the_same() -> None:
    """The mover's condition fails, or fits by accident; either way its generation comes after what was restored."""
    store = library()
    move_at(store, [1, 2, 3])
    for generation in (1, 2, 3):
        mover = FaultyStore(store)
        mover.before_write = lambda key, old=generation: restore(store, old) if key == CURRENT else None  # type: ignore[misc]
        moved = promote(mover, "b" if current(store).champion.version == "a" else "a")
        assert current(store) == moved == history(store)[-1]
        check(store)


def test_a_pointer_that_is_deleted_during_a_move_is_written_again() -> None:
    store = library()
    promote(store, "a")
    mover = FaultyStore(store)

    def delete(key: str) -> None:
        if key == CURRENT:
            store.objects.pop(CURRENT, None)
            mover.before_write = lambda _key: None

    mover.before_write = delete
    moved = promote(mover, "b")
    assert current(store) == moved == history(store)[-1]


def restore(store: MemoryStore, generation: int) -> None:
    """Put back what the pointer said at a generation, as a person does from the bucket's older versions."""
    store.put(CURRENT, store.get(history_key(generation)).body, if_match=store.get(CURRENT).etag)


def move_at(store: ObjectStore, seconds: Sequence[int]) -> None:
    """Move the pointer once for every second that a mover's clock shows."""
    for number, second in enumerate(seconds):
        move = Move(VERSIONS["abc"[number % 3]].target, "test", "")
        with patch.object(pointer, "now", lambda second=second: EPOCH + timedelta(seconds=second)):
            pointer.move(store, lambda _current, move=move: move)  # type: ignore[misc]


def generation_served_at(store: ObjectStore, second: int) -> int:
    served = History(store).served_at(EPOCH + timedelta(seconds=second))
    return served.generation if served else 0


def test_what_served_when_is_in_the_history() -> None:
    store = library()
    assert History(store).served_at(EPOCH) is None
    move_at(store, [10, 20, 30])
    assert [generation_served_at(store, second) for second in (9, 10, 19, 20, 29, 30, 99)] == [0, 1, 1, 2, 2, 3, 3]
    assert History(store).served_at(EPOCH + timedelta(seconds=20)) == history(store)[1]
    elsewhere = (EPOCH + timedelta(seconds=20)).astimezone(timezone(timedelta(hours=-5)))
    assert History(store).served_at(elsewhere) == history(store)[1]


def test_no_move_serves_before_the_one_that_it_replaced() -> None:
    store = library()
    move_at(store, [10, 50, 20, 60])  # the second clock was ahead, or the third behind
    assert [generation_served_at(store, second) for second in (19, 20, 49, 50, 59, 60)] == [1, 1, 1, 3, 3, 4]


@given(
    moves=st.lists(st.tuples(st.integers(1, 9), st.integers(-20, 20)), min_size=1, max_size=8),
    moments=st.lists(st.integers(-30, 100), min_size=1, max_size=8).map(sorted),
)
def test_what_served_when_is_wrong_by_no_more_than_the_worst_clock(
    moves: list[tuple[int, int]], moments: list[int]
) -> None:
    """A move is seconds since the last one, and seconds that its mover's clock is ahead."""
    true = list(accumulate(seconds for seconds, _ in moves))
    worst = max(abs(skew) for _, skew in moves)
    store = library()
    move_at(store, [second + skew for second, (_, skew) in zip(true, moves, strict=True)])
    found = [generation_served_at(store, moment) for moment in moments]
    assert found == sorted(found)
    for moment, generation in zip(moments, found, strict=True):
        assert bisect_right(true, moment - worst) <= generation <= bisect_right(true, moment + worst)


def test_the_pointer_has_no_other_writer() -> None:
    """What a move writes is these two keys, in this order, and nothing else."""
    store = FaultyStore(library())
    pointer.move(store, lambda _current: Move(Target("a", VERSIONS["a"].target.manifest_sha256), "test", ""))
    assert store.writes == [history_key(1), CURRENT]
