"""What runs have read of the feedback so far: an immutable record a generation, of which the newest counts.

It does not hang on any model: a rejected candidate leaves the champion as it is, and its corrections are still read.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sentiloop.receipts import FEEDBACK, correction_key, day_of
from sentiloop.records import Correction, now, to_json
from sentiloop.storage import ObjectStore, create

from retrain import segments
from retrain.segments import Part

RECORDS = "datasets/memory/"
OVERLAP = timedelta(days=2)  # late objects and wrong clocks of this much are seen by the quick look, `count_stored`


@dataclass(frozen=True, slots=True)
class Memory:
    """What has been read.

    Attributes:
        generation: number of the record; 0: there is none.
        parts: all segments, in the order in which they were read.
    """

    generation: int = 0
    parts: Sequence[Part] = ()

    def keys(self) -> set[str]:
        """Return the keys of all objects that were read.

        The key of a known id counts as read, whichever object brought the id: what is stored under it is that
        correction.
        """
        ids = (entry.id for part in self.parts for entry in part.corrections())
        return {correction_key(each) for each in ids if day_of(each)} | {
            mark.key for part in self.parts for mark in part.marks()
        }


def recall(store: ObjectStore) -> Memory:
    """Return what earlier runs have read."""
    key = _newest(store)
    if key is None:
        return Memory()
    record = json.loads(store.get(key).body)
    return Memory(record["generation"], segments.read(store, segments.from_fields(record["segments"])))


def remember(store: ObjectStore, memory: Memory, parts: Sequence[Part], read: Sequence[str]) -> Memory:
    """Write the next generation's record and return the memory.

    Where somebody else was first, that record stands, and this run writes none: what the record lacks is read again by
    the next run, and what was erased in it stays erased.

    Args:
        store: the bucket.
        memory: the generation before.
        parts: all that has been read.
        read: the keys of all objects that were listed and have been read.
    """
    since = f"{FEEDBACK}dt={(now() - OVERLAP).date().isoformat()}/"
    record = {
        "schema": "memory/1",
        "generation": memory.generation + 1,
        "segments": segments.to_fields(part.segment for part in parts),
        "corrections": sum(1 for part in parts for _ in part.corrections()),
        "since": since,
        "objects_since": sum(key > since for key in read),
    }
    written = create(store, f"{RECORDS}{memory.generation + 1:012d}.json", to_json(record))
    return Memory(memory.generation + int(written), parts)


def forget(store: ObjectStore, gone: Callable[[Correction], bool]) -> None:
    """Remember without some corrections; runs that are under way are raced until one generation has none of them."""
    while True:
        known = recall(store)
        parts = segments.without(store, known.parts, gone)
        if parts == known.parts:
            return
        read = Memory(known.generation, parts).keys()
        remember(store, known, parts, [key for key in store.keys(FEEDBACK) if key in read])


def count_stored(store: ObjectStore) -> int:
    """Return how many corrections are stored, without reading any: an object that no run has read counts as one.

    Only the last days are listed. Objects that came later than `OVERLAP` are not seen here; a run lists all and finds
    them.
    """
    key = _newest(store)
    record: dict[str, Any] = {"since": "", "objects_since": 0, "corrections": 0}
    if key:
        record = json.loads(store.get(key).body)
    there = sum(1 for _ in store.keys(FEEDBACK, after=record["since"]))
    return int(record["corrections"]) + max(0, there - int(record["objects_since"]))


def _newest(store: ObjectStore) -> str | None:
    return max(store.keys(RECORDS), default=None)
