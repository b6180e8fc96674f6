"""The route that starts a run now, without waiting for the schedule."""

from collections.abc import Sequence

from fastapi import APIRouter
from fastapi.params import Depends
from pydantic import BaseModel, Field
from sentiloop.errors import InvalidRequestError, MalformedRequestError, RequestTooLargeError
from sentiloop.http import StrictModel, error_responses
from sentiloop.records import now, timestamp
from sentiloop.starting import NotStartableError, NotStartedError, StartAction, Starter
from sentiloop.texts import check_text

from admin.access import AdminKeyError
from admin.models_schemas import LONGEST_NAME


class StartRequest(StrictModel):
    """Who asks for a run, and for which."""

    by: str = Field(min_length=1, max_length=LONGEST_NAME, description="Who asks.", examples=["ada"])
    action: StartAction = Field(
        default="retrain",
        description="`retrain` learns from all feedback; `check` looks at the trial, at staleness and at drift, and "
        "retrains if there is cause to.",
    )


class StartReceipt(BaseModel):
    """What was asked for."""

    asked_at: str = Field(description="When; the run begins within seconds, or after the one that is under way.")
    action: str = Field(description="As it was asked for.")


def start_router(starter: Starter, admins_only: Sequence[Depends]) -> APIRouter:
    """Return `POST /v1/runs`.

    Args:
        starter: hands the event to the retrain function.
        admins_only: what lets nobody else pass.
    """
    router = APIRouter(dependencies=admins_only)

    @router.post(
        "/v1/runs",
        status_code=202,
        responses=error_responses(
            MalformedRequestError,
            AdminKeyError,
            RequestTooLargeError,
            InvalidRequestError,
            NotStartableError,
            NotStartedError,
        ),
    )
    async def start_run(body: StartRequest) -> StartReceipt:
        """Start a retrain or a check now. What became of it, its record says.

        Runs go one at a time. Started twice, the second one finds the same data decided already, and changes nothing.
        """
        by, asked_at = check_text("by", body.by, LONGEST_NAME), timestamp(now())
        starter.start(body.action, by)
        return StartReceipt(asked_at=asked_at, action=body.action)

    return router
