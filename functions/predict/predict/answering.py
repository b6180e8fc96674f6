"""Scoring the texts of one request: by the version that answers its client and, during a trial, by the other beside it.

Both score in the request itself: it takes some 20 µs a text, and Lambda would freeze a thread in the background.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request
from sentiloop.activity import Activity
from sentiloop.artefact import Model
from sentiloop.http import note
from sentiloop.scoring import Contribution, Prediction, Scorer
from sentiloop.serving import Served

if TYPE_CHECKING:
    from sentiloop.spans import Span

log = logging.getLogger("sentiloop")


class Explanation(NamedTuple):
    """Why a text got its answer.

    Attributes:
        terms: what each term added to the logits, largest effect first.
        logits: what the terms add up to, by label.
        spans: what each part of the text added, in order; with the bias they add up to the logits, too.
    """

    terms: list[Contribution]
    logits: tuple[float, ...]
    spans: "list[Span]"


class Beside(NamedTuple):
    """What the version that did not answer said of the same texts."""

    model: Model
    predictions: list[Prediction]


class Answers(NamedTuple):
    """What the texts of one request got.

    Attributes:
        model: the version that answers all of them.
        predictions: one a text.
        explanation: that of the first text, where it was asked for.
        beside: what the other version said, where both scored.
    """

    model: Model
    predictions: list[Prediction]
    explanation: Explanation | None
    beside: Beside | None = None


class Answering:
    """Scores requests. Trouble in a challenger is counted against it and costs no answer: the champion gives it.

    The time and the failures of a version are those of the requests that it answers, which are counted where every
    request is. Here a challenger gets what would be missing: answers that the champion had to give in its place and,
    in shadow, where it answers none, what it did beside the champion.

    Args:
        shadow_share: of the requests, scored by both versions while there are two.
        activity: counts what a challenger does.
        threshold: returns the confidence below which a version's prediction counts as doubtful.
    """

    def __init__(self, shadow_share: float, activity: Activity, threshold: Callable[[Model], float]) -> None:
        self._shadow_share = shadow_share
        self._activity = activity
        self._threshold = threshold

    def score(
        self, request: Request, served: Served, client: str, texts: Sequence[str], *, explained: bool = False
    ) -> Answers:
        """Score the texts of a request, for whose line the version is noted that is to answer."""
        scorer = served.scorer_for(client)
        note(request, version=scorer.model.version)
        started = time.perf_counter()
        try:
            answers = _answers(scorer, texts, explained)
        except Exception as error:
            if scorer is served.scorer:
                raise
            _say(scorer, error)
            took = _milliseconds_since(started)
            self._activity.timed(scorer.model.version, took, failed=True)
            note(request, version=served.model.version, others_ms=took)
            return _answers(served.scorer, texts, explained)
        return answers._replace(beside=self._beside(request, served, scorer, texts, answers.predictions))

    def _beside(
        self, request: Request, served: Served, answering: Scorer, texts: Sequence[str], answered: list[Prediction]
    ) -> Beside | None:
        """Let the version that did not answer score the texts too, and count how the two differ."""
        challenger = served.challenger
        if challenger is None or random.random() >= self._shadow_share:
            return None
        other = challenger if answering is served.scorer else served.scorer
        predictions: list[Prediction] | None = None
        started = time.perf_counter()
        try:
            predictions = list(map(other.score, texts))
        except Exception as error:  # noqa: BLE001 - there is an answer already
            _say(other, error)
        took = _milliseconds_since(started)
        note(request, others_ms=took)
        if served.on_trial and served.on_trial.mode == "shadow":
            self._activity.timed(other.model.version, took, failed=predictions is None)
        if predictions is None:
            return None
        pairs = (answered, predictions) if other is challenger else (predictions, answered)
        scored, doubtful_below = zip(texts, *pairs, strict=True), self._threshold(served.model)
        self._activity.beside(challenger.model.version, scored, doubtful_below)
        return Beside(other.model, predictions)


def _answers(scorer: Scorer, texts: Sequence[str], explained: bool) -> Answers:
    return Answers(scorer.model, list(map(scorer.score, texts)), _explanation(scorer, texts[0]) if explained else None)


def _explanation(scorer: Scorer, text: str) -> Explanation:
    from sentiloop.spans import spans  # noqa: PLC0415 - most instances are never asked

    return Explanation(*scorer.explain(text), spans(scorer, text))


def _say(scorer: Scorer, error: Exception) -> None:
    """Log the trouble by its type alone: an error may quote the text."""
    log.error("%s failed to score: %s", scorer.model.version, type(error).__name__)


def _milliseconds_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
