"""What goes wrong under Lambda's runtime: bad requests, large ones, time-outs, storage that goes, bad settings."""

import json
from collections.abc import Iterator

import pytest
from sentiloop.errors import SentiloopError
from sentiloop.http import RETRY_AFTER_SECONDS
from sentiloop.receipts import correction_key
from sentiloop.s3 import S3Store

from tests.api.test_errors import check
from tests.e2e.runtime.conftest import CONTRIBUTOR_KEY, Function, Start, Storage
from tests.emulator import wait_until
from tests.events import Event, event, get, post

SECRET_TEXT = "plumbus"
SECRET = {"text": f"{SECRET_TEXT} is good"}
CORRECTION = {**SECRET, "correct_label": "positive"}
EVENT_BYTES = 6 * 1024 * 1024
"""The largest event that Lambda takes of a caller that waits for the answer."""
TIMEOUT_SECONDS = 2


@pytest.fixture(scope="module")
def predict(start: Start) -> Iterator[Function]:
    """A function that looks at the pointer with every request."""
    with start("predict", SENTILOOP_REFRESH_SECONDS="0") as function:
        yield function


REFUSED: dict[str, list[tuple[str, int, str, Event]]] = {
    "predict": [
        ("half an object", 400, "malformed_request", post("/v1/predict", b'{"text": "plumbus')),
        ("no UTF-8", 400, "malformed_request", post("/v1/predict", b'{"text": "plumbus \xff"}')),
        ("no JSON type", 400, "malformed_request", post("/v1/predict", SECRET, headers={"Content-Type": "text/csv"})),
        ("no such path", 404, "not_found", get("/v2/predict")),
        ("another method", 405, "method_not_allowed", event("PUT", "/v1/predict", SECRET)),
        ("too large", 413, "request_too_large", post("/v1/predict", {"text": SECRET_TEXT * 200_000})),
        ("no text", 422, "invalid_request", post("/v1/predict", {"txt": SECRET_TEXT})),
        ("a large batch", 422, "invalid_request", post("/v1/predict/batch", {"texts": [SECRET_TEXT] * 101})),
    ],
    "feedback": [
        ("half an object", 400, "malformed_request", post("/v1/feedback", b'{"text": "plumbus')),
        ("no such correction", 404, "receipt_not_found", get("/v1/feedback/fb-20260301-" + "0" * 32)),
        ("another method", 405, "method_not_allowed", event("PUT", "/v1/feedback", CORRECTION)),
        ("too large", 413, "request_too_large", post("/v1/feedback", {"text": SECRET_TEXT * 200_000})),
        ("no such label", 422, "invalid_request", post("/v1/feedback", {**SECRET, "correct_label": "plumbus"})),
    ],
}


@pytest.mark.parametrize(
    ("name", "status", "code", "request_"),
    [
        pytest.param(name, *expected, id=f"{name}: {what}")
        for name, cases in REFUSED.items()
        for what, *expected in cases
    ],
)
def test_a_bad_request_has_the_one_error_shape(
    request: pytest.FixtureRequest, name: str, status: int, code: str, request_: Event
) -> None:
    function: Function = request.getfixturevalue(name)
    check(function(request_), status, code)
    assert SECRET_TEXT not in function.log


def test_an_idempotency_key_with_another_body_is_a_conflict(feedback: Function) -> None:
    headers = {"Idempotency-Key": "twice"}
    assert feedback(post("/v1/feedback", CORRECTION, headers=headers)).status == 201
    other = {**CORRECTION, "correct_label": "negative"}
    check(feedback(post("/v1/feedback", other, headers=headers)), 409, "idempotency_conflict")


def test_a_fault_of_our_own_is_a_clean_500_and_in_the_log(feedback: Function, store: S3Store) -> None:
    correction = "fb-20260301-" + "1" * 32
    store.put(correction_key(correction), json.dumps(CORRECTION).encode())
    error = check(feedback(get(f"/v1/feedback/{correction}")), 500, "broken_record")
    assert error["message"] == SentiloopError.public_message
    wait_for_log(feedback, f"request_id={error['request_id']}")
    assert SECRET_TEXT not in feedback.log


def wait_for_log(function: Function, part: str) -> None:
    """Wait until the log holds something; the answer may come before the line is written."""
    wait_until(lambda: part in function.log, repr(part), function.emulated.log)


