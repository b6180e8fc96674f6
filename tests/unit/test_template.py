"""The template as written: the bucket, the functions, retrain's events, parameters and outputs.

Nothing here runs on AWS, so these tests and those of the expanded template are what holds it to the design.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sentiloop.activity_store import DAYS, HOURS, WRITTEN
from sentiloop.settings import Settings

from infra.local.template import FUNCTION, api_routes, load_template, resources

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "infra" / "events"
TEMPLATE = load_template(ROOT / "template.yaml")
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
FUNCTIONS = resources(TEMPLATE, FUNCTION)
BUCKET = TEMPLATE["Resources"]["Bucket"]


def environment(function: str) -> dict[str, Any]:
    own: dict[str, Any] = FUNCTIONS[function].get("Environment", {}).get("Variables", {})
    return {**TEMPLATE["Globals"]["Function"]["Environment"]["Variables"], **own}


def event(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return content


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


def test_samples_checks_counts_former_versions_and_unfinished_uploads_expire_and_nothing_else() -> None:
    rules = {rule.pop("Id"): rule for rule in map(dict, BUCKET["Properties"]["LifecycleConfiguration"]["Rules"])}
    assert {name: rule for name, rule in rules.items() if "ExpirationInDays" in rule} == {
        "ExpireSamples": {"Status": "Enabled", "Prefix": "samples/", "ExpirationInDays": {"Ref": "SampleDays"}},
        "ExpireChecks": {"Status": "Enabled", "Prefix": "checks/", "ExpirationInDays": {"Ref": "RecordDays"}},
        "ExpireCounts": {"Status": "Enabled", "Prefix": WRITTEN, "ExpirationInDays": {"Ref": "RecordDays"}},
    }
    assert rules["ExpireNoncurrentVersions"]["NoncurrentVersionExpiration"] == {
        "NoncurrentDays": {"Ref": "NoncurrentDays"}
    }
    assert rules["AbortIncompleteUploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    assert PARAMETERS["SampleDays"]["Default"] == PARAMETERS["RecordDays"]["Default"] == 90


@pytest.mark.parametrize("sums", [HOURS, DAYS])
def test_the_sums_that_the_totals_are_made_of_never_expire(sums: str) -> None:
    rules = BUCKET["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule]
    assert expiring
    assert not any(sums.startswith(prefix) for prefix in expiring)


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


# --- The functions ---


def test_all_run_on_python_3_13_and_one_architecture() -> None:
    common = TEMPLATE["Globals"]["Function"]
    layer = TEMPLATE["Resources"]["ModelLayer"]
    assert layer["Properties"]["CompatibleRuntimes"] == [common["Runtime"]] == ["python3.13"]
    assert common["Architectures"] == layer["Properties"]["CompatibleArchitectures"] == [{"Ref": "Architecture"}]
    assert common["Layers"] == [{"Ref": "ModelLayer"}]
    assert not any({"Runtime", "Architectures", "Layers"} & function.keys() for function in FUNCTIONS.values())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_locked_requirements(function: str) -> None:
    assert "--hash=sha256:" in (ROOT / FUNCTIONS[function]["CodeUri"] / "requirements.txt").read_text(encoding="utf-8")


def test_every_change_of_an_http_function_makes_a_version() -> None:
    aliased = {name: of for name, of in FUNCTIONS.items() if "AutoPublishAlias" in of}
    assert aliased.keys() == {"PredictFunction", "FeedbackFunction", "AdminFunction", "ConsoleFunction"}
    for function in aliased.values():
        assert function["AutoPublishAliasAllProperties"] is True, "the layer and the settings, too"


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


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_endpoint_of_s3_is_declared_so_that_sam_local_can_set_it(function: str) -> None:
    assert environment(function)["AWS_ENDPOINT_URL_S3"] == ""


@pytest.mark.parametrize(
    ("secret", "variable", "holders"),
    [
        ("ContributorKey", "SENTILOOP_CONTRIBUTOR_KEY", ["FeedbackFunction", "AdminFunction"]),
        ("AdminKey", "SENTILOOP_ADMIN_KEY", ["AdminFunction"]),
    ],
)
def test_a_key_is_a_generated_secret_that_only_those_get_who_need_it(
    secret: str, variable: str, holders: list[str]
) -> None:
    made = resources(TEMPLATE, "AWS::SecretsManager::Secret")[secret]
    assert made["GenerateSecretString"]["PasswordLength"] >= 40
    assert [name for name in FUNCTIONS if variable in environment(name)] == holders
    for name in holders:
        resolved = f"{{{{resolve:secretsmanager:${{{secret}}}:SecretString}}}}"
        assert environment(name)[variable] == {"Fn::Sub": resolved}
    assert not any(re.search("secret|password|contributor|admin", name, re.IGNORECASE) for name in PARAMETERS)


@pytest.mark.parametrize("function", {route.function for route in api_routes(TEMPLATE)})
def test_an_http_function_gives_up_before_the_gateway_does(function: str) -> None:
    assert FUNCTIONS[function]["Timeout"] < 29


# --- Retrain ---


def test_admin_alone_starts_retrain_and_knows_it_by_its_name() -> None:
    starting = [name for name in FUNCTIONS if "lambda:InvokeFunction" in json.dumps(FUNCTIONS[name])]
    assert starting == ["AdminFunction"]
    assert environment("AdminFunction")["SENTILOOP_RETRAIN_FUNCTION"] == {"Ref": "RetrainFunction"}
    assert environment("AdminFunction")["AWS_ENDPOINT_URL_LAMBDA"] == "", "declared for `sam local`"
    assert "AdminFunction" not in json.dumps(TEMPLATE["Resources"]["RetrainFunction"]), "a circle"


def test_each_function_is_built_with_what_botocore_says_of_the_services_that_it_uses() -> None:
    default = re.search(r"^services \?= (.+)$", (ROOT / "infra" / "build.mk").read_text(), re.MULTILINE)
    assert default is not None
    used = {"AdminFunction": "s3 lambda", "RetrainFunction": "s3 sns"}
    for name, function in FUNCTIONS.items():
        makefile = (ROOT / function["CodeUri"] / "Makefile").read_text()
        named = re.search(r"^services := (.+)\ninclude build\.mk$", makefile, re.MULTILINE)
        assert (named or default)[1] == used.get(name, "s3")


def test_the_gate_has_one_level_for_who_judges_and_for_who_foretells() -> None:
    for name in ("RetrainFunction", "AdminFunction"):
        assert environment(name)["SENTILOOP_GATE_LEVEL"] == {"Ref": "GateLevel"}


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


def test_every_alarm_fires_on_the_first_error_and_notifies_the_topic() -> None:
    alarms = resources(TEMPLATE, "AWS::CloudWatch::Alarm")
    assert set(alarms) == {
        "ApiServerErrorsAlarm",
        "FeedbackServerErrorsAlarm",
        "PredictErrorsAlarm",
        "PredictThrottlesAlarm",
        "FeedbackErrorsAlarm",
        "FeedbackThrottlesAlarm",
        "AdminErrorsAlarm",
        "AdminThrottlesAlarm",
        "ConsoleErrorsAlarm",
        "ConsoleThrottlesAlarm",
        "RetrainErrorsAlarm",
        "DeadLettersAlarm",
    }
    for alarm in alarms.values():
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == [{"Ref": "AlertTopic"}]


def test_an_address_subscribes_to_the_topic_if_there_is_one() -> None:
    subscription = TEMPLATE["Resources"]["AlertEmailSubscription"]
    assert subscription["Condition"] == "HasAlertEmail"
    assert subscription["Properties"] == {
        "TopicArn": {"Ref": "AlertTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "AlertEmail"},
    }


def test_alarms_can_publish_to_the_topic() -> None:
    """A topic that is encrypted with AWS's own key refuses CloudWatch."""
    assert "KmsMasterKeyId" not in resources(TEMPLATE, "AWS::SNS::Topic")["AlertTopic"]


