"""The routes of the service's figures; they ask for the API key alone."""

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sentiloop import pointer
from sentiloop.activity import Counts
from sentiloop.activity_totals import ActivityReader
from sentiloop.errors import InvalidRequestError, PointerError, StorageUnavailableError
from sentiloop.http import error_responses
from sentiloop.records import now
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from admin.metrics import Metrics, figures
from admin.metrics_history import MetricsHistory, asked_range, read_history

log = logging.getLogger("sentiloop")
_TEXT_FORMATS = ("text/plain", "application/openmetrics-text")
MOST_TIMES = 10  # whose histories are kept for a moment
_BEGINNING = datetime.fromtimestamp(0, UTC)


def metrics_router(store: ObjectStore, settings: Settings) -> APIRouter:
    """Return `GET /v1/metrics` and `GET /v1/metrics/history`."""
    router = APIRouter()
    _add_history(router, store, settings)
    totals = _Totals(store, settings.activity_seconds)

    @router.get(
        "/v1/metrics",
        response_model=Metrics,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **error_responses(StorageUnavailableError),
        },
    )
    async def metrics(request: Request) -> Metrics | Response:
        """Tell what all instances answered since the first request, over restarts.

        With `Accept: text/plain` or `application/openmetrics-text` it is Prometheus' format, with the same totals.
        """
        counts, champion = totals.read()
        accept = request.headers.get("accept", "")
        if any(name in accept for name in _TEXT_FORMATS):
            from admin.prometheus import exposition  # noqa: PLC0415 - most starts are not for a scrape

            body, content_type = exposition(counts, champion, accept)
            return Response(body, headers={"Content-Type": content_type})
        # An instance writes every `activity_seconds`, and what was read is told for as long again.
        return figures(counts, champion, 2 * settings.activity_seconds)

    return router


def _add_history(router: APIRouter, store: ObjectStore, settings: Settings) -> None:
    history = _History(store, settings.activity_seconds)

    @router.get("/v1/metrics/history", responses=error_responses(InvalidRequestError, StorageUnavailableError))
    async def metrics_history(
        since: Annotated[
            datetime | None,
            Query(
                alias="from", description="ISO 8601, UTC if it names no zone; a day before the end if it is not given."
            ),
        ] = None,
        until: Annotated[
            datetime | None, Query(description="In the same way; now if it is not given, or later.")
        ] = None,
    ) -> MetricsHistory:
        """Tell what all instances did in a time: hour by hour up to 3 days, day by day (UTC) up to 400."""
        return history.read(*asked_range(since, until, now()))


def _champion(store: ObjectStore) -> str | None:
    """Return the served version, or None if no pointer says it: what was counted is told all the same."""
    try:
        current = pointer.read(store)
    except PointerError as error:
        log.error("the figures name no champion: %s", error.message)
        return None
    return current.pointer.champion.version if current else None


class _Totals:
    """Reads the totals, and again only after some time: a scrape every few seconds would list the bucket each time."""

    def __init__(self, store: ObjectStore, kept_seconds: float) -> None:
        self._store = store
        self._reader = ActivityReader(store)
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._known: tuple[Counts, str | None]

    def read(self) -> tuple[Counts, str | None]:
        """Return the merged counts and the champion's version."""
        with self._lock:
            moment = time.monotonic()
            if moment - self._read_at >= self._kept_seconds:
                self._known = self._reader.read(_BEGINNING, now()), _champion(self._store)
                self._read_at = moment
            return self._known


class _History:
    """Reads times, and each again only after some seconds: a page that is open in ten browsers asks for the same."""

    def __init__(self, store: ObjectStore, kept_seconds: float) -> None:
        self._reader = ActivityReader(store)
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._known: dict[tuple[datetime, datetime, bool], tuple[float, MetricsHistory]] = {}

    def read(self, begin: datetime, end: datetime, by_hour: bool) -> MetricsHistory:
        """Return what was counted from a begin to an end."""
        asked = (begin, end, by_hour)
        with self._lock:
            moment = time.monotonic()
            self._known = {
                times: (read_at, told)
                for times, (read_at, told) in list(self._known.items())[-MOST_TIMES:]
                if moment - read_at < self._kept_seconds
            }
            if asked not in self._known:
                told = read_history(self._reader, begin, end, by_hour=by_hour, delay_seconds=2 * self._kept_seconds)
                self._known[asked] = (moment, told)
            return self._known[asked][1]
