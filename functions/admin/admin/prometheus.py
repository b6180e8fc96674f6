"""The same figures in the text format that Prometheus scrapes."""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sentiloop.activity import CONFIDENCE_BINS, LATENCY_BOUNDS_MS, Counts

from admin.metrics import feedback_on, served

_LATENCY_BOUNDS = [*(str(bound / 1000) for bound in LATENCY_BOUNDS_MS), "+Inf"]  # in seconds, as is the custom there
_CONFIDENCE_BOUNDS = [*(f"{number / CONFIDENCE_BINS:.2f}" for number in range(1, CONFIDENCE_BINS)), "+Inf"]


def exposition(counts: Counts, champion: str | None, accept: str) -> tuple[bytes, str]:
    """Return the figures in the format that an Accept header prefers, and their content type."""
    encode, content_type = choose_encoder(accept)
    return encode(_Totals(counts, champion)), content_type


class _Totals(Collector):
    """Merged counts as metric families."""

    def __init__(self, counts: Counts, champion: str | None) -> None:
        self._functions = sorted(counts["functions"].items())
        self._all_versions = sorted(counts["versions"].items())
        self._versions = sorted(served(counts["versions"]).items())
        self._champion = champion

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        if self._champion:
            yield InfoMetricFamily("sentiloop_champion", "The version that answers.", {"version": self._champion})
        yield from self._of_functions()
        yield from self._of_versions()
        yield self._feedback()

    def _of_functions(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "sentiloop_requests", "Requests by function and status.", labels=["function", "status"]
        )
        errors = CounterMetricFamily(
            "sentiloop_errors", "Requests that were answered with an error, by its code.", labels=["function", "code"]
        )
        latency = _latency("sentiloop_request_duration_seconds", "Time until the answer.", "function")
        for name, counts in self._functions:
            _add_each(requests, name, counts["status"])
            _add_each(errors, name, counts["errors"])
            _add_latency(latency, name, counts)
        yield from (requests, errors, latency)

    def _of_versions(self) -> Iterator[Metric]:
        answers = CounterMetricFamily("sentiloop_predictions", "Texts answered.", labels=["version", "label"])
        doubtful = CounterMetricFamily(
            "sentiloop_low_confidence", "Texts answered with low confidence.", labels=["version"]
        )
        failures = CounterMetricFamily(
            "sentiloop_version_errors", "Requests that a version failed on.", labels=["version"]
        )
        beside = CounterMetricFamily(
            "sentiloop_compared", "Texts that a challenger scored beside the champion.", labels=["version"]
        )
        flips = CounterMetricFamily(
            "sentiloop_disagreements", "Texts that a challenger labelled differently.", labels=["version", "flip"]
        )
        in_slices = CounterMetricFamily(
            "sentiloop_slice_compared", "Compared texts, by each slice that they are in.", labels=["version", "slice"]
        )
        differing = CounterMetricFamily(
            "sentiloop_slice_disagreements", "Those labelled differently, in the same way.", labels=["version", "slice"]
        )
        confidence = HistogramMetricFamily("sentiloop_confidence", "Confidence of the answers.", labels=["version"])
        latency = _latency("sentiloop_version_duration_seconds", "Time until a version's answer.", "version")
        for name, counts in self._versions:
            _add_each(answers, name, counts["labels"])
            doubtful.add_metric([name], counts["low_confidence"])
            failures.add_metric([name], counts["errors"])
            beside.add_metric([name], counts["beside"]["texts"])
            _add_each(flips, name, counts["beside"]["flips"])
            slices = counts["beside"]["slices"]
            _add_each(in_slices, name, {slice_: found["texts"] for slice_, found in slices.items()})
            _add_each(differing, name, {slice_: found["differ"] for slice_, found in slices.items()})
            bins = zip(_CONFIDENCE_BOUNDS, accumulate(counts["confidence"]), strict=True)
            confidence.add_metric([name], list(bins), counts["confidence_sum"])
            _add_latency(latency, name, counts)
        yield from (answers, doubtful, failures, beside, flips, in_slices, differing, confidence, latency)

    def _feedback(self) -> Metric:
        """What was said, under the versions that answered; what names any other is under none."""
        feedback = CounterMetricFamily(
            "sentiloop_feedback", "Corrections and confirmations.", labels=["version", "verdict"]
        )
        known = dict(self._versions)
        others = [counts for name, counts in self._all_versions if name not in known]
        for name, versions in [*((name, [counts]) for name, counts in self._versions), ("", others)]:
            said = feedback_on(versions)
            feedback.add_metric([name, "mistake"], said.mistakes)
            feedback.add_metric([name, "confirmed"], said.confirmed)
        return feedback


def _latency(name: str, documentation: str, label: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, documentation, labels=[label])


def _add_latency(family: HistogramMetricFamily, name: str, counts: Mapping[str, Any]) -> None:
    buckets = zip(_LATENCY_BOUNDS, accumulate(counts["latency"]), strict=True)
    family.add_metric([name], list(buckets), counts["milliseconds"] / 1000)


def _add_each(family: CounterMetricFamily, name: str, counts: Mapping[str, int]) -> None:
    for value, count in sorted(counts.items()):
        family.add_metric([name, value], count)
