"""Every documented error through `sam local`, and what its gateway and the runtime refuse by themselves.

503 is in test_storage.py. What API Gateway adds, such as keys and throttling, `sam local` does not imitate.
"""

import json
import re
from pathlib import Path
from typing import Any

import predict
import pytest

from infra.sam.retrain import invoke
from infra.sam.stack import Stack
from tests.api.test_errors import BODIES_THAT_ARE_NO_JSON, check
from tests.e2e.sam.conftest import Client
from tests.events import call, post

pytestmark = pytest.mark.sam

ONE_MEGABYTE = 2**20
GATEWAY_REFUSAL = {"message": "Missing Authentication Token"}
PLATFORM_FAILURE = {"message": "Internal server error"}
TOO_LARGE = {"text": "a" * ONE_MEGABYTE}
CODES = {
    400: "malformed_request",
    403: "forbidden",
    404: "receipt_not_found",
    413: "request_too_large",
    422: "invalid_request",
}
SIGNED = {"by": "somebody", "reason": "a try"}
MODELS = (
    "/v1/models",
    "/v1/models/diff?a=1&b=2",
    "/v1/models/history",
    "/v1/models/served_at?at=now",
    "/v1/models/none",
)
RECORDS = ("/v1/runs", "/v1/runs/none", "/v1/checks", "/v1/alerts")
MOVES = {
    **{f"/v1/models/{move}": SIGNED for move in ("withdraw", "rollback", "pin", "unpin", "none/promote")},
    "/v1/models/none/try": {**SIGNED, "mode": "shadow"},
}
# Method, path and status of what the contract documents, and the body that is answered with it.
ERRORS: dict[tuple[str, str, int], object] = {
    ("post", "/v1/predict", 400): b'{"text": ',
    ("post", "/v1/predict", 413): TOO_LARGE,
    ("post", "/v1/predict", 422): {"text": ""},
    ("post", "/v1/predict/batch", 400): b'{"texts": ["a"],}',
    ("post", "/v1/predict/batch", 413): TOO_LARGE,
    ("post", "/v1/predict/batch", 422): {"texts": ["a"] * 101},
    ("post", "/v1/feedback", 400): b"text",
    ("post", "/v1/feedback", 413): TOO_LARGE,
    ("post", "/v1/feedback", 422): {"text": "a", "correct_label": "splendid"},
    ("get", "/v1/feedback/none", 404): None,
    ("get", "/v1/review", 403): None,
    ("post", "/v1/review/none", 400): b"text",
    ("post", "/v1/review/none", 403): {"action": "accept"},
    ("post", "/v1/review/none", 413): TOO_LARGE,
    ("post", "/v1/runs", 400): b"text",
    ("post", "/v1/runs", 403): {"by": "somebody"},
    ("post", "/v1/runs", 413): TOO_LARGE,
    ("get", "/v1/metrics/history?from=never", 422): None,
    **{("get", path, 403): None for path in (*MODELS, *RECORDS)},
    **{("post", path, 400): b"text" for path in MOVES},
    **{("post", path, 403): body for path, body in MOVES.items()},
    **{("post", path, 413): TOO_LARGE for path in MOVES},
}
ELSEWHERE = {
    ("post", "/v1/feedback", 409),  # below: it takes two requests
    ("post", "/v1/feedback", 503),  # test_storage.py
    ("get", "/v1/feedback/none", 503),  # test_storage.py
    ("get", "/v1/feedback/none", 422),  # FastAPI documents it for every path parameter; a text is never invalid
    *(("get", "/v1/review", status) for status in (422, 503)),  # with the admin key: tests/api/test_review.py
    *(("post", "/v1/review/none", status) for status in (404, 409, 422, 503)),
    *(("get", path.partition("?")[0], status) for path in MODELS for status in (409, 422, 503)),  # test_models.py there
    *(("get", path, 404) for path in ("/v1/models/diff", "/v1/models/none")),
    *(("post", path, status) for path in MOVES for status in (409, 422, 503)),
    *(("post", f"/v1/models/none/{move}", 404) for move in ("promote", "try")),
    *(("get", path, 503) for path in ("/v1/metrics", "/v1/metrics/history")),  # test_metrics.py there, and its history
    *(("get", path, status) for path in RECORDS for status in (422, 503)),  # test_runs.py, test_checks.py, test_alerts…
    ("get", "/v1/runs/none", 404),
    *(("post", "/v1/runs", status) for status in (422, 503)),  # test_starting.py
}


