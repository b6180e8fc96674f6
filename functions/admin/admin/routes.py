"""The routes of the admin function: the review of samples, models, runs, and the figures of the service."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from sentiloop.activity_store import ActivityWriter
from sentiloop.bundled import baseline
from sentiloop.errors import (
    InvalidRequestError,
    MalformedRequestError,
    RequestTooLargeError,
    SettingsError,
    StorageUnavailableError,
)
from sentiloop.http import create_app, error_responses
from sentiloop.review import Review, ReviewConflictError
from sentiloop.review_labels import Given, ReviewLabels
from sentiloop.review_queue import Question
from sentiloop.review_samples import SampleNotFoundError
from sentiloop.settings import Settings, variable
from sentiloop.starting import RetrainFunction
from sentiloop.storage import ObjectStore
from sentiloop.texts import check_text

from admin.access import AdminKeyError, require_admin_key
from admin.alerts_routes import alerts_router
from admin.checks_routes import checks_router
from admin.metrics_routes import metrics_router
from admin.models_routes import models_router
from admin.runs_routes import runs_router
from admin.schemas import ReviewAnswer, ReviewItem, ReviewProfit, ReviewQueue, ReviewReceipt
from admin.start_routes import start_router


def create_admin_app(settings: Settings, store: ObjectStore, writer: ActivityWriter) -> FastAPI:
    """Return the application; without an admin key in the settings its routes are closed.

    Args:
        settings: keys, labels and limits.
        store: the bucket.
        writer: counts the requests.

    Raises:
        SettingsError: the contributor key is not set; without it reviewers could be guessed from the hashes.
    """
    if not settings.contributor_key:
        raise SettingsError(f"{variable('contributor_key')} is not set")
    app = create_app("Sentiloop admin", settings.max_body_bytes, "admin", writer)
    review, labels = Review(store, settings, settings.labels or baseline().labels), ReviewLabels(store)
    admins_only = [Depends(require_admin_key(settings.admin_key))]
    app.include_router(models_router(store, admins_only))
    app.include_router(metrics_router(store, settings))
    app.include_router(runs_router(store, admins_only))
    app.include_router(checks_router(store, admins_only))
    app.include_router(alerts_router(store, admins_only))
    app.include_router(start_router(RetrainFunction(settings.retrain_function), admins_only))

    @app.get(
        "/v1/review",
        dependencies=admins_only,
        responses=error_responses(AdminKeyError, InvalidRequestError, StorageUnavailableError),
    )
    async def next_samples(
        limit: Annotated[int, Query(ge=1, le=100, description="Most samples to return.")] = 20,
    ) -> ReviewQueue:
        """Return the samples whose labels would help most: doubtful ones, unlike each other, and some by chance."""
        found, left = review.queue(limit)
        profit = _profit(labels.since_champion(), settings.gate_level)
        return ReviewQueue(items=[_item(question) for question in found], left=left, profit=profit)

    @app.post(
        "/v1/review/{sample_id}",
        status_code=201,
        response_model_exclude_none=True,
        dependencies=admins_only,
        responses=error_responses(
            MalformedRequestError,
            AdminKeyError,
            SampleNotFoundError,
            ReviewConflictError,
            RequestTooLargeError,
            InvalidRequestError,
            StorageUnavailableError,
        ),
    )
    async def answer(sample_id: str, body: ReviewAnswer) -> ReviewReceipt:
        """Store what a reviewer says about a sample; the same answer again is stored once.

        A label becomes a correction with the source `reviewer`. After an `undo` the sample is asked about again, and
        its next label replaces the first.
        """
        check_text("reviewer", body.reviewer, settings.max_text_chars)
        entry = review.answer(sample_id, body.action, body.correct_label, body.reviewer)
        if entry.label is None:
            return ReviewReceipt(sample_id=sample_id, action=entry.action)
        return ReviewReceipt(
            sample_id=sample_id, action=entry.action, id=entry.label.correction, status="stored", received_at=entry.at
        )

    return app


def _profit(given: Given | None, level: float) -> ReviewProfit | None:
    if given is None:
        return None
    from sentiloop.profit import profit  # noqa: PLC0415 - brings the gate's arithmetic, which nothing else here needs

    return ReviewProfit.model_validate(asdict(profit(given, level)))


def _item(question: Question) -> ReviewItem:
    sample = question.sample
    return ReviewItem(
        sample_id=question.id,
        text=sample.text,
        label=sample.label,
        confidence=sample.confidence,
        probabilities=sample.probabilities,
        model_version=sample.model_version,
        reason=sample.reason,
        received_at=sample.received_at,
        similar=question.similar,
        why=question.why,
    )
