"""Every error has one shape, says what to do, and tells nothing that it should not."""

import json
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from sentiloop.errors import StorageUnavailableError
from sentiloop.http import RETRY_AFTER_SECONDS
from sentiloop.s3 import S3Store

from tests.api.conftest import ADMIN_KEY, Function, MakeFunction
from tests.events import REQUEST_ID, Answer, Event, event, get, post
from tests.faults.faulty_store import Fault, FaultyStore, down

SECRET_TEXT = "a text that belongs to somebody"


def check(answer: Answer, status: int, code: str) -> dict[str, str]:
    """Hold an answer to the one shape and return the error."""
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.body) == {"error"}
    error: dict[str, str] = answer.body["error"]
    assert list(error) == ["code", "message", "hint", "request_id"]
    assert error["code"] == code
    assert all(isinstance(value, str) and value for value in error.values())
    return error


BODIES_THAT_ARE_NO_JSON = {
    "nothing": None,
    "no bytes": b"",
    "half an object": b'{"text": ',
    "two objects": b"{}{}",
    "a bare word": b"text",
    "single quotes": b"{'text': 'a'}",
    "a trailing comma": b'{"text": "a",}',
    "nesting without end": b'{"text": ' + b"[" * 200_000,
    "deep nesting that ends": b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "invalid UTF-8": b'{"text": "\xff\xfe"}',
    "a half of a character": b'{"text": "\xc3"}',
    "an integer of 5,000 digits": b'{"text": ' + b"9" * 5_000 + b"}",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("kind", BODIES_THAT_ARE_NO_JSON)
@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predict/batch"])
def test_a_body_that_is_no_json_is_malformed(predict: Function, path: str, kind: str) -> None:
    answer = predict(post(path, BODIES_THAT_ARE_NO_JSON[kind]))
    if kind in {"nothing", "no bytes"}:
        assert answer.status in {400, 422}
        return
    check(answer, 400, "malformed_request")


@pytest.mark.parametrize("kind", sorted(BODIES_THAT_ARE_NO_JSON.keys() - {"nothing", "no bytes"}))
def test_feedback_that_is_no_json_is_malformed(feedback: Function, kind: str) -> None:
    check(feedback(post("/v1/feedback", BODIES_THAT_ARE_NO_JSON[kind])), 400, "malformed_request")


@pytest.mark.parametrize(
    ("query", "name"), [({"limit": "0"}, "limit"), ({"limit": "x"}, "limit"), ({"limit": "101", "other": "1"}, "limit")]
)
def test_a_wrong_query_is_told_as_such_though_a_get_has_no_content_type(
    admin: Function, query: dict[str, str], name: str
) -> None:
    answer = admin(get("/v1/review", query=query, headers={"x-admin-key": ADMIN_KEY, "Content-Type": ""}))
    assert check(answer, 422, "invalid_request")["message"].startswith(f"{name}: ")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_another_content_type_is_malformed_and_the_error_says_why(predict: Function, content_type: str) -> None:
    answer = predict(post("/v1/predict", {"text": "a"}, headers={"Content-Type": content_type}))
    error = check(answer, 400, "malformed_request")
    assert error["message"] == "the Content-Type is not application/json"
    assert "Content-Type: application/json" in error["hint"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/problem+json"])
def test_json_under_its_other_names_is_taken(predict: Function, content_type: str) -> None:
    assert predict(post("/v1/predict", {"text": "a"}, headers={"Content-Type": content_type})).status == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/predict", "/v1/predict/", "/v1/feedback", "/docs/", "/redoc"])
def test_an_unknown_path_is_not_found(predict: Function, path: str) -> None:
    error = check(predict(get(path)), 404, "not_found")
    assert error["message"] == f"no route {path}"


def test_a_long_unknown_path_is_not_repeated_whole(predict: Function) -> None:
    assert len(check(predict(get("/" + "a" * 5_000)), 404, "not_found")["message"]) < 300


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/predict"),
        ("PUT", "/v1/predict"),
        ("DELETE", "/v1/model_info"),
        ("POST", "/health"),
        ("PATCH", "/docs"),
        ("OPTIONS", "/v1/predict"),
    ],
)
def test_another_method_is_not_allowed_and_the_answer_says_which_are(predict: Function, method: str, path: str) -> None:
    answer = predict(event(method, path))
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == ("POST" if path == "/v1/predict" else "GET")


