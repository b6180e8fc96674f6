"""Where what the instances count is kept: immutable objects that add up to totals over all instances and restarts.

- `activity/dt=2026-01-31/08-<id>.json`: what one instance counted between two writes, under the hour of the writing.
- `activity/hours/2026-01-31T08.json`: a finished hour, with the names of the objects it covers. What arrives after it
  gets a further one, `…T08-2.json`. An object counts by itself until one covers it, so no reader counts it twice.
- `activity/days/2026-01-31.json`: a finished day, once no object of it can arrive any more.

An instance that Lambda reclaims takes with it what it had not written: `activity_seconds` of its work at most.
"""

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sentiloop.activity import Activity, Counts, bounded, merge
from sentiloop.errors import SentiloopError, StorageUnavailableError, WriteConflictError
from sentiloop.records import to_json
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, create

log = logging.getLogger("sentiloop")
WRITTEN, HOURS, DAYS = "activity/dt=", "activity/hours/", "activity/days/"
LATE_HOURS = 6  # a frozen instance may finish a write when it wakes; what comes later than this is not counted
CONNECTIONS = 8
ATTEMPTS = 5


class ActivityWriter:
    """Writes what an instance counts, now and then; trouble with storage loses no request and no count.

    The first request after a pause writes at once, because Lambda freezes an instance without requests and may never
    wake it again; what comes within `activity_seconds` of the last write waits for the next one.

    Args:
        store: where `activity/` is.
        activity: what is counted.
        settings: least seconds between two writes.
        clock: seconds from a monotonic clock.
    """

    def __init__(
        self, store: ObjectStore, activity: Activity, settings: Settings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.activity = activity
        self._store = store
        self._seconds = settings.activity_seconds
        self._clock = clock
        self._due = threading.Lock()
        self._writing = threading.Lock()
        self._written_at = float("-inf")
        self._timer: threading.Timer | None = None
        self._unwritten: tuple[str, bytes] | None = None

    def after_request(self) -> None:
        """Write if it is time, or see to it that somebody does."""
        with self._due:
            if self._clock() - self._written_at < self._seconds:
                if self._timer is None:
                    self._timer = threading.Timer(self._seconds, self.write)
                    self._timer.daemon = True
                    self._timer.start()
                return
            self._written_at = self._clock()
        self.write()

    def write(self) -> None:
        """Write what was counted. After trouble the same object is tried again first: it may have been stored."""
        with self._due:
            self._written_at = self._clock()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        with self._writing:
            try:
                while waiting := self._unwritten or self._taken():
                    self._unwritten = waiting
                    create(self._store, *waiting)
                    self._unwritten = None
            except SentiloopError as error:
                log.warning("the activity waits to be written: %s", error.message)

    def _taken(self) -> tuple[str, bytes] | None:
        counts = self.activity.take()
        if counts is None:
            return None
        day, hour = counts["until"][:10], counts["until"][11:13]
        return f"{WRITTEN}{day}/{hour}-{secrets.token_hex(8)}.json", to_json(counts)


class ActivityReader:
    """Reads what was counted; what it read last it keeps, for no object ever changes.

    Args:
        store: where `activity/` is.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[str, Counts] = {}

    def read(self, since: datetime, until: datetime) -> Counts:
        """Return the sum over the hours that touch the time from `since` until before `until`."""
        first, last = _hour(since), _hour(until - timedelta(microseconds=1))
        days = _keys_by(self._store.keys(DAYS), _day_of_day)
        whole = {day: keys for day, keys in days.items() if first <= f"{day}T00" and f"{day}T23" <= last}
        hours = _keys_by(self._store.keys(HOURS, after=HOURS + first), _hour_of_merged)
        within = [key for hour, keys in hours.items() if hour <= last and hour[:10] not in whole for key in keys]
        merged = [*_flat(whole), *within]
        before = self._kept
        documents = self._fetch(merged, before)
        covered = {name for document in documents.values() for name in document.get("covers", ())}
        begin = max(first, _late_from(hours))
        loose = [
            key
            for hour, keys in _keys_by(self._store.keys(WRITTEN, after=_written_after(begin)), _hour_of_written).items()
            if hour <= last and hour[:10] not in days
            for key in keys
            if _name(key) not in covered
        ]
        documents |= self._fetch(loose, before)
        self._kept = documents
        return merge(documents.values())

    def _fetch(self, keys: list[str], kept: Mapping[str, Counts]) -> dict[str, Counts]:
        missing = [key for key in keys if key not in kept]
        return {key: kept[key] for key in keys if key in kept} | _fetch(self._store, missing)


def read_activity(store: ObjectStore, since: datetime, until: datetime) -> Counts:
    """Return what all instances counted in the hours that touch the time from `since` until before `until`."""
    return ActivityReader(store).read(since, until)


def compact(store: ObjectStore, moment: datetime) -> int:
    """Merge what was written in hours that ended before a moment, and hours into days; return the objects made.

    It may run twice, and twice at once: each object is created by one of them, and the other sees it.

    Raises:
        StorageUnavailableError: what is not merged yet counts by itself, and is merged the next time.
    """
    days = _keys_by(store.keys(DAYS), _day_of_day)
    hours = _keys_by(store.keys(HOURS), _hour_of_merged)
    written = _keys_by(store.keys(WRITTEN, after=_written_after(_late_from(hours))), _hour_of_written)
    finished = [hour for hour in written if hour < _hour(moment) and hour[:10] not in days]
    made = sum(_merge_hour(store, hour, written[hour]) for hour in finished)
    for day in sorted({hour[:10] for hour in (*hours, *finished)} - days.keys()):
        end = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(days=1)
        if end + timedelta(hours=2 * LATE_HOURS) <= moment:  # twice, for a clock that is not ours
            parts = _fetch(store, list(store.keys(f"{HOURS}{day}")))
            made += create(store, f"{DAYS}{day}.json", to_json(bounded(merge(parts.values()))))
    return made


def _merge_hour(store: ObjectStore, hour: str, written: list[str]) -> int:
    """Merge what no object of the hour covers yet; return whether one was made now."""
    for _ in range(ATTEMPTS):
        before = _fetch(store, list(store.keys(f"{HOURS}{hour}")))
        covered = {name for document in before.values() for name in document["covers"]}
        left = [key for key in written if _name(key) not in covered]
        if not left:
            return 0
        number = f"-{len(before) + 1}" if before else ""
        document = {**bounded(merge(_fetch(store, left).values())), "covers": [_name(key) for key in left]}
        try:
            if create(store, f"{HOURS}{hour}{number}.json", to_json(document)):
                return 1
        except WriteConflictError:
            continue
    raise StorageUnavailableError(f"storage could not order those who merge the hour {hour}")


def _fetch(store: ObjectStore, keys: list[str]) -> dict[str, Counts]:
    def read(key: str) -> Counts:
        document: dict[str, Any] = json.loads(store.get(key).body)
        return document

    if len(keys) <= 1:
        return {key: read(key) for key in keys}
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return dict(zip(keys, pool.map(read, keys), strict=True))


def _keys_by(keys: Iterable[str], part: Callable[[str], str]) -> dict[str, list[str]]:
    """Group keys, in order; their order is that of the part they are grouped by."""
    return {name: list(group) for name, group in groupby(keys, part)}


def _flat(groups: Mapping[str, list[str]]) -> Iterator[str]:
    return (key for keys in groups.values() for key in keys)


def _hour(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H}"


def _late_from(hours: Mapping[str, object]) -> str:
    """Return the first hour of which objects may still arrive that no merged one covers."""
    if not hours:
        return ""
    newest = datetime.fromisoformat(f"{max(hours)}:00:00+00:00")
    return _hour(newest - timedelta(hours=LATE_HOURS))


def _written_after(hour: str) -> str:
    """Return what the keys of an hour, and all later ones, come after."""
    return f"{WRITTEN}{hour.replace('T', '/')}-" if hour else ""


def _name(key: str) -> str:
    """Return what tells an object from the others of its day."""
    return key.rpartition("/")[2].removesuffix(".json")


def _hour_of_written(key: str) -> str:
    return f"{key.removeprefix(WRITTEN)[:10]}T{_name(key)[:2]}"


def _hour_of_merged(key: str) -> str:
    return _name(key)[:13]


def _day_of_day(key: str) -> str:
    return _name(key)
