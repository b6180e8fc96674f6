"""The routes of the predict function."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse
from sentiloop.errors import (
    InvalidRequestError,
    MalformedRequestError,
    RequestTooLargeError,
)
from sentiloop.http import create_app, error_responses
from sentiloop.serving import LiveModel, Served
from sentiloop.settings import Settings
from sentiloop.texts import check_text

from predict import schemas
from predict.counters import Counters
from predict.samples import Samples

_HERE = Path(__file__).parent
_BAD_BODY = error_responses(MalformedRequestError, RequestTooLargeError, InvalidRequestError)


def create_predict_app(settings: Settings, live: LiveModel, samples: Samples) -> FastAPI:
    """Return the application: everything it needs is passed in, so that tests can pass something else."""
    app = create_app("Sentiloop predict", settings.max_body_bytes)
    counters = Counters()

    def answered(served: Served, texts: Sequence[str], errors: int = 0) -> list[dict[str, Any]]:
        """Score the texts of one request, count and sample them, and return the answers."""
        model = served.model
        predictions = list(map(served.scorer.score, texts))
        ids = _new_prediction_ids(len(texts))
        counters.count(model, predictions, samples.threshold(served), errors)
        samples.keep(served, zip(ids, texts, predictions, strict=True))
        return [
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
        body: schemas.PredictRequest,
        explain: bool = Query(default=False, description="Add the contribution of every term."),
    ) -> Response:
        """Score one text."""
        served = live.current()
        text = check_text("text", body.text, settings.max_text_chars)
        [answer] = answered(served, [text])
        if explain:
            answer["explanation"] = _explanation(served, text)
        return JSONResponse(answer)

    @app.post("/v1/predict/batch", response_model=schemas.BatchResponse, responses=_BAD_BODY)
    async def predict_batch(body: schemas.BatchRequest) -> Response:
        """Score many texts; each result is an answer or the error of its text alone."""
        started = time.perf_counter()
        if not 1 <= len(body.texts) <= settings.max_batch:
            raise InvalidRequestError(
                f"texts: {len(body.texts)} items, allowed are 1 to {settings.max_batch}", "Send several batches."
            )
        served = live.current()
        texts: list[str] = []
        errors: dict[int, dict[str, Any]] = {}
        for index, item in enumerate(body.texts):
            try:
                texts.append(check_text(f"texts.{index}", item, settings.max_text_chars))
            except InvalidRequestError as error:
                errors[index] = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        answers = iter(answered(served, texts, len(errors)))
        results = [errors[index] if index in errors else next(answers) for index in range(len(body.texts))]
        elapsed = round((time.perf_counter() - started) * 1000, 3)
        return JSONResponse({"results": results, "model_version": served.model.version, "processing_time_ms": elapsed})

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
                    "threshold": samples.threshold(served),
                },
                "metrics": manifest.get("metrics", {}),
                "data": manifest.get("data", {}),
                "parents": manifest.get("parents", []),
            }
        )

    @app.get("/v1/metrics", response_model=schemas.Metrics)
    async def metrics() -> Response:
        """Tell what this instance has answered since it started."""
        feedback = live.current().model.manifest.get("data", {}).get("feedback", {})
        return JSONResponse({**counters.figures(), "feedback": feedback})

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


def _explanation(served: Served, text: str) -> dict[str, Any]:
    labels = served.model.labels
    terms, logits = served.scorer.explain(text)
    return {
        "terms": [
            {
                "term": term.term,
                "kind": term.kind,
                "contributions": dict(zip(labels, term.contributions, strict=True)),
            }
            for term in terms
        ],
        "logits": dict(zip(labels, logits, strict=True)),
    }
