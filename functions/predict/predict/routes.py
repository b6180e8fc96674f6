"""The routes of the predict function."""

import operator
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from sentiloop.activity_store import ActivityWriter
from sentiloop.errors import (
    InvalidRequestError,
    MalformedRequestError,
    RequestTooLargeError,
)
from sentiloop.http import create_app, error_responses, note
from sentiloop.serving import LiveModel, Served
from sentiloop.settings import Settings
from sentiloop.texts import check_text

from predict import schemas
from predict.answering import Answering, Answers, Explanation
from predict.client import ClientId, client_of
from predict.samples import Samples

MOST_EXPLAINED_BYTES = 5_000_000  # of an answer: Lambda hands on 6 MB, in which each quotation mark counts twice
_HERE = Path(__file__).parent
_BAD_BODY = error_responses(MalformedRequestError, RequestTooLargeError, InvalidRequestError)


def create_predict_app(settings: Settings, live: LiveModel, samples: Samples, writer: ActivityWriter) -> FastAPI:
    """Return the application: everything it needs is passed in, so that tests can pass something else."""
    app = create_app("Sentiloop predict", settings.max_body_bytes, "predict", writer)
    activity = writer.activity
    answering = Answering(settings.shadow_share, activity, samples.threshold)

    def answered(
        request: Request,
        client_id: str | None,
        texts: Sequence[str],
        *,
        explained: bool = False,
        sampled: bool = True,
    ) -> tuple[Answers, list[dict[str, Any]]]:
        """Score the texts of one request, count and sample them, and return what they got and the answers' bodies."""
        answers = answering.score(request, live.current(), client_of(request, client_id), texts, explained=explained)
        model, predictions, doubtful_below = answers.model, answers.predictions, samples.threshold(answers.model)
        ids = _new_prediction_ids(len(texts))
        activity.answered(model.version, predictions, doubtful_below)
        note(request, **_facts(answers, doubtful_below))
        if sampled:
            samples.keep(ids, texts, answers)
        return answers, [
            {
                "label": label,
                "confidence": confidence,
                "probabilities": dict(zip(model.labels, probabilities, strict=True)),
                "model_version": model.version,
                "prediction_id": prediction_id,
            }
            for prediction_id, (label, confidence, probabilities) in zip(ids, predictions, strict=True)
        ]

    @app.post("/v1/predict", response_model=schemas.Prediction, response_model_exclude_none=True, responses=_BAD_BODY)
    async def predict(
        request: Request,
        body: schemas.PredictRequest,
        client_id: ClientId = None,
        explain: bool = Query(
            default=False,
            description="Add the contribution of every term and of every part of the text. An answer of more than 5 MB "
            "is refused; a long text may have one if there are a dozen labels or more.",
        ),
        sample: bool = Query(
            default=True,
            description="`false`: the text is not kept for labelling or as a picture of the traffic, for instance "
            "because it is still being written.",
        ),
    ) -> Response:
        """Score one text."""
        text = check_text("text", body.text, settings.max_text_chars)
        answers, [answer] = answered(request, client_id, [text], explained=explain, sampled=sample)
        note(request, label=answer["label"], confidence=answer["confidence"])
        if answers.explanation:
            answer["explanation"] = _explanation(answers.model.labels, answers.explanation)
        response = JSONResponse(answer)
        if len(response.body) > MOST_EXPLAINED_BYTES:  # a few hundred unless it is explained
            raise InvalidRequestError(
                f"text: its explanation is larger than {MOST_EXPLAINED_BYTES} bytes", "Ask about a part of the text."
            )
        return response

    @app.post("/v1/predict/batch", response_model=schemas.BatchResponse, responses=_BAD_BODY)
    async def predict_batch(request: Request, body: schemas.BatchRequest, client_id: ClientId = None) -> Response:
        """Score many texts with one version; each result is an answer or the error of its text alone."""
        started = time.perf_counter()
        if not 1 <= len(body.texts) <= settings.max_batch:
            raise InvalidRequestError(
                f"texts: {len(body.texts)} items, allowed are 1 to {settings.max_batch}", "Send several batches."
            )
        texts: list[str] = []
        errors: dict[int, dict[str, Any]] = {}
        for index, item in enumerate(body.texts):
            try:
                texts.append(check_text(f"texts.{index}", item, settings.max_text_chars))
            except InvalidRequestError as error:
                errors[index] = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        answers, answer_bodies = answered(request, client_id, texts)
        scored = iter(answer_bodies)
        results = [errors[index] if index in errors else next(scored) for index in range(len(body.texts))]
        elapsed = round((time.perf_counter() - started) * 1000, 3)
        return JSONResponse({"results": results, "model_version": answers.model.version, "processing_time_ms": elapsed})

    @app.get("/v1/model_info", response_model=schemas.ModelInfo)
    async def model_info() -> Response:
        """Tell what answers at this moment, and what it was made of."""
        served = live.current()
        manifest, pointer = served.model.manifest, served.pointer
        return JSONResponse(
            {
                "version": served.model.version,
                "kind": manifest["kind"],
                "labels": list(served.model.labels),
                "since": pointer.at if pointer else None,
                "generation": pointer.generation if pointer else None,
                "reason": pointer.reason if pointer else None,
                "created_at": manifest.get("created_at"),
                "low_confidence": {
                    **manifest.get("low_confidence_choice", {}),
                    "threshold": samples.threshold(served.model),
                },
                "metrics": manifest.get("metrics", {}),
                "data": manifest.get("data", {}),
                "parents": manifest.get("parents", []),
                "challenger": _challenger(served),
                "pinned": pointer.pinned if pointer else False,
            }
        )

    @app.get("/health", response_model=schemas.Health)
    async def health() -> Response:
        """Tell whether the published model answers; open to everybody, for load balancers and uptime checks."""
        served = live.current()
        status = "ok" if served.problem is None else "degraded"
        return JSONResponse({"status": status, "model_version": served.model.version, "problem": served.problem})

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi_document() -> Response:
        return Response((_HERE / "openapi.json").read_bytes(), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return Response((_HERE / "docs.html").read_bytes(), media_type="text/html", headers=policy)

    return app


def _new_prediction_ids(count: int) -> list[str]:
    digits = secrets.token_hex(12 * count)  # asks the system for randomness once, not once a text
    return [f"pr-{digits[start : start + 24]}" for start in range(0, len(digits), 24)]


def _facts(answers: Answers, doubtful_below: float) -> dict[str, Any]:
    """Return what the request's line tells of its answers, whether they are one or many."""
    labels = [prediction.label for prediction in answers.predictions]
    confidences = [prediction.confidence for prediction in answers.predictions]
    facts: dict[str, Any] = {
        "texts": len(labels),
        "confidence": confidences,
        "low_confidence": sum([confidence < doubtful_below for confidence in confidences]),
    }
    if answers.beside:
        others = [prediction.label for prediction in answers.beside.predictions]
        facts["disagreements"] = sum(map(operator.ne, labels, others))
    return facts


def _challenger(served: Served) -> dict[str, Any] | None:
    on_trial = served.on_trial
    if on_trial is None:
        return None
    return {
        "version": on_trial.target.version,
        "mode": on_trial.mode,
        "share": on_trial.share,
        "since": on_trial.step_at,
        "began": on_trial.began_at,
        "problem": served.challenger_problem,
    }


def _explanation(labels: Sequence[str], explanation: Explanation) -> dict[str, Any]:
    def by_label(figures: Sequence[float]) -> dict[str, float]:
        return dict(zip(labels, figures, strict=True))

    return {
        "terms": [
            {"term": term.term, "kind": term.kind, "contributions": by_label(term.contributions)}
            for term in explanation.terms
        ],
        "logits": by_label(explanation.logits),
        "spans": [
            {"start": span.start, "end": span.end, "contributions": by_label(span.contributions)}
            for span in explanation.spans
        ],
    }
