"""Totals over instances and restarts: whatever is written, merged and read, and in whatever order, counts once."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.activity import MOST_VERSIONS, Activity, merge
from sentiloop.activity_store import DAYS, HOURS, WRITTEN, ActivityWriter
from sentiloop.activity_totals import ActivityReader, compact, read_activity
from sentiloop.errors import StorageUnavailableError
from sentiloop.s3 import S3Store
from sentiloop.settings import Settings
from sentiloop.storage import StoredObject

from tests.faults.faulty_store import Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

START = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
BEGINNING = datetime.fromtimestamp(0, UTC)
SETTINGS = Settings(activity_seconds=60)


def write(store: Any, moment: datetime, requests: int = 1) -> None:
    """Count requests and write them, as an instance does at a moment."""
    activity = Activity(lambda: moment)
    for _ in range(requests):
        activity.request("predict", 200, None, 1.0)
    ActivityWriter(store, activity, SETTINGS).write()


def total(counts: dict[str, Any]) -> int:
    return sum(function["requests"] for function in counts["functions"].values())


def read_all(store: Any) -> int:
    return total(read_activity(store, BEGINNING, START + timedelta(days=365)))


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class TestWriting:
    def test_the_first_request_after_a_pause_is_written_at_once_and_the_next_ones_wait(self) -> None:
        store, clock, activity = MemoryStore(), Clock(), Activity()
        writer = ActivityWriter(store, activity, SETTINGS, clock)
        for seconds, objects in [(0, 1), (1, 1), (59, 1), (60, 2), (61, 2), (200, 3)]:
            clock.seconds = seconds
            activity.request("predict", 200, None, 1.0)
            writer.after_request()
            assert len(store.objects) == objects
        assert read_all(store) == 6
        writer.write()
        assert len(store.objects) == 3, "nothing is left to write"

    def test_what_waits_is_written_without_another_request(self) -> None:
        store, clock, activity = MemoryStore(), Clock(), Activity()
        writer = ActivityWriter(store, activity, replace(SETTINGS, activity_seconds=0.01), clock)
        for _ in range(3):
            activity.request("predict", 200, None, 1.0)
            writer.after_request()
        timer = writer._timer
        assert timer is not None
        timer.join(timeout=30)
        assert read_all(store) == 3

    def test_its_key_says_the_hour_and_its_content_holds_the_counts(self) -> None:
        store = MemoryStore()
        write(store, START + timedelta(minutes=59), requests=2)
        [(key, body)] = store.objects.items()
        assert key.startswith("activity/dt=2026-03-01/20-")
        document = json.loads(body)
        assert (document["schema"], document["until"]) == ("activity/1", "2026-03-01T20:59:00.000Z")
        assert total(document) == 2

    @pytest.mark.parametrize(
        "fault", [Fault.DOWN, Fault.REPLY_LOST, Fault.RETRY_REFUSED, Fault.CONFLICT], ids=lambda fault: fault.name
    )
    def test_trouble_loses_no_count_and_counts_none_twice(self, fault: Fault) -> None:
        memory = MemoryStore()
        activity = Activity()
        writer = ActivityWriter(FaultyStore(memory, {1: fault}), activity, replace(SETTINGS, activity_seconds=0))
        for written in range(1, 4):
            activity.request("predict", 200, None, 1.0)
            writer.after_request()
            if written > 1:
                assert read_all(memory) == written

    def test_an_empty_instance_writes_nothing(self) -> None:
        store = MemoryStore()
        ActivityWriter(store, Activity(), SETTINGS).write()
        assert not store.objects


class TestMerging:
    def test_finished_hours_are_merged_once_and_what_comes_late_is_added(self) -> None:
        store = MemoryStore()
        for minutes in (0, 20, 70):
            write(store, START + timedelta(minutes=minutes))
        assert compact(store, START + hours(1)) == 1, "the second hour has not ended"
        assert compact(store, START + hours(1)) == 0
        write(store, START + timedelta(minutes=59))
        assert read_all(store) == 4
        assert compact(store, START + hours(1.5)) == 1
        assert list(store.keys(HOURS)) == [f"{HOURS}2026-03-01T20-2.json", f"{HOURS}2026-03-01T20.json"]
        assert read_all(store) == 4

    def test_what_was_merged_needs_its_parts_no_more(self) -> None:
        store = MemoryStore()
        for minutes in (0, 20):
            write(store, START + timedelta(minutes=minutes))
        compact(store, START + hours(1))
        for key in list(store.keys(WRITTEN)):
            store.delete(key)
        assert read_all(store) == 2

    def test_a_finished_day_is_read_as_one_object(self) -> None:
        store = MemoryStore()
        for number in range(10):
            write(store, START + hours(number))
        compact(store, START + hours(24))
        assert list(store.keys(DAYS)) == [f"{DAYS}2026-03-01.json"]
        for key in list(store.keys(f"{HOURS}2026-03-01")):
            store.delete(key)
        assert read_all(store) == 10

    def test_years_of_hours_are_read_in_a_few_objects(self) -> None:
        class Counting(MemoryStore):
            reads = listed = 0

            def get(self, key: str) -> StoredObject:
                self.reads += 1
                return super().get(key)

            def keys(self, prefix: str, *, after: str = "") -> Any:
                for key in super().keys(prefix, after=after):
                    self.listed += key.startswith(WRITTEN)
                    yield key

        store = Counting()
        for number in range(0, 24 * 60, 3):
            write(store, START + hours(number))
        compact(store, START + hours(24 * 60))
        store.reads = store.listed = 0
        reader = ActivityReader(store)
        end = START + timedelta(days=365)
        assert total(reader.read(BEGINNING, end)) == 480
        assert store.reads < 80
        assert store.listed < 10, "of what instances wrote only the newest is looked at"
        store.reads = 0
        write(store, START + hours(24 * 60))
        assert total(reader.read(BEGINNING, end)) == 481
        assert store.reads == 1, "what was read is kept"

    def test_hours_outside_the_time_asked_for_do_not_count(self) -> None:
        store = MemoryStore()
        for number in range(40):
            write(store, START + hours(number))
        for _ in range(2):
            assert total(read_activity(store, START + hours(2), START + hours(5))) == 3
            assert total(read_activity(store, START + hours(2.5), START + hours(5.5))) == 4, "hours that it touches"
            assert total(read_activity(store, START + hours(30), START + hours(30))) == 0
            compact(store, START + hours(72))

    def test_it_holds_on_s3(self, store: S3Store) -> None:
        for minutes in (0, 20, 70):
            write(store, START + timedelta(minutes=minutes))
        assert compact(store, START + hours(2)) == 2
        assert compact(store, START + hours(2)) == 0
        assert read_all(store) == 3

    @pytest.mark.parametrize("torn", [b"", b"{", b"[]", b'{"schema": "other/1"}'])
    @pytest.mark.parametrize("merged", [False, True])
    def test_what_cannot_be_read_holds_up_nothing_else(self, torn: bytes, merged: bool) -> None:
        store = MemoryStore()
        for minutes in (0, 20, 70):
            write(store, START + timedelta(minutes=minutes))
        if merged:
            compact(store, START + hours(2))
        first = next(store.keys(HOURS if merged else WRITTEN))
        store.put(first, torn, if_match=store.get(first).etag)
        before = read_all(store)
        assert before == (3 if merged else 2), "of an hour that cannot be read the parts count"
        assert compact(store, START + hours(2)) == (1 if merged else 2)
        assert compact(store, START + hours(2)) == 0
        assert read_all(store) == before
        assert store.get(first).body == torn
        assert compact(store, START + hours(48)) == 1, "the day"
        assert read_all(store) == before

    def test_without_any_activity_there_is_nothing(self) -> None:
        store = MemoryStore()
        assert compact(store, START) == 0
        assert read_activity(store, BEGINNING, START) == merge([])


class Interrupting(MemoryStore):
    """Lets somebody else work on the same objects at the n-th call."""

    def __init__(self, objects: dict[str, bytes], at: int, other: Callable[[MemoryStore], None]) -> None:
        super().__init__(objects)
        self._left = at
        self._other = other

    def _tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._other(self)

    def get(self, key: str) -> StoredObject:
        self._tick()
        return super().get(key)

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        self._tick()
        return super().put(key, body, if_absent=if_absent, if_match=if_match)

    def keys(self, prefix: str, *, after: str = "") -> Any:
        self._tick()
        return super().keys(prefix, after=after)


def late_hour() -> MemoryStore:
    """An hour that is merged, with an object that came late, a day that is over, and an hour that is not."""
    store = MemoryStore()
    for number in (-24, 0, 0.5):
        write(store, START + hours(number))
    compact(store, START + hours(1))
    for number in (0.9, 1.2, 2.2):
        write(store, START + hours(number))
    return store


@pytest.mark.parametrize("at", range(1, 40))
class TestTwoAtOnce:
    """`at` each call of one, the other does all of its work."""

    def test_two_who_merge_make_each_object_once(self, at: int) -> None:
        def other(store: MemoryStore) -> None:
            compact(store, START + hours(2))

        store = Interrupting(late_hour().objects, at, other)
        compact(store, START + hours(2))
        assert read_all(MemoryStore(store.objects)) == 6
        names = [name for key in store.keys(HOURS) for name in json.loads(store.objects[key])["covers"]]
        assert len(names) == len(set(names)) == 5

    def test_a_reader_sees_the_same_total_while_another_merges(self, at: int) -> None:
        def other(store: MemoryStore) -> None:
            compact(store, START + hours(50))

        store = Interrupting(late_hour().objects, at, other)
        assert read_all(store) == 6

    def test_an_object_that_arrives_meanwhile_is_counted_in_the_end(self, at: int) -> None:
        def other(store: MemoryStore) -> None:
            write(store, START + hours(1.9))

        store = Interrupting(late_hour().objects, at, other)
        compact(store, START + hours(2))
        assert compact(store, START + hours(2.5)) <= 1
        after = read_all(MemoryStore(store.objects))
        assert after == 6 + (len(list(MemoryStore(store.objects).keys(WRITTEN))) - 6)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 5), st.integers(1, 3)),  # hours ago
        st.tuples(st.just("wait"), st.sampled_from([1, 2, 7, 30]), st.just(0)),
        st.tuples(st.just("compact"), st.integers(0, 1), st.just(0)),  # a clock an hour behind
        st.tuples(st.just("fail"), st.integers(1, 4), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
def test_totals_hold_before_during_and_after_merging(steps: list[tuple[str, int, int]]) -> None:
    store, moment, written = MemoryStore(), START, 0
    reader = ActivityReader(store)
    for kind, number, requests in steps:
        if kind == "write":
            write(store, moment - hours(number), requests)
            written += requests
        elif kind == "wait":
            moment += hours(number)
        elif kind == "compact":
            compact(store, moment - hours(number))
        else:
            with_a_crash(store, number, moment)
        assert read_all(store) == written
        assert total(reader.read(BEGINNING, START + timedelta(days=365))) == written


def with_a_crash(store: MemoryStore, at: int, moment: datetime) -> None:
    """Merge until the n-th call, where storage fails for good."""

    def fail(_store: MemoryStore) -> None:
        raise StorageUnavailableError("for a test")

    broken = Interrupting(store.objects, at, fail)
    broken.objects = store.objects
    try:
        compact(broken, moment)
    except StorageUnavailableError:
        return


def test_corrections_of_versions_that_never_were_do_not_swell_what_is_merged() -> None:
    store = MemoryStore()
    for part in range(4):
        activity = Activity(lambda: START)
        activity.timed("served", 1.0, failed=False)
        for number in range(MOST_VERSIONS - 1):
            activity.feedback(f"made up {part} {number}", confirmed=False)
        ActivityWriter(store, activity, SETTINGS).write()
    before = read_activity(store, BEGINNING, START + hours(1))["versions"]
    for later in (hours(2), timedelta(days=3)):
        compact(store, START + later)
        versions = read_activity(store, BEGINNING, START + hours(5))["versions"]
        assert len(versions) <= MOST_VERSIONS + 1 < len(before)
        assert versions["served"]["requests"] == 4
        for figure in ("feedback", "requests"):
            assert sum(each[figure] for each in versions.values()) == sum(each[figure] for each in before.values())
