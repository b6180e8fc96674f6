"""The routes of the feedback function."""

from typing import Annotated

from fastapi import FastAPI, Header, Request
from sentiloop.activity_store import ActivityWriter
from sentiloop.bundled import baseline
from sentiloop.errors import (
    IdempotencyConflictError,
    InvalidRequestError,
    MalformedRequestError,
    ReceiptNotFoundError,
    RequestTooLargeError,
    SettingsError,
    StorageUnavailableError,
)
from sentiloop.http import create_app, error_responses, note
from sentiloop.settings import Settings, variable
from sentiloop.storage import ObjectStore
from sentiloop.texts import check_text

from feedback.contributor import contributor_of
from feedback.intake import Intake
from feedback.schemas import FeedbackRequest, Receipt


def create_feedback_app(settings: Settings, store: ObjectStore, writer: ActivityWriter) -> FastAPI:
    """Return the application.

    Args:
        settings: limits, labels, and the key that contributors are hashed with.
        store: where `feedback/` and `receipts/` are.
        writer: counts the requests and the corrections.

    Raises:
        SettingsError: the contributor key is not set; without it contributors could be guessed from the hashes.
    """
    if not settings.contributor_key:
        raise SettingsError(f"{variable('contributor_key')} is not set")
    app = create_app("Sentiloop feedback", settings.max_body_bytes, "feedback", writer)
    intake = Intake(store, settings.contributor_key)
    labels = settings.labels or baseline().labels

    @app.post(
        "/v1/feedback",
        status_code=201,
        response_model_exclude_none=True,
        responses=error_responses(
            MalformedRequestError,
            IdempotencyConflictError,
            RequestTooLargeError,
            InvalidRequestError,
            StorageUnavailableError,
        ),
    )
    async def give_feedback(
        body: FeedbackRequest,
        request: Request,
        idempotency_key: Annotated[
            str | None, Header(max_length=200, description="Repeat it with a retry: the correction is stored once.")
        ] = None,
    ) -> Receipt:
        """Store a correction; 201 means that it is stored and will be looked at by the next retrain."""
        check_text("text", body.text, settings.max_text_chars)
        if body.comment is not None:
            check_text("comment", body.comment, settings.max_text_chars)
        if body.correct_label not in labels:
            raise InvalidRequestError(
                f"correct_label: not one of {', '.join(labels)}", "GET /v1/model_info lists the labels."
            )
        contributor = contributor_of(request, settings, body.user)
        stored = intake.store(body.model_dump(exclude_none=True, exclude={"user"}), contributor, idempotency_key)
        confirmed = stored.correct_label == stored.predicted_label
        writer.activity.feedback(stored.model_version or "", confirmed)
        note(request, feedback=1, confirmed=int(confirmed))
        return Receipt(id=stored.id, status="stored", received_at=stored.received_at)

    @app.get(
        "/v1/feedback/{correction_id}",
        response_model_exclude_none=True,
        responses=error_responses(ReceiptNotFoundError, StorageUnavailableError),
    )
    async def read_receipt(correction_id: str) -> Receipt:
        """Tell what became of a correction."""
        correction, outcome = intake.find(correction_id)
        if correction is None:
            return Receipt(id=correction_id, status="erased", erased_at=outcome["erased"])
        status = next(
            (state for field, state in _STATES.items() if field in outcome),
            "stored",
        )
        return Receipt(
            id=correction.id,
            status=status,
            received_at=correction.received_at,
            snapshot=outcome.get("snapshot"),
            version=outcome.get("version"),
            reason=outcome.get("quarantine"),
        )

    return app


_STATES = {"quarantine": "quarantined", "version": "learned", "snapshot": "in_snapshot"}
