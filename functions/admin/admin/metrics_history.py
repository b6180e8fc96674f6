"""What the whole service did, hour by hour or day by day, from what all its instances counted."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, Field
from sentiloop.activity import CONFIDENCE_BINS, Counts, merge
from sentiloop.activity_totals import ActivityReader
from sentiloop.errors import InvalidRequestError
from sentiloop.records import timestamp

from admin.metrics import Feedback, Latency, feedback_on, latency_of, share
from admin.ranges import time_range

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USUAL = DAY
BY_HOUR_UP_TO = 3 * DAY
MOST_BUCKETS = 400
_NO_REQUESTS = {"latency": [0], "milliseconds": 0.0, "requests": 0}


class PeriodFigures(BaseModel):
    """What the service did in a time."""

    requests: int = Field(description="Of all functions.")
    errors: int = Field(description="Those of them that were answered with a 5xx.")
    predictions: int = Field(description="Texts that were answered.")
    latency_ms: Latency = Field(description="Of the predict function's requests.")
    labels: dict[str, int] = Field(description="Texts by the label that they got.")
    low_confidence: float | None = Field(description="Share of the answers below the threshold of doubt; null: none.")
    mean_confidence: float | None = Field(description="Null without answers.")
    confidence: list[int] = Field(description="Answers by confidence, in 20 equal bins from 0 to 1.")
    feedback: Feedback = Field(description="What was said in this time, of whichever answers.")
    by_version: dict[str, int] = Field(description="Texts by the version that answered.")


class Bucket(PeriodFigures):
    """What the service did in an hour or a day."""

    start: str = Field(description="Begin of the hour or of the day, in UTC.")


class MetricsHistory(BaseModel):
    """What all instances did in a time, bucket by bucket."""

    since: str = Field(description="Begin of the first bucket.")
    until: str = Field(description="End of the last bucket, which may not have passed yet.")
    bucket_seconds: int = Field(
        description="3600 for up to 3 days, else 86400; 86400 as well where only the sums of days are left."
    )
    delay_seconds: float = Field(
        description="How old a figure may be, as long as the instance that counted it gets requests."
    )
    buckets: list[Bucket] = Field(description="All of them in order, those without requests as well.")
    totals: PeriodFigures = Field(description="Of the buckets together.")


def asked_range(since: datetime | None, until: datetime | None, present: datetime) -> tuple[datetime, datetime, bool]:
    """Return begin and end of the time that is asked about, in whole buckets, and whether these are hours.

    Args:
        since: what `from` says, if anything.
        until: what `until` says, if anything.
        present: the present time.

    Raises:
        InvalidRequestError: the time is empty, or has more than `MOST_BUCKETS` days.
    """
    begin, end = time_range(since, until, present, usual=USUAL, longest=MOST_BUCKETS * DAY)
    if end - begin > BY_HOUR_UP_TO:
        return *_whole(begin, end, DAY), False
    first, last = _whole(begin, end, HOUR)
    return max(first, last - USUAL) if since is None else first, last, True


def read_history(
    reader: ActivityReader, begin: datetime, end: datetime, *, by_hour: bool, delay_seconds: float
) -> MetricsHistory:
    """Return what was counted in a time.

    Args:
        reader: reads it.
        begin: of the first bucket.
        end: of the last one.
        by_hour: whether buckets are hours; days if not, or if somebody deleted the hours of a day.
        delay_seconds: what to tell of it.
    """
    counts = reader.read_hours(begin, end) if by_hour else None
    length = HOUR
    if counts is None:
        (begin, end), length = _whole(begin, end, DAY), DAY
        counts = reader.read_days(begin, end)
    starts = [begin + number * length for number in range((end - begin) // length)]
    return MetricsHistory(
        since=timestamp(begin),
        until=timestamp(end),
        bucket_seconds=int(length.total_seconds()),
        delay_seconds=delay_seconds,
        buckets=[
            _bucket(start, counts.get(f"{start:%Y-%m-%dT%H}"[: 13 if length == HOUR else 10])) for start in starts
        ],
        totals=PeriodFigures.model_validate(_figures(merge(counts.values()))),
    )


def _whole(begin: datetime, end: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """Return the times of the whole buckets that touch a time.

    Raises:
        InvalidRequestError: there are too many of them.
    """
    epoch = datetime.fromtimestamp(0, UTC)
    first, last = epoch + (begin - epoch) // length * length, epoch - (epoch - end) // length * length
    if (last - first) // length > MOST_BUCKETS:
        raise InvalidRequestError(
            f"from: {begin.isoformat()} to {end.isoformat()} touches more than {MOST_BUCKETS} days",
            f"Ask for {MOST_BUCKETS} days at a time, with `from` and `until`.",
        )
    return first, last


def _bucket(start: datetime, counts: Counts | None) -> Bucket:
    return Bucket.model_validate({"start": timestamp(start), **_figures(counts or merge([]))})


def _figures(counts: Counts) -> Mapping[str, object]:
    functions, versions = counts["functions"], counts["versions"]
    answers = sum(version["answers"] for version in versions.values())
    labels: dict[str, int] = {}
    for version in versions.values():
        for label, count in version["labels"].items():
            labels[label] = labels.get(label, 0) + count
    return {
        "requests": sum(function["requests"] for function in functions.values()),
        "errors": sum(
            count
            for function in functions.values()
            for status, count in function["status"].items()
            if status.startswith("5")
        ),
        "predictions": answers,
        "latency_ms": latency_of(functions.get("predict", _NO_REQUESTS)),
        "labels": dict(sorted(labels.items())),
        "low_confidence": share(sum(version["low_confidence"] for version in versions.values()), answers),
        "mean_confidence": share(sum(version["confidence_sum"] for version in versions.values()), answers),
        "confidence": [
            sum(version["confidence"][number] for version in versions.values()) for number in range(CONFIDENCE_BINS)
        ],
        "feedback": feedback_on(versions.values()),
        "by_version": {
            name: version["answers"] for name, version in sorted(versions.items()) if name and version["answers"]
        },
    }
