"""Step 1: every correction that is stored, read once, with what is broken set aside."""

import gzip
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

from sentiloop.errors import RecordError
from sentiloop.receipts import FEEDBACK
from sentiloop.records import Correction, now, to_lines
from sentiloop.storage import ObjectStore

SNAPSHOTS = "datasets/snapshots/"
CORRECTIONS = "corrections.jsonl.gz"
LEFT_OUT = "left_out.json"
OVERLAP = timedelta(days=2)  # objects that came late, or from a clock that was wrong, are found within this time
READERS = 16


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A line that stays out of training, and why."""

    id: str
    day: str
    reason: str
    line: bytes


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run read.

    Attributes:
        corrections: all valid corrections, oldest first, each id once.
        broken: the broken lines among those read this time.
        settled: of the corrections that the champion's snapshot knew, why each was left out; None: it was learned.
    """

    corrections: tuple[Correction, ...]
    broken: tuple[Quarantined, ...]
    settled: Mapping[str, str | None]


def collect(store: ObjectStore, snapshot: str | None) -> Collected:
    """Return the corrections of an earlier snapshot and all that were stored since.

    Args:
        store: the bucket.
        snapshot: digest of the snapshot to go on from; None reads everything.
    """
    known, left_out = read_corrections(store, snapshot) if snapshot else ((), {})
    after = f"{FEEDBACK}dt={_watermark(known).isoformat()}/" if known else ""
    corrections = {correction.id: correction for correction in known}
    broken: list[Quarantined] = []
    keys = list(store.keys(FEEDBACK, after=after))
    with ThreadPoolExecutor(READERS) as pool:
        for key, body in zip(keys, pool.map(lambda key: store.get(key).body, keys), strict=True):
            for entry in _parse(key, body):
                if isinstance(entry, Quarantined):
                    broken.append(entry)
                else:
                    corrections.setdefault(entry.id, entry)
    in_order = sorted(corrections.values(), key=lambda correction: (correction.received_at, correction.id))
    settled = {correction.id: left_out.get(correction.id) for correction in known}
    return Collected(tuple(in_order), tuple(broken), settled)


def corrections_body(corrections: tuple[Correction, ...]) -> bytes:
    """Write corrections the way a snapshot keeps them: equal corrections have equal bytes."""
    return gzip.compress(to_lines(corrections), mtime=0)


def _watermark(known: tuple[Correction, ...]) -> date:
    """Return the first day to read again. A clock that ran ahead must not hide what others store until then."""
    newest = max(date.fromisoformat(correction.received_at[:10]) for correction in known)
    return max(min(newest, now().date()), date.min + OVERLAP) - OVERLAP


def read_corrections(store: ObjectStore, snapshot: str) -> tuple[tuple[Correction, ...], dict[str, str]]:
    """Return the corrections behind a snapshot, and of those that it left out the reason by id."""
    folder = f"{SNAPSHOTS}{snapshot}/"
    body = gzip.decompress(store.get(folder + CORRECTIONS).body)
    corrections = tuple(Correction.from_line(line) for line in body.splitlines())
    return corrections, json.loads(store.get(folder + LEFT_OUT).body)


def _parse(key: str, body: bytes) -> Iterator[Correction | Quarantined]:
    name, day = key.rpartition("/")[2].removesuffix(".jsonl"), key.removeprefix(f"{FEEDBACK}dt=").partition("/")[0]
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        try:
            yield Correction.from_line(line)
        except RecordError as error:
            yield Quarantined(name, day, error.message, line)