def test_the_webhook_is_a_secret_that_retrain_alone_gets() -> None:
    assert [name for name, parameter in PARAMETERS.items() if parameter.get("NoEcho")] == ["AlertWebhook"]
    assert [name for name in FUNCTIONS if "AlertWebhook" in json.dumps(FUNCTIONS[name])] == ["RetrainFunction"]
    assert environment("RetrainFunction")["SENTILOOP_ALERT_WEBHOOK"] == {"Ref": "AlertWebhook"}


@pytest.mark.parametrize(
    ("parameter", "setting"),
    [
        ("ModelRelease", "release"),
        ("ModelReleaseMinHours", "release_min_hours"),
        ("ShadowShare", "shadow_share"),
        ("AlertErrorRate", "alert_error_rate"),
        ("AlertP95Ms", "alert_p95_ms"),
        ("StaleMacroF1", "stale_macro_f1"),
        ("DriftPsi", "drift_psi"),
        ("CheckCooldownHours", "check_cooldown_hours"),
    ],
)
def test_a_parameters_default_is_that_of_its_setting(parameter: str, setting: str) -> None:
    default = getattr(Settings(), setting)
    assert type(default)(PARAMETERS[parameter]["Default"]) == default
    reader = "PredictFunction" if setting == "shadow_share" else "RetrainFunction"
    assert environment(reader)[f"SENTILOOP_{setting.upper()}"] == {"Ref": parameter}


def test_the_steps_of_a_release_are_those_of_the_settings() -> None:
    given = environment("RetrainFunction")["SENTILOOP_RELEASE_STEPS"]
    default = PARAMETERS[given["Ref"]]["Default"]
    assert Settings.from_env({"SENTILOOP_RELEASE_STEPS": default}).release_steps == Settings().release_steps


def test_every_parameter_is_described_has_a_default_and_stands_in_a_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)
    assert all(parameter["Description"] and "Default" in parameter for parameter in PARAMETERS.values())


@pytest.mark.parametrize("name", [name for name, parameter in PARAMETERS.items() if "AllowedPattern" in parameter])
def test_every_default_matches_its_own_pattern(name: str) -> None:
    assert re.search(PARAMETERS[name]["AllowedPattern"], str(PARAMETERS[name]["Default"]))


def test_the_outputs_say_where_the_api_is_and_how_to_get_its_keys() -> None:
    named = {"ApiUrl", "ApiKeyId", "ApiKeyCommand", "AdminKeyCommand", "BucketName", "RetrainFunctionName"}
    named |= {"AlertTopicArn", "DashboardUrl"}
    assert named == TEMPLATE["Outputs"].keys()
    command = TEMPLATE["Outputs"]["AdminKeyCommand"]["Value"]["Fn::Sub"]
    assert command.startswith("aws secretsmanager get-secret-value --secret-id ${AdminKey} ")
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
