"""Where corrections leave traces: which objects hold them, in any version, and what stays of these without them."""

import gzip
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from sentiloop import artefact
from sentiloop.errors import ObjectNotFoundError, RecordError
from sentiloop.receipts import FEEDBACK
from sentiloop.records import Correction, Sample, to_json
from sentiloop.review_samples import SAMPLES
from sentiloop.storage import ErasableStore, ObjectStore, StoredVersion

from retrain import segments
from retrain.collect import LEFT_OUT, SNAPSHOTS
from retrain.erasures import Erasure
from retrain.traffic import FILE as SAMPLES_FILE

QUARANTINE = "quarantine/"
BATCH = 1_000  # objects that are in memory at a time

Ids = frozenset[str]
Gone = Callable[[bytes], bool]
Without = Callable[[bytes], bytes | None]  # what stays of a body; None: it holds nothing to erase


def feedback_traces(store: ErasableStore, erasure: Erasure, found: dict[str, Correction]) -> dict[str, bytes]:
    """Return what stays of the objects in `feedback/`; adds the corrections to `found`, by id."""

    def gone(line: bytes, name: str) -> bool:
        try:
            entry = Correction.from_line(line)
        except RecordError:
            return name in erasure.ids or _names(line, erasure)
        if erasure.covers(entry):
            found[entry.id] = entry
        return erasure.covers(entry)

    def choose(key: str) -> Without:
        name = key.rpartition("/")[2].removesuffix(".jsonl")
        return lambda body: _without(body, lambda line: gone(line, name))

    return _traces(store, FEEDBACK, choose)


def segment_traces(store: ErasableStore, erasure: Erasure, found: dict[str, Correction]) -> dict[str, Ids]:
    """Return the ids of the corrections in each segment that holds any; adds the corrections to `found`, by id."""
    held: dict[str, Ids] = {}
    for version, body in _read(store, store.versions(segments.FOLDER)):
        entries = (entry for entry in segments.parse(body) if isinstance(entry, Correction) and erasure.covers(entry))
        if here := {entry.id: entry for entry in entries}:
            held[segments.digest_in(version.key)] = frozenset(here)
            found |= here
    return held


def other_traces(store: ErasableStore, erasure: Erasure, frozen: Collection[str]) -> dict[str, bytes]:
    """Return what stays of objects in the quarantine, among the samples, and in snapshots that are not frozen."""

    def quarantined(line: bytes) -> bool:
        try:
            return erasure.covers(Correction.from_line(json.loads(line)["line"].encode()))
        except RecordError:
            return _names(line, erasure)

    def choose(key: str) -> Without | None:
        _, _, digest, name = key.split("/")
        files = {LEFT_OUT: lambda body: _left_out_without(body, erasure), SAMPLES_FILE: _zipped(sampled)}
        return None if digest in frozen else files.get(name)

    def sampled(body: bytes) -> bytes | None:
        return _without(body, lambda line: _is_sampled(line, erasure))

    return {
        **_traces(store, QUARANTINE, lambda _: lambda body: _without(body, quarantined)),
        **(_traces(store, SAMPLES, lambda _: sampled) if erasure.predictions else {}),
        **_traces(store, SNAPSHOTS, choose),
    }


def snapshots_learned(store: ObjectStore, erasure: Erasure, ids: Mapping[str, Ids]) -> Ids:
    """Return the snapshots that did not leave out all of the corrections, or that hold a sample to erase.

    Args:
        store: the bucket.
        erasure: what is to go.
        ids: of each snapshot's corrections those that are to go.
    """
    learned = set()
    for digest, held in ids.items():
        folder = f"{SNAPSHOTS}{digest}/"
        left_out = json.loads(gzip.decompress(_get(store, folder + LEFT_OUT) or _EMPTY)) if held else {}
        samples = gzip.decompress(_get(store, folder + SAMPLES_FILE) or _EMPTY).split(b"\n")
        if held - left_out.keys() or any(_is_sampled(line, erasure) for line in samples):
            learned.add(digest)
    return frozenset(learned)


def models_trained_on(store: ObjectStore, snapshots: Collection[str]) -> tuple[str, ...]:
    """Return the versions that were trained on one of the snapshots."""
    manifests = [key for key in store.keys("models/") if key.endswith(f"/{artefact.MANIFEST}")]
    named = ((key.split("/")[1], json.loads(store.get(key).body).get("data", {}).get("snapshot")) for key in manifests)
    return tuple(version for version, snapshot in named if snapshot in snapshots)


_EMPTY = gzip.compress(b"{}")


def _names(line: bytes, erasure: Erasure) -> bool:
    """Return whether a line that is no valid record names what is to go."""
    names = [*erasure.ids, *([erasure.contributor] if erasure.contributor else [])]
    return any(name.encode() in line for name in names)


def _is_sampled(line: bytes, erasure: Erasure) -> bool:
    try:
        return Sample.from_line(line).id in erasure.predictions
    except RecordError:
        return False


def _without(body: bytes, gone: Gone) -> bytes | None:
    lines = [line for line in body.split(b"\n") if line.strip()]  # a text may hold other line ends
    kept = [line + b"\n" for line in lines if not gone(line)]
    return b"".join(kept) if len(kept) < len(lines) else None


def _left_out_without(body: bytes, erasure: Erasure) -> bytes | None:
    reasons = json.loads(gzip.decompress(body))
    kept = {each: reason for each, reason in reasons.items() if each not in erasure.ids}
    return gzip.compress(to_json(kept), segments.COMPRESSION, mtime=0) if len(kept) < len(reasons) else None


def _zipped(without: Without) -> Without:
    def on_zipped(body: bytes) -> bytes | None:
        stays = without(gzip.decompress(body))
        return None if stays is None else gzip.compress(stays, mtime=0)

    return on_zipped


def _traces(store: ErasableStore, prefix: str, choose: Callable[[str], Without | None]) -> dict[str, bytes]:
    """Return what stays of each object one of whose versions holds something to erase; empty: nothing stays.

    Args:
        store: the bucket.
        prefix: where to look.
        choose: returns how to read the object of a key; None: it need not be read.
    """
    stays: dict[str, bytes | None] = {}
    versions = (version for version in store.versions(prefix) if choose(version.key))
    for version, body in _read(store, versions):
        without = choose(version.key)
        rest = without(body) if without else None
        if rest is not None and (version.is_current or version.key not in stays):
            stays[version.key] = rest if version.is_current else None
    return {key: (_get(store, key) or b"") if rest is None else rest for key, rest in stays.items()}


def _get(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get(key).body
    except ObjectNotFoundError:
        return None


def _read(store: ErasableStore, versions: Iterable[StoredVersion]) -> Iterator[tuple[StoredVersion, bytes]]:
    left = iter(versions)
    with ThreadPoolExecutor(segments.READERS) as pool:
        while batch := list(islice(left, BATCH)):
            yield from zip(batch, pool.map(store.get_version, batch), strict=True)
