"""Step 1: every correction that is stored, each object read once in its life, with what is broken set aside."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sentiloop.errors import ObjectNotFoundError, RecordError
from sentiloop.receipts import FEEDBACK, correction_key
from sentiloop.records import Correction
from sentiloop.storage import ObjectStore

from retrain import memory, segments
from retrain.erasures import Erased, read_erased
from retrain.memory import Memory
from retrain.segments import Entry, Mark, Part, Segment
from retrain.without import Without

SNAPSHOTS = "datasets/snapshots/"
SEGMENTS = "segments.json"
LEFT_OUT = "left_out.json.gz"
NOTHING = Without()
BATCH = 1_000  # objects that are in memory at a time


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A line that stays out of training, and why."""

    id: str
    day: str
    reason: str
    line: bytes


@dataclass(frozen=True, slots=True)
class Collected:
    """What there is to learn from.

    Attributes:
        corrections: all valid corrections, oldest first, each id once.
        broken: the broken lines that the champion's snapshot did not know.
        settled: of the corrections that the champion's snapshot knew, why each was left out; None: it was learned.
        segments: where the corrections are kept.
    """

    corrections: tuple[Correction, ...]
    broken: tuple[Quarantined, ...]
    settled: Mapping[str, str | None]
    segments: tuple[Segment, ...] = ()


def collect(store: ObjectStore, snapshot: str | None, without: Without = NOTHING) -> Collected:
    """Read what no run has read before, and return all corrections.

    Args:
        store: the bucket.
        snapshot: digest of the champion's snapshot; None: nothing is settled yet.
        without: what the champion was made without.
    """
    erased = read_erased(store)
    return _compare(store, _catch_up(store, memory.recall(store), erased).parts, erased, snapshot, without)


def recollect(store: ObjectStore, learned: str, snapshot: str | None, without: Without = NOTHING) -> Collected:
    """Return what was collected by the run that came to the snapshot `learned`; for the rest see `collect`."""
    return _compare(store, read_snapshot(store, learned)[0], read_erased(store), snapshot, without)


def _compare(
    store: ObjectStore, parts: Sequence[Part], erased: Erased, snapshot: str | None, without: Without
) -> Collected:
    """Return what the segments hold, held against what the champion knew."""
    try:
        before, left_out = read_snapshot(store, snapshot, parts) if snapshot else ((), {})
    except ObjectNotFoundError:  # a segment was erased just as this snapshot came to name it: all is new, then
        before, left_out = (), {}
    known = [entry for part in before for entry in part.corrections()]
    reasons = without.left_out(known, left_out)
    reported = {mark.key for part in before for mark in part.marks()}
    broken = (mark.key for part in parts for mark in part.marks() if mark.broken and mark.key not in reported)
    return Collected(
        corrections=tuple(entry for entry in in_order(parts) if not erased.covers(entry)),
        broken=tuple(
            entry for _, entries in _read(store, broken) for entry in entries if isinstance(entry, Quarantined)
        ),
        settled={entry.id: reasons.get(entry.id) for entry in known},
        segments=tuple(part.segment for part in parts),
    )


def read_snapshot(
    store: ObjectStore, snapshot: str, known: Iterable[Part] = ()
) -> tuple[Sequence[Part], dict[str, str]]:
    """Return a snapshot's segments, and of the corrections that it left out the reason by id.

    A snapshot from before there were segments has neither: to a run after it all feedback is new.

    Args:
        store: the bucket.
        snapshot: the snapshot's digest.
        known: segments that need no reading.

    Raises:
        ObjectNotFoundError: a segment is not there.
    """
    folder = f"{SNAPSHOTS}{snapshot}/"
    try:
        named = json.loads(store.get(folder + SEGMENTS).body)["segments"]
    except ObjectNotFoundError:
        return (), {}
    left_out = json.loads(gzip.decompress(store.get(folder + LEFT_OUT).body))
    return segments.read(store, segments.from_fields(named), known), left_out


def read_corrections(store: ObjectStore, snapshot: str) -> tuple[tuple[Correction, ...], dict[str, str]]:
    """Return the corrections behind a snapshot, oldest first, and of those that it left out the reason by id."""
    parts, left_out = read_snapshot(store, snapshot)
    return in_order(parts), left_out


def in_order(parts: Iterable[Part]) -> tuple[Correction, ...]:
    """Return the corrections of segments, oldest first."""
    corrections = (entry for part in parts for entry in part.corrections())
    return tuple(sorted(corrections, key=lambda entry: (entry.received_at, entry.id)))


def _catch_up(store: ObjectStore, known: Memory, erased: Erased) -> Memory:
    """Read the objects that have not been read, however late they came, and remember them a full segment at a time.

    A run that is cut short has not read in vain: the next one goes on where it was. What was erased is dropped, even
    where the command that erases it has not come to its end, or the object has come back.
    """
    known = Memory(known.generation, segments.without(store, known.parts, erased.covers))
    keys, listed = known.keys(), list(store.keys(FEEDBACK))
    unread = [key for key in listed if key not in keys]
    ids = {entry.id for part in known.parts for entry in part.corrections()}
    new: list[Entry] = []
    for start in range(0, len(unread), BATCH):
        batch = unread[start : start + BATCH]
        for key, entries in _read(store, batch):
            new += _worth_keeping(key, [entry for entry in entries if not _is_erased(entry, erased)], ids)
        keys.update(batch)
        if len(new) >= segments.FULL or batch[-1] == unread[-1]:
            parts = segments.append(store, known.parts, new)
            known = memory.remember(store, known, parts, [key for key in listed if key in keys])
            new = []
    return known


def _worth_keeping(key: str, entries: Sequence[Correction | Quarantined], ids: set[str]) -> Iterator[Entry]:
    """Yield corrections of new ids, which join `ids`, and a mark unless an id leads to the key."""
    corrections = [entry for entry in entries if isinstance(entry, Correction)]
    for entry in corrections:
        if entry.id not in ids:
            ids.add(entry.id)
            yield entry
    is_broken = len(corrections) < len(entries)
    if is_broken or key not in {correction_key(entry.id) for entry in corrections}:
        yield Mark(key, is_broken)


def _is_erased(entry: Correction | Quarantined, erased: Erased) -> bool:
    return isinstance(entry, Correction) and erased.covers(entry)


def _read(store: ObjectStore, keys: Iterable[str]) -> Iterator[tuple[str, list[Correction | Quarantined]]]:
    """Yield objects with their lines; one that was deleted since it was listed has none."""

    def fetch(key: str) -> tuple[str, list[Correction | Quarantined]]:
        try:
            body = store.get(key).body
        except ObjectNotFoundError:
            return key, []
        return key, list(_parse(key, body))

    with ThreadPoolExecutor(segments.READERS) as pool:
        yield from pool.map(fetch, keys)


def _parse(key: str, body: bytes) -> Iterator[Correction | Quarantined]:
    name, day = key.rpartition("/")[2].removesuffix(".jsonl"), key.removeprefix(f"{FEEDBACK}dt=").partition("/")[0]
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        try:
            yield Correction.from_line(line)
        except RecordError as error:
            yield Quarantined(name, day, error.message, line)
