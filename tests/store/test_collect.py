"""Reading the feedback of all time: each object once, nothing hostile stops it, nothing late is missed."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from retrain import collect as module
from retrain.collect import Collected, collect, read_corrections
from retrain.merge import Merged, merge_corrections
from retrain.snapshot import make_snapshot, store_snapshot
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import Correction, timestamp, to_json
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore, StoredObject

from tests.builders import LABELS, make_correction
from tests.faults.memory_store import MemoryStore

TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def correction(number: int, moment: datetime = TODAY, **fields: Any) -> Correction:
    """A correction received at a moment, with an id of that day."""
    identity = correction_id(moment.date(), f"{number:032x}")
    return make_correction(number, **{"id": identity, "received_at": timestamp(moment), **fields})


def put(store: ObjectStore, *corrections: Correction) -> None:
    for entry in corrections:
        store.put(correction_key(entry.id), entry.to_line())


def snapshot_of(store: ObjectStore, collected: Collected, left_out: dict[str, str] | None = None) -> str:
    """What a run leaves of what it collected; no two are alike."""
    rows = merge_corrections(collected.corrections, LABELS, 100, 100).rows
    snapshot = make_snapshot([], collected.corrections, Merged(rows, left_out or {}))
    store_snapshot(store, snapshot, collected.segments)
    return snapshot.digest


class CountingStore(MemoryStore):
    """Counts the reads of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def get(self, key: str) -> StoredObject:
        self.reads[key] += 1
        return super().get(key)


def ids(collected: Collected) -> list[str]:
    return [entry.id for entry in collected.corrections]


def test_no_feedback_is_no_trouble(store: S3Store) -> None:
    assert collect(store, None) == Collected((), (), {})


def test_all_corrections_are_read_oldest_first(store: S3Store) -> None:
    entries = [correction(number, TODAY - timedelta(days=number, seconds=number)) for number in range(5)]
    put(store, *entries)
    collected = collect(store, None)
    assert collected.corrections == tuple(reversed(entries))
    assert (collected.broken, collected.settled) == ((), {})


def test_an_object_may_hold_many_lines_and_blank_ones(store: S3Store) -> None:
    entries = [correction(number) for number in range(3)]
    store.put("feedback/dt=2026-03-01/many.jsonl", b"\n \n".join(entry.to_line() for entry in entries) + b"\n\n")
    collected = collect(store, None)
    assert ids(collected) == [entry.id for entry in entries]
    assert collected.broken == ()


def test_a_line_separator_within_a_text_ends_no_line(store: S3Store) -> None:
    entry = correction(1, text="one\u2028two\x85three\x0bfour\r\nfive")
    put(store, entry)
    assert collect(store, None).corrections == (entry,)
    assert collect(store, None).corrections == (entry,)


def hostile_lines() -> dict[str, bytes]:
    good = json.loads(correction(7).to_line())

    def line(**changed: Any) -> bytes:
        return json.dumps({**good, **changed}).encode()

    return {
        "not JSON": b"{",
        "not UTF-8": b'{"schema": "correction/1", "text": "\xff"}',
        "not an object": b"[]",
        "a number": b"7",
        "nothing known": b"{}",
        "another schema": line(schema="sample/1"),
        "no schema": json.dumps({name: value for name, value in good.items() if name != "schema"}).encode(),
        "no text": line(text=None),
        "a text of blanks": line(text=" "),
        "a text that is a list": line(text=["a"]),
        "an unpaired surrogate": line(text="\ud800"),
        "a label that is a number": line(correct_label=1),
        "a source that nobody knows": line(source="the moon"),
        "a confidence above one": line(confidence=1.1),
        "a confidence that is no number": line(confidence=float("nan")),
        "a confidence that is a word": line(confidence="0.5"),
        "a confidence that is true": line(confidence=True),
        "a time that is none": line(received_at="yesterday"),
        "a time without a zone": line(received_at="2026-03-01T00:00:00"),
        "a time written in another way": line(received_at="20260301T000000Z"),
        "a week date": line(received_at="2026-W09-7T00:00:00.000Z"),
        "nesting without end": b'{"schema": ' + b"[" * 100_000,
        "an unknown field nested deeply": line().replace(b"{", b'{"more": ' + b"[" * 500 + b"]" * 500 + b", ", 1),
        "an unknown field that is not finite": line(more=float("inf")),
        "an unknown field of half a character": line(more={"\udfff": 1}),
        "a number of 5,000 digits": line().replace(b"{", b'{"more": ' + b"9" * 5_000 + b", ", 1),
        "more than a megabyte": line(text="a" * 1_100_000),
        "the time before all time": line(received_at="0001-01-01T00:00:00.000Z"),
    }


