"""One line a request: what it tells, that CloudWatch can read it, and that no text and no id of a client is in it."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from sentiloop import lines
from sentiloop.http import NO_ROUTE

from tests.api.conftest import Function, MakeFunction
from tests.events import REQUEST_ID, get, post
from tests.faults.faulty_store import down

TEXT = "Zanzibar was wonderful, and so was the xylophone."
CLIENT = "198.51.100.23"


class Lines:
    """The lines that were written since the last look."""

    def __init__(self) -> None:
        self.stream = StringIO()

    def read(self) -> list[dict[str, Any]]:
        told = self.stream.getvalue().splitlines()
        self.stream.seek(0)
        self.stream.truncate()
        return [json.loads(line) for line in told]

    def one(self) -> dict[str, Any]:
        [line] = self.read()
        check_embedded_metrics(line)
        return line


@pytest.fixture
def told() -> Iterator[Lines]:
    """Send the lines to a stream for the length of a test."""
    logger = logging.getLogger(lines.NAME)
    before = logger.handlers[:]
    collected = Lines()
    lines.redirect(logging.StreamHandler(collected.stream))
    yield collected
    logger.handlers[:] = before


def check_embedded_metrics(line: dict[str, Any]) -> None:
    """Check a line against the rules of CloudWatch's embedded metric format."""
    about = line["_aws"]
    assert isinstance(about["Timestamp"], int)
    assert about["Timestamp"] > 10**12, "milliseconds since 1970"
    [directive] = about["CloudWatchMetrics"]
    assert directive["Namespace"] == "Sentiloop"
    for dimensions in directive["Dimensions"]:
        assert 1 <= len(dimensions) <= 30
        for name in dimensions:
            assert isinstance(line[name], str)
            assert 1 <= len(line[name]) <= 1024
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert 1 <= len(names) == len(set(names)) <= 100
    for metric in directive["Metrics"]:
        assert metric["Unit"] in {"Count", "Milliseconds", "None"}
        values = line[metric["Name"]]
        assert 1 <= len(values) <= 100
        assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def test_a_prediction_is_told_with_what_answered_it(predict: Function, told: Lines) -> None:
    answer = predict(post("/v1/predict", {"text": TEXT}, source_ip=CLIENT)).body
    line = told.one()
    assert (line["message"], line["level"], line["request_id"]) == ("request", "INFO", REQUEST_ID)
    assert (line["Function"], line["method"], line["route"]) == ("predict", "POST", "/v1/predict")
    assert (line["status"], line["label"]) == (200, answer["label"])
    assert line["Version"] == answer["model_version"]
    assert line["Confidence"] == [pytest.approx(answer["confidence"], abs=1e-4)]
    assert (line["Requests"], line["Errors"], line["Predictions"]) == ([1], [0], [1])
    assert 0 < line["Latency"][0] < 60_000
    assert "code" not in line
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Function"], ["Function", "Version"]]


def test_no_text_and_nothing_of_the_client_is_in_a_line(
    predict: Function, feedback: Function, told: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    predict(post("/v1/predict", {"text": TEXT}, source_ip=CLIENT, api_key_id="key-id"))
    predict(post("/v1/predict/batch", {"texts": [TEXT, ""]}, source_ip=CLIENT))
    predict(post("/v1/predict", {"text": TEXT, "more": TEXT}, source_ip=CLIENT))
    predict(post("/v1/predict", b"{Zanzibar", source_ip=CLIENT))
    body = {"text": TEXT, "correct_label": "positive", "user": "Zaphod", "comment": "Zanzibar, again"}
    feedback(post("/v1/feedback", body, source_ip=CLIENT))
    feedback(get("/v1/feedback/fb-20260301-" + "0" * 32, resource="/v1/feedback/{correction_id}"))
    predict(get("/v1/Zanzibar"))
    written = told.stream.getvalue() + caplog.text
    assert len(told.read()) == 7
    for secret in ("Zanzibar", "xylophone", "Zaphod", CLIENT, "key-id", "0" * 32):
        assert secret not in written


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (post("/v1/predict", {"text": ""}), ("/v1/predict", 422, "invalid_request")),
        (post("/v1/predict", b"{"), ("/v1/predict", 400, "malformed_request")),
        (get("/v1/predict"), ("/v1/predict", 405, "method_not_allowed")),
        (get("/v1/some-id-of-somebody"), (NO_ROUTE, 404, "not_found")),
        (post("/v1/predict", {"text": "a" * 2_000_000}), (NO_ROUTE, 413, "request_too_large")),
    ],
)
def test_an_error_is_told_with_its_code_and_the_route_of_the_contract(
    predict: Function, told: Lines, event: dict[str, Any], expected: tuple[str, int, str]
) -> None:
    predict(event)
    line = told.one()
    assert (line["route"], line["status"], line["code"]) == expected
    assert line["Errors"] == [0], "the client's"
    assert "Version" not in line


def test_a_bug_is_told_as_an_error(predict: Function, told: Lines) -> None:
    @predict.app.get("/bug")
    async def bug() -> None:
        raise RuntimeError(TEXT)

    assert predict(get("/bug")).status == 500
    line = told.one()
    assert (line["route"], line["status"], line["code"], line["Errors"]) == ("/bug", 500, "internal_error", [1])


def test_storage_that_is_down_is_told_and_the_line_is_still_written(make_feedback: MakeFunction, told: Lines) -> None:
    feedback = make_feedback(down())
    assert feedback(post("/v1/feedback", {"text": TEXT, "correct_label": "positive"})).status == 503
    line = told.one()
    assert (line["status"], line["code"], line["Errors"]) == (503, "storage_unavailable", [1])


def test_a_batch_tells_the_confidence_of_each_text(predict: Function, told: Lines) -> None:
    answer = predict(post("/v1/predict/batch", {"texts": [TEXT, "Dull.", ""]})).body
    line = told.one()
    assert line["Predictions"] == [2]
    assert line["Confidence"] == [pytest.approx(result["confidence"], abs=1e-4) for result in answer["results"][:2]]
    assert "label" not in line


def test_a_full_batch_stays_one_line_within_the_limits_of_the_format(make_predict: MakeFunction, told: Lines) -> None:
    make_predict(max_batch=150)(post("/v1/predict/batch", {"texts": [TEXT] * 150}))
    line = told.one()
    assert line["Predictions"] == [150]
    assert len(line["Confidence"]) == lines.MOST_VALUES


def test_the_version_that_a_correction_claims_is_no_dimension(feedback: Function, told: Lines) -> None:
    body = {"text": TEXT, "correct_label": "positive", "predicted_label": "positive", "model_version": "made-up"}
    assert feedback(post("/v1/feedback", body)).status == 201
    line = told.one()
    assert (line["Feedback"], line["Confirmed"]) == ([1], [1])
    assert "made-up" not in json.dumps(line)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Function"]]


def test_lines_go_to_standard_output_as_it_is_at_the_moment(
    predict: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(get("/health"))
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["route"] == "/health"
