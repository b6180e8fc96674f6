"""The figures of the whole service, from what all its instances counted."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, Field
from sentiloop.activity import LONG, SHORT, Counts, disagreement_by_slice, percentile


class Latency(BaseModel):
    """How long answers took, in milliseconds; null without requests. Beyond 10,000 ms only that bound is known."""

    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class FunctionFigures(BaseModel):
    """What one function answered."""

    requests: int
    status: dict[str, int] = Field(description="Requests by HTTP status.")
    errors: dict[str, int] = Field(description="Requests by the code of their error.")
    latency_ms: Latency


class Feedback(BaseModel):
    """What was said about a version's answers."""

    total: int
    confirmed: int = Field(description="The label was called right.")
    mistakes: int = Field(description="Another label was called right, or no prediction was named.")


class SliceOfBeside(BaseModel):
    """A part of the texts that champion and challenger scored."""

    texts: int
    disagreement: float = Field(description="Share of these that got another label.")


class Beside(BaseModel):
    """What a version on trial said of texts that the champion scored as well."""

    texts: int
    disagreement: float | None = Field(description="Share of the texts that got another label.")
    flips: dict[str, int] = Field(description="Texts by `champion label>challenger label`.")
    slices: dict[str, SliceOfBeside] = Field(
        description="By the champion's label (`label positive`), its confidence (`doubtful`, `sure`), and the text's "
        f"length (`short`: up to {SHORT} words, `medium`, `long`: more than {LONG})."
    )


class VersionFigures(BaseModel):
    """What one version answered."""

    requests: int
    errors: int = Field(description="Requests that it failed on.")
    answers: int = Field(description="Texts that it answered.")
    labels: dict[str, int]
    low_confidence: float | None = Field(description="Share of its answers below the threshold of doubt.")
    mean_confidence: float | None
    confidence: list[int] = Field(description="Answers by confidence, in 20 equal bins from 0 to 1.")
    latency_ms: Latency
    feedback: Feedback
    beside: Beside


class Metrics(BaseModel):
    """Totals over all instances, since the first request that was counted."""

    since: str | None = Field(description="When the first of the counted requests came.")
    until: str | None = Field(description="When the last of the counts was written.")
    delay_seconds: float = Field(
        description="How old a figure may be, as long as the instance that counted it gets requests."
    )
    champion: str | None = Field(description="The version that answers; null if no pointer says it.")
    requests: int
    functions: dict[str, FunctionFigures]
    versions: dict[str, VersionFigures]
    feedback: Feedback = Field(description="All of it, that of no version or of one that never answered as well.")


def figures(counts: Counts, champion: str | None, delay_seconds: float) -> Metrics:
    """Return what to tell of merged counts."""
    functions, versions = counts["functions"], counts["versions"]
    return Metrics(
        since=counts["from"],
        until=counts["until"],
        delay_seconds=delay_seconds,
        champion=champion,
        requests=sum(function["requests"] for function in functions.values()),
        functions={name: _function(function) for name, function in sorted(functions.items())},
        versions={name: _version(version) for name, version in sorted(served(versions).items())},
        feedback=feedback_on(versions.values()),
    )


def served(versions: Mapping[str, Counts]) -> dict[str, Counts]:
    """Return the versions that scored a text or failed on one: corrections may name any other."""
    return {
        name: counts
        for name, counts in versions.items()
        if name and (counts["requests"] or counts["answers"] or counts["beside"]["texts"])
    }


def feedback_on(versions: Iterable[Mapping[str, Any]]) -> Feedback:
    """Return what was said about versions, all together."""
    said = [(counts["feedback"], counts["confirmed"]) for counts in versions]
    total, confirmed = sum(total for total, _ in said), sum(confirmed for _, confirmed in said)
    return Feedback(total=total, confirmed=confirmed, mistakes=total - confirmed)


def _function(counts: Mapping[str, Any]) -> FunctionFigures:
    return FunctionFigures(
        requests=counts["requests"], status=counts["status"], errors=counts["errors"], latency_ms=latency_of(counts)
    )


def _version(counts: Mapping[str, Any]) -> VersionFigures:
    answers, beside = counts["answers"], counts["beside"]
    return VersionFigures(
        requests=counts["requests"],
        errors=counts["errors"],
        answers=answers,
        labels=counts["labels"],
        low_confidence=share(counts["low_confidence"], answers),
        mean_confidence=share(counts["confidence_sum"], answers),
        confidence=counts["confidence"],
        latency_ms=latency_of(counts),
        feedback=feedback_on([counts]),
        beside=Beside(
            texts=beside["texts"],
            disagreement=share(sum(beside["flips"].values()), beside["texts"]),
            flips=beside["flips"],
            slices={name: SliceOfBeside.model_validate(found) for name, found in disagreement_by_slice(beside).items()},
        ),
    )


def latency_of(counts: Mapping[str, Any]) -> Latency:
    """Return the latency of what was counted."""
    p50, p95, p99 = (percentile(counts["latency"], share) for share in (0.5, 0.95, 0.99))
    return Latency(mean=share(counts["milliseconds"], counts["requests"]), p50=p50, p95=p95, p99=p99)


def share(part: float, whole: int) -> float | None:
    """Return a part of the whole; None of nothing."""
    return part / whole if whole else None
