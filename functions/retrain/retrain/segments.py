"""Segments: immutable, content-addressed files of corrections, so that a small object is read once in its life.

What a run reads anew becomes a segment, merged with the small ones before it: a line is written O(log n) times, and of
n lines there are O(log n) segments below the full size. A segment is named by the sha256 of its lines before
compression, since another zlib compresses to other bytes.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from sentiloop.records import Correction, to_json
from sentiloop.storage import ObjectStore, create

FOLDER = "datasets/segments/"
SUFFIX = ".jsonl.gz"
FULL = 50_000  # lines; small enough to be written anew when a person's rows are erased
COMPRESSION = 6  # half a percent larger than the most there is, in a third of the time
READERS = 10  # as many connections as the storage client keeps open


@dataclass(frozen=True, slots=True)
class Segment:
    """Names a segment: the sha256 of its lines, and their number."""

    sha256: str
    lines: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Says that an object was read which no correction's id leads to; a broken one holds a line that is no record."""

    key: str
    broken: bool


Entry = Correction | Mark


@dataclass(frozen=True, slots=True)
class Part:
    """A segment with what it holds."""

    segment: Segment
    entries: Sequence[Entry]

    def corrections(self) -> Iterator[Correction]:
        """Yield its corrections."""
        return (entry for entry in self.entries if isinstance(entry, Correction))

    def marks(self) -> Iterator[Mark]:
        """Yield its marks."""
        return (entry for entry in self.entries if isinstance(entry, Mark))


def append(store: ObjectStore, parts: Sequence[Part], new: Iterable[Entry]) -> list[Part]:
    """Write new entries behind those of the parts and return all parts; full segments stay as they are.

    A segment less than twice as large as all behind it becomes one with them. So sizes at least halve from one
    segment to the next, and a line moves into a segment at least half again as large each time that it is rewritten.
    """
    kept, tail = list(parts), list(new)
    while tail and kept and kept[-1].segment.lines < min(FULL, 2 * len(tail)):
        tail = [*kept.pop().entries, *tail]
    return kept + [_write(store, tail[start : start + FULL]) for start in range(0, len(tail), FULL)]


def read(store: ObjectStore, segments: Iterable[Segment], known: Iterable[Part] = ()) -> list[Part]:
    """Return segments with their entries; `known` ones need no reading.

    Raises:
        ObjectNotFoundError: a segment is not there.
        RecordError: a segment holds what no run wrote.
    """
    there = {part.segment.sha256: part for part in known}

    def fetch(segment: Segment) -> Part:
        return there.get(segment.sha256) or Part(segment, parse(store.get(key_of(segment.sha256)).body))

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(fetch, segments))


def without(store: ObjectStore, parts: Iterable[Part], gone: Callable[[Correction], bool]) -> list[Part]:
    """Return the parts without some corrections; those that hold any are written anew, and the old ones stay."""
    kept = []
    for part in parts:
        rest = [entry for entry in part.entries if isinstance(entry, Mark) or not gone(entry)]
        if len(rest) == len(part.entries):
            kept.append(part)
        elif rest:
            kept.append(_write(store, rest))
    return kept


def to_fields(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """Return what JSON says of segments; `from_fields` reads it."""
    return [asdict(segment) for segment in segments]


def from_fields(fields: Iterable[dict[str, Any]]) -> list[Segment]:
    """Read segments from JSON."""
    return [Segment(**entry) for entry in fields]


def digest_of(corrections: Iterable[Correction]) -> str:
    """Return the sha256 of corrections in their order, however they are cut into segments."""
    digest = sha256()
    for entry in corrections:
        digest.update(entry.to_line())
    return digest.hexdigest()


def key_of(digest: str) -> str:
    """Return the key of the segment of that sha256."""
    return f"{FOLDER}{digest}{SUFFIX}"


def digest_in(key: str) -> str:
    """Return the sha256 that a segment's key names."""
    return key.removeprefix(FOLDER).removesuffix(SUFFIX)


def _write(store: ObjectStore, entries: Sequence[Entry]) -> Part:
    body = b"".join(_to_line(entry) for entry in entries)
    segment = Segment(sha256(body).hexdigest(), len(entries))
    create(store, key_of(segment.sha256), gzip.compress(body, COMPRESSION, mtime=0))
    return Part(segment, entries)


def _to_line(entry: Entry) -> bytes:
    """Write an entry: a correction as the object it is, a mark as an array, which no correction is."""
    return entry.to_line() if isinstance(entry, Correction) else to_json([entry.key, entry.broken]) + b"\n"


def parse(body: bytes) -> list[Entry]:
    """Return what a segment's object holds."""
    lines = gzip.decompress(body).split(b"\n")[:-1]  # a text may hold other line ends, and these end no line
    return [Mark(*json.loads(line)) if line.startswith(b"[") else Correction.from_line(line) for line in lines]
