"""What this instance has answered since it started, per version."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

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

    def count(self, version: str, accuracy: float | None, prediction: Prediction, *, doubtful: bool) -> None:
        """Add one prediction of a version whose held-out accuracy is known."""
        with self._lock:
            tally = self._versions.setdefault(version, _Tally(accuracy=accuracy))
            tally.predictions += 1
            tally.confidence += prediction.confidence
            tally.low_confidence += doubtful
            tally.labels[prediction.label] += 1

    def count_error(self) -> None:
        """Add one text that got an error instead of an answer."""
        with self._lock:
            self._errors += 1

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