@pytest.mark.parametrize("kind", hostile_lines())
def test_a_hostile_line_is_set_aside_or_harmless_and_never_stops_a_run(kind: str, store: S3Store) -> None:
    good = correction(1, TODAY - timedelta(days=9))
    put(store, good)
    line = hostile_lines()[kind]
    store.put("feedback/dt=2026-03-01/hostile.jsonl", line + b"\n")
    collected = collect(store, None)
    assert good in collected.corrections
    if kind == "the time before all time":
        assert collected.broken == ()
    else:
        [broken] = collected.broken
        assert (broken.id, broken.day, broken.line) == ("hostile", "2026-03-01", line)
        assert broken.reason
        assert collected.corrections == (good,)
    assert collect(store, None) == collected
    again = collect(store, snapshot_of(store, collected))
    assert (again.corrections, again.broken) == (collected.corrections, ())


def test_a_good_line_beside_a_broken_one_counts(store: S3Store) -> None:
    good = correction(1)
    store.put("feedback/dt=2026-03-01/mixed.jsonl", b"broken\n" + good.to_line() + b"\xff\n")
    collected = collect(store, None)
    assert collected.corrections == (good,)
    assert [(entry.id, entry.line) for entry in collected.broken] == [("mixed", b"broken"), ("mixed", b"\xff")]


@pytest.mark.parametrize(
    "key", ["feedback/x", "feedback/dt=/x.jsonl", "feedback/a/b/c.jsonl", "feedback/dt=../x.jsonl"]
)
def test_a_key_of_another_form_is_read_like_any(key: str, store: S3Store) -> None:
    store.put(key, correction(1).to_line() + b"broken\n")
    collected = collect(store, None)
    assert (len(collected.corrections), len(collected.broken)) == (1, 1)


def test_unknown_fields_are_kept(store: S3Store) -> None:
    entry = correction(1, extra={"campaign": {"name": "spring", "round": 2}})
    put(store, entry)
    assert collect(store, None).corrections == (entry,)


def test_an_id_that_is_stored_on_two_days_counts_once(store: S3Store) -> None:
    entry = correction(1)
    put(store, entry)
    store.put("feedback/dt=2026-03-01/copy.jsonl", entry.to_line() * 2)
    assert collect(store, None).corrections == (entry,)


def test_an_object_is_read_once_whatever_it_holds() -> None:
    store = CountingStore()
    bodies = {
        correction_key(correction(1).id): correction(1).to_line(),
        correction_key(correction(2).id): correction(2).to_line() + correction(3).to_line(),
        "feedback/dt=2026-03-01/copy.jsonl": correction(1).to_line(),
        "feedback/dt=2026-03-01/many.jsonl": correction(4).to_line() + correction(5).to_line(),
        "feedback/dt=2026-03-01/empty.jsonl": b"",
    }
    for key, body in bodies.items():
        store.put(key, body)
    first = collect(store, None)
    put(store, correction(6, TODAY - timedelta(days=300)))
    second = collect(store, None)
    assert collect(store, None) == second
    assert second.corrections == tuple(
        sorted([*first.corrections, correction(6, TODAY - timedelta(days=300))], key=age)
    )
    feedback = {key: times for key, times in store.reads.items() if key.startswith("feedback/")}
    assert set(feedback) == {*bodies, correction_key(correction(6, TODAY - timedelta(days=300)).id)}
    assert set(feedback.values()) == {1}


def age(entry: Correction) -> tuple[str, str]:
    return entry.received_at, entry.id


def test_what_was_read_stays_known_without_its_object() -> None:
    store = MemoryStore()
    put(store, correction(1))
    before = collect(store, None)
    del store.objects[correction_key(correction(1).id)]
    assert collect(store, None) == before


def test_an_object_that_is_deleted_between_listing_and_reading_stops_nothing() -> None:
    class Erased(MemoryStore):
        def get(self, key: str) -> StoredObject:
            if key == correction_key(correction(1).id):
                self.objects.pop(key, None)
            return super().get(key)

    store = Erased()
    put(store, correction(1), correction(2))
    assert ids(collect(store, None)) == [correction(2).id]


