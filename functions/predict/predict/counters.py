"""What this instance has answered since it started, per version."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sentiloop.artefact import Model
from sentiloop.records import now, timestamp
from sentiloop.scoring import Prediction


@dataclass
class _Tally:
    predictions: int = 0
    confidence: float = 0.0
    low_confidence: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    accuracy: float | None = None


class Counters:
    """Counts predictions; safe to use from several threads."""

    def __init__(self) -> None:
        self._since = timestamp(now())
        self._lock = Lock()
        self._versions: dict[str, _Tally] = {}
        self._errors = 0

    def count(self, model: Model, predictions: Sequence[Prediction], doubtful_below: float, errors: int = 0) -> None:
        """Add one request: the predictions of its texts, and how many texts got an error instead."""
        confidences = [prediction.confidence for prediction in predictions]
        doubtful = sum([confidence < doubtful_below for confidence in confidences])
        with self._lock:
            self._errors += errors
            if not predictions:
                return
            tally = self._versions.setdefault(model.version, _Tally(accuracy=_accuracy(model)))
            tally.predictions += len(predictions)
            tally.confidence += sum(confidences)
            tally.low_confidence += doubtful
            tally.labels.update([prediction.label for prediction in predictions])

    def figures(self) -> dict[str, Any]:
        """Return the totals and those of each version."""
        with self._lock:
            total = sum(tally.predictions for tally in self._versions.values())
            confidence = sum(tally.confidence for tally in self._versions.values())
            return {
                "scope": "instance",
                "since": self._since,
                "predictions": total,
                "mean_confidence": confidence / total if total else None,
                "errors": self._errors,
                "versions": {
                    version: {
                        "predictions": tally.predictions,
                        "mean_confidence": tally.confidence / tally.predictions,
                        "low_confidence": tally.low_confidence,
                        "labels": dict(tally.labels),
                        "accuracy": tally.accuracy,
                    }
                    for version, tally in self._versions.items()
                },
            }


def _accuracy(model: Model) -> float | None:
    accuracy = model.manifest.get("metrics", {}).get("accuracy")
    return float(accuracy) if isinstance(accuracy, int | float) else None
