"""One retrain run: snapshot, train, judge, promote. Every step takes and returns plain data."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from sentiloop import artefact, gate, pointer, registry
from sentiloop.errors import ObjectNotFoundError, PointerError
from sentiloop.pointer import Move, Pointer, Target
from sentiloop.records import now, timestamp, to_json
from sentiloop.registry import version_key
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain.adapt import Adaptation, Limits
from retrain.anchor import Anchor, find_anchor
from retrain.bootstrap import bootstrap
from retrain.candidate import choice_for, cross_fitted, make_candidate
from retrain.champion import Champion, read_champion
from retrain.checks import moved_names
from retrain.collect import SNAPSHOTS, Collected, collect, read_snapshot, recollect
from retrain.datasets import read_datasets
from retrain.erasures import Erased, read_erased
from retrain.judge import Judged, judge
from retrain.ledger import Decision, decision_prefix, settle, write_record
from retrain.merge import merge_corrections
from retrain.noise import estimate_noise
from retrain.report import write_report
from retrain.screen import screen
from retrain.snapshot import Snapshot, make_snapshot, store_snapshot
from retrain.splits import TRAIN
from retrain.traffic import draw_samples
from retrain.train import Recipe, Trained
from retrain.withdrawal import record_of_return, waive_gain
from retrain.without import Without

MODEL_FILE = "model.joblib"
MOVES_LOOKED_AT = 10  # of the pointer, in search of promotions that were not recorded


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


def retrain(store: ObjectStore, settings: Settings, recipe: Recipe, *, by: str) -> dict[str, Any]:
    """Run once and return the run record: outcome promoted, rejected or skipped, and why.

    The same input is decided once: a second run on it finds the first one's record and does nothing. When another move
    of the pointer comes between judging and promoting, the candidate is judged again, against the new champion.
    """
    bootstrap(store)
    for _ in range(pointer.ATTEMPTS):
        _finish_interrupted_runs(store)
        task = prepare(store, settings, recipe)
        if reason := _reason_to_skip(store, task):
            return write_record(store, task.snapshot.digest, task.digest, {"outcome": "skipped", "reasons": [reason]})
        store_snapshot(store, task.snapshot, task.collected.segments)
        record = _decide(store, settings, recipe, task, by)
        if record is not None:
            left_out = Without.of(record).left_out(task.snapshot.corrections, task.snapshot.left_out)
            settle(store, task.collected, Decision(task.snapshot.digest, left_out, task.digest, record.get("version")))
            return write_record(store, task.snapshot.digest, task.digest, record)
    raise PointerError("the pointer kept moving while candidates were judged")


def prepare(store: ObjectStore, settings: Settings, recipe: Recipe) -> Task:
    """Read everything a run decides on: champion, feedback and base data."""
    erased, champion = read_erased(store), read_champion(store, _present(store))
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
        asdict(_limits(settings)),
        _gate(settings),
        *(["the champion has to go"] if has_to_go else []),
    ]
    return Task(champion, anchor, collected, snapshot, erased, has_to_go, sha256(to_json(asked)).hexdigest())


def _decide(store: ObjectStore, settings: Settings, recipe: Recipe, task: Task, by: str) -> dict[str, Any] | None:
    """Train, judge and promote; return the run record, or None if champion or corrections were taken away meanwhile."""
    if task.has_to_go and not task.snapshot.manifest["corrections"]["rows"]:
        back = record_of_return(task.champion, task.anchor)
        return back if _promote(store, task.champion, task.anchor.target, by, "; ".join(back["reasons"])) else None
    rows = task.snapshot.rows
    training = rows[rows["side"] == TRAIN]
    samples = draw_samples(store, task.snapshot, recipe.sample_rows)
    adaptation = Adaptation(task.anchor, training, samples, recipe, _limits(settings))
    key = f"{SNAPSHOTS}{task.snapshot.digest}/choice-{task.digest[:16]}.json"
    choice = choice_for(store, key, adaptation, settings.search_seconds)
    version = f"v{task.digest[:12]}"
    without = choice.without
    trained, judged = _candidate(adaptation, choice.feedback_weight, without, task, settings)
    if names := moved_names(judged.verdict):  # what mentions them waits for a reviewer, and stops nobody else
        without = replace(without, names=names)
        trained, judged = _candidate(adaptation, choice.feedback_weight, without, task, settings)
    parameters = _parameters(recipe, settings, choice.feedback_weight, without)
    record = {
        "outcome": "promoted" if judged.verdict.promote else "rejected",
        "reasons": list(judged.verdict.reasons),
        "p_value": judged.verdict.p_value,
        "champion": task.champion.target.version,
        "candidate": version,
        "snapshot": task.snapshot.digest,
        "snapshot_manifest": dict(task.snapshot.manifest),
        "anchor": task.anchor.target.version,
        "metrics": judged.metrics,
        "checks": [asdict(check) for check in judged.verdict.checks],
        "comparisons": [gate.described(part) for part in judged.comparisons],
        "parameters": parameters,
        "choice": {**choice.found, "samples": len(samples)},
        "label_noise": estimate_noise(training, task.anchor.model),
        "gate": _gate(settings),
    }
    if read_erased(store) != task.erased:
        return None
    if not judged.verdict.promote:
        return record
    target = _publish(store, trained, judged, _description(task, parameters, judged))
    if not _promote(store, task.champion, target, by, "; ".join(judged.verdict.reasons)):
        return None
    return {**record, "version": version}


def _candidate(
    adaptation: Adaptation, feedback_weight: float, without: Without, task: Task, settings: Settings
) -> tuple[Trained, Judged]:
    trained = make_candidate(adaptation, feedback_weight, without)
    model, since = trained.model(f"v{task.digest[:12]}"), task.champion.data.get("feedback", {}).get("newest", "")
    said, rows = cross_fitted(adaptation, feedback_weight), task.snapshot.rows
    judged = judge(task.champion.model, model, rows, settings, since=since, cross_fitted=said)
    return trained, waive_gain(judged, task.champion, task.anchor) if task.has_to_go else judged


def _publish(store: ObjectStore, trained: Trained, judged: Judged, description: dict[str, Any]) -> Target:
    version = judged.candidate.version
    files = {artefact.WEIGHTS: trained.weights, MODEL_FILE: trained.joblib(), **write_report(judged)}
    return registry.publish(store, version, trained.manifest(version, description), files)


def _promote(store: ObjectStore, champion: Champion, target: Target, by: str, reason: str) -> bool:
    """Move the pointer if the champion is still the one that was judged against."""

    def decide(current: Pointer | None) -> Move | None:
        judged_against = current is not None and current.commit_id == champion.commit
        return Move(target, by, reason) if judged_against else None

    moved = pointer.move(store, decide)
    return moved is not None and moved.champion == target


def _description(task: Task, parameters: dict[str, Any], judged: Judged) -> dict[str, Any]:
    """Return what the manifest says of where the version comes from."""
    champion, snapshot = task.champion, task.snapshot
    prior = {"prior": asdict(champion.prior_target)} if champion.prior_target else {}
    return {
        "created_at": timestamp(now()),
        "parents": [champion.target.version],
        "parameters": parameters,
        "metrics": judged.metrics,
        "data": {
            "snapshot": snapshot.digest,
            "anchor": asdict(task.anchor.target),
            "base": snapshot.manifest["base"],
            "feedback": {**_feedback_figures(snapshot), "left_out": snapshot.manifest["left_out"]},
            **prior,
        },
    }


def _feedback_figures(snapshot: Snapshot) -> dict[str, Any]:
    """Return counts, and each version's accuracy as its users reported it: people report mistakes, so it is low."""
    confirmed: dict[str, list[bool]] = defaultdict(list)
    for entry in snapshot.corrections:
        if entry.model_version and entry.predicted_label:
            confirmed[entry.model_version].append(entry.predicted_label == entry.correct_label)
    return {
        "stored": len(snapshot.corrections),
        "newest": max((entry.received_at for entry in snapshot.corrections), default=""),
        "rows": snapshot.manifest["corrections"]["rows"],
        "reported_accuracy": {
            version: {"corrections": len(right), "accuracy": sum(right) / len(right)}
            for version, right in sorted(confirmed.items())
        },
    }