def of_size(size: int) -> bytes:
    """An event of a size in bytes, with a body as large as fits."""
    empty = len(json.dumps(post("/v1/predict", {"text": ""})))
    whole = json.dumps(post("/v1/predict", {"text": "a" * (size - empty)})).encode()
    assert len(whole) == size
    return whole


def test_the_largest_event_that_lambda_takes_is_refused_by_the_function(predict: Function) -> None:
    answer = predict.invoke(of_size(EVENT_BYTES))
    assert answer["statusCode"] == 413
    assert json.loads(answer["body"])["error"]["code"] == "request_too_large"


def test_a_larger_event_never_reaches_the_function_and_the_next_one_does(predict: Function) -> None:
    # Lambda refuses it with 413; the emulator cuts it off, so that the runtime finds half an object.
    answer = predict.invoke(of_size(EVENT_BYTES + 100_000))
    assert answer["errorType"] == "Runtime.UnmarshalError"
    assert predict(post("/v1/predict", SECRET)).status == 200


def test_an_event_that_is_no_json_never_reaches_the_function_and_the_next_one_does(predict: Function) -> None:
    assert predict.invoke(b"no JSON")["errorType"] == "Runtime.UnmarshalError"
    assert predict(post("/v1/predict", SECRET)).status == 200


def test_a_function_that_runs_out_of_time_is_replaced_by_one_that_answers(start: Start, storage: Storage) -> None:
    with start("feedback", AWS_LAMBDA_FUNCTION_TIMEOUT=str(TIMEOUT_SECONDS)) as feedback:
        assert feedback(post("/v1/feedback", CORRECTION)).status == 201
        with storage.silent():
            answer = feedback.invoke(post("/v1/feedback", CORRECTION))
        assert answer == f"Task timed out after {TIMEOUT_SECONDS}.00 seconds"
        assert feedback(post("/v1/feedback", CORRECTION)).status == 201
        assert feedback.log.count("INIT START") == 2
        assert SECRET_TEXT not in feedback.log


def test_predictions_do_without_storage_and_corrections_are_taken_once_it_is_back(
    predict: Function, feedback: Function, storage: Storage
) -> None:
    assert predict(post("/v1/predict", SECRET)).status == 200
    assert feedback(post("/v1/feedback", CORRECTION)).status == 201
    with storage.away():
        wait_until(lambda: predict(get("/health")).body["status"] == "degraded", "trouble", predict.emulated.log)
        assert predict(post("/v1/predict", SECRET)).status == 200
        answer = feedback(post("/v1/feedback", CORRECTION))
        check(answer, 503, "storage_unavailable")
        assert answer.headers["retry-after"] == str(RETRY_AFTER_SECONDS)
        wait_for_log(feedback, "storage_unavailable: ")
        wait_until(  # only a request makes it look
            lambda: bool(predict(get("/health"))) and "the model was not refreshed: " in predict.log,
            "word that the model was not refreshed",
            predict.emulated.log,
        )
    wait_until(
        lambda: predict(get("/health")).body["problem"] == "no model was published yet", "S3", predict.emulated.log
    )
    assert feedback(post("/v1/feedback", CORRECTION)).status == 201
    for function in (predict, feedback):
        assert function.log.count("INIT START") == 1
        for secret in (SECRET_TEXT, CONTRIBUTOR_KEY):
            assert secret not in function.log


@pytest.mark.parametrize(
    ("name", "setting", "value", "message"),
    [
        ("predict", "SENTILOOP_MAX_BATCH", "abc", "SENTILOOP_MAX_BATCH has a value that does not parse"),
        ("predict", "SENTILOOP_SAMPLE_SHARE", "2", "SENTILOOP_SAMPLE_SHARE is 2.0; it has to lie between 0 and 1"),
        ("feedback", "SENTILOOP_CONTRIBUTOR_KEY", "", "SENTILOOP_CONTRIBUTOR_KEY is not set"),
        ("feedback", "SENTILOOP_LABLES", "a,b", "unknown settings: SENTILOOP_LABLES"),
    ],
)
def test_a_wrong_setting_is_named_by_the_function_that_does_not_start(
    start: Start, name: str, setting: str, value: str, message: str
) -> None:
    with start(name, **{setting: value}) as function:
        for _ in range(2):
            answer = function.invoke(get("/health"))
            assert (answer["errorType"], answer["errorMessage"]) == ("SettingsError", message)
        assert f"[ERROR] SettingsError: {message}" in function.log
