"""The template says who may do what. Nothing here runs on AWS, so these tests are what holds it to the design."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from sentiloop.errors import SentiloopError
from sentiloop.settings import Settings, variable

from infra.local.template import FUNCTION, ApiRoute, api_routes, load_template, resources

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "infra" / "events"
TEMPLATE = load_template(ROOT / "template.yaml")
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
FUNCTIONS = resources(TEMPLATE, FUNCTION)
API = resources(TEMPLATE, "AWS::Serverless::Api")["Api"]
BUCKET = TEMPLATE["Resources"]["Bucket"]
BUCKET_STATEMENTS = {
    statement["Sid"]: statement
    for statement in resources(TEMPLATE, "AWS::S3::BucketPolicy")["BucketPolicy"]["PolicyDocument"]["Statement"]
}
WHOLE_BUCKET = {"Fn::GetAtt": ["Bucket", "Arn"]}
POINTER = {"Fn::Sub": "${Bucket.Arn}/models/current.json"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(function: str) -> list[dict[str, Any]]:
    return [statement for policy in FUNCTIONS[function]["Policies"] for statement in policy["Statement"]]


def place(resource: Any) -> str:
    """The part of the bucket that a statement's resource stands for."""
    return "the bucket" if resource == WHOLE_BUCKET else resource["Fn::Sub"].removeprefix("${Bucket.Arn}/")


