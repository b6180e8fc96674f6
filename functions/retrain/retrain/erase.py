"""Erasing corrections: what holds them is deleted in all its versions, or written anew without them.

The tombstone comes first, then marks and receipts, and only then deletion; so whatever cuts the command short, nothing is
learned from the corrections again, and the same command finishes the work. Where rows of others stay, they are put aside
under `erasing/` before their object is deleted: objects are never overwritten here, which the bucket's policy forbids.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice

from sentiloop import artefact, pointer
from sentiloop.errors import ObjectNotFoundError, RecordError, SentiloopError
from sentiloop.receipts import FEEDBACK, day_of, outcome_body, outcome_key
from sentiloop.records import Correction, Sample, to_json
from sentiloop.storage import ErasableStore, ObjectStore, StoredVersion, create

from retrain import memory, segments
from retrain.collect import LEFT_OUT, SEGMENTS, SNAPSHOTS
from retrain.erasures import Erasure, mark, read_erasures
from retrain.segments import Segment
from retrain.traffic import FILE as SAMPLES_FILE
from retrain.traffic import SAMPLES

QUARANTINE = "quarantine/"
ASIDE = "erasing/"
FROZEN = "frozen.json"  # in a snapshot's folder: law or policy keeps it as it is
BATCH = 1_000  # objects that are in memory at a time

Without = Callable[[bytes], bytes | None]  # returns what stays of a body, or None if it holds nothing to erase
Ids = frozenset[str]


class ErasureError(SentiloopError):
    """Raise when there is nothing to erase."""

    code = "cannot_erase"
    hint = "A contributor's hash and the ids of corrections are those that stand in feedback/."


@dataclass(frozen=True, slots=True)
class Plan:
    """What an erasure comes to.

    Attributes:
        erasure: as its tombstone says it.
        rows: corrections that are still stored.
        objects: what stays of each object that holds something to erase; empty: nothing.
        segments: ids of the corrections to erase, for every segment that there is.
        frozen: snapshots that hold some of them and stay as they are.
        versions: the models that learned from them.
        champion: whether the served model is among these.
    """

    erasure: Erasure
    rows: int
    objects: Mapping[str, bytes]
    segments: Mapping[str, Ids]
    frozen: tuple[str, ...]
    versions: tuple[str, ...]
    champion: bool

    @property
    def counts(self) -> dict[str, int]:
        """Objects to delete or to write anew, by the start of their keys."""
        prefixes = Counter(key[: key.index("/") + 1] for key in self.objects if not key.startswith(SNAPSHOTS))
        in_snapshots = sum(key.startswith(SNAPSHOTS) for key in self.objects)
        counts = {**prefixes, SNAPSHOTS: in_snapshots, segments.FOLDER: sum(map(bool, self.segments.values()))}
        return {prefix: count for prefix, count in counts.items() if count}


def plan_erasure(store: ErasableStore, request: Erasure) -> Plan:
    """Return what is to do, and write nothing.

    An erasure that was cut short is taken up again, unless corrections have come in since that it does not cover.

    Args:
        store: the bucket.
        request: what to erase; of a contributor the ids are found here.

    Raises:
        ErasureError: nothing is stored that it covers, and nothing was erased.
    """
    corrections: dict[str, Correction] = {}
    feedback = _holding(store, FEEDBACK, lambda _: lambda body: _feedback_without(body, request, corrections))
    held = _segments_holding(store, request, corrections)
    erasure = _erasure(store, request, corrections)
    snapshots = _Snapshots(store, erasure, held)
    return Plan(
        erasure=erasure,
        rows=len(corrections),
        objects={
            **_holding(store, QUARANTINE, lambda _: lambda body: _quarantine_without(body, erasure)),
            **(_holding(store, SAMPLES, lambda _: lambda body: _samples_without(body, erasure))),
            **snapshots.objects(),
            **feedback,
        },
        segments=held,
        frozen=tuple(sorted(snapshots.frozen & snapshots.holding)),
        versions=snapshots.versions(),
        champion=_champion(store) in snapshots.versions(),
    )


def erase(store: ErasableStore, plan: Plan) -> int:
    """Carry out a plan; return how many versions stay because their deletion was denied."""
    erasure = plan.erasure
    _put_back(store)
    create(store, erasure.key, erasure.to_bytes())
    mark(store, plan.versions, erasure)
    _write_receipts(store, erasure)
    denied = sum(_leave(store, key, stays) for key, stays in plan.objects.items())
    denied += _rename_segments(store, plan)
    memory.forget(store, erasure.covers)
    kept = {segment.sha256 for digest in _frozen(store) for segment in _named(store, digest)}
    for digest, ids in plan.segments.items():
        if ids and digest not in kept:
            denied += store.delete(segments.key_of(digest))
    return denied


def _erasure(store: ObjectStore, request: Erasure, corrections: Mapping[str, Correction]) -> Erasure:
    """Return the erasure before that covers all that was found, or the request with what was found."""
    for before in reversed(read_erasures(store)):
        same = before.contributor == request.contributor if request.contributor else request.ids <= before.ids
        if same and all(entry.id in before.ids and before.covers(entry) for entry in corrections.values()):
            return before
    if not corrections:
        whom = request.contributor or ", ".join(sorted(request.ids))
        raise ErasureError(f"no correction of {whom} is stored")
    predictions = frozenset(entry.prediction_id for entry in corrections.values() if entry.prediction_id)
    return replace(request, ids=request.ids | corrections.keys(), predictions=predictions)


def _read_all(store: ErasableStore, versions: Iterable[StoredVersion]) -> Iterator[tuple[StoredVersion, bytes]]:
    left = iter(versions)
    with ThreadPoolExecutor(segments.READERS) as pool:
        while batch := list(islice(left, BATCH)):
            yield from zip(batch, pool.map(store.get_version, batch), strict=True)


def _holding(store: ErasableStore, prefix: str, choose: Callable[[str], Without | None]) -> dict[str, bytes]:
    """Return what stays of each object one of whose versions holds something to erase.

    Args:
        store: the bucket.
        prefix: where to look.
        choose: returns how to read the object of a key; None: it need not be read.
    """
    found: dict[str, bytes] = {}
    versions = (version for version in store.versions(prefix) if choose(version.key))
    for version, body in _read_all(store, versions):
        without = choose(version.key)
        stays = without(body) if without else None
        if version.is_current and (stays is not None or version.key in found):
            found[version.key] = body if stays is None else stays
        elif stays is not None:
            found.setdefault(version.key, b"")
    return found


def _lines_without(body: bytes, gone: Callable[[bytes], bool]) -> bytes | None:
    lines = body.splitlines(keepends=True) if b"\n" not in body else [line + b"\n" for line in body.split(b"\n")]
    kept = [line for line in lines if line.strip() and not gone(line)]
    return None if len(kept) == sum(bool(line.strip()) for line in lines) else b"".join(kept)