@pytest.mark.parametrize("days", [-4_000, -3, -2, 1, 400])
def test_nothing_is_too_late_and_no_clock_too_wrong(days: int, store: S3Store) -> None:
    put(store, correction(1))
    snapshot = snapshot_of(store, collect(store, None))
    skewed = correction(2, TODAY + timedelta(days=days))
    put(store, skewed)
    assert set(ids(collect(store, snapshot))) == {correction(1).id, skewed.id}


@examples(max_examples=20)
@given(st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=6), max_size=5), st.data())
def test_however_feedback_comes_in_and_runs_cut_it_the_corrections_are_the_same(
    rounds: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Objects of several lines come round by round, with a run after some of the rounds, and then in one go."""
    step_by_step, at_once = MemoryStore(), MemoryStore()
    for number, objects in enumerate(rounds):
        for place, (identity, copies) in enumerate(objects):
            entries = [correction(identity + each, TODAY - timedelta(days=identity + each)) for each in range(copies)]
            key = f"feedback/dt=2026-03-01/{number}-{place}.jsonl"
            for store in (step_by_step, at_once):
                store.put(key, b"".join(entry.to_line() for entry in entries))
        if data.draw(st.booleans()):
            collect(step_by_step, None)
    assert collect(step_by_step, None).corrections == collect(at_once, None).corrections


def test_a_run_that_is_cut_short_has_not_read_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr("retrain.segments.FULL", 2)

    class CutShort(CountingStore):
        def get(self, key: str) -> StoredObject:
            if sum(self.reads.values()) == 5:
                raise TimeoutError
            return super().get(key)

    store = CutShort()
    entries = [correction(number) for number in range(9)]
    put(store, *entries)
    with pytest.raises(TimeoutError):
        collect(store, None)
    rest = CountingStore()
    rest.objects = store.objects
    assert collect(rest, None).corrections == tuple(entries)
    read = [key for key in rest.reads if key.startswith("feedback/")]
    assert len(read) == 5, "two batches of two were remembered"


def test_two_runs_at_once_both_see_everything_and_so_does_the_next() -> None:
    store = MemoryStore()
    put(store, correction(1))

    class Overtaken(MemoryStore):
        """Another run remembers between this one's listing and its record."""

        overtaken = False

        def get(self, key: str) -> StoredObject:
            if not self.overtaken:
                self.overtaken = True
                put(self, correction(2))
                collect(self, None)
            return super().get(key)

    slow = Overtaken(store.objects)
    assert ids(collect(slow, None)) == [correction(1).id]
    assert ids(collect(slow, None)) == [correction(1).id, correction(2).id]


def test_a_broken_object_is_told_of_until_a_champion_knows_it(store: S3Store) -> None:
    put(store, correction(1))
    store.put("feedback/dt=2026-03-01/broken.jsonl", b"{")
    first, second = collect(store, None), collect(store, None)
    assert [entry.id for entry in first.broken] == [entry.id for entry in second.broken] == ["broken"]
    snapshot = snapshot_of(store, second)
    store.put("feedback/dt=2026-03-01/later.jsonl", b"{")
    assert [entry.id for entry in collect(store, snapshot).broken] == ["later"]


def test_what_was_settled_before_is_known_with_its_reason(store: S3Store) -> None:
    learned, left_out, new = correction(1), correction(2), correction(3)
    put(store, learned, left_out)
    snapshot = snapshot_of(store, collect(store, None), {left_out.id: "a tie"})
    put(store, new)
    assert collect(store, snapshot).settled == {learned.id: None, left_out.id: "a tie"}
    assert collect(store, None).settled == {}


def test_after_a_snapshot_from_before_there_were_segments_all_feedback_is_read_and_new(store: S3Store) -> None:
    put(store, correction(1), correction(2))
    store.put("datasets/snapshots/old/corrections.jsonl.gz", b"of rules 1", if_absent=True)
    store.put("datasets/snapshots/old/left_out.json", to_json({}), if_absent=True)
    collected = collect(store, "old")
    assert ids(collected) == [correction(1).id, correction(2).id]
    assert collected.settled == {}
    assert read_corrections(store, "old") == ((), {})


def test_the_corrections_behind_a_snapshot_are_read_as_they_were(store: S3Store) -> None:
    entries = (correction(1), correction(2, comment="ü", extra={"x": [1]}))
    put(store, *entries)
    snapshot = snapshot_of(store, collect(store, None), {"a": "b"})
    put(store, correction(3))
    collect(store, snapshot)
    assert read_corrections(store, snapshot) == (entries, {"a": "b"})
