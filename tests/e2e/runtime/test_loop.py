"""The whole loop under Lambda's runtime: predict, correct, retrain by the schedule's event, and serve the champion."""

import itertools
import json
import time
from typing import Any

import pytest
from sentiloop.bundled import baseline

from tests.e2e.runtime.conftest import Function, Storage
from tests.e2e.test_loop import CONTRIBUTORS, corrections
from tests.emulator import ROOT
from tests.events import get, post

EVENTS = ROOT / "infra" / "events"
SWAP_SECONDS = 10.0


def committed(name: str) -> Any:
    """An event that people send by hand."""
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _filled_bucket(retrain: Function) -> None:
    assert retrain.invoke({"action": "bootstrap"})["champion"]["version"] == baseline().version


def test_a_text_is_answered(predict: Function) -> None:
    answer = predict(committed("predict"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body["label"] == "positive"
    assert answer.body["confidence"] == max(answer.body["probabilities"].values())


def test_a_binary_body_is_answered_as_the_same_text(predict: Function) -> None:
    text = "café ☕ was a joy"
    sent = post("/v1/predict", json.dumps({"text": text}, ensure_ascii=False).encode())
    assert sent["isBase64Encoded"]
    binary, plain = predict(sent).body, predict(post("/v1/predict", {"text": text})).body
    assert binary["probabilities"] == plain["probabilities"]


def test_a_batch_answers_each_text_or_its_error(predict: Function) -> None:
    answer = predict(post("/v1/predict/batch", {"texts": ["I love it", "", "I hate it"]}))
    assert answer.status == 200
    good, empty, bad = answer.body["results"]
    assert (good["label"], empty["error"]["code"], bad["label"]) == ("positive", "invalid_request", "negative")


def test_an_explanation_adds_up_to_the_logits(predict: Function) -> None:
    answer = predict(post("/v1/predict", {"text": "not good at all"}, query={"explain": "true"}))
    explanation = answer.body["explanation"]
    for label, logit in explanation["logits"].items():
        assert sum(term["contributions"][label] for term in explanation["terms"]) == pytest.approx(logit)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/v1/model_info", "/health"])
def test_what_is_read_is_answered(predict: Function, path: str) -> None:
    assert predict(get(path)).status == 200


def test_a_correction_has_a_receipt_and_is_stored_once(feedback: Function) -> None:
    stored = feedback(committed("feedback"))
    assert stored.status == 201
    receipt = feedback(get(f"/v1/feedback/{stored.body['id']}"))
    assert (receipt.status, receipt.body["status"]) == (200, "stored")
    assert feedback(committed("feedback")).body == stored.body


def test_the_check_by_the_schedule_sees_no_cause(retrain: Function) -> None:
    decision = retrain.invoke(committed("check-schedule"))
    assert (decision["outcome"], decision["reasons"]) == ("skipped", ["no cause to retrain"])


def test_what_the_schedule_promotes_the_warm_predict_serves(
    predict: Function, feedback: Function, retrain: Function
) -> None:
    before = predict(committed("predict")).body["model_version"]
    ids = []
    for (text, label), contributor in zip(corrections(), itertools.cycle(CONTRIBUTORS), strict=False):
        correction = {"text": text, "correct_label": label}
        stored = feedback(post("/v1/feedback", correction, api_key_id=contributor))
        assert stored.status == 201
        ids.append(stored.body["id"])

    decision = retrain.invoke(committed("retrain-schedule"))

    deadline = time.monotonic() + SWAP_SECONDS
    assert decision["outcome"] == "promoted", decision
    while (served := predict(committed("predict")).body["model_version"]) == before:
        assert time.monotonic() < deadline, "the champion is not served"
        time.sleep(0.05)
    assert served == decision["version"]
    assert predict.log.count("INIT START") == 1, "it is the same instance"
    receipt = feedback(get(f"/v1/feedback/{ids[0]}")).body
    assert (receipt["status"], receipt["version"]) == ("learned", served)
    for function in (feedback, retrain):
        assert not [text for text, _ in corrections() if text in function.log]


def test_an_event_that_names_no_action_is_an_error_that_lambda_sees(retrain: Function) -> None:
    answer = retrain.invoke({"action": "retire"})
    assert answer["errorType"] == "InvalidRequestError"
    assert answer["errorMessage"].startswith("action: 'retire' is none of retrain, check")


def test_without_storage_a_run_is_an_error_that_lambda_sees_and_the_next_one_works(
    retrain: Function, storage: Storage
) -> None:
    with storage.away():
        assert retrain.invoke(committed("check-schedule"))["errorType"] == "StorageUnavailableError"
    assert retrain.invoke(committed("check-schedule"))["outcome"] == "skipped"
    assert retrain.log.count("INIT START") == 1
