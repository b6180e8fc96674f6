"""Keeping some served texts: those that are doubtful or that two versions label differently, for labelling, and a
random share as a picture of the traffic.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sentiloop.artefact import Model
from sentiloop.errors import SentiloopError
from sentiloop.records import BY_CHANCE, DISAGREEMENT, Sample, now, timestamp, to_lines
from sentiloop.scoring import Prediction
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from predict.answering import Answers

log = logging.getLogger("sentiloop")
MOST_WAITING = 1_000  # samples that may wait to be written; a burst that brings more is written at once


class _Kept(NamedTuple):
    moment: datetime
    id: str
    text: str
    model: Model
    prediction: Prediction
    reason: str
    otherwise: tuple[Model, Prediction] | None  # what another version made of it, if that has another label


class Samples:
    """Keeps what is worth keeping of each request; an answer is never lost to trouble here.

    A third of all short texts is doubtful: a write for each would hold up a third of all requests and cost more than
    their answers. So what comes within `sample_seconds` of the last write waits for the next one. The first request
    after a pause writes at once, because Lambda freezes an instance without requests and may never wake it again.

    Args:
        store: where `samples/` is.
        settings: thresholds, shares and seconds.
        clock: seconds from a monotonic clock.
    """

    def __init__(self, store: ObjectStore, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Kept] = []
        self._written_at = float("-inf")
        self._timer: threading.Timer | None = None

    def threshold(self, model: Model) -> float:
        """Return the confidence below which a prediction of a version counts as doubtful."""
        chosen = self._settings.low_confidence
        return model.low_confidence if chosen is None else chosen

    def keep(self, ids: Sequence[str], texts: Sequence[str], answers: Answers) -> None:
        """Keep what is worth it of one request: prediction ids and texts in the order of its answers."""
        settings = self._settings
        if not settings.store_samples:
            return
        kept = list(self._worth_keeping(ids, texts, answers))
        if not kept:
            return
        with self._lock:
            self._waiting += kept
            early = self._clock() - self._written_at < settings.sample_seconds
            if early and len(self._waiting) < MOST_WAITING:
                if self._timer is None:
                    self._timer = threading.Timer(settings.sample_seconds, self.write)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self.write()

    def write(self) -> None:
        """Write what waits, as one object."""
        with self._lock:
            kept, self._waiting = self._waiting, []
            self._written_at = self._clock()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not kept:
            return
        try:
            key = f"samples/dt={kept[0].moment:%Y-%m-%d}/{kept[0].id}.jsonl"
            self._store.put(key, to_lines(map(_record, kept)), if_absent=True)
        except SentiloopError as error:
            log.warning("%d samples not kept: %s", len(kept), error.message)

    def _worth_keeping(self, ids: Sequence[str], texts: Sequence[str], answers: Answers) -> Iterator[_Kept]:
        moment, drawn = now(), random.random() < self._settings.sample_share
        model, beside, doubtful_below = answers.model, answers.beside, self.threshold(answers.model)
        others = beside.predictions if beside else answers.predictions
        for prediction_id, text, prediction, other in zip(ids, texts, answers.predictions, others, strict=True):
            otherwise = (beside.model, other) if beside and other.label != prediction.label else None
            if drawn:  # the doubtful ones among them, too: only so are those by chance a fair picture
                reason = BY_CHANCE
            elif prediction.confidence < doubtful_below:
                reason = "low_confidence"
            elif otherwise:
                reason = DISAGREEMENT
            else:
                continue
            yield _Kept(moment, prediction_id, text, model, prediction, reason, otherwise)


def _record(kept: _Kept) -> Sample:
    return Sample(
        id=kept.id,
        received_at=timestamp(kept.moment),
        text=kept.text,
        **_said(kept.model, kept.prediction),
        model_version=kept.model.version,
        reason=kept.reason,
        other=kept.otherwise and {"version": kept.otherwise[0].version, **_said(*kept.otherwise)},
    )


def _said(model: Model, prediction: Prediction) -> dict[str, Any]:
    return {
        "label": prediction.label,
        "confidence": prediction.confidence,
        "probabilities": dict(zip(model.labels, prediction.probabilities, strict=True)),
    }