def test_all_documented_errors_are_tried() -> None:
    contract = json.loads((Path(str(predict.__file__)).parent / "openapi.json").read_text("utf-8"))
    documented = {
        (method, re.sub(r"\{\w+\}", "none", path), int(status))
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
        if int(status) >= 400
    }
    tried = {(method, path.partition("?")[0], status) for method, path, status in ERRORS}
    assert documented == tried | ELSEWHERE


@pytest.mark.parametrize(("method", "path", "status"), ERRORS)
def test_a_documented_error(client: Client, method: str, path: str, status: int) -> None:
    answer = client.send(method.upper(), path, ERRORS[method, path, status])
    error = check(answer, status, CODES[status])
    assert error["request_id"] == answer.headers["x-request-id"]


def test_a_key_that_comes_back_with_another_body_is_a_conflict(client: Client) -> None:
    first = client.post("/v1/feedback", {"text": "a", "correct_label": "neutral"}, idempotency_key="conflict")
    assert first.status == 201
    second = client.post("/v1/feedback", {"text": "b", "correct_label": "neutral"}, idempotency_key="conflict")
    check(second, 409, "idempotency_conflict")


def test_another_content_type_is_malformed(client: Client) -> None:
    answer = client.post("/v1/predict", {"text": "a"}, content_type="text/plain")
    assert check(answer, 400, "malformed_request")["message"] == "the Content-Type is not application/json"


TEXT_BUT_NO_JSON = [
    name
    for name, body in BODIES_THAT_ARE_NO_JSON.items()
    if body and body.decode(errors="replace").encode() == body
]  # fmt: skip


@pytest.mark.parametrize("kind", TEXT_BUT_NO_JSON)
def test_a_body_that_is_no_json_is_malformed(client: Client, kind: str) -> None:
    check(client.post("/v1/predict", BODIES_THAT_ARE_NO_JSON[kind]), 400, "malformed_request")


@pytest.mark.parametrize("body", [{}, [], {"text": None}, {"text": 1}, {"text": " \n"}, {"text": "a", "more": 1}])
def test_a_body_that_breaks_the_schema_is_invalid(client: Client, body: Any) -> None:
    check(client.post("/v1/predict", body), 422, "invalid_request")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PUT", "/v1/predict"), ("GET", "/v1/feedback")])
def test_what_is_no_route_never_comes_to_a_function(client: Client, method: str, path: str) -> None:
    answer = client.send(method, path)
    assert (answer.status, answer.body) == (403, GATEWAY_REFUSAL)


class TestSixMegabytes:
    """Lambda takes 6 MB an event, the body in its JSON."""

    def test_what_the_runtime_takes_is_refused_by_us(self, client: Client) -> None:
        check(client.post("/v1/predict", b'{"text": "%s"}' % (b"a" * 6_000_000)), 413, "request_too_large")

    def test_what_it_does_not_take_fails_and_leaves_the_instance_as_it_was(self, client: Client) -> None:
        before = client.instance()
        answer = client.post("/v1/predict", b'{"text": "%s"}' % (b"a" * 6 * ONE_MEGABYTE))
        assert (answer.status, answer.body) == (502, PLATFORM_FAILURE)
        assert client.version()
        assert client.instance() == before


class TestBytesThatAreNoText:
    def test_the_gateway_refuses_them(self, client: Client) -> None:
        before = client.instance()
        answer = client.post("/v1/predict", bytes(range(256)))
        assert (answer.status, answer.body) == (502, PLATFORM_FAILURE)
        assert client.version()
        assert client.instance() == before

    def test_in_base64_as_api_gateway_sends_them_they_are_malformed(self, stack: Stack) -> None:
        answer = call(
            lambda event, _: invoke("PredictFunction", json.dumps(event), stack.variables),
            post("/v1/predict", bytes(range(256))),
        )
        check(answer, 400, "malformed_request")
