"""Every route through `sam local`, each function in its container."""

import pytest

from infra.local.template import api_routes, load_template
from infra.local.up import ROOT
from tests.e2e.sam.conftest import Client

pytestmark = pytest.mark.sam

TEXT = "The staff were wonderful and we loved every minute."


def test_a_function_answers_every_route_of_the_template(client: Client) -> None:
    for route in api_routes(load_template(ROOT / "template.yaml")):
        answer = client.send(route.method, route.path.replace("{id}", "none"))
        assert "x-request-id" in answer.headers, f"no function answered {route.method} {route.path}: {answer.status}"


def test_a_prediction(client: Client) -> None:
    answer = client.post("/v1/predict", {"text": TEXT})
    assert answer.status == 200
    assert answer.body["label"] == "positive"
    assert answer.body["confidence"] == answer.body["probabilities"]["positive"] > 0.8
    assert sum(answer.body["probabilities"].values()) == pytest.approx(1)
    assert answer.body["prediction_id"].startswith("pr-")
    assert answer.headers["x-request-id"]


def test_an_explained_prediction_adds_up(client: Client) -> None:
    answer = client.post("/v1/predict?explain=true", {"text": TEXT})
    explanation = answer.body["explanation"]
    for label, logit in explanation["logits"].items():
        assert sum(term["contributions"][label] for term in explanation["terms"]) == pytest.approx(logit)


def test_text_of_any_script_comes_through(client: Client) -> None:
    plain = client.post("/v1/predict", '{"text": "große Freude 🎉 中文"}'.encode())
    escaped = client.post("/v1/predict", {"text": "große Freude 🎉 中文"})
    assert plain.status == escaped.status == 200
    assert plain.body["probabilities"] == escaped.body["probabilities"]


def test_a_batch_keeps_the_order_and_tells_errors_apart(client: Client) -> None:
    answer = client.post("/v1/predict/batch", {"texts": [TEXT, "", "It broke twice and nobody helped."]})
    assert answer.status == 200
    good, empty, bad = answer.body["results"]
    assert (good["label"], bad["label"]) == ("positive", "negative")
    assert empty["error"]["code"] == "invalid_request"


def test_a_correction_and_its_receipt(client: Client) -> None:
    sent = client.post("/v1/feedback", {"text": TEXT, "correct_label": "positive"})
    assert sent.status == 201
    receipt = client.get(f"/v1/feedback/{sent.body['id']}")
    assert receipt.status == 200
    assert receipt.body == sent.body
    assert receipt.body["status"] == "stored"


def test_a_repeated_correction_is_stored_once(client: Client) -> None:
    correction = {"text": TEXT, "correct_label": "neutral"}
    first, second = [client.post("/v1/feedback", correction, idempotency_key="the same") for _ in range(2)]
    assert first.status == second.status == 201
    assert first.body == second.body


def test_the_model_tells_about_itself(client: Client) -> None:
    info = client.get("/v1/model_info").body
    assert info["version"] == client.version()
    assert info["labels"] == ["negative", "neutral", "positive"]
    assert info["generation"] >= 1


def test_what_predict_counted_is_told_by_admin(client: Client) -> None:
    version = client.version()
    figures = client.get("/v1/metrics").body
    assert figures["champion"] == version
    assert figures["functions"]["predict"]["requests"] >= 1, "an instance writes its first request at once"
    assert figures["since"] <= figures["until"]


def test_the_contract_is_served_for_people_and_for_programs(client: Client) -> None:
    docs = client.get("/docs")
    assert docs.status == 200
    assert docs.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in docs.headers["content-security-policy"]
    assert "/v1/predict" in docs.body
    assert "/v1/predict" in client.get("/openapi.json").body["paths"]


def test_health(client: Client) -> None:
    answer = client.get("/health")
    assert answer.status == 200
    assert answer.body["status"] == "ok"
    assert answer.body["problem"] is None
