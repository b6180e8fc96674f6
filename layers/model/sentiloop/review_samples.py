"""The kept samples that a reviewer may be asked about, and which of them are decided, read from the bucket.

A sample's id names its place, `<day>.<object>.<prediction id>`, so that an answer to it reads one object. Its answers
lie under `reviews/` at the same place, and each second one undoes the one before it: an odd number of keys means
decided, and none has to be read.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import islice

from sentiloop.errors import ObjectNotFoundError, RecordError, SentiloopError
from sentiloop.records import Sample, now
from sentiloop.review_queue import Candidate
from sentiloop.storage import ObjectStore

SAMPLES, REVIEWS = "samples/", "reviews/"
DAYS = 90  # samples of so many days are asked about
READERS = 8
_ID = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,64})")
_DAY = re.compile(rf"{SAMPLES}dt=([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/")
log = logging.getLogger("sentiloop")


class SampleNotFoundError(SentiloopError):
    """Raise when no sample with that id is stored."""

    code = "sample_not_found"
    status = 404
    hint = "GET /v1/review names the samples that wait for an answer; samples expire."


class KeptSamples:
    """Reads samples; objects never change, so that what was read for a queue is read once.

    Args:
        store: where `samples/` and `reviews/` are.
        most: samples that a queue chooses from.
        clock: returns the present moment.
    """

    def __init__(self, store: ObjectStore, most: int, clock: Callable[[], datetime] = now) -> None:
        self._store = store
        self._most = most
        self._clock = clock
        self._objects: dict[str, list[Candidate]] = {}

    def newest(self) -> list[Candidate]:
        """Return the newest samples: day by day backwards, and within a day in the order of their random ids."""
        found: list[Candidate] = []
        read: dict[str, list[Candidate]] = {}
        with ThreadPoolExecutor(READERS) as pool:
            for day in self._days():
                keys = list(islice(self._store.keys(f"{SAMPLES}dt={day}/"), self._most - len(found)))
                objects = dict(zip(keys, pool.map(self._read, keys), strict=True))
                decided = self._decided(day) if keys else set()
                samples = (sample for each in objects.values() for sample in each)
                found += [Candidate(each.id, each.sample, each.id in decided) for each in samples]
                read |= objects
                if len(found) >= self._most:
                    break
        self._objects = read
        return found[: self._most]

    def find(self, sample_id: str) -> Sample:
        """Return a sample by its id; raise `SampleNotFoundError` if there is none."""
        place = _ID.fullmatch(sample_id)
        if place:
            try:
                found = self._read(f"{SAMPLES}dt={place[1]}/{place[2]}.jsonl")
            except ObjectNotFoundError:
                found = []
            for candidate in found:
                if candidate.id == sample_id:
                    return candidate.sample
        raise SampleNotFoundError(f"no sample {sample_id[:160]!r}")

    def _days(self) -> Iterator[date]:
        """Yield the days that may have samples, today first."""
        oldest = _DAY.match(next(self._store.keys(SAMPLES), ""))
        if oldest:
            today = self._clock().date()
            first = max(date.fromisoformat(oldest[1]), today - timedelta(days=DAYS))
            yield from (today - timedelta(days=number) for number in range((today - first).days + 1))

    def _read(self, key: str) -> list[Candidate]:
        if (known := self._objects.get(key)) is not None:
            return known
        day, _, name = key.removeprefix(f"{SAMPLES}dt=").removesuffix(".jsonl").partition("/")
        found = []
        for line in self._store.get(key).body.splitlines():
            try:
                sample = Sample.from_line(line)
            except RecordError as error:
                log.warning("%s holds a line that is no sample: %s", key, error.message)
                continue
            found.append(Candidate(f"{day}.{name}.{sample.id}", sample))
        return found

    def _decided(self, day: date) -> set[str]:
        prefix = f"{REVIEWS}dt={day}/"
        entries = Counter(key.removeprefix(prefix).partition("/")[0] for key in self._store.keys(prefix))
        return {f"{day}.{name}" for name, count in entries.items() if count % 2}


def history_prefix(sample_id: str) -> str:
    """Return the prefix of a sample's entries."""
    day, _, rest = sample_id.partition(".")
    return f"{REVIEWS}dt={day}/{rest}/"
