"""What the HTTP functions have in common: one error shape, body limits before parsing, a request id in every answer.

Each request is counted, and leaves one line in the log.
"""

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentiloop import lines
from sentiloop.activity_store import ActivityWriter
from sentiloop.errors import (
    InvalidRequestError,
    MalformedRequestError,
    MethodNotAllowedError,
    RequestTooLargeError,
    RouteNotFoundError,
    SentiloopError,
    StorageUnavailableError,
)

RETRY_AFTER_SECONDS = 2
SERVER_FAULT = 500
NO_ROUTE = "(none)"
log = logging.getLogger("sentiloop")


class StrictModel(BaseModel):
    """A request body: an unknown field is an error, so that a typo is noticed; nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ErrorDetail(BaseModel):
    """What went wrong, what to do about it, and the id under which the log knows it."""

    code: str
    message: str
    hint: str
    request_id: str


class ErrorBody(BaseModel):
    """The shape of every error answer."""

    error: ErrorDetail


def error_responses(*errors: type[SentiloopError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of the errors that a route may answer with."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        first_line = (error.__doc__ or "").partition("\n")[0]
        meaning = f"`{error.code}`: {first_line.removeprefix('Raise when ').rstrip('.')}."
        known = by_status.setdefault(error.status, {"model": ErrorBody, "description": ""})
        known["description"] = f"{known['description']} {meaning}".strip()
    return by_status


def create_app(title: str, max_body_bytes: int, function: str, writer: ActivityWriter) -> FastAPI:
    """Return an application without routes that answers every error in the one shape, and counts its requests.

    Args:
        title: the application's, for people.
        max_body_bytes: the largest body that is read.
        function: the name that lines and counts have for it.
        writer: what counts, and writes the counts.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(SentiloopError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_middleware(_Boundary, max_body_bytes=max_body_bytes)
    app.add_middleware(_Watch, function=function, writer=writer)
    return app


def request_id(scope: Scope) -> str:
    """Return API Gateway's request id, or a random one outside of it."""
    context = scope.get("aws.event", {}).get("requestContext") or {}
    known = scope.setdefault("state", {}).setdefault("request_id", context.get("requestId") or secrets.token_hex(8))
    return str(known)


def note(request: Request, **facts: Any) -> None:
    """Note facts about a request for its line in the log; never its text, nor who asks.

    Args:
        request: the request.
        facts: `version` that answers, best noted before it does, so that a failure counts against it; `others_ms`, the
            milliseconds that another version took meanwhile, which do not count against it; `label` of a single
            prediction; `confidence` of it, or the list of them of a batch; the counts `texts`,
            `low_confidence`, `disagreements`, `feedback` and `confirmed`.
    """
    _facts(request.scope).update(facts)


def _facts(scope: Scope) -> dict[str, Any]:
    facts: dict[str, Any] = scope.setdefault("state", {}).setdefault("facts", {})
    return facts


def error_response(error: SentiloopError, scope: Scope) -> JSONResponse:
    """Shape an error as the contract has it."""
    scope.setdefault("state", {})["code"] = error.code
    message = error.message if error.status < SERVER_FAULT else error.public_message
    detail = {"code": error.code, "message": message, "hint": error.hint, "request_id": request_id(scope)}
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, StorageUnavailableError) else None
    return JSONResponse({"error": detail}, error.status, headers)


class _Watch:
    """The outermost layer: times each request, counts it and writes its line."""

    def __init__(self, app: ASGIApp, function: str, writer: ActivityWriter) -> None:
        self._app = app
        self._function = function
        self._writer = writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), SERVER_FAULT  # unless an answer begins

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._tell(scope, status, 1000 * (time.perf_counter() - started))

    def _tell(self, scope: Scope, status: int, milliseconds: float) -> None:
        activity, code, facts = self._writer.activity, scope.setdefault("state", {}).get("code"), _facts(scope)
        activity.request(self._function, status, code, milliseconds)
        if version := facts.get("version"):
            activity.timed(version, milliseconds - facts.get("others_ms", 0.0), status >= SERVER_FAULT)
        lines.emit(
            function=self._function,
            request_id=request_id(scope),
            route=getattr(scope.get("route"), "path", NO_ROUTE),
            method=scope["method"],
            status=status,
            code=code,
            milliseconds=milliseconds,
            facts=facts,
        )
        self._writer.after_request()


class _Boundary:
    """Bounds the body before anything parses it, and turns a bug into a clean 500."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._bounded_body(receive)
        started = False

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                # A browser shall never take an answer, which may quote a text, for a script or a page.
                added = [(b"x-request-id", request_id(scope).encode()), (b"x-content-type-options", b"nosniff")]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        if body is None:
            error = RequestTooLargeError(f"the body is larger than {self._max_body_bytes} bytes")
            await error_response(error, scope)(scope, receive, watch)
            return
        try:
            await self._app(scope, replay, watch)
        except Exception:
            log.exception("unhandled error, request_id=%s", request_id(scope))
            if started:
                raise
            await error_response(SentiloopError("the service failed on this request"), scope)(scope, receive, watch)

    async def _bounded_body(self, receive: Receive) -> bytes | None:
        body: bytes = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                return None
            if not message.get("more_body"):
                return body


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SentiloopError)  # noqa: S101 - registered for this class only
    if error.status >= SERVER_FAULT:
        log.error("%s: %s, request_id=%s", error.code, error.message, request_id(request.scope))
    return error_response(error, request.scope)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    problems = error.errors()
    of_body = any(problem["loc"][0] == "body" for problem in problems)  # or else the path or the query has it
    if of_body and "json" not in request.headers.get("content-type", ""):
        return error_response(MalformedRequestError("the Content-Type is not application/json"), request.scope)
    if any(problem["type"] == "json_invalid" for problem in problems):
        return error_response(MalformedRequestError("the body is not valid JSON"), request.scope)
    message = "; ".join(f"{_place(problem['loc'])}: {problem['msg']}" for problem in problems[:5])
    return error_response(InvalidRequestError(message), request.scope)


def _place(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or "body"


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    path, method = request.url.path[:200], request.method
    known: dict[int, Callable[[], SentiloopError]] = {
        400: lambda: MalformedRequestError("the body is not valid JSON in UTF-8"),
        404: lambda: RouteNotFoundError(f"no route {path}"),
        405: lambda: MethodNotAllowedError(f"{method} is not a method of {path}"),
    }
    make = known.get(error.status_code, lambda: SentiloopError(str(error.detail)))
    response = error_response(make(), request.scope)
    response.headers.update(error.headers or {})  # Allow, with a 405
    return response
