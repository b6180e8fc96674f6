"""The route that tells what people were told, and which causes are open."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.params import Depends
from pydantic import BaseModel, Field
from sentiloop.alert_records import AlertPage, Alerts, State, Told
from sentiloop.errors import InvalidRequestError, StorageUnavailableError
from sentiloop.http import error_responses
from sentiloop.storage import ObjectStore

from admin.access import AdminKeyError


class AlertItem(BaseModel):
    """What was said about a cause."""

    cause: str = Field(description="Names it, as the checks' signals and findings do.")
    state: State = Field(description="`open`, `over`, or `news`: what happened once and is never over.")
    title: str = Field(description="What happened, in a line.")
    text: str = Field(description="The same in a sentence or two, and what it means.")
    figures: dict[str, str] = Field(description="By name, as they were sent.")
    command: str = Field(description="What to type, or where to look, to look closer.")
    at: str = Field(description="When it opened, the last time.")
    over_at: str | None = Field(description="When it was over; null: it is not, or it is news.")
    messages: int = Field(description="Of the cause so far: each time that it opened, and each that it was over.")


class AlertList(BaseModel):
    """Open causes first, then what is over and news; each the newest first."""

    items: list[AlertItem]
    open: int = Field(description="How many causes are open.")
    unreadable: int = Field(description="Causes whose messages cannot be read, and are left out.")
    unread: int = Field(description="Causes beyond the 500 that are looked at, none of them open unless 500 are.")


def alerts_router(store: ObjectStore, admins_only: Sequence[Depends]) -> APIRouter:
    """Return `GET /v1/alerts`.

    Args:
        store: the bucket.
        admins_only: what lets nobody else pass.
    """
    router = APIRouter(dependencies=admins_only)
    alerts = Alerts(store)

    @router.get("/v1/alerts", responses=error_responses(AdminKeyError, InvalidRequestError, StorageUnavailableError))
    async def list_alerts(
        limit: Annotated[int, Query(ge=1, le=200, description="Most causes to return.")] = 50,
    ) -> AlertList:
        """Return what people were told: the causes that are open, then the newest of what is over, and of news."""
        return _list(alerts.newest(limit))

    return router


def _list(found: AlertPage) -> AlertList:
    return AlertList(
        items=[_item(told) for told in found.items], open=found.open, unreadable=found.unreadable, unread=found.unread
    )


def _item(told: Told) -> AlertItem:
    said = told.opened
    return AlertItem(
        cause=told.cause,
        state=told.state,
        title=said.title,
        text=said.text,
        figures=dict(said.figures),
        command=said.command,
        at=said.at,
        over_at=told.over_at,
        messages=told.messages,
    )
