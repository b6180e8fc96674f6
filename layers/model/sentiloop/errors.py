"""Every error Sentiloop raises on purpose, each with its HTTP status, a stable code and a hint what to do."""

from typing import ClassVar


class SentiloopError(Exception):
    """Base of all: `code` is part of the HTTP contract, `status` its HTTP status, `hint` the way out."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    hint: str = "Try again; if it happens again, report the request_id."
    public_message: ClassVar[str] = "the service failed on this request"  # stands in for the message of a 5xx

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint


class MalformedRequestError(SentiloopError):
    """Raise when a body is not JSON at all."""

    code = "malformed_request"
    status = 400
    hint = "Send one JSON object, UTF-8 encoded, with Content-Type: application/json."


class InvalidRequestError(SentiloopError):
    """Raise when a body is JSON but breaks the schema or a limit that belongs to one field."""

    code = "invalid_request"
    status = 422
    hint = "See /docs for the fields and their limits."


class RouteNotFoundError(SentiloopError):
    """Raise when no such route exists."""

    code = "not_found"
    status = 404
    hint = "See /docs for the routes."


class MethodNotAllowedError(SentiloopError):
    """Raise when the route exists for another HTTP method."""

    code = "method_not_allowed"
    status = 405
    hint = "See /docs for the routes and their methods."


class ReceiptNotFoundError(SentiloopError):
    """Raise when no correction with that id is stored."""

    code = "receipt_not_found"
    status = 404
    hint = "Use the id that POST /v1/feedback answered with."


class IdempotencyConflictError(SentiloopError):
    """Raise when an Idempotency-Key comes back with another body."""

    code = "idempotency_conflict"
    status = 409
    hint = "Repeat a request with the same body, or use a new Idempotency-Key for a new one."


class RequestTooLargeError(SentiloopError):
    """Raise when a body is larger than the limit, before it is parsed."""

    code = "request_too_large"
    status = 413
    hint = "Split the request: /v1/predict/batch takes many texts, in several calls if need be."


class StorageUnavailableError(SentiloopError):
    """Raise when object storage does not answer, or answers with a fault of its own."""

    code = "storage_unavailable"
    status = 503
    public_message = "storage does not answer at the moment"
    hint = "Send it again after the seconds in Retry-After; with the same Idempotency-Key it is stored once."


class ObjectNotFoundError(SentiloopError):
    """Raise when a key holds no object."""


class PreconditionFailedError(SentiloopError):
    """Raise when a conditional write met another state than the one it asked for (HTTP 412)."""


class WriteConflictError(SentiloopError):
    """Raise when storage could not order two writes to one key (HTTP 409): no proof of existence, nor of failure."""


class ArtefactError(SentiloopError):
    """Raise when a model's files fail a check; `check` names it."""

    code = "broken_artefact"
    hint = "Keep the version that is served; restore the named file or publish the version again."

    def __init__(self, check: str, message: str) -> None:
        super().__init__(f"{check}: {message}")
        self.check = check


class RecordError(SentiloopError):
    """Raise when a stored line is not a valid record; the message is the reason it is quarantined with."""

    code = "broken_record"


class PointerError(SentiloopError):
    """Raise when the pointer cannot be read or moved as asked."""

    code = "pointer_error"
    hint = "Look at models/current.json and models/history/."


class SettingsError(SentiloopError):
    """Raise when an environment variable of ours is unknown, missing or has a bad value."""

    code = "bad_settings"
    hint = "See docs/settings.md for every variable."
