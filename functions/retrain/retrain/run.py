"""One retrain run: snapshot, train, judge, promote. Every step takes and returns plain data."""

from dataclasses import asdict, replace
from typing import Any

from sentiloop import artefact, gate, pointer, registry
from sentiloop.errors import PointerError
from sentiloop.pointer import Target
from sentiloop.run_records import SKIPPED
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain import reference
from retrain.adapt import Adaptation
from retrain.bootstrap import bootstrap
from retrain.candidate import choice_for, cross_fitted, make_candidate
from retrain.checks import moved_names
from retrain.collect import SNAPSHOTS
from retrain.describe import describe, parameters_of
from retrain.erasures import read_erased
from retrain.judge import Judged, judge
from retrain.ledger import PROMOTED, REJECTED, Decision, settle, write_record
from retrain.noise import estimate_noise
from retrain.recovery import record_promotions
from retrain.release import release
from retrain.report import write_report
from retrain.snapshot import store_snapshot
from retrain.splits import TRAIN
from retrain.task import Task, gate_of, limits_of, prepare, skip
from retrain.tracing import step
from retrain.traffic import draw_samples
from retrain.train import Recipe, Trained
from retrain.withdrawal import record_of_return, waive_gain
from retrain.without import Without

MODEL_FILE = "model.joblib"


def retrain(store: ObjectStore, settings: Settings, recipe: Recipe, *, by: str) -> dict[str, Any]:
    """Run once and return the run record: outcome promoted, on_trial, held, rejected or skipped, and why.

    The same input is decided once: a second run on it finds the first one's record and does nothing. When another move
    of the pointer comes between judging and promoting, the candidate is judged again, against the new champion.
    """
    bootstrap(store)
    for _ in range(pointer.ATTEMPTS):
        record_promotions(store)
        with step("prepare"):
            task = prepare(store, settings, recipe)
        if found := skip(store, task):
            named = {"decided": found.decided} if found.decided else {}
            skipped = {"outcome": SKIPPED, "by": by, "reasons": [found.reason], **named}
            return write_record(store, task.snapshot.digest, task.digest, skipped)
        store_snapshot(store, task.snapshot, task.collected.segments)
        record = _decide(store, settings, recipe, task, by)
        if record is not None:
            left_out = Without.of(record).left_out(task.snapshot.corrections, task.snapshot.left_out)
            learned_in = record.get("version") if record["outcome"] == PROMOTED else None
            settle(store, task.collected, Decision(task.snapshot.digest, left_out, task.digest, learned_in))
            return write_record(store, task.snapshot.digest, task.digest, {"by": by, **record})
    raise PointerError("the pointer kept moving while candidates were judged")


def _decide(store: ObjectStore, settings: Settings, recipe: Recipe, task: Task, by: str) -> dict[str, Any] | None:
    """Train, judge and release; return the run record, or None if champion or corrections were taken away meanwhile."""
    if task.has_to_go and not task.snapshot.manifest["corrections"]["rows"]:
        back = record_of_return(task.champion, task.anchor)
        outcome = release(store, task.champion, task.anchor.target, "at_once", (), by=by, reasons=back["reasons"])
        return {**back, "outcome": outcome} if outcome else None
    rows = task.snapshot.rows
    training = rows[rows["side"] == TRAIN]
    samples = draw_samples(store, task.snapshot, recipe.sample_rows)
    adaptation = Adaptation(task.anchor, training, samples, recipe, limits_of(settings))
    key = f"{SNAPSHOTS}{task.snapshot.digest}/choice-{task.digest[:16]}.json"
    with step("choose"):
        choice = choice_for(store, key, adaptation, settings.search_seconds)
    version = f"v{task.digest[:12]}"
    without = choice.without
    with step("train and judge"):
        trained, judged = _candidate(adaptation, choice.feedback_weight, without, task, settings)
    if names := moved_names(judged.verdict):  # what mentions them waits for a reviewer, and stops nobody else
        without = replace(without, names=names)
        trained, judged = _candidate(adaptation, choice.feedback_weight, without, task, settings)
    parameters = parameters_of(recipe, settings, choice.feedback_weight, without)
    record = {
        "outcome": REJECTED,
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
        "choice": {**choice.found, "samples": len(samples), "scarcity": adaptation.scarcity},
        "label_noise": estimate_noise(training, task.anchor.model),
        "gate": gate_of(settings),
    }
    if read_erased(store) != task.erased:
        return None
    if not judged.verdict.promote:
        return record
    with step("publish"):
        target = _publish(store, trained, judged, task, describe(task, parameters, judged))
    how = "at_once" if task.has_to_go else settings.release
    outcome = release(store, task.champion, target, how, settings.release_steps, by=by, reasons=judged.verdict.reasons)
    return {**record, "outcome": outcome, "version": version} if outcome else None


def _candidate(
    adaptation: Adaptation, feedback_weight: float, without: Without, task: Task, settings: Settings
) -> tuple[Trained, Judged]:
    trained = make_candidate(adaptation, feedback_weight, without)
    model, since = trained.model(f"v{task.digest[:12]}"), task.champion.data.get("feedback", {}).get("newest", "")
    said, rows = cross_fitted(adaptation, feedback_weight), task.snapshot.rows
    judged = judge(task.champion.model, model, rows, settings, since=since, cross_fitted=said)
    return trained, waive_gain(judged, task.champion, task.anchor) if task.has_to_go else judged


def _publish(store: ObjectStore, trained: Trained, judged: Judged, task: Task, description: dict[str, Any]) -> Target:
    version = judged.candidate.version
    files = {
        artefact.WEIGHTS: trained.weights,
        MODEL_FILE: trained.joblib(),
        reference.FILE: reference.reference_file(store, judged.candidate, task.snapshot, task.anchor.target),
        **write_report(judged),
    }
    return registry.publish(store, version, trained.manifest(version, description), files)
