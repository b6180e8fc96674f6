"""Keeping some served texts: the doubtful ones for labelling, a random share as a picture of the traffic."""

import logging
import random
from collections.abc import Iterable

from sentiloop.errors import SentiloopError
from sentiloop.records import Sample, now, timestamp, to_lines
from sentiloop.scoring import Prediction
from sentiloop.serving import Served
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

log = logging.getLogger("sentiloop")


def threshold(settings: Settings, served: Served) -> float:
    """Return the confidence below which a prediction counts as doubtful."""
    return served.model.low_confidence if settings.low_confidence is None else settings.low_confidence


def keep_samples(
    store: ObjectStore, settings: Settings, served: Served, answers: Iterable[tuple[str, str, Prediction]]
) -> None:
    """Store what is worth keeping of one request as one object; an answer is never lost to trouble here.

    Args:
        store: where `samples/` is.
        settings: thresholds and shares.
        served: the model that answered.
        answers: prediction id, text and prediction, of each text of the request.
    """
    if not settings.store_samples:
        return
    moment = now()
    doubtful_below, drawn = threshold(settings, served), random.random() < settings.sample_share
    kept = [
        Sample(
            id=prediction_id,
            received_at=timestamp(moment),
            text=text,
            label=prediction.label,
            confidence=prediction.confidence,
            probabilities=dict(zip(served.model.labels, prediction.probabilities, strict=True)),
            model_version=served.model.version,
            reason="low_confidence" if prediction.confidence < doubtful_below else "random",
        )
        for prediction_id, text, prediction in answers
        if drawn or prediction.confidence < doubtful_below
    ]
    if not kept:
        return
    try:
        store.put(f"samples/dt={moment:%Y-%m-%d}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
    except SentiloopError as error:
        log.warning("%d samples not kept: %s", len(kept), error.message)
