"""Erasing corrections: what holds them is deleted in all its versions, or written anew without them.

The tombstone comes first, then marks and receipts, and only then deletion. So wherever the command is cut short,
nothing is learned from the corrections again, and the same command finishes the work. Where rows of others stay, they
are put aside under `erasing/` before their object is deleted: nothing is overwritten, as the bucket's policy demands.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sentiloop import pointer
from sentiloop.errors import ObjectNotFoundError, SentiloopError
from sentiloop.receipts import day_of, outcome_body, outcome_key
from sentiloop.records import Correction, to_json
from sentiloop.storage import ErasableStore, ObjectStore, create

from retrain import memory, segments
from retrain.collect import SEGMENTS, SNAPSHOTS
from retrain.erasures import Erasure, mark, read_erasures
from retrain.segments import Segment
from retrain.traces import (
    Ids,
    feedback_traces,
    models_trained_on,
    other_traces,
    segment_traces,
    snapshots_learned,
)

ASIDE = "erasing/"  # what stays of an object, until it is back under its own key
FROZEN = "frozen.json"  # in a snapshot's folder: law or policy keeps it as it is


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
        segments: digests of the segments that hold corrections to erase.
        kept: those of them that belong to a frozen snapshot.
        frozen: the frozen snapshots that hold corrections to erase.
        versions: the models that learned from them.
        champion: the served model, if it is one of these.
    """

    erasure: Erasure
    rows: int
    objects: Mapping[str, bytes]
    segments: Ids
    kept: Ids
    frozen: tuple[str, ...]
    versions: tuple[str, ...]
    champion: str | None

    @property
    def counts(self) -> dict[str, int]:
        """Objects to delete or to write anew, by the start of their keys."""
        keys = [*self.objects, *map(segments.key_of, self.segments - self.kept)]
        return dict(sorted(Counter(key[: key.index("/") + 1] for key in keys).items()))


def plan_erasure(store: ErasableStore, request: Erasure) -> Plan:
    """Return what is to do; all that is written is what an erasure that was cut short has left aside.

    Such an erasure is taken up again, unless there are corrections now that it does not cover.

    Args:
        store: the bucket.
        request: what to erase; the ids of a contributor's corrections are found here.

    Raises:
        ErasureError: nothing is stored that the request covers, and nothing was erased.
    """
    _put_back(store)
    found: dict[str, Correction] = {}
    feedback = feedback_traces(store, request, found)
    held = segment_traces(store, request, found)
    erasure = _erasure(store, request, found)
    frozen = _frozen(store)
    named = {digest: [each.sha256 for each in _named(store, digest)] for digest in _snapshots(store)}
    ids = {digest: frozenset[str]().union(*(held.get(each, ()) for each in of)) for digest, of in named.items()}
    versions = models_trained_on(store, snapshots_learned(store, erasure, ids))
    current = pointer.read(store)
    champion = current.pointer.champion.version if current else None
    return Plan(
        erasure=erasure,
        rows=len(found),
        objects={**other_traces(store, erasure, frozen), **feedback},
        segments=frozenset(held),
        kept=frozenset(each for digest in frozen for each in named[digest]),
        frozen=tuple(digest for digest in frozen if ids[digest]),
        versions=versions,
        champion=champion if champion in versions else None,
    )


def erase(store: ErasableStore, plan: Plan) -> int:
    """Carry out a plan; return how many versions stay because their deletion was denied."""
    create(store, plan.erasure.key, plan.erasure.to_bytes())
    mark(store, plan.versions, plan.erasure)
    _write_receipts(store, plan.erasure)
    denied = sum(_leave(store, key, stays) for key, stays in plan.objects.items())
    denied += _leave_segments(store, plan)
    memory.forget(store, plan.erasure.covers)
    return denied + sum(store.delete(segments.key_of(digest)) for digest in sorted(plan.segments - plan.kept))


def _erasure(store: ObjectStore, request: Erasure, found: Mapping[str, Correction]) -> Erasure:
    """Return the erasure before this one that covers all that was found, or the request with what was found."""
    for before in reversed(read_erasures(store)):
        same = before.contributor == request.contributor if request.contributor else request.ids <= before.ids
        if same and all(entry.id in before.ids and before.covers(entry) for entry in found.values()):
            return before
    missing = request.ids - found.keys()
    if missing or not found:
        raise ErasureError(f"no correction of {', '.join(sorted(missing)) or request.contributor} is stored")
    predictions = frozenset(entry.prediction_id for entry in found.values() if entry.prediction_id)
    return replace(request, ids=frozenset(found), predictions=predictions)


def _snapshots(store: ObjectStore) -> list[str]:
    return list(dict.fromkeys(key.split("/")[2] for key in store.keys(SNAPSHOTS)))


def _frozen(store: ObjectStore) -> list[str]:
    return [key.split("/")[2] for key in store.keys(SNAPSHOTS) if key.endswith(f"/{FROZEN}")]


def _named(store: ObjectStore, snapshot: str) -> list[Segment]:
    """Return the segments of a snapshot; one that is half written has none."""
    try:
        body = store.get(f"{SNAPSHOTS}{snapshot}/{SEGMENTS}").body
    except ObjectNotFoundError:
        return []
    return segments.from_fields(json.loads(body)["segments"])


def _write_receipts(store: ObjectStore, erasure: Erasure) -> None:
    days: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for each in erasure.ids:
        if day := day_of(each):
            days[day][each] = {"erased": erasure.at}
    for day, outcomes in days.items():
        create(store, outcome_key(day, f"{erasure.at}-erasure-{erasure.id}"), outcome_body(outcomes))


def _leave(store: ErasableStore, key: str, stays: bytes) -> int:
    """Delete an object, or replace it by what stays of it."""
    if not stays:
        return store.delete(key)
    create(store, ASIDE + key, stays)
    denied = store.delete(key)
    create(store, key, stays)
    return denied + store.delete(ASIDE + key)


def _put_back(store: ErasableStore) -> None:
    """Put back what stays of the object that an erasure was at when it was cut short."""
    for aside in list(store.keys(ASIDE)):
        create(store, aside.removeprefix(ASIDE), store.get(aside).body)
        store.delete(aside)


def _leave_segments(store: ErasableStore, plan: Plan) -> int:
    """Let the snapshots that are not frozen name segments without the corrections."""
    denied = 0
    anew: dict[str, Sequence[Segment]] = {}
    for digest in set(_snapshots(store)) - set(_frozen(store)):
        named = _named(store, digest)
        for segment in named:
            if segment.sha256 in plan.segments and segment.sha256 not in anew:
                parts = segments.without(store, segments.read(store, [segment]), plan.erasure.covers)
                anew[segment.sha256] = [part.segment for part in parts]
        kept = [each for segment in named for each in anew.get(segment.sha256, [segment])]
        if kept != named:
            denied += _leave(store, f"{SNAPSHOTS}{digest}/{SEGMENTS}", to_json({"segments": segments.to_fields(kept)}))
    return denied
