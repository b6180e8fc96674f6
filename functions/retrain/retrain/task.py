"""What a run decides on: the champion, the anchor, and the snapshot of all that there is to learn from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from sentiloop import pointer, registry
from sentiloop.errors import PointerError
from sentiloop.pointer import Pointer
from sentiloop.records import to_json
from sentiloop.run_records import decision_prefix
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain.adapt import Limits
from retrain.anchor import Anchor, find_anchor
from retrain.champion import Champion, read_champion
from retrain.collect import Collected, collect
from retrain.datasets import read_datasets
from retrain.erasures import Erased, read_erased
from retrain.ledger import PROMOTED, RELEASED, read_records
from retrain.merge import merge_corrections
from retrain.screen import screen
from retrain.snapshot import Snapshot, make_snapshot
from retrain.train import Recipe
from retrain.without import Without


@dataclass(frozen=True, slots=True)
class Task:
    """What a run decides on.

    Attributes:
        champion: the model that is served.
        anchor: the model that the candidate is adapted from.
        collected: what was read of the feedback.
        snapshot: the training data it came to.
        erased: what may not be learned from.
        has_to_go: whether the champion learned from some of that.
        digest: names the decision; the same data, champion, recipe and gate need deciding once.
    """

    champion: Champion
    anchor: Anchor
    collected: Collected
    snapshot: Snapshot
    erased: Erased
    has_to_go: bool
    digest: str


class Skip(NamedTuple):
    """Why there is nothing to decide and, if a run decided it before, the key of its record."""

    reason: str
    decided: str | None = None


def prepare(store: ObjectStore, settings: Settings, recipe: Recipe) -> Task:
    """Read everything a run decides on: champion, feedback and base data."""
    erased, champion = read_erased(store), read_champion(store, present_pointer(store))
    has_to_go = registry.is_marked(store, champion.target.version)
    collected = collect(store, champion.snapshot, Without.of(champion.model.manifest))
    datasets = read_datasets(store)
    anchor = find_anchor(store, champion, datasets, recipe)
    merged = merge_corrections(
        collected.corrections,
        anchor.model.labels,
        settings.max_text_chars,
        settings.contributor_max_rows,
        screen(collected.corrections, anchor.model, settings),
    )
    snapshot = make_snapshot(datasets, collected.corrections, merged)
    asked = [
        snapshot.digest,
        asdict(champion.target),
        asdict(anchor.target),
        asdict(recipe),
        asdict(limits_of(settings)),
        gate_of(settings),
        *(["the champion has to go"] if has_to_go else []),
    ]
    return Task(champion, anchor, collected, snapshot, erased, has_to_go, sha256(to_json(asked)).hexdigest())


def skip(store: ObjectStore, task: Task) -> Skip | None:
    """Return why there is nothing to decide, or None if there is."""
    snapshot, champion = task.snapshot, task.champion
    if task.anchor.target == champion.target and not snapshot.manifest["corrections"]["rows"]:
        why = "there is nothing to learn from: no corrections, and no base data that the champion does not stand for"
        return Skip(why)
    records = read_records(store, decision_prefix(snapshot.digest))
    if champion.snapshot == snapshot.digest:
        served = champion.target.version
        of_run = (key for key, record in records if _promoted(record, served))
        return Skip(f"nothing new since {served}, which learned from this very snapshot", next(of_run, None))
    for key, record in records:
        if record["outcome"] in RELEASED and not task.has_to_go:
            return _was_released(store, key, record["version"])
        if key.startswith(decision_prefix(snapshot.digest, task.digest)):
            return Skip(f"decided before, in {key}", key)
    return None


def _promoted(record: Mapping[str, Any], version: str) -> bool:
    """Return whether a record is that of the run that promoted a version: what others promote has no candidate."""
    return record["outcome"] == PROMOTED and record["version"] == version and "candidate" in record


def _was_released(store: ObjectStore, key: str, version: str) -> Skip:
    challenger = present_pointer(store).challenger
    if challenger and challenger.target.version == version:
        return Skip(f"{version}, which is on trial, learned from this very snapshot", key)
    return Skip(f"{version} learned from this very snapshot and was taken back; new feedback is needed")


def gate_of(settings: Settings) -> dict[str, float]:
    """Return the settings of the gate, for the record and for the name of the decision."""
    return {
        "level": settings.gate_level,
        "min_gain": settings.gate_min_gain,
        "slice_drop": settings.gate_slice_drop,
        "calibration_rise": settings.gate_calibration_rise,
        "behaviour_floor": settings.gate_behaviour_floor,
    }


def limits_of(settings: Settings) -> Limits:
    """Return what one contributor may do."""
    return Limits(settings.contributor_max_weight, settings.feedback_half_life_days)


def present_pointer(store: ObjectStore) -> Pointer:
    """Return the pointer, which a bootstrapped bucket has."""
    found = pointer.read(store)
    if found is None:
        raise PointerError("models/current.json vanished")
    return found.pointer
