"""The routes that tell of retrain runs: what was decided, and why."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.params import Depends
from sentiloop.errors import InvalidRequestError, StorageUnavailableError
from sentiloop.http import error_responses
from sentiloop.run_records import RunNotFoundError, Runs, details_of, summary_of, unreadable
from sentiloop.storage import ObjectStore

from admin.access import AdminKeyError
from admin.runs_schemas import RunDetails, RunItem, RunList


def runs_router(store: ObjectStore, admins_only: Sequence[Depends]) -> APIRouter:
    """Return `GET /v1/runs` and `GET /v1/runs/{run_id}`.

    Args:
        store: the bucket.
        admins_only: what lets nobody else pass.
    """
    router = APIRouter(prefix="/v1/runs", dependencies=admins_only)
    runs = Runs(store, lambda record: RunItem.model_validate(summary_of(record)))

    @router.get("", responses=error_responses(AdminKeyError, InvalidRequestError, StorageUnavailableError))
    async def list_runs(
        limit: Annotated[int, Query(ge=1, le=100, description="Most runs to return.")] = 20,
        before: Annotated[str | None, Query(description="Id of a run, to go on where a list ended.")] = None,
        skipped: Annotated[bool, Query(description="With the runs that had nothing to decide.")] = False,
    ) -> RunList:
        """Return the retrain runs, the newest first: what each came to, and why."""
        found = runs.page(limit, before, skipped=skipped)
        return RunList(items=list(found.items), next=found.next, unreadable=found.unreadable)

    @router.get(
        "/{run_id}",
        responses=error_responses(AdminKeyError, RunNotFoundError, StorageUnavailableError),
    )
    async def show_run(run_id: Annotated[str, Path(description="As the list names it.")]) -> RunDetails:
        """Tell all about a run: both models slice by slice, and what the candidate was made of."""
        record = runs.find(run_id)
        try:
            return RunDetails.model_validate(details_of(record))
        except (LookupError, TypeError, ValueError, AttributeError):  # pydantic's error is a ValueError as well
            raise unreadable(run_id, "it has not the shape of its schema") from None

    return router
