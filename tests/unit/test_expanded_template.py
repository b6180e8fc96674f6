"""What a deployment makes of the template in each stage, after the SAM translator: routes, releases, alarms, logs."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sentiloop import lines

from infra.deploy.expanded import Deployment, Expansion
from tests.template_checks import (
    ALIAS,
    METRICS,
    alarm_problems,
    dashboard_problems,
    next_times,
    release_problems,
    schedule_problems,
    setting_problems,
    snapshot_problems,
    widgets,
)

PAGE = "ConsoleFunction"
HTTP_FUNCTIONS = {"PredictFunction", "FeedbackFunction", "AdminFunction", PAGE}
FUNCTIONS = {*HTTP_FUNCTIONS, "RetrainFunction"}
ROUTES = 30
OWNERS = {
    "/v1/feedback": "Feedback",
    "/": "Console",
    "/assets/{release}": "Console",
    **dict.fromkeys(
        ("/v1/alerts", "/v1/checks", "/v1/metrics", "/v1/models", "/v1/review", "/v1/runs"),
        "Admin",
    ),
}  # of routes, by their first two parts; all others are predict's
OPEN = {("GET", "/health"), ("GET", "/"), ("GET", "/assets/{release}/{name}")}
START = datetime(2026, 3, 5, 12, 30, tzinfo=UTC)  # a Thursday
KINDS = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}


def only(deployed: Deployment, kind: str) -> dict[str, Any]:
    [properties] = deployed.resources(kind).values()
    return properties


def with_release(expansion: Expansion, stage: str, release: str) -> Deployment:
    """A stage with a way to release; the translator writes the value of that parameter into what it makes."""
    assert expansion.template is not None
    written = json.dumps(expansion.template).replace('"Canary10Percent5Minutes"}', f'"{release}"}}')
    return Deployment(json.loads(written), {"Stage": stage, "Release": release})


def methods(deployed: Deployment) -> dict[tuple[str, str], dict[str, Any]]:
    paths = only(deployed, "AWS::ApiGateway::RestApi")["Body"]["paths"]
    return {(method.upper(), path): of for path, each in paths.items() for method, of in each.items()}


def test_the_linter_finds_nothing_in_what_is_deployed(expansion: Expansion) -> None:
    assert expansion.findings == []


def test_nothing_is_made_that_nobody_looked_at(expansion: Expansion) -> None:
    assert expansion.template is not None
    assert {resource["Type"] for resource in expansion.template["Resources"].values()} == KINDS


# --- The API ---


def test_every_method_needs_a_key_but_health_and_the_page(deployed: Deployment) -> None:
    keyed = {route: method.get("security") == [{"api_key": []}] for route, method in methods(deployed).items()}
    assert {route for route, needs in keyed.items() if not needs} == OPEN
    assert len(keyed) == ROUTES
    schemes = only(deployed, "AWS::ApiGateway::RestApi")["Body"]["components"]["securitySchemes"]
    assert schemes == {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}


def test_the_key_is_wired_to_the_plan_and_the_plan_to_the_stage(deployed: Deployment) -> None:
    plan, key = only(deployed, "AWS::ApiGateway::UsagePlan"), only(deployed, "AWS::ApiGateway::UsagePlanKey")
    assert plan["ApiStages"] == [{"ApiId": "${Api}", "Stage": "${ApiStage}"}]
    assert key == {"KeyId": "${ApiApiKey}", "KeyType": "API_KEY", "UsagePlanId": "${ApiUsagePlan}"}
    assert only(deployed, "AWS::ApiGateway::ApiKey")["Enabled"] is True
    assert only(deployed, "AWS::ApiGateway::Stage")["RestApiId"] == "${Api}"
    assert only(deployed, "AWS::ApiGateway::Stage")["StageName"] == deployed.parameters["Stage"]


def test_a_key_and_the_stage_are_throttled(deployed: Deployment) -> None:
    plan = only(deployed, "AWS::ApiGateway::UsagePlan")
    [settings] = only(deployed, "AWS::ApiGateway::Stage")["MethodSettings"]
    assert (plan["Throttle"], plan["Quota"]) == (
        {"RateLimit": 50, "BurstLimit": 100},
        {"Limit": 100_000, "Period": "DAY"},
    )
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert (float(settings["ThrottlingRateLimit"]), int(settings["ThrottlingBurstLimit"])) == (200.0, 400)
    assert float(settings["ThrottlingRateLimit"]) >= plan["Throttle"]["RateLimit"]


def test_the_gateway_hands_bodies_on_as_they_are_and_the_functions_validate_them(deployed: Deployment) -> None:
    body = json.dumps(only(deployed, "AWS::ApiGateway::RestApi"))
    assert "request-validator" not in body
    assert {method["x-amazon-apigateway-integration"]["type"] for method in methods(deployed).values()} == {"aws_proxy"}


def test_the_gateway_calls_the_alias_and_may(deployed: Deployment) -> None:
    for (verb, path), method in methods(deployed).items():
        folder = "/".join(path.split("/")[:3])
        alias = f"{OWNERS.get(folder, 'Predict')}FunctionAlias{ALIAS}"
        assert f"functions/${{{alias}}}/invocations" in method["x-amazon-apigateway-integration"]["uri"]
        source = f"/{verb}{re.sub('{[a-z_]+}', '*', path)}"
        [allowed] = [
            permission
            for permission in deployed.resources("AWS::Lambda::Permission").values()
            if permission["SourceArn"].endswith(source)
        ]
        assert (allowed["FunctionName"], allowed["Principal"]) == (f"${{{alias}}}", "apigateway.amazonaws.com")


def test_nobody_else_may_call_a_function_but_the_two_schedules(deployed: Deployment) -> None:
    callers = [each["Principal"] for each in deployed.resources("AWS::Lambda::Permission").values()]
    assert {who: callers.count(who) for who in callers} == {
        "apigateway.amazonaws.com": ROUTES,
        "events.amazonaws.com": 2,
    }


# --- The functions ---


def test_every_function_has_the_layer_tracing_and_a_log_that_ends(deployed: Deployment) -> None:
    functions = deployed.resources("AWS::Lambda::Function")
    groups = deployed.resources("AWS::Logs::LogGroup")
    [layer] = deployed.resources("AWS::Lambda::LayerVersion")
    assert functions.keys() == FUNCTIONS
    assert {function["Runtime"] for function in functions.values()} == {"python3.13"}
    assert all(function["Layers"] == [f"${{{layer}}}"] for function in functions.values())
    assert all(function["TracingConfig"] == {"Mode": "Active"} for function in functions.values())
    logs = [function["LoggingConfig"]["LogGroup"].strip("${}") for function in functions.values()]
    stage_log = only(deployed, "AWS::ApiGateway::Stage")["AccessLogSetting"]["DestinationArn"]
    assert {*logs, stage_log.removesuffix(".Arn}").removeprefix("${")} == groups.keys()
    days = 30 if deployed.parameters["Stage"] == "prod" else 7
    assert only(deployed, "AWS::ApiGateway::Stage")["TracingEnabled"] is True
    assert {int(group["RetentionInDays"]) for group in groups.values()} == {days}


def test_every_variable_is_a_setting_and_its_default_is_accepted(deployed: Deployment) -> None:
    functions = deployed.resources("AWS::Lambda::Function").values()
    assert list(setting_problems(deployed)) == []
    assert {function["Environment"]["Variables"]["SENTILOOP_BUCKET"] for function in functions} == {"${Bucket}"}


def test_only_retrain_has_a_reserve_and_runs_once_at_a_time(deployed: Deployment) -> None:
    functions = deployed.resources("AWS::Lambda::Function")
    reserved = {name: of.get("ReservedConcurrentExecutions") for name, of in functions.items()}
    assert reserved == {**dict.fromkeys(HTTP_FUNCTIONS), "RetrainFunction": 1}


def test_what_retrain_fails_on_goes_to_a_queue_that_it_may_write_to(deployed: Deployment) -> None:
    config = only(deployed, "AWS::Lambda::EventInvokeConfig")
    assert config["FunctionName"] == "${RetrainFunction}"
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": "${DeadLetterQueue.Arn}"}}
    assert config["Qualifier"] == "$LATEST", "where the schedules' events arrive"


# --- Releases ---


def test_http_functions_are_reached_through_an_alias_and_retrain_is_not(deployed: Deployment) -> None:
    aliases = deployed.resources("AWS::Lambda::Alias").values()
    versions = deployed.resources("AWS::Lambda::Version")
    assert {alias["FunctionName"].strip("${}") for alias in aliases} == HTTP_FUNCTIONS
    assert {alias["Name"] for alias in aliases} == {ALIAS}
    for alias in aliases:
        version = versions[alias["FunctionVersion"].removeprefix("${").removesuffix(".Version}")]
        assert version["FunctionName"] == alias["FunctionName"]


def test_codedeploy_moves_every_alias(expansion: Expansion) -> None:
    assert expansion.template is not None
    policies = {
        name: resource["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]
        for name, resource in expansion.template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Alias"
    }
    assert policies == {f"{name}Alias{ALIAS}": f"{name}DeploymentGroup" for name in HTTP_FUNCTIONS}


def test_codedeploy_knows_every_configuration_and_alarm(deployed: Deployment) -> None:
    assert list(release_problems(deployed)) == []


@pytest.mark.parametrize(
    ("stage", "release", "configuration", "alarms"),
    [
        ("prod", "Canary10Percent5Minutes", "LambdaCanary10Percent5Minutes", 3),
        ("prod", "AllAtOnce", "LambdaAllAtOnce", 0),
        ("dev", "Canary10Percent5Minutes", "LambdaAllAtOnce", 0),
    ],
)
def test_prod_shifts_traffic_slowly_under_alarms_and_dev_and_the_page_at_once(
    expansion: Expansion, stage: str, release: str, configuration: str, alarms: int
) -> None:
    deployed = with_release(expansion, stage, release)
    for name in HTTP_FUNCTIONS:
        group = deployed.resources("AWS::CodeDeploy::DeploymentGroup")[f"{name}DeploymentGroup"]
        watched = [alarm["Name"].strip("${}") for alarm in group.get("AlarmConfiguration", {}).get("Alarms", [])]
        own = name.removesuffix("Function")
        expected = ["ApiServerErrorsAlarm", f"{own}ErrorsAlarm", f"{own}ThrottlesAlarm"]
        of_it = "LambdaAllAtOnce" if name == PAGE else configuration
        assert group["DeploymentConfigName"] == f"CodeDeployDefault.{of_it}"
        assert watched == expected[:alarms]
        assert group["AutoRollbackConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert group["ServiceRoleArn"] == "${CodeDeployServiceRole.Arn}"


def test_every_release_that_the_parameter_offers_is_one_that_codedeploy_knows(expansion: Expansion) -> None:
    assert expansion.template is not None
    for release in expansion.template["Parameters"]["Release"]["AllowedValues"]:
        deployed = with_release(expansion, "prod", release)
        [configuration] = {
            group["DeploymentConfigName"]
            for name, group in deployed.resources("AWS::CodeDeploy::DeploymentGroup").items()
            if name != f"{PAGE}DeploymentGroup"
        }
        assert configuration.endswith(release)
        assert list(release_problems(deployed)) == []


def test_the_alarms_of_a_canary_look_at_minutes(prod: Deployment) -> None:
    alarms = prod.resources("AWS::CloudWatch::Alarm")
    groups = prod.resources("AWS::CodeDeploy::DeploymentGroup").values()
    watched = {alarm["Name"].strip("${}") for group in groups for alarm in group["AlarmConfiguration"]["Alarms"]}
    assert {(alarms[name]["Period"], alarms[name]["EvaluationPeriods"]) for name in watched} == {(60, 1)}


def test_predict_starts_from_snapshots_in_prod_alone(deployed: Deployment) -> None:
    applied = {
        name: of["SnapStart"]["ApplyOn"]
        for name, of in deployed.resources("AWS::Lambda::Function").items()
        if "SnapStart" in of
    }
    expected = "PublishedVersions" if deployed.parameters["Stage"] == "prod" else "None"
    assert applied == {"PredictFunction": expected}
    assert list(snapshot_problems(deployed)) == []


# --- Alarms and schedules ---


def test_every_alarm_looks_at_something_that_is_counted(deployed: Deployment) -> None:
    assert list(alarm_problems(deployed)) == []


def test_the_topic_is_notified_and_has_a_subscriber_if_there_is_an_address(prod: Deployment) -> None:
    told = Deployment(prod.template, {"AlertEmail": "ada@example.org"})
    for alarm in prod.resources("AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == ["${AlertTopic}"]
    assert prod.resources("AWS::SNS::Subscription") == {}
    assert only(told, "AWS::SNS::Subscription")["Endpoint"] == "ada@example.org"
    retrain = prod.resources("AWS::Lambda::Function")["RetrainFunction"]["Environment"]["Variables"]
    assert retrain["SENTILOOP_ALERT_TOPIC_ARN"] == "${AlertTopic}"


def test_the_dashboard_shows_what_is_counted_and_every_alarm(deployed: Deployment) -> None:
    assert list(dashboard_problems(deployed)) == []
    shown = json.dumps([widget["properties"] for widget in widgets(deployed)])
    for name in ("Requests", "Errors", "Latency", "Predictions", "LowConfidence", "Confidence", "Feedback"):
        assert name in shown
    assert f'"Stage", "{deployed.parameters["Stage"]}"' in shown


def test_the_log_lines_count_what_the_template_looks_at(capsys: pytest.CaptureFixture[str]) -> None:
    answer: dict[str, Any] = {"version": "v-1", "label": "positive", "confidence": 0.9, "texts": 1, "low_confidence": 0}
    told: dict[str, dict[str, Any]] = {
        "predict": {**answer, "disagreements": 0},
        "feedback": {"feedback": 1, "confirmed": 0},
    }
    for function, facts in told.items():
        asked = {"function": function, "request_id": "r", "route": "/v1/any", "method": "POST"}
        lines.emit(**asked, status=200, code=None, milliseconds=1.0, facts=facts)
    counted = [json.loads(line)["_aws"]["CloudWatchMetrics"] for line in capsys.readouterr().out.splitlines()]
    named = {
        (group["Namespace"], metric["Name"]): [set(dimensions) for dimensions in group["Dimensions"]]
        for [group] in reversed(counted)
        for metric in group["Metrics"]
    }
    assert named == {name: by for name, by in METRICS.items() if name[0] == "Sentiloop"}


def test_the_schedules_fire_on_monday_night_and_every_hour(deployed: Deployment) -> None:
    rules = deployed.resources("AWS::Events::Rule")
    assert list(schedule_problems(deployed)) == []
    sent = {json.loads(rule["Targets"][0]["Input"])["action"]: rule for rule in rules.values()}
    assert all([target["Arn"] for target in rule["Targets"]] == ["${RetrainFunction.Arn}"] for rule in sent.values())
    weekly = next_times(sent["retrain"]["ScheduleExpression"], START, 3)
    assert weekly == [datetime(2026, 3, day, 3, 0, tzinfo=UTC) for day in (9, 16, 23)]
    hourly = next_times(sent["check"]["ScheduleExpression"], START, 24)
    assert {later - before for before, later in pairwise(hourly)} == {timedelta(hours=1)}


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 3 * * MON)",
        "cron(0 3 * * MON *)",
        "cron(0 25 ? * MON *)",
        "cron(0 3 ? * MOON *)",
        "cron(0 3 ? * 2 *)",
        "rate(1 hours)",
        "rate(2 hour)",
        "rate(0 minutes)",
        "rate(1 week)",
        "every monday",
    ],
)
def test_a_schedule_that_eventbridge_does_not_take_or_we_do_not_read_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        next_times(expression, START, 1)