def _gate(settings: Settings) -> dict[str, float]:
    return {
        "level": settings.gate_level,
        "min_gain": settings.gate_min_gain,
        "slice_drop": settings.gate_slice_drop,
        "calibration_rise": settings.gate_calibration_rise,
        "behaviour_floor": settings.gate_behaviour_floor,
    }


def _limits(settings: Settings) -> Limits:
    return Limits(settings.contributor_max_weight, settings.feedback_half_life_days)


def _parameters(recipe: Recipe, settings: Settings, feedback_weight: float, without: Without) -> dict[str, Any]:
    """Return all that `retrain.rebuild` needs besides the data."""
    return {
        "recipe": asdict(recipe),
        "limits": asdict(_limits(settings)),
        "feedback_weight": feedback_weight,
        "without": asdict(without),
    }


def _reason_to_skip(store: ObjectStore, task: Task) -> str | None:
    snapshot, champion = task.snapshot, task.champion
    if task.anchor.target == champion.target and not snapshot.manifest["corrections"]["rows"]:
        return "there is nothing to learn from: no corrections, and no base data that the champion does not stand for"
    if champion.snapshot == snapshot.digest:
        return f"nothing new since {champion.target.version}, which learned from this very snapshot"
    for key in store.keys(decision_prefix(snapshot.digest)):
        record = json.loads(store.get(key).body)
        if record["outcome"] == "promoted" and not task.has_to_go:
            return f"{record['version']} learned from this very snapshot and was rolled back; new feedback is needed"
        if key.startswith(decision_prefix(snapshot.digest, task.digest)):
            return f"decided before, in {key}"
    return None


