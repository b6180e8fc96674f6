"""Reading the feedback of all time: each correction once, nothing hostile stops it, nothing late is missed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from retrain.collect import (
    CORRECTIONS,
    LEFT_OUT,
    SNAPSHOTS,
    Collected,
    collect,
    corrections_body,
    read_corrections,
)
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import Correction, timestamp, to_json
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore

from tests.builders import make_correction

TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def correction(number: int, moment: datetime = TODAY, **fields: Any) -> Correction:
    """A correction received at a moment, with an id of that day."""
    identity = correction_id(moment.date(), f"{number:032x}")
    return make_correction(number, **{"id": identity, "received_at": timestamp(moment), **fields})


def put(store: ObjectStore, *corrections: Correction) -> None:
    for entry in corrections:
        store.put(correction_key(entry.id), entry.to_line())


def snapshot_of(store: ObjectStore, *corrections: Correction, left_out: dict[str, str] | None = None) -> str:
    """What a run leaves of the corrections that it read."""
    store.put(f"{SNAPSHOTS}digest/{CORRECTIONS}", corrections_body(corrections))
    store.put(f"{SNAPSHOTS}digest/{LEFT_OUT}", to_json(left_out or {}))
    return "digest"


def ids(collected: Collected) -> list[str]:
    return [entry.id for entry in collected.corrections]


def test_no_feedback_is_no_trouble(store: S3Store) -> None:
    assert collect(store, None) == Collected((), (), {})


def test_all_corrections_are_read_oldest_first(store: S3Store) -> None:
    entries = [correction(number, TODAY - timedelta(days=number, seconds=number)) for number in range(5)]
    put(store, *entries)
    assert collect(store, None) == Collected(tuple(reversed(entries)), (), {})


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
    assert collect(store, snapshot_of(store, entry)).corrections == (entry,)


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
    again = collect(store, snapshot_of(store, *collected.corrections))
    assert again.corrections == collected.corrections


def test_even_if_all_there_is_comes_from_before_all_time(store: S3Store) -> None:
    store.put("feedback/dt=2026-03-01/hostile.jsonl", hostile_lines()["the time before all time"])
    collected = collect(store, None)
    assert collect(store, snapshot_of(store, *collected.corrections)).corrections == collected.corrections


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


def test_what_a_snapshot_knows_is_not_read_again_and_stays(store: S3Store) -> None:
    old, new = correction(1, TODAY - timedelta(days=30)), correction(2)
    snapshot = snapshot_of(store, old, correction(3, TODAY - timedelta(days=5)))
    put(store, new)  # the old ones' objects are gone, as after a lifecycle rule
    assert ids(collect(store, snapshot)) == [old.id, correction(3, TODAY - timedelta(days=5)).id, new.id]


def test_what_comes_late_is_found_within_two_days(store: S3Store) -> None:
    snapshot = snapshot_of(store, correction(1))
    late, too_late = correction(2, TODAY - timedelta(days=2)), correction(3, TODAY - timedelta(days=3))
    put(store, late, too_late)
    assert ids(collect(store, snapshot)) == [late.id, correction(1).id]


def test_a_clock_that_ran_ahead_hides_nothing_of_today(store: S3Store) -> None:
    ahead, new = correction(1, TODAY + timedelta(days=400)), correction(2)
    snapshot = snapshot_of(store, ahead)
    put(store, ahead, new)
    assert ids(collect(store, snapshot)) == [new.id, ahead.id]


def test_what_was_settled_before_is_known_with_its_reason(store: S3Store) -> None:
    learned, left_out, new = correction(1), correction(2), correction(3)
    snapshot = snapshot_of(store, learned, left_out, left_out={left_out.id: "a tie"})
    put(store, learned, left_out, new)
    assert collect(store, snapshot).settled == {learned.id: None, left_out.id: "a tie"}
    assert collect(store, None).settled == {}


def test_the_corrections_behind_a_snapshot_are_read_as_they_were(store: S3Store) -> None:
    entries = (correction(1), correction(2, comment="ü", extra={"x": [1]}))
    assert read_corrections(store, snapshot_of(store, *entries, left_out={"a": "b"})) == (entries, {"a": "b"})


def test_equal_corrections_have_equal_bytes() -> None:
    assert corrections_body((correction(1),)) == corrections_body((correction(1),))