class TestTooLarge:
    def test_a_body_over_a_megabyte_is_refused(self, predict: Function, feedback: Function) -> None:
        body = {"text": "a" * 1_048_576}
        check(predict(post("/v1/predict", body)), 413, "request_too_large")
        check(feedback(post("/v1/feedback", body)), 413, "request_too_large")

    def test_it_is_refused_before_anything_parses_it(self, predict: Function) -> None:
        check(predict(post("/v1/predict", b"[" * 1_048_577)), 413, "request_too_large")

    def test_it_is_refused_on_every_route(self, predict: Function) -> None:
        check(predict(event("GET", "/health", b"a" * 1_048_577)), 413, "request_too_large")

    def test_the_limit_is_a_setting_and_counts_bytes(self, make_predict: MakeFunction) -> None:
        function = make_predict(max_body_bytes=1_024)
        frame = len('{"text": ""}')
        assert function(post("/v1/predict", b'{"text": "%s"}' % (b"a" * (1_024 - frame)))).status == 200
        check(function(post("/v1/predict", b'{"text": "%s"}' % (b"a" * (1_025 - frame)))), 413, "request_too_large")
        wide = '{"text": "%s"}' % ("é" * 600)
        check(function(post("/v1/predict", wide.encode())), 413, "request_too_large")


class TestInvalid:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "text: Field required"),
            ([], "body: "),
            ("text", "body: "),
            ({"text": None}, "text: "),
            ({"text": 1}, "text: "),
            ({"text": ["a"]}, "text: "),
            ({"text": float("nan")}, "text: "),
            ({"text": ""}, "text: is empty"),
            ({"text": " \u2003\n"}, "text: is empty"),
            ({"text": "\ud83d"}, "text: "),
            ({"text": "a" * 10_001}, "text: 10001 characters"),
            ({"text": "a", "lang": "en"}, "lang: Extra inputs are not permitted"),
            ({"text": "a", "Text": "b"}, "Text: Extra inputs are not permitted"),
        ],
    )
    def test_a_body_that_breaks_the_schema_says_where(self, predict: Function, body: object, message: str) -> None:
        error = check(predict(post("/v1/predict", body)), 422, "invalid_request")
        assert error["message"].startswith(message)

    @pytest.mark.parametrize(
        "body", [{}, {"texts": None}, {"texts": "a"}, {"texts": {"0": "a"}}, {"texts": ["a"], "x": 1}]
    )
    def test_a_batch_that_breaks_the_schema_is_refused_whole(self, predict: Function, body: object) -> None:
        check(predict(post("/v1/predict/batch", body)), 422, "invalid_request")

    def test_an_error_does_not_repeat_the_text(self, predict: Function) -> None:
        answer = predict(post("/v1/predict", {"text": [SECRET_TEXT], "more": SECRET_TEXT}))
        assert SECRET_TEXT not in json.dumps(answer.body)

    def test_many_problems_are_not_all_told(self, predict: Function) -> None:
        answer = predict(post("/v1/predict", {f"field {number}": 1 for number in range(1_000)}))
        assert len(check(answer, 422, "invalid_request")["message"]) < 1_000


