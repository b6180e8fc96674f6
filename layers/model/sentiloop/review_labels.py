"""Which labels reviewers gave since the served version was made, read from the answers in the bucket.

Answers lie under `reviews/` by the day of their sample, not by their own, so samples of some days before the version
are looked at as well. An object never changes, so each is read once. What is read is bounded, the newest samples first:
of a ledger that is larger, a part is counted, and said to be one.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from sentiloop import pointer
from sentiloop.artefact import MANIFEST
from sentiloop.errors import ObjectNotFoundError, PointerError
from sentiloop.records import now
from sentiloop.registry import version_key
from sentiloop.review import Entry
from sentiloop.review_samples import DAYS, READERS, REVIEWS
from sentiloop.storage import ObjectStore

MOST_ANSWERS = 1_000  # that are read
MOST_KEYS = 10_000  # of one day that are listed
LOOK_BACK = timedelta(days=2 * DAYS)  # over samples: answers that are older than DAYS are not looked for further
_DAY = re.compile(rf"{REVIEWS}dt=([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/")
log = logging.getLogger("sentiloop")


@dataclass(frozen=True, slots=True)
class Given:
    """Labels that reviewers gave.

    Attributes:
        version: the served version, since which they were given.
        labels: how many; undone ones and skips are left out.
        corrected: of these, corrections; the others accept the prediction.
        is_complete: whether all were counted.
    """

    version: str
    labels: int
    corrected: int
    is_complete: bool


class ReviewLabels:
    """Counts labels.

    Args:
        store: where `reviews/` and `models/` are.
        clock: returns the present moment.
    """

    def __init__(self, store: ObjectStore, clock: Callable[[], datetime] = now) -> None:
        self._store = store
        self._clock = clock
        self._learned: dict[str, str] = {}
        self._entries: dict[str, Entry | None] = {}

    def since_champion(self) -> Given | None:
        """Return what was given since the served version was made, or None if it is not known which one is served.

        Raises:
            StorageUnavailableError: storage does not answer.
        """
        version = self._champion()
        if version is None:
            return None
        learned = self._learned_until(version)
        days, is_complete = self._days(learned)
        with ThreadPoolExecutor(READERS) as pool:
            keys, all_listed = self._decided(pool, days)
            known = self._entries  # as it is now: on one machine requests share it, and another one may replace it
            unread = [key for key in keys if key not in known]
            read = {key: known[key] for key in keys if key in known}
            read |= zip(unread, pool.map(self._read, unread), strict=True)
        self._entries = read
        entries = [entry for entry in read.values() if entry and entry.label and entry.at > learned]
        corrected = sum(entry.action == "correct" for entry in entries)
        return Given(version, len(entries), corrected, is_complete and all_listed)

    def _champion(self) -> str | None:
        try:
            current = pointer.read(self._store)
        except PointerError as error:
            log.error("labels are counted since no version: %s", error.message)
            return None
        return current.pointer.champion.version if current else None

    def _learned_until(self, version: str) -> str:
        """Return when the newest correction was received that a version learned from; empty: it learned from none."""
        if version not in self._learned:
            try:
                manifest = json.loads(self._store.get(version_key(version, MANIFEST)).body)
                self._learned[version] = str(manifest["data"]["feedback"]["newest"])
            except (ObjectNotFoundError, ValueError, KeyError, TypeError):  # of the baseline, or of a broken version
                self._learned[version] = ""
        return self._learned[version]

    def _days(self, learned: str) -> tuple[list[date], bool]:
        """Return the days of the samples to look at, today first, and whether these are all."""
        oldest = _DAY.match(next(self._store.keys(REVIEWS), ""))
        if oldest is None:
            return [], True
        today, first = self._clock().date(), date.fromisoformat(oldest[1])
        if learned:
            first = max(first, datetime.fromisoformat(learned).date() - timedelta(days=DAYS))
        bounded = max(first, today - LOOK_BACK)
        return [today - timedelta(days=number) for number in range((today - bounded).days + 1)], bounded == first

    def _decided(self, pool: ThreadPoolExecutor, days: list[date]) -> tuple[list[str], bool]:
        """Return the keys of the answers that hold, of the newest samples, and whether these are all."""
        found: list[str] = []
        is_complete = True
        for number in range(0, len(days), READERS):
            for keys in pool.map(self._listed, days[number : number + READERS]):
                is_complete = is_complete and len(keys) <= MOST_KEYS
                found += last_entries(keys[:MOST_KEYS])
            if len(found) > MOST_ANSWERS:
                return found[:MOST_ANSWERS], False
        return found, is_complete

    def _listed(self, day: date) -> list[str]:
        return list(islice(self._store.keys(f"{REVIEWS}dt={day}/"), MOST_KEYS + 1))

    def _read(self, key: str) -> Entry | None:
        try:
            return Entry.from_bytes(self._store.get(key).body)
        except ObjectNotFoundError:  # erased since it was listed
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is no answer of a reviewer: %s", key, type(error).__name__)
            return None


def last_entries(keys: Iterable[str]) -> Iterator[str]:
    """Yield of each sample that is decided the key of its last entry: each second entry undoes the one before it.

    Args:
        keys: of entries, in order.
    """
    histories: dict[str, list[str]] = {}
    for key in keys:
        histories.setdefault(key.rpartition("/")[0], []).append(key)
    yield from (history[-1] for history in histories.values() if len(history) % 2)
