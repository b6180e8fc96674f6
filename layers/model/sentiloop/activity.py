"""What an instance counts of its work, as plain numbers that add up: over instances, over hours, over restarts.

A document of counts (schema "activity/1") holds no text and nothing about a client. Times are in milliseconds.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from threading import Lock
from typing import Any

from sentiloop.records import now, timestamp
from sentiloop.scoring import Prediction

SCHEMA = "activity/1"
LATENCY_BOUNDS_MS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)
CONFIDENCE_BINS = 20
SHORT, LONG = 5, 50  # words: the most that a short text has, and that one has which is not long
MOST_VERSIONS = 50  # counted by name in a document: a correction may name any, and a document stays small

Counts = dict[str, Any]


class Activity:
    """Counts until it is asked what it counted; safe to use from several threads.

    Args:
        clock: returns the present moment.
    """

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock
        self._lock = Lock()
        self._counts = _nothing()

    def request(self, function: str, status: int, code: str | None, milliseconds: float) -> None:
        """Count a request by what it was answered with; `code` is that of an error."""
        with self._lock:
            counts = self._begun()["functions"].setdefault(function, _no_requests())
            counts["requests"] += 1
            _add(counts["status"], str(status))
            if code:
                _add(counts["errors"], code)
            _add_latency(counts, milliseconds)

    def answered(self, version: str, predictions: Iterable[Prediction], doubtful_below: float) -> None:
        """Count the texts of a request that a version answered."""
        with self._lock:
            counts = self._version(version)
            for label, confidence, _ in predictions:
                counts["answers"] += 1
                _add(counts["labels"], label)
                counts["low_confidence"] += confidence < doubtful_below
                counts["confidence_sum"] += confidence
                counts["confidence"][min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)] += 1

    def timed(self, version: str, milliseconds: float, failed: bool) -> None:
        """Count a request that a version answered, or failed on."""
        with self._lock:
            counts = self._version(version)
            counts["requests"] += 1
            counts["errors"] += failed
            _add_latency(counts, milliseconds)

    def beside(
        self, challenger_version: str, scored: Iterable[tuple[str, Prediction, Prediction]], doubtful_below: float
    ) -> None:
        """Count texts that both versions scored, each with what the champion and the challenger said of it.

        Args:
            challenger_version: what they are counted under.
            scored: text, champion's and challenger's prediction.
            doubtful_below: the champion's confidence below which a text is in the slice `doubtful`.
        """
        with self._lock:
            counts = self._version(challenger_version)["beside"]
            for text, champion, challenger in scored:
                differs = champion.label != challenger.label
                counts["texts"] += 1
                if differs:
                    _add(counts["flips"], f"{champion.label}>{challenger.label}")
                for name in _slices_of(text, champion, doubtful_below):
                    of_slice = counts["slices"].setdefault(name, {"texts": 0, "differ": 0})
                    of_slice["texts"] += 1
                    of_slice["differ"] += differs
                counts["confidence_sum"] += challenger.confidence
                counts["champion_confidence_sum"] += champion.confidence

    def feedback(self, version: str, confirmed: bool) -> None:
        """Count a correction of what a version answered, "" if it names none; or the confirmation of it."""
        with self._lock:
            counts = self._version(version)
            counts["feedback"] += 1
            counts["confirmed"] += confirmed

    def take(self) -> Counts | None:
        """Return what was counted since the last time and start anew; None if nothing was."""
        with self._lock:
            taken, self._counts = self._counts, _nothing()
        if taken["from"] is None:
            return None
        return {**taken, "until": timestamp(self._clock())}

    def _begun(self) -> Counts:
        if self._counts["from"] is None:
            self._counts["from"] = timestamp(self._clock())
        return self._counts

    def _version(self, version: str) -> Counts:
        versions: dict[str, Counts] = self._begun()["versions"]
        if version not in versions and len(versions) >= MOST_VERSIONS:
            version = ""
        return versions.setdefault(version, _no_answers())


def merge(parts: Iterable[Mapping[str, Any]]) -> Counts:
    """Return the sum of documents, over the time from the first to the last; of none, an empty one."""
    merged = _nothing()
    for part in parts:
        starts, ends = [merged["from"], part["from"]], [merged["until"], part["until"]]
        merged["from"] = min(filter(None, starts), default=None)
        merged["until"] = max(filter(None, ends), default=None)
        for name, counts in part["functions"].items():
            _add_all(merged["functions"].setdefault(name, _no_requests()), counts)
        for version, counts in part["versions"].items():
            _add_all(merged["versions"].setdefault(version, _no_answers()), counts)
    return merged


def bounded(counts: Counts) -> Counts:
    """Return a sum with as many versions by name as a document has, the busiest, and the others under none."""
    busiest = sorted(counts["versions"], key=lambda version: _work(counts["versions"][version]), reverse=True)
    versions: dict[str, Counts] = {}
    for place, version in enumerate(busiest):
        named = versions.setdefault(version if place < MOST_VERSIONS else "", _no_answers())
        _add_all(named, counts["versions"][version])
    return {**counts, "versions": versions}


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the latency that a share of the requests stays within, in milliseconds; None without requests.

    It is exact to the bin and linear inside it; of what is beyond the last bound only that bound is known.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = share * total
    number, reached = next(
        (number, reached) for number, reached in enumerate(accumulate(counts)) if counts[number] and reached >= wanted
    )
    if number == len(LATENCY_BOUNDS_MS):
        return LATENCY_BOUNDS_MS[-1]
    low, high = (0.0, *LATENCY_BOUNDS_MS)[number : number + 2]
    return low + (high - low) * max(0.0, 1 - (reached - wanted) / counts[number])


def disagreement_by_slice(beside: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return of each slice of the texts that two versions scored how many there are, and the share labelled twice."""
    return {
        name: {"texts": counts["texts"], "disagreement": counts["differ"] / counts["texts"]}
        for name, counts in sorted(beside.get("slices", {}).items())
    }