def _finish_interrupted_runs(store: ObjectStore) -> None:
    """Write what runs that ended right after their promotion left unwritten; mostly there is nothing."""
    for version in _recently_served(store):
        manifest = _manifest(store, version)
        snapshot = manifest.get("data", {}).get("snapshot")
        digest = version.removeprefix("v")
        if snapshot is None or any(store.keys(decision_prefix(snapshot, digest))):
            continue
        before = _manifest(store, manifest["parents"][0])
        collected = recollect(store, snapshot, before.get("data", {}).get("snapshot"), Without.of(before))
        _, left_out = read_snapshot(store, snapshot)
        left_out = Without.of(manifest).left_out(collected.corrections, left_out)
        settle(store, collected, Decision(snapshot, left_out, digest, version))
        reasons = ["recorded by the next run: the run that promoted it was cut short"]
        record = {"outcome": "promoted", "version": version, "reasons": reasons, "snapshot": snapshot}
        write_record(store, snapshot, digest, record)


def _recently_served(store: ObjectStore) -> Collection[str]:
    """Return the versions of the last moves: after a promotion people may have moved the pointer more than once."""
    newest = _present(store).generation
    entries = (pointer.read_history(store, newest - back) for back in range(MOVES_LOOKED_AT))
    return dict.fromkeys(entry.champion.version for entry in entries if entry)


def _manifest(store: ObjectStore, version: str) -> dict[str, Any]:
    """Return a version's manifest; one that was deleted since it was served has nothing to tell."""
    try:
        found: dict[str, Any] = json.loads(store.get(version_key(version, artefact.MANIFEST)).body)
    except ObjectNotFoundError:
        return {}
    return found


def _present(store: ObjectStore) -> Pointer:
    found = pointer.read(store)
    if found is None:
        raise PointerError("models/current.json vanished")
    return found.pointer
