"""`POST /v1/runs`, event in, answer out, over a stand-in for Lambda's Invoke API on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sentiloop.records import now, timestamp
from sentiloop.s3 import S3Store
from sentiloop.settings import Secret
from sentiloop.starting import NotStartedError, RetrainFunction

from tests.api.conftest import ADMIN_KEY, Function, MakeFunction
from tests.api.test_errors import BODIES_THAT_ARE_NO_JSON, check
from tests.events import Answer, post

KEY = {"X-Admin-Key": ADMIN_KEY}
NAME = "our-stack-RetrainFunction-1"


class Lambda:
    """Keeps what is sent to it, and answers with a status and, from 400 on, with the name of an error."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None, Any]] = []
        self.status, self.error = 202, ""
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outside.sent.append((self.path, self.headers["X-Amz-Invocation-Type"], json.loads(body)))
                self.send_response(outside.status)
                self.send_header("X-Amzn-ErrorType", outside.error)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def lambda_(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    made = Lambda()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{made.server.server_port}")
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def starting(make_admin: MakeFunction) -> Function:
    return make_admin(retrain_function=NAME)


def start(function: Function, body: object, headers: dict[str, str] = KEY) -> Answer:
    return function(post("/v1/runs", body, headers=headers))


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ({"by": "ada"}, {"action": "retrain", "by": "ada"}),
        ({"by": "ada", "action": "retrain"}, {"action": "retrain", "by": "ada"}),
        ({"by": "Žofie", "action": "check"}, {"action": "check", "by": "Žofie"}),
    ],
)
def test_the_retrain_function_gets_the_event_and_is_not_waited_for(
    body: object, event: dict[str, str], lambda_: Lambda, starting: Function
) -> None:
    before = timestamp(now())
    answer = start(starting, body)
    assert answer.status == 202
    assert answer.body == {"asked_at": answer.body["asked_at"], "action": event["action"]}
    assert before <= answer.body["asked_at"] <= timestamp(now())
    assert lambda_.sent == [(f"/2015-03-31/functions/{NAME}/invocations", "Event", event)]


def test_started_twice_it_is_asked_twice(lambda_: Lambda, starting: Function) -> None:
    assert [start(starting, {"by": "ada"}).status for _ in range(2)] == [202, 202]
    assert len(lambda_.sent) == 2


@pytest.mark.parametrize("headers", [{}, {"X-Admin-Key": ""}, {"X-Admin-Key": "wrong"}, {"x-api-key": ADMIN_KEY}])
def test_without_the_admin_key_nothing_is_started(
    headers: dict[str, str], lambda_: Lambda, starting: Function, make_admin: MakeFunction
) -> None:
    check(start(starting, {"by": "ada"}, headers), 403, "forbidden")
    check(start(starting, {}, headers), 403, "forbidden")
    check(start(make_admin(retrain_function=NAME, admin_key=Secret()), {"by": "ada"}, headers), 403, "forbidden")
    assert lambda_.sent == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"by": None},
        {"by": ""},
        {"by": " "},
        {"by": "a" * 101},
        {"by": "\ud800"},
        {"by": 1},
        {"by": "ada", "action": "promote"},
        {"by": "ada", "action": None},
        {"by": "ada", "version": "v1"},
        [],
    ],
)
def test_a_body_that_breaks_the_schema_is_invalid_and_starts_nothing(
    body: object, lambda_: Lambda, starting: Function
) -> None:
    check(start(starting, body), 422, "invalid_request")
    assert lambda_.sent == []


@pytest.mark.parametrize("kind", sorted(BODIES_THAT_ARE_NO_JSON.keys() - {"nothing", "no bytes"}))
def test_a_body_that_is_no_json_is_malformed(kind: str, lambda_: Lambda, starting: Function) -> None:
    check(start(starting, BODIES_THAT_ARE_NO_JSON[kind]), 400, "malformed_request")
    assert lambda_.sent == []


def test_a_body_over_a_megabyte_is_refused(lambda_: Lambda, starting: Function) -> None:
    check(start(starting, {"by": "a" * 1_048_576}), 413, "request_too_large")
    assert lambda_.sent == []


def test_where_no_function_is_named_it_says_what_starts_a_run(lambda_: Lambda, admin: Function) -> None:
    error = check(start(admin, {"by": "ada"}), 503, "not_startable")
    assert error["message"] == "runs cannot be started from here"
    for way in ("SENTILOOP_RETRAIN_FUNCTION", "make retrain", "make sam-invoke-retrain", "schedule"):
        assert way in error["hint"]
    assert lambda_.sent == []


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (429, "TooManyRequestsException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (500, "ServiceException"),
    ],
)
def test_a_function_that_refuses_is_an_error_with_a_hint_that_names_nothing_of_ours(
    status: int, name: str, lambda_: Lambda, starting: Function, caplog: pytest.LogCaptureFixture
) -> None:
    lambda_.status, lambda_.error = status, name
    error = check(start(starting, {"by": "a name that no log needs"}), 503, "not_started")
    assert error["message"] == "the retrain function did not take the event"
    assert "again in a minute" in error["hint"]
    assert 1 <= len(lambda_.sent) <= 2, "a user waits"
    assert name in caplog.text, "for who mends it"
    assert "a name that no log needs" not in caplog.text


def test_a_function_that_does_not_answer_is_an_error_as_well(
    free_port: int, starting: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{free_port}")
    check(start(starting, {"by": "ada"}), 503, "not_started")


def test_an_empty_address_is_the_one_of_aws(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "")
    with pytest.raises(NotStartedError, match="ResourceNotFoundException"):  # says moto, which stands for AWS
        RetrainFunction("missing").start("check", "ada")
