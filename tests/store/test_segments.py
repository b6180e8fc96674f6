"""Segments: each line is rewritten seldom, few are small, and cutting changes nothing."""

import gzip
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from math import log

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from retrain import segments
from retrain.segments import Entry, Mark, Part, append, digest_of, from_fields, read, to_fields
from sentiloop.errors import ObjectNotFoundError
from sentiloop.s3 import S3Store

from tests.builders import make_correction
from tests.faults.memory_store import MemoryStore

FULL = 40


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FULL", FULL)


def entries_of(parts: list[Part]) -> list[Entry]:
    return [entry for part in parts for entry in part.entries]


def test_a_segment_is_read_as_it_was_written(store: S3Store) -> None:
    entries: list[Entry] = [
        make_correction(1, text="one\u2028two\x85three\r\nfour", extra={"broken": [1]}),
        Mark('feedback/dt=2026-03-01/"ü"\n.jsonl', broken=True),
        make_correction(2),
        Mark("feedback/x", broken=False),
    ]
    [part] = append(store, [], entries)
    assert part.segment.lines == 4
    [again] = read(store, from_fields(to_fields([part.segment])))
    assert (again.segment, list(again.entries)) == (part.segment, entries)
    assert list(again.corrections()) == [entries[0], entries[2]]
    assert list(again.marks()) == [entries[1], entries[3]]


def test_a_segment_is_named_by_its_lines_and_written_once() -> None:
    store = MemoryStore()
    for _ in range(2):
        [part] = append(store, [], [make_correction(1), Mark("feedback/x", broken=False)])
    [(key, body)] = store.objects.items()
    assert key == f"datasets/segments/{part.segment.sha256}.jsonl.gz"
    assert sha256(gzip.decompress(body)).hexdigest() == part.segment.sha256


def test_what_is_known_is_not_read_and_what_is_gone_is_missed() -> None:
    [part] = append(MemoryStore(), [], [make_correction(1)])
    assert read(MemoryStore(), [part.segment], known=[part]) == [part]
    with pytest.raises(ObjectNotFoundError):
        read(MemoryStore(), [part.segment])


@pytest.mark.usefixtures("small")
@examples(max_examples=40)
@given(st.lists(st.integers(0, 3 * FULL), max_size=30))
def test_lines_keep_their_order_and_segments_their_limits_and_few_are_small(batches: list[int]) -> None:
    store, parts, everything = MemoryStore(), list[Part](), list[Entry]()
    rewritten: Counter[str] = Counter()
    for number, size in enumerate(batches):
        new: list[Entry] = [Mark(f"{number}-{each}", broken=False) for each in range(size)]
        everything += new
        before = {part.segment for part in parts}
        parts = append(store, parts, new)
        rewritten.update(
            entry.key
            for part in parts
            if part.segment not in before
            for entry in part.entries
            if isinstance(entry, Mark)
        )
    assert entries_of(parts) == everything
    sizes = [part.segment.lines for part in parts]
    assert all(0 < size <= FULL for size in sizes)
    not_full = [size for size in sizes if size < FULL]
    assert sizes == [FULL] * (len(sizes) - len(not_full)) + not_full, "only the last segments are small"
    assert all(left >= 2 * right for left, right in pairwise(not_full))
    assert not rewritten or max(rewritten.values()) <= 2 * (1 + log(FULL, 1.5))


def test_a_line_at_a_time_costs_each_line_few_rewrites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FULL", 512)
    written = Counter[str]()

    class Counting(MemoryStore):
        def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
            written.update(gzip.decompress(body).decode().splitlines())
            return super().put(key, body, if_absent=if_absent, if_match=if_match)

    store, parts = Counting(), list[Part]()
    for number in range(1_100):
        parts = append(store, parts, [Mark(str(number), broken=False)])
    assert max(written.values()) <= 2 * (1 + log(512, 1.5))
    assert [part.segment.lines for part in parts][:2] == [512, 512]


@pytest.mark.usefixtures("small")
@given(st.integers(1, 100), st.integers(1, 100))
def test_the_digest_of_corrections_does_not_depend_on_where_they_are_cut(count: int, cut: int) -> None:
    corrections = [make_correction(number) for number in range(count)]
    parts = append(MemoryStore(), append(MemoryStore(), [], corrections[:cut]), corrections[cut:])
    assert digest_of(entry for part in parts for entry in part.corrections()) == digest_of(corrections)
    assert digest_of(corrections) != digest_of(corrections[1:])