def privileges(function: str) -> set[tuple[str, str]]:
    return {
        (action, place(resource))
        for statement in statements(function)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def environment(function: str) -> dict[str, Any]:
    own: dict[str, Any] = FUNCTIONS[function]["Environment"]["Variables"]
    return {**TEMPLATE["Globals"]["Function"]["Environment"]["Variables"], **own}


def with_defaults(value: Any) -> str:
    """An environment value as a deployment without any choice would have it."""
    name = value.get("Ref") if isinstance(value, dict) else None
    return str(PARAMETERS[name]["Default"]) if name in PARAMETERS else value if isinstance(value, str) else "a-name"


def answered(text: str) -> Any:
    """A template of the gateway as JSON, with the gateway's variables filled in."""
    filled = text.replace("$context.error.messageString", '"Forbidden"')
    return json.loads(re.sub(r"\$context(\.\w+)+", "x", filled))


def event(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return content


# --- Privileges ---


def test_predict_reads_models_and_writes_samples_and_no_more() -> None:
    assert privileges("PredictFunction") == {
        ("s3:GetObject", "models/*"),
        ("s3:ListBucket", "the bucket"),
        ("s3:PutObject", "samples/*"),
    }


def test_feedback_writes_corrections_and_reads_them_and_receipts_and_no_more() -> None:
    assert privileges("FeedbackFunction") == {
        ("s3:GetObject", "feedback/*"),
        ("s3:GetObject", "receipts/*"),
        ("s3:ListBucket", "the bucket"),
        ("s3:PutObject", "feedback/*"),
    }


def test_retrain_reads_all_and_writes_all_but_corrections_and_samples() -> None:
    read = {"datasets/*", "feedback/*", "models/*", "quarantine/*", "receipts/*", "runs/*", "samples/*"}
    written = read - {"feedback/*", "samples/*"}
    assert privileges("RetrainFunction") == {
        ("s3:ListBucket", "the bucket"),
        *(("s3:GetObject", where) for where in read),
        *(("s3:PutObject", where) for where in written),
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_statement_allows_named_actions_on_named_places(function: str) -> None:
    for statement in statements(function):
        assert statement["Effect"] == "Allow"
        assert {"NotAction", "NotResource"}.isdisjoint(statement)
    for action, where in privileges(function):
        assert "*" not in action
        assert not where.startswith("*")
        assert "Delete" not in action


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_role_that_sam_makes_for_it_alone(function: str) -> None:
    assert "Role" not in FUNCTIONS[function]
    assert all(isinstance(policy, dict) for policy in FUNCTIONS[function]["Policies"]), "a managed policy by name"


@pytest.mark.parametrize(
    ("function", "prefixes"), [("PredictFunction", ["models/*"]), ("FeedbackFunction", ["feedback/*", "receipts/*"])]
)
def test_an_http_function_lists_only_what_it_reads(function: str, prefixes: list[str]) -> None:
    [listing] = [statement for statement in statements(function) if statement["Action"] == "s3:ListBucket"]
    assert {operator: listed(keys["s3:prefix"]) for operator, keys in listing["Condition"].items()} == {
        "StringLikeIfExists": prefixes
    }


# --- The bucket ---


def test_the_bucket_is_versioned_encrypted_private_and_outlives_the_stack() -> None:
    properties = BUCKET["Properties"]
    [encryption] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert BUCKET["DeletionPolicy"] == "RetainExceptOnCreate"
    assert BUCKET["UpdateReplacePolicy"] == "Retain"


def test_samples_former_versions_and_unfinished_uploads_expire_and_nothing_else() -> None:
    rules = {rule.pop("Id"): rule for rule in map(dict, BUCKET["Properties"]["LifecycleConfiguration"]["Rules"])}
    assert {name: rule for name, rule in rules.items() if "ExpirationInDays" in rule} == {
        "ExpireSamples": {"Status": "Enabled", "Prefix": "samples/", "ExpirationInDays": {"Ref": "SampleDays"}}
    }
    assert rules["ExpireNoncurrentVersions"]["NoncurrentVersionExpiration"] == {
        "NoncurrentDays": {"Ref": "NoncurrentDays"}
    }
    assert rules["AbortIncompleteUploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    assert PARAMETERS["SampleDays"]["Default"] == 90


def test_the_bucket_refuses_everyone_without_tls() -> None:
    assert BUCKET_STATEMENTS["TlsOnly"] == {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [WHOLE_BUCKET, {"Fn::Sub": "${Bucket.Arn}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_bucket_refuses_to_overwrite_anything_but_the_pointer_and_that_only_by_compare_and_swap() -> None:
    create, swap = BUCKET_STATEMENTS["CreateOnly"], BUCKET_STATEMENTS["CompareAndSwapPointer"]
    assert {(rule["Effect"], rule["Principal"], rule["Action"]) for rule in (create, swap)} == {
        ("Deny", "*", "s3:PutObject")
    }
    assert (create["NotResource"], swap["Resource"]) == (POINTER, POINTER)
    assert create["Condition"]["Null"] == {"s3:if-none-match": "true"}
    assert swap["Condition"]["Null"] == {"s3:if-match": "true", "s3:if-none-match": "true"}


def test_every_write_in_the_code_is_one_that_the_bucket_takes() -> None:
    sources = [path for folder in ("functions", "layers") for path in (ROOT / folder).rglob("*.py")]
    writes = [(path, call) for path in sources for call in store_writes(path)]
    unconditional = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in writes
        if not {keyword.arg for keyword in call.keywords} & {"if_absent", "if_match"}
    ]
    assert writes
    assert unconditional == []


def store_writes(path: Path) -> Iterator[ast.Call]:
    """Calls of `put` on a store, whatever the variable that ends in `store` is called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("store.put"):
            yield node


# --- The API ---


def test_the_api_has_exactly_the_routes_of_the_design_and_only_health_is_open() -> None:
    predict = ("PredictFunction", "predict.app.handler")
    feedback = ("FeedbackFunction", "feedback.app.handler")
    assert set(api_routes(TEMPLATE)) == {
        ApiRoute("POST", "/v1/predict", *predict, api_key_required=True),
        ApiRoute("POST", "/v1/predict/batch", *predict, api_key_required=True),
        ApiRoute("GET", "/v1/model_info", *predict, api_key_required=True),
        ApiRoute("GET", "/v1/metrics", *predict, api_key_required=True),
        ApiRoute("GET", "/docs", *predict, api_key_required=True),
        ApiRoute("GET", "/openapi.json", *predict, api_key_required=True),
        ApiRoute("GET", "/health", *predict, api_key_required=False),
        ApiRoute("POST", "/v1/feedback", *feedback, api_key_required=True),
        ApiRoute("GET", "/v1/feedback/{id}", *feedback, api_key_required=True),
    }


def test_every_key_has_a_rate_a_burst_and_a_daily_quota() -> None:
    assert API["Auth"]["UsagePlan"] == {
        "CreateUsagePlan": "PER_API",
        "Throttle": {"RateLimit": {"Ref": "KeyRate"}, "BurstLimit": {"Ref": "KeyBurst"}},
        "Quota": {"Limit": {"Ref": "KeyDailyQuota"}, "Period": "DAY"},
    }


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


# --- The functions ---


def test_all_run_on_python_3_13_and_one_architecture() -> None:
    common = TEMPLATE["Globals"]["Function"]
    layer = TEMPLATE["Resources"]["ModelLayer"]
    assert layer["Properties"]["CompatibleRuntimes"] == [common["Runtime"]] == ["python3.13"]
    assert common["Architectures"] == layer["Properties"]["CompatibleArchitectures"] == [{"Ref": "Architecture"}]
    assert common["Layers"] == [{"Ref": "ModelLayer"}]
    assert not any({"Runtime", "Architectures", "Layers"} & function.keys() for function in FUNCTIONS.values())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_handler_is_in_the_tree_with_locked_requirements(function: str) -> None:
    code = ROOT / FUNCTIONS[function]["CodeUri"]
    module, _, name = FUNCTIONS[function]["Handler"].rpartition(".")
    source = code.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    assert re.search(rf"^\s*(def )?{name}\b", source, re.MULTILINE)
    assert "--hash=sha256:" in (code / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*FUNCTIONS, "ModelLayer"])
def test_a_makefile_builds_it_for_the_templates_processor_unless_told_otherwise(name: str) -> None:
    resource = TEMPLATE["Resources"][name]
    folder = ROOT / (resource["Properties"].get("CodeUri") or resource["Properties"]["ContentUri"])
    assert resource["Metadata"] == {"BuildMethod": "makefile"}
    assert f"build-{name}:" in (folder / "Makefile").read_text()
    shared = (folder / "build.mk").read_text()
    assert f"ARCHITECTURE ?= {PARAMETERS['Architecture']['Default']}\n" in shared
    used = re.findall(r"python3\.\d+", shared)
    assert set(used) == {TEMPLATE["Globals"]["Function"]["Runtime"]}, "wheels for it, compiled by it"


def test_only_predict_starts_from_snapshots_and_those_follow_every_change() -> None:
    predict = FUNCTIONS["PredictFunction"]
    assert predict["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}
    assert predict["AutoPublishAlias"] == "live"
    assert predict["AutoPublishAliasAllProperties"] is True  # the layer and the settings are part of a snapshot
    assert [name for name in FUNCTIONS if "SnapStart" in FUNCTIONS[name]] == ["PredictFunction"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_setting_of_a_function_exists_and_the_defaults_are_accepted(function: str) -> None:
    ours = {name: value for name, value in environment(function).items() if name.startswith("SENTILOOP_")}
    assert ours.keys() <= {variable(setting.name) for setting in fields(Settings)}
    assert ours["SENTILOOP_BUCKET"] == {"Ref": "Bucket"}
    Settings.from_env({name: with_defaults(value) for name, value in ours.items()})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_endpoint_of_s3_is_declared_so_that_sam_local_can_set_it(function: str) -> None:
    assert environment(function)["AWS_ENDPOINT_URL_S3"] == ""


def test_the_contributor_key_is_a_generated_secret_that_only_feedback_gets() -> None:
    secret = resources(TEMPLATE, "AWS::SecretsManager::Secret")["ContributorKey"]
    holders = [name for name in FUNCTIONS if "SENTILOOP_CONTRIBUTOR_KEY" in environment(name)]
    assert secret["GenerateSecretString"]["PasswordLength"] >= 40
    assert holders == ["FeedbackFunction"]
    assert environment("FeedbackFunction")["SENTILOOP_CONTRIBUTOR_KEY"] == {
        "Fn::Sub": "{{resolve:secretsmanager:${ContributorKey}:SecretString}}"
    }
    assert not any(re.search("secret|password|contributor", name, re.IGNORECASE) for name in PARAMETERS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_traced_and_keeps_its_logs_for_the_chosen_time(function: str) -> None:
    group = FUNCTIONS[function]["LoggingConfig"]["LogGroup"]["Ref"]
    assert TEMPLATE["Globals"]["Function"]["Tracing"] == "Active"
    assert resources(TEMPLATE, "AWS::Logs::LogGroup")[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_no_log_is_kept_for_ever_and_none_is_shared() -> None:
    groups = resources(TEMPLATE, "AWS::Logs::LogGroup")
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())
    assert len(groups) == len(FUNCTIONS) + 1
    assert API["TracingEnabled"] is True


@pytest.mark.parametrize("function", {route.function for route in api_routes(TEMPLATE)})
def test_an_http_function_gives_up_before_the_gateway_does(function: str) -> None:
    assert FUNCTIONS[function]["Timeout"] < 29


# --- Retrain ---


def test_retrain_is_reached_by_its_two_schedules_and_by_no_route() -> None:
    retrain = FUNCTIONS["RetrainFunction"]["Events"]
    assert {event["Type"] for event in retrain.values()} == {"Schedule"}
    assert {name: json.loads(event["Properties"]["Input"]) for name, event in retrain.items()} == {
        "Weekly": {"action": "retrain"},
        "Hourly": {"action": "check"},
    }
    assert PARAMETERS[retrain["Weekly"]["Properties"]["Schedule"]["Ref"]]["Default"] == "cron(0 3 ? * MON *)"
    assert PARAMETERS[retrain["Hourly"]["Properties"]["Schedule"]["Ref"]]["Default"] == "rate(1 hour)"


def test_retrain_runs_once_at_a_time_for_as_long_as_lambda_allows() -> None:
    retrain = FUNCTIONS["RetrainFunction"]
    assert retrain["ReservedConcurrentExecutions"] == 1
    assert retrain["Timeout"] == 900
    assert PARAMETERS[retrain["MemorySize"]["Ref"]]["Default"] == 2048


def test_an_event_that_retrain_fails_on_is_tried_again_and_then_kept_encrypted() -> None:
    invocation = FUNCTIONS["RetrainFunction"]["EventInvokeConfig"]
    queue = resources(TEMPLATE, "AWS::SQS::Queue")["DeadLetterQueue"]
    assert invocation["MaximumRetryAttempts"] == 1
    assert invocation["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
    }
    assert queue["SqsManagedSseEnabled"] is True


# --- What people see ---


def test_every_alarm_fires_on_the_first_error_and_notifies_the_topic_if_there_is_one() -> None:
    alarms = resources(TEMPLATE, "AWS::CloudWatch::Alarm")
    assert set(alarms) == {
        "ApiServerErrorsAlarm",
        "FeedbackServerErrorsAlarm",
        "RetrainErrorsAlarm",
        "DeadLettersAlarm",
    }
    for alarm in alarms.values():
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == {
            "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
        }


def test_every_parameter_is_described_has_a_default_and_stands_in_a_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)
    assert all(parameter["Description"] and "Default" in parameter for parameter in PARAMETERS.values())


@pytest.mark.parametrize("name", [name for name, parameter in PARAMETERS.items() if "AllowedPattern" in parameter])
def test_every_default_matches_its_own_pattern(name: str) -> None:
    assert re.search(PARAMETERS[name]["AllowedPattern"], str(PARAMETERS[name]["Default"]))


def test_the_outputs_say_where_the_api_is_and_how_to_get_its_key() -> None:
    assert {"ApiUrl", "ApiKeyId", "ApiKeyCommand", "BucketName", "RetrainFunctionName"} == TEMPLATE["Outputs"].keys()
    assert TEMPLATE["Outputs"]["ApiKeyCommand"]["Value"]["Fn::Sub"].startswith("aws apigateway get-api-key --api-key ")


@pytest.mark.parametrize("name", ["predict.json", "feedback.json"])
def test_a_sample_request_goes_to_a_route_of_the_api(name: str) -> None:
    request = event(name)
    routes = {(route.method, route.path) for route in api_routes(TEMPLATE)}
    assert (request["httpMethod"], request["resource"]) in routes
    assert json.loads(request["body"])


def test_the_sample_schedule_events_are_what_the_schedules_send() -> None:
    sent = [json.loads(rule["Properties"]["Input"]) for rule in FUNCTIONS["RetrainFunction"]["Events"].values()]
    assert [event("retrain-schedule.json"), event("check-schedule.json")] == sent