class TestTheRequestId:
    @pytest.mark.parametrize(
        "request_", [get("/nowhere"), post("/v1/predict", b"{"), post("/v1/predict", {}), event("PUT", "/health")]
    )
    def test_the_gateways_is_in_the_body_and_in_a_header(self, predict: Function, request_: Event) -> None:
        answer = predict(request_)
        assert answer.body["error"]["request_id"] == answer.headers["x-request-id"] == REQUEST_ID

    def test_a_good_answer_has_it_too(self, predict: Function) -> None:
        assert predict(get("/health")).headers["x-request-id"] == REQUEST_ID

    def test_a_refused_size_has_it_too(self, predict: Function) -> None:
        answer = predict(post("/v1/predict", b"a" * 1_048_577))
        assert answer.body["error"]["request_id"] == answer.headers["x-request-id"] == REQUEST_ID

    def test_each_request_has_its_own(self, predict: Function) -> None:
        answers = [predict(get("/health", request_id=f"request-{number}")) for number in range(2)]
        assert [answer.headers["x-request-id"] for answer in answers] == ["request-0", "request-1"]

    def test_without_a_gateway_there_is_one_all_the_same(self, predict: Function) -> None:
        request = get("/nowhere")
        del request["requestContext"]["requestId"]
        answer = predict(request)
        assert answer.body["error"]["request_id"] == answer.headers["x-request-id"]
        assert len(answer.headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    "request_",
    [get("/health"), get("/docs"), get("/nowhere"), post("/v1/predict", {}), post("/v1/predict", b"a" * 1_048_577)],
    ids=lambda request: request["path"],
)
def test_no_answer_may_be_taken_for_a_script_or_a_page(predict: Function, request_: Event) -> None:
    assert predict(request_).headers["x-content-type-options"] == "nosniff"


class TestStorageTrouble:
    @pytest.mark.parametrize("fault", [Fault.DOWN, Fault.REPLY_LOST, Fault.CONFLICT])
    def test_it_is_503_with_the_seconds_to_wait(
        self, make_feedback: MakeFunction, store: S3Store, fault: Fault
    ) -> None:
        function = make_feedback(FaultyStore(store, {1: fault}))
        answer = function(post("/v1/feedback", {"text": SECRET_TEXT, "correct_label": "neutral"}))
        error = check(answer, 503, "storage_unavailable")
        assert answer.headers["retry-after"] == str(RETRY_AFTER_SECONDS)
        assert error["message"] == StorageUnavailableError.public_message

    def test_the_answer_names_no_bucket_and_no_key(self, make_feedback: MakeFunction) -> None:
        answer = make_feedback(down())(get("/v1/feedback/fb-20260301-" + "0" * 32))
        check(answer, 503, "storage_unavailable")
        assert "feedback/" not in json.dumps(answer.body)


class TestABug:
    @pytest.fixture
    def broken(self, predict: Function) -> Callable[[Event], Answer]:
        def fail() -> NoReturn:
            raise ZeroDivisionError("an internal detail")

        async def after_parsing(body: dict[str, Any]) -> None:
            fail()

        predict.app.add_api_route("/broken", after_parsing, methods=["POST"])
        return predict

    def test_it_is_a_clean_500_without_details(self, broken: Callable[[Event], Answer]) -> None:
        answer = broken(post("/broken", {"text": SECRET_TEXT}))
        error = check(answer, 500, "internal_error")
        assert error["message"] == "the service failed on this request"
        assert error["request_id"] == answer.headers["x-request-id"] == REQUEST_ID
        for detail in ("ZeroDivisionError", "internal detail", "Traceback", SECRET_TEXT):
            assert detail not in json.dumps(answer.body)

    def test_it_is_logged_with_its_place_and_request_id_and_without_the_text(
        self, broken: Callable[[Event], Answer], caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR, logger="sentiloop"):
            broken(post("/broken", {"text": SECRET_TEXT}))
        assert f"unhandled error, request_id={REQUEST_ID}" in caplog.text
        assert "ZeroDivisionError: an internal detail" in caplog.text
        assert "in fail" in caplog.text
        assert SECRET_TEXT not in caplog.text

    def test_the_next_request_is_answered(self, broken: Callable[[Event], Answer]) -> None:
        broken(post("/broken", {}))
        assert broken(post("/v1/predict", {"text": "a"})).status == 200