def _slices_of(text: str, champion: Prediction, doubtful_below: float) -> tuple[str, str, str]:
    """Return the slices that a text is in: by what the champion says, how sure it is, and how long the text is."""
    words = len(text.split(maxsplit=LONG))  # no more than it takes to know that it is long
    length = "short" if words <= SHORT else "long" if words > LONG else "medium"
    return f"label {champion.label}", "doubtful" if champion.confidence < doubtful_below else "sure", length


def _work(counts: Counts) -> tuple[int, ...]:
    return counts["answers"], counts["requests"], counts["beside"]["texts"], counts["feedback"]


def _nothing() -> Counts:
    return {"schema": SCHEMA, "from": None, "until": None, "functions": {}, "versions": {}}


def _no_requests() -> Counts:
    return {"requests": 0, "status": {}, "errors": {}, **_no_latencies()}


def _no_answers() -> Counts:
    return {
        "answers": 0,
        "labels": {},
        "low_confidence": 0,
        "confidence_sum": 0.0,
        "confidence": [0] * CONFIDENCE_BINS,
        "requests": 0,
        **_no_latencies(),
        "errors": 0,
        "beside": {"texts": 0, "flips": {}, "slices": {}, "confidence_sum": 0.0, "champion_confidence_sum": 0.0},
        "feedback": 0,
        "confirmed": 0,
    }


def _no_latencies() -> Counts:
    return {"latency": [0] * (len(LATENCY_BOUNDS_MS) + 1), "milliseconds": 0.0}


def _add_latency(counts: Counts, milliseconds: float) -> None:
    counts["latency"][bisect_left(LATENCY_BOUNDS_MS, milliseconds)] += 1
    counts["milliseconds"] += milliseconds


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def _add_all(into: Counts, more: Mapping[str, Any]) -> None:
    """Add numbers by name, lists of numbers place by place, and what is nested in the same way."""
    for name, value in more.items():
        if isinstance(value, Mapping):
            _add_all(into.setdefault(name, {}), value)
        elif isinstance(value, list):
            into[name] = [own + other for own, other in zip(into[name], value, strict=True)]
        else:
            into[name] = into.get(name, 0) + value
