"""The hourly look at what came in of late: staleness, drift, and whether the service runs as it should.

It reads and decides nothing: `retrain.check` acts on the findings.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from sentiloop import pointer, registry
from sentiloop.activity_totals import read_activity
from sentiloop.artefact import Model
from sentiloop.errors import ArtefactError, ObjectNotFoundError, RecordError
from sentiloop.pointer import Pointer
from sentiloop.receipts import FEEDBACK
from sentiloop.records import BY_CHANCE, Correction, Sample, timestamp
from sentiloop.review_samples import SAMPLES
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain.drift import Signal, compare
from retrain.findings import BROKEN, Finding, broken_champion, figures_of, findings_of, is_settled
from retrain.health import quarantine_signal, service_signals
from retrain.measures import measure, new_words, repeated_share
from retrain.merge import text_key
from retrain.reference import Reference, one_a_request, read_reference
from retrain.staleness import Reports, count_reports, fair_labels, fair_signals, reports_signals

MOST_REQUESTS = (
    500  # requests kept by chance that are looked at: enough evidence, and more would only see a change later
)
LEAST_TIME = timedelta(days=1)  # that they are spread over where traffic is busy, since nights differ from days
MOST_OBJECTS = 3_000  # of one day that are read; their names are random, so they are a fair part of it
SERVICE_HOURS = 3  # errors and latency are those of so many hours
READERS = 16
Record = TypeVar("Record", Sample, Correction)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look saw.

    Attributes:
        version: the champion's.
        reference: what it was trained for, or None if its version has no such file.
        signals: all that there was enough data for.
        findings: what is not as it should be.
        looked_at: the causes that are known to be there or to be over; nothing is known of others.
        new_words: words that many of the texts have and that the reference does not know as frequent, with the number
            of texts that have them: what the new texts are about.
    """

    version: str
    reference: Reference | None
    signals: tuple[Signal, ...]
    findings: tuple[Finding, ...]
    looked_at: frozenset[str]
    new_words: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_broken(self) -> bool:
        """Whether the champion cannot be read, so that nothing is known of how it does."""
        return any(finding.cause == BROKEN for finding in self.findings)

    def described(self) -> dict[str, Any]:
        """Return what JSON says of it."""
        known = {"of": self.reference.of, "rows": self.reference.rows} if self.reference else None
        return {
            "champion": self.version,
            "reference": known,
            "signals": {signal.cause: figures_of(signal) for signal in self.signals},
            "findings": {
                each.cause: {"action": each.action, "title": each.title, "sentence": each.sentence}
                for each in self.findings
            },
            "looked_at": sorted(self.looked_at),
            "new_words": dict(self.new_words),
        }


def watch(store: ObjectStore, settings: Settings, moment: datetime) -> Watched:
    """Look once.

    Args:
        store: the bucket; it has a champion.
        settings: days, least samples and thresholds.
        moment: the present time.
    """
    found = pointer.read(store)
    if found is None:
        return Watched("", None, (), (), frozenset())
    version, since = found.pointer.champion.version, moment - timedelta(days=settings.watch_days)
    corrections = read_corrections(store, since, moment)
    signals = list(service_signals(read_activity(store, moment - timedelta(hours=SERVICE_HOURS), moment), settings))
    if quarantine := quarantine_signal(store, corrections, settings.alert_quarantine_share):
        signals.append(quarantine)
    reference, words, broken = None, dict[str, int](), list[Finding]()
    try:
        model, reference = registry.fetch(store, found.pointer.champion), read_reference(store, version)
    except ArtefactError as error:
        broken.append(broken_champion(version, error.message))
    if reference:
        samples = read_samples(store, since, moment)
        about_model = drift_signals(model, reference, samples, settings)
        about_model += fair_signals(model, reference, fair_labels(samples, corrections, model), settings)
        if reports := read_reports(store, found.pointer, corrections, since, moment):
            about_model += reports_signals(*reports, reference, settings.stale_accuracy_drop)
        signals += [signal for signal in about_model if signal.rows >= settings.watch_min_samples]
        texts = _distinct([sample.text for sample in recent_requests(samples)])
        words = new_words(texts, reference.words) if len(texts) >= settings.watch_min_samples else words
    looked_at = frozenset({BROKEN, *(signal.cause for signal in signals if is_settled(signal))})
    return Watched(version, reference, tuple(signals), (*broken, *findings_of(signals)), looked_at, words)


