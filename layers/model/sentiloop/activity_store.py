"""Where what the instances count is kept: immutable objects that add up to totals over all instances and restarts.

- `activity/dt=2026-01-31/08-<id>.json`: what one instance counted between two writes, under the hour of the writing.
- `activity/hours/2026-01-31T08.json`: a finished hour, with the names of the objects it covers. What arrives after it
  gets a further one, `…T08-2.json`. An object counts by itself until one covers it, so no reader counts it twice.
- `activity/days/2026-01-31.json`: a finished day, once no object of it can arrive any more.

`activity_totals.py` reads them and merges them.

An instance that Lambda reclaims takes with it what it had not written: `activity_seconds` of its work at most.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable

from sentiloop.activity import Activity
from sentiloop.errors import SentiloopError
from sentiloop.records import to_json
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, create

log = logging.getLogger("sentiloop")
WRITTEN, HOURS, DAYS = "activity/dt=", "activity/hours/", "activity/days/"


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
