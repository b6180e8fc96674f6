"""Keeping some served texts: the doubtful ones for labelling, a random share as a picture of the traffic."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from sentiloop.errors import SentiloopError
from sentiloop.records import BY_CHANCE, Sample, now, timestamp, to_lines
from sentiloop.scoring import Prediction
from sentiloop.serving import Served
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

log = logging.getLogger("sentiloop")
MOST_WAITING = 1_000  # samples that may wait to be written; a burst that brings more is written at once


class _Kept(NamedTuple):
    moment: datetime
    served: Served
    id: str
    text: str
    prediction: Prediction
    reason: str


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

    def threshold(self, served: Served) -> float:
        """Return the confidence below which a prediction counts as doubtful."""
        chosen = self._settings.low_confidence
        return served.model.low_confidence if chosen is None else chosen

    def keep(self, served: Served, answers: Iterable[tuple[str, str, Prediction]]) -> None:
        """Keep what is worth it of one request: prediction id, text and prediction of each of its texts."""
        settings = self._settings
        if not settings.store_samples:
            return
        moment = now()
        doubtful_below, drawn = self.threshold(served), random.random() < settings.sample_share
        kept = [
            _Kept(moment, served, *answer, "low_confidence" if answer[2].confidence < doubtful_below else BY_CHANCE)
            for answer in answers
            if drawn or answer[2].confidence < doubtful_below
        ]
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


def _record(kept: _Kept) -> Sample:
    label, confidence, probabilities = kept.prediction
    model = kept.served.model
    return Sample(
        id=kept.id,
        received_at=timestamp(kept.moment),
        text=kept.text,
        label=label,
        confidence=confidence,
        probabilities=dict(zip(model.labels, probabilities, strict=True)),
        model_version=model.version,
        reason=kept.reason,
    )
