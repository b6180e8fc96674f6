"""The routes about models: which there are, how they differ, what was served when, and moves of the pointer."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.params import Depends
from sentiloop import moves
from sentiloop.errors import (
    InvalidRequestError,
    MalformedRequestError,
    RequestTooLargeError,
    StorageUnavailableError,
)
from sentiloop.history import History, described, next_page
from sentiloop.http import error_responses
from sentiloop.models import Models
from sentiloop.moves import Moved, PointerMovedError, RefusedError, Signature, VersionNotFoundError
from sentiloop.pointer import Pointer
from sentiloop.records import timestamp
from sentiloop.storage import ObjectStore
from sentiloop.texts import check_text

from admin.access import AdminKeyError
from admin.models_schemas import (
    LONGEST_NAME,
    LONGEST_REASON,
    ModelComparison,
    ModelDetails,
    ModelList,
    MoveReceipt,
    MoveRequest,
    PointerEntry,
    PointerHistory,
    PromoteRequest,
    RollbackRequest,
    ServedAt,
    TrialRequest,
    WithdrawRequest,
)
from admin.ranges import in_utc

Version = Annotated[str, Path(description="Its name; `champion` and `challenger` name those that are.")]

_READING = error_responses(AdminKeyError, RefusedError, InvalidRequestError, StorageUnavailableError)
_NAMING = error_responses(
    AdminKeyError, VersionNotFoundError, RefusedError, InvalidRequestError, StorageUnavailableError
)
_ERRORS_OF_MOVES = (PointerMovedError, RefusedError, RequestTooLargeError, InvalidRequestError, StorageUnavailableError)
_MOVING = error_responses(MalformedRequestError, AdminKeyError, *_ERRORS_OF_MOVES)
_MOVING_A_VERSION = error_responses(MalformedRequestError, AdminKeyError, VersionNotFoundError, *_ERRORS_OF_MOVES)


def models_router(store: ObjectStore, admins_only: Sequence[Depends]) -> APIRouter:
    """Return the routes.

    Args:
        store: the bucket.
        admins_only: what lets nobody else pass.
    """
    router = APIRouter(prefix="/v1/models", dependencies=admins_only)
    _add_reading(router, store)
    _add_moving(router, store)
    return router


def _add_reading(router: APIRouter, store: ObjectStore) -> None:
    history = History(store)
    models = Models(store, history)

    @router.get("", responses=_READING)
    async def list_models(
        limit: Annotated[int, Query(ge=1, le=100, description="Most versions to return.")] = 20,
        skip: Annotated[int, Query(ge=0, description="Versions to pass over, to go on where a list ended.")] = 0,
    ) -> ModelList:
        """Return the published versions, those that were moved or made last first."""
        return ModelList.model_validate(asdict(models.page(limit, skip)))

    @router.get("/diff", responses=_NAMING)
    async def diff_models(
        a: Annotated[str, Query(description="A version; or `champion` or `challenger`.")],
        b: Annotated[str, Query(description="The other version.")],
        samples: Annotated[int, Query(ge=0, le=2_000, description="Newest sampled texts that both score.")] = 500,
        limit: Annotated[int, Query(ge=1, le=100, description="Most words, and most texts, to return.")] = 20,
    ) -> ModelComparison:
        """Compare two versions: metrics, the words whose effect moved most, and sampled texts with another answer."""
        return ModelComparison.model_validate(asdict(models.diff(a, b, samples, limit)))

    @router.get("/history", responses=_READING)
    async def read_history(
        limit: Annotated[int, Query(ge=1, le=1_000, description="Most moves to return.")] = 50,
        before: Annotated[int | None, Query(ge=1, description="A generation, to go on where a list ended.")] = None,
    ) -> PointerHistory:
        """Return the moves of the pointer, the newest first, each with who and why."""
        found = history.newest(limit, before)
        return PointerHistory(items=[_entry(move) for move in found], next=next_page(found, limit))

    @router.get("/served_at", responses=_READING)
    async def served_at(
        at: Annotated[datetime, Query(description="ISO 8601; UTC if it names no zone.")],
    ) -> ServedAt:
        """Tell which version was served at a moment, and which was on trial."""
        moment = in_utc("at", at)
        served = history.served_at(moment)
        return ServedAt(at=timestamp(moment), served=_entry(served) if served else None)

    @router.get("/{version}", responses=_NAMING)
    async def show_model(version: Version) -> ModelDetails:
        """Tell all about a version: manifest, how it did against its parent, and the moves that name it."""
        found = models.show(version)
        moved = [described(move) for move in found.moves]
        return ModelDetails.model_validate({**asdict(found), "moves": moved})


def _add_moving(router: APIRouter, store: ObjectStore) -> None:
    @router.post("/withdraw", responses=_MOVING)
    async def withdraw(body: WithdrawRequest) -> MoveReceipt:
        """End the trial of a challenger; the champion stays. Without a trial nothing happens."""
        return _receipt(moves.withdraw(store, version=body.version, **_signed(body)))

    @router.post("/rollback", responses=_MOVING)
    async def rollback(body: RollbackRequest) -> MoveReceipt:
        """Serve the version before the present one again; one that is marked as erased is passed over."""
        return _receipt(moves.rollback(store, away_from=body.away_from, **_signed(body)))

    @router.post("/pin", responses=_MOVING)
    async def pin(body: MoveRequest) -> MoveReceipt:
        """Keep retraining and the hourly check from moving the pointer; people still can."""
        return _receipt(moves.pin(store, True, **_signed(body)))

    @router.post("/unpin", responses=_MOVING)
    async def unpin(body: MoveRequest) -> MoveReceipt:
        """Let retraining and the hourly check move the pointer again."""
        return _receipt(moves.pin(store, False, **_signed(body)))

    @router.post("/{version}/promote", responses=_MOVING_A_VERSION)
    async def promote(version: Version, body: PromoteRequest) -> MoveReceipt:
        """Serve a version to everybody; a trial ends with it. One that is served already stays as it is."""
        done = moves.promote(store, version, expected=body.expected, force=body.force, **_signed(body))
        return _receipt(done)

    @router.post("/{version}/try", responses=_MOVING_A_VERSION)
    async def begin_trial(version: Version, body: TrialRequest) -> MoveReceipt:
        """Put a version on trial beside the champion, or give the one on trial another mode or share."""
        done = moves.begin_trial(
            store, version, body.mode, body.share, expected=body.expected, force=body.force, **_signed(body)
        )
        return _receipt(done)


def _signed(body: MoveRequest) -> Signature:
    """Return who and why, as texts that can be stored."""
    return Signature(
        by=check_text("by", body.by, LONGEST_NAME), reason=check_text("reason", body.reason, LONGEST_REASON)
    )


def _entry(move: Pointer) -> PointerEntry:
    return PointerEntry.model_validate(described(move))


def _receipt(done: Moved) -> MoveReceipt:
    return MoveReceipt(moved=done.moved, now=_entry(done.pointer))
