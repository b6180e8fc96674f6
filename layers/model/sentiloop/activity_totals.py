"""The totals of what the instances counted, read and merged; `activity_store.py` says where the parts are kept.

The sum is the same before, during and after the merging: an object counts by itself until one covers it. Hours stay
beside the days that they were merged to, so that old days can be told hour by hour as well.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sentiloop.activity import SCHEMA, Counts, bounded, merge
from sentiloop.activity_store import DAYS, HOURS, WRITTEN
from sentiloop.documents import read_document
from sentiloop.errors import StorageUnavailableError, WriteConflictError
from sentiloop.records import to_json
from sentiloop.storage import ObjectStore, create

LATE_HOURS = 6  # a frozen instance may finish a write when it wakes; what comes later than this is not counted
CONNECTIONS = 8
ATTEMPTS = 5
_INSTANT = timedelta(microseconds=1)
_DAY, _HOUR = len("2026-01-31"), len("2026-01-31T08")
_PERIOD = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]))?")


class ActivityReader:
    """Reads what was counted; what it read last it keeps, for no object ever changes.

    What cannot be read counts nothing, and takes no other figure along.

    Args:
        store: where `activity/` is.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[str, Counts] = {}

    def read(self, since: datetime, until: datetime) -> Counts:
        """Return the sum over the hours that touch the time from `since` until before `until`."""
        return merge(self._by_day(since, until).values())

    def read_days(self, since: datetime, until: datetime) -> dict[str, Counts]:
        """Return the same sum day by day, as `2026-01-31`; a day without requests is left out."""
        return _sums(self._by_day(since, until), _DAY)

    def read_hours(self, since: datetime, until: datetime) -> dict[str, Counts] | None:
        """Return the same sum hour by hour, as `2026-01-31T08`; an hour without requests is left out.

        None: of a day of the time the sum is there, and its hours are not, so that days alone can tell of it. Nothing
        of ours deletes hours.
        """
        first, last = _hour(since), _hour(until - _INSTANT)
        days, hours = self._merged(first[:_DAY])
        known = {hour[:_DAY] for hour in hours}
        if any(first[:_DAY] <= day <= last[:_DAY] and day not in known for day in days):
            return None
        return _sums(self._documents(first, last, {}, days, hours), _HOUR)

    def _by_day(self, since: datetime, until: datetime) -> dict[str, Counts]:
        first, last = _hour(since), _hour(until - _INSTANT)
        days, hours = self._merged(first)
        whole = {day: keys for day, keys in days.items() if first <= f"{day}T00" and f"{day}T23" <= last}
        return self._documents(first, last, whole, days, hours)

    def _merged(self, begin: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Return the keys of merged objects by day, and by hour from a begin on."""
        days = _keys_by(self._store.keys(DAYS), _name)
        return days, _keys_by(self._store.keys(HOURS, after=HOURS + begin), _hour_of_merged)

    def _documents(
        self,
        first: str,
        last: str,
        whole: Mapping[str, list[str]],
        days: Mapping[str, list[str]],
        hours: Mapping[str, list[str]],
    ) -> dict[str, Counts]:
        """Return by key the documents that add up to some hours, each read once.

        Args:
            first: the first hour.
            last: the last one.
            whole: keys of the days that are taken as they were merged.
            days: keys of all days that were merged.
            hours: keys of the hours that were merged, from the first on at least.
        """
        within = [
            key for hour, keys in hours.items() if first <= hour <= last and hour[:_DAY] not in whole for key in keys
        ]
        before = self._kept
        documents = self._fetch([*_flat(whole), *within], before)
        covered = {name for document in documents.values() for name in document.get("covers", ())}
        begin = max(first, _late_from(hours))
        loose = [
            key
            for hour, keys in _keys_by(self._store.keys(WRITTEN, after=_written_after(begin)), _hour_of_written).items()
            if hour <= last and hour[:_DAY] not in days
            for key in keys
            if _name(key) not in covered
        ]
        documents |= self._fetch(loose, before)
        self._kept = documents
        return documents

    def _fetch(self, keys: list[str], kept: Mapping[str, Counts]) -> dict[str, Counts]:
        missing = [key for key in keys if key not in kept]
        return {key: kept[key] for key in keys if key in kept} | _fetch(self._store, missing)


def read_activity(store: ObjectStore, since: datetime, until: datetime) -> Counts:
    """Return what all instances counted in the hours that touch the time from `since` until before `until`."""
    return ActivityReader(store).read(since, until)


def compact(store: ObjectStore, moment: datetime) -> int:
    """Merge what was written in hours that ended before a moment, and hours into days; return the objects made.

    It may run twice, and twice at once: each object is created by one of them, and the other sees it. What cannot be
    read is left where it is, as by those who read.

    Raises:
        StorageUnavailableError: what is not merged yet counts by itself, and is merged the next time.
    """
    days = _keys_by(store.keys(DAYS), _name)
    hours = _keys_by(store.keys(HOURS), _hour_of_merged)
    written = _keys_by(store.keys(WRITTEN, after=_written_after(_late_from(hours))), _hour_of_written)
    finished = [hour for hour in written if hour < _hour(moment) and hour[:_DAY] not in days]
    made = sum(_merge_hour(store, hour, written[hour]) for hour in finished)
    for day in sorted({hour[:_DAY] for hour in (*hours, *finished)} - days.keys()):
        end = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(days=1)
        if end + timedelta(hours=2 * LATE_HOURS) <= moment:  # twice, for a clock that is not ours
            parts = _fetch(store, list(store.keys(f"{HOURS}{day}")))
            made += create(store, f"{DAYS}{day}.json", to_json(bounded(merge(parts.values()))))
    return made


def _merge_hour(store: ObjectStore, hour: str, written: list[str]) -> int:
    """Merge what no object of the hour covers yet; return whether one was made now."""
    for _ in range(ATTEMPTS):
        before = list(store.keys(f"{HOURS}{hour}"))
        covered = {name for document in _fetch(store, before).values() for name in document.get("covers", ())}
        left = _fetch(store, [key for key in written if _name(key) not in covered])
        if not left:
            return 0
        number = f"-{len(before) + 1}" if before else ""
        document = {**bounded(merge(left.values())), "covers": [_name(key) for key in left]}
        try:
            if create(store, f"{HOURS}{hour}{number}.json", to_json(document)):
                return 1
        except WriteConflictError:
            continue
    raise StorageUnavailableError(f"storage could not order those who merge the hour {hour}")


def _fetch(store: ObjectStore, keys: list[str]) -> dict[str, Counts]:
    """Return by key the documents that can be read."""

    def read(key: str) -> Counts | None:
        return read_document(store, key, SCHEMA, _checked)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return {key: counts for key, counts in zip(keys, pool.map(read, keys), strict=True) if counts is not None}


def _sums(documents: Mapping[str, Counts], length: int) -> dict[str, Counts]:
    """Return the sums of documents by the hour, or the day, that their keys name, in order."""
    parts: dict[str, list[Counts]] = {}
    for key, counts in documents.items():
        period = _hour_of_written(key) if key.startswith(WRITTEN) else _name(key)
        parts.setdefault(period[:length], []).append(counts)
    return {period: merge(counts) for period, counts in sorted(parts.items())}


def _checked(document: Mapping[str, Any]) -> Counts:
    """Return a document that adds up; raise an error of Python's own if it does not."""
    merge([document])
    return dict(document)


def _keys_by(keys: Iterable[str], period: Callable[[str], str]) -> dict[str, list[str]]:
    """Group keys by their hour or day, in order; those that name none are nobody's."""
    return {name: list(group) for name, group in groupby(keys, period) if _PERIOD.fullmatch(name)}


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