def drift_signals(model: Model, reference: Reference, samples: list[Sample], settings: Settings) -> list[Signal]:
    """Compare texts kept by chance with the reference; what the model of now says of them counts, whoever answered.

    One text of each request is looked at. Equal texts count once, as they do in training data; how many are nearly
    equal is a signal of its own.
    """
    texts = [sample.text for sample in recent_requests(samples)]
    distinct = _distinct(texts)
    if len(distinct) < settings.watch_min_samples or not reference.rows:
        return []
    measured = measure(model, distinct, reference.seen, list(reference.words))
    return compare(reference, measured, repeated_share(texts), settings)


def _distinct(texts: Sequence[str]) -> list[str]:
    return list({text_key(text): text for text in texts}.values())


def recent_requests(samples: list[Sample]) -> list[Sample]:
    """Return a sample of each of the newest `MOST_REQUESTS` requests; if a day has more, of so many of the day."""
    requests = one_a_request(samples)
    if len(requests) <= MOST_REQUESTS:
        return requests
    begin = timestamp(datetime.fromisoformat(requests[-1].received_at) - LEAST_TIME)
    of_a_day = [sample for sample in requests if sample.received_at >= begin]
    if len(of_a_day) <= MOST_REQUESTS:
        return requests[-MOST_REQUESTS:]
    return sorted(of_a_day, key=lambda sample: sample.id)[:MOST_REQUESTS]  # ids are random


def read_samples(store: ObjectStore, since: datetime, until: datetime) -> list[Sample]:
    """Return the samples by chance of a time, day by day backwards until there are enough."""
    found: list[Sample] = []
    for day in _days_backwards(since, until):
        records = _read_day(store, f"{SAMPLES}dt={day}/", Sample, since, until)
        found += [sample for sample in records if sample.reason == BY_CHANCE]
        enough = len({sample.received_at for sample in found}) >= MOST_REQUESTS
        if enough and day <= (until - LEAST_TIME).astimezone(UTC).date().isoformat():
            break
    return found


def read_corrections(store: ObjectStore, since: datetime, until: datetime) -> list[Correction]:
    """Return the corrections of a time, at most `MOST_OBJECTS` a day."""
    days = _days_backwards(since, until)
    return [entry for day in days for entry in _read_day(store, f"{FEEDBACK}dt={day}/", Correction, since, until)]


def served_since(store: ObjectStore, current: Pointer) -> datetime:
    """Return since when the champion is served, whatever became of challengers meanwhile."""
    first = current
    while entry := pointer.read_history(store, first.generation - 1):
        if entry.champion != current.champion:
            break
        first = entry
    return datetime.fromisoformat(first.at)


def read_reports(
    store: ObjectStore, current: Pointer, lately: list[Correction], since: datetime, until: datetime
) -> tuple[Reports, Reports] | None:
    """Return the reports of a time and those of the champion's first days, or None if the two overlap."""
    version, begin, length = current.champion.version, served_since(store, current), until - since
    if begin + length > since:
        return None
    firstly = read_corrections(store, begin, begin + length)
    return (
        count_reports(lately, version, _answers(store, version, since, until)),
        count_reports(firstly, version, _answers(store, version, begin, begin + length)),
    )


def _answers(store: ObjectStore, version: str, since: datetime, until: datetime) -> int:
    versions = read_activity(store, since, until)["versions"]
    return int(versions[version]["answers"]) if version in versions else 0


def _days_backwards(since: datetime, until: datetime) -> Iterator[str]:
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    yield from ((last - timedelta(days=back)).isoformat() for back in range((last - first).days + 1))


def _read_day(
    store: ObjectStore, prefix: str, kind: type[Record], since: datetime, until: datetime
) -> Iterator[Record]:
    """Yield the records of one kind under a day's prefix that were received in a time."""

    def read(key: str) -> bytes:
        try:
            return store.get(key).body
        except ObjectNotFoundError:  # erased or expired since it was listed
            return b""

    with ThreadPoolExecutor(READERS) as pool:
        for body in pool.map(read, islice(store.keys(prefix), MOST_OBJECTS)):
            for line in body.split(b"\n"):
                try:
                    record = kind.from_line(line) if line else None
                except RecordError:
                    continue  # a run says what became of a broken one
                if record and timestamp(since) <= record.received_at < timestamp(until):
                    yield record
