"""The route that tells of the hourly checks: what they saw, and what came of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.params import Depends
from sentiloop.check_records import Checks, details_of, summary_of
from sentiloop.errors import InvalidRequestError, StorageUnavailableError
from sentiloop.http import error_responses
from sentiloop.records import now
from sentiloop.storage import ObjectStore

from admin.access import AdminKeyError
from admin.checks_schemas import CheckDetails, CheckItem, CheckList
from admin.ranges import time_range

USUAL, LONGEST = timedelta(days=7), timedelta(days=400)


def checks_router(store: ObjectStore, admins_only: Sequence[Depends]) -> APIRouter:
    """Return `GET /v1/checks`.

    Args:
        store: the bucket.
        admins_only: what lets nobody else pass.
    """
    router = APIRouter(dependencies=admins_only)
    checks = Checks(store, _told)

    @router.get("/v1/checks", responses=error_responses(AdminKeyError, InvalidRequestError, StorageUnavailableError))
    async def list_checks(
        since: Annotated[
            datetime | None,
            Query(alias="from", description="ISO 8601, UTC if it names no zone; without it 7 days before the end."),
        ] = None,
        until: Annotated[
            datetime | None, Query(description="In the same way; now if it is not given, or later.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="Most checks to return.")] = 60,
    ) -> CheckList:
        """Return checks of a time, spread evenly over it, the newest among them: every signal, finding and act."""
        found = checks.between(*time_range(since, until, now(), usual=USUAL, longest=LONGEST), limit)
        return CheckList(
            items=[item for item, _ in found.items],
            checks=found.checks,
            unreadable=found.unreadable,
            newest=found.items[-1][1] if found.items else None,
        )

    return router


def _told(record: Mapping[str, Any]) -> tuple[CheckItem, CheckDetails]:
    return CheckItem.model_validate(summary_of(record)), CheckDetails.model_validate(details_of(record))
