"""What a run says of itself: in its record, and in the manifest of the version that it made."""

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from sentiloop.records import now, timestamp
from sentiloop.settings import Settings

from retrain.judge import Judged
from retrain.snapshot import Snapshot
from retrain.task import Task, limits_of
from retrain.train import Recipe
from retrain.without import Without


def describe(task: Task, parameters: dict[str, Any], judged: Judged) -> dict[str, Any]:
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


def parameters_of(recipe: Recipe, settings: Settings, feedback_weight: float, without: Without) -> dict[str, Any]:
    """Return all that `retrain.rebuild` needs besides the data."""
    return {
        "recipe": asdict(recipe),
        "limits": asdict(limits_of(settings)),
        "feedback_weight": feedback_weight,
        "without": asdict(without),
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
