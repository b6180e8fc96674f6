"""The API in the template: its routes and keys, its limits, its access log, and the gateway's own errors."""

import json
import re
from typing import Any

import pytest
from sentiloop.errors import SentiloopError

from infra.local.template import ApiRoute, api_routes, compressed_from, load_template, resources
from tests.builders import ROOT

TEMPLATE = load_template(ROOT / "template.yaml")
API = resources(TEMPLATE, "AWS::Serverless::Api")["Api"]


def answered(text: str) -> Any:
    """A template of the gateway as JSON, with the gateway's variables filled in."""
    filled = text.replace("$context.error.messageString", '"Forbidden"')
    return json.loads(re.sub(r"\$context(\.\w+)+", "x", filled))


def test_the_api_has_exactly_the_routes_of_the_design_and_only_the_page_and_health_are_open() -> None:
    predict = ("PredictFunction", "predict.app.handler")
    feedback = ("FeedbackFunction", "feedback.app.handler")
    admin = ("AdminFunction", "admin.app.handler")
    console = ("ConsoleFunction", "console.app.handler")
    assert set(api_routes(TEMPLATE)) == {
        ApiRoute("POST", "/v1/predict", *predict, api_key_required=True),
        ApiRoute("POST", "/v1/predict/batch", *predict, api_key_required=True),
        ApiRoute("GET", "/v1/model_info", *predict, api_key_required=True),
        ApiRoute("GET", "/docs", *predict, api_key_required=True),
        ApiRoute("GET", "/openapi.json", *predict, api_key_required=True),
        ApiRoute("GET", "/health", *predict, api_key_required=False),
        ApiRoute("GET", "/", *console, api_key_required=False),
        ApiRoute("GET", "/assets/{release}/{name}", *console, api_key_required=False),
        ApiRoute("POST", "/v1/feedback", *feedback, api_key_required=True),
        ApiRoute("GET", "/v1/feedback/{id}", *feedback, api_key_required=True),
        ApiRoute("GET", "/v1/review", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/review/{id}", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/metrics", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/metrics/history", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/checks", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/alerts", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/runs", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/runs", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/runs/{run_id}", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/models", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/models/diff", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/models/history", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/models/served_at", *admin, api_key_required=True),
        ApiRoute("GET", "/v1/models/{version}", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/models/{version}/promote", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/models/{version}/try", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/models/withdraw", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/models/rollback", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/models/pin", *admin, api_key_required=True),
        ApiRoute("POST", "/v1/models/unpin", *admin, api_key_required=True),
    }


def test_a_route_without_a_parameter_comes_before_those_with_one_that_would_fit() -> None:
    """On one machine the first route that fits answers."""
    routes = [(route.method, route.path) for route in api_routes(TEMPLATE)]
    for place, (method, path) in enumerate(routes):
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        assert not [other for other in routes[place + 1 :] if other[0] == method and pattern.fullmatch(other[1])]


def test_every_key_has_a_rate_a_burst_and_a_daily_quota() -> None:
    assert API["Auth"]["UsagePlan"] == {
        "CreateUsagePlan": "PER_API",
        "Throttle": {"RateLimit": {"Ref": "KeyRate"}, "BurstLimit": {"Ref": "KeyBurst"}},
        "Quota": {"Limit": {"Ref": "KeyDailyQuota"}, "Period": "DAY"},
    }


def test_answers_are_compressed_here_and_on_one_machine_alike() -> None:
    assert API["MinimumCompressionSize"] == compressed_from(TEMPLATE) == 1_000
    assert "BinaryMediaTypes" not in API, "or the page would come as base64"


def test_the_stage_is_throttled_and_measured_and_logs_no_bodies() -> None:
    [settings] = API["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["ThrottlingRateLimit"] == {"Ref": "StageRate"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "StageBurst"}
    assert settings["MetricsEnabled"] is True
    assert settings["DataTraceEnabled"] is False
    assert settings["LoggingLevel"] == "OFF"


def test_the_access_log_is_json_without_texts_keys_or_addresses() -> None:
    logged = API["AccessLogSetting"]["Format"]
    assert "\n" not in logged
    assert {"request_id", "method", "route", "status", "latency_ms", "api_key_id"} <= answered(logged).keys()
    assert not re.search(r"sourceIp|userAgent|apiKey\b|[Bb]ody|\$context\.path\b", logged)


@pytest.mark.parametrize("kind", API["GatewayResponses"])
def test_the_gateways_own_errors_have_the_shape_of_ours(kind: str) -> None:
    response = API["GatewayResponses"][kind]
    error = answered(response["ResponseTemplates"]["application/json"])["error"]
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert response.get("StatusCode") == (404 if kind == "MISSING_AUTHENTICATION_TOKEN" else None)


def test_an_unknown_route_is_404_as_it_is_on_one_machine() -> None:
    assert API["GatewayResponses"]["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"] == 404


def test_the_gateway_shapes_the_errors_that_a_client_can_meet() -> None:
    codes = {
        kind: answered(response["ResponseTemplates"]["application/json"])["error"]["code"]
        for kind, response in API["GatewayResponses"].items()
    }
    assert codes == {
        "BAD_REQUEST_BODY": "malformed_request",
        "INVALID_API_KEY": "forbidden",
        "MISSING_AUTHENTICATION_TOKEN": "not_found",
        "REQUEST_TOO_LARGE": "request_too_large",
        "THROTTLED": "too_many_requests",
        "QUOTA_EXCEEDED": "quota_exceeded",
        "DEFAULT_4XX": "request_refused",
        "DEFAULT_5XX": "internal_error",
    }
    ours = {error.code for error in SentiloopError.__subclasses__()} | {SentiloopError.code}
    assert {"malformed_request", "not_found", "request_too_large", "internal_error"} <= ours
