"""Rules that no linter knows, for the expanded template: each returns a line for every place that breaks one."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]
from sentiloop.errors import SettingsError
from sentiloop.settings import PREFIX, Settings, variable

from infra.deploy.expanded import Deployment
from infra.deploy.privileges import listed
from infra.local.template import FUNCTION, Template, resources

ALIAS = "live"
# CodeDeploy's predefined configurations for Lambda, from its user guide.
CODEDEPLOY_CONFIGURATIONS = {
    *(f"CodeDeployDefault.LambdaCanary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
    *(
        f"CodeDeployDefault.LambdaLinear10PercentEvery{each}"
        for each in ("1Minute", "2Minutes", "3Minutes", "10Minutes")
    ),
    "CodeDeployDefault.LambdaAllAtOnce",
}
# What AWS's services and our log lines count, and by which dimensions, as far as alarms and dashboard use it.
BY_VERSION = [{"Function"}, {"Function", "Version"}]
METRICS = {
    ("AWS/ApiGateway", "4XXError"): [{"ApiName", "Stage"}],
    ("AWS/ApiGateway", "5XXError"): [{"ApiName", "Stage"}, {"ApiName", "Stage", "Resource", "Method"}],
    ("AWS/Lambda", "Errors"): [{"FunctionName"}, {"FunctionName", "Resource"}],
    ("AWS/Lambda", "Invocations"): [{"FunctionName"}],
    ("AWS/Lambda", "Duration"): [{"FunctionName"}],
    ("AWS/Lambda", "Throttles"): [{"FunctionName"}, {"FunctionName", "Resource"}],
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): [{"QueueName"}],
    **{("Sentiloop", name): BY_VERSION for name in ("Requests", "Errors", "Latency", "Predictions")},
    **{("Sentiloop", name): BY_VERSION for name in ("Confidence", "LowConfidence", "Disagreements")},
    **{("Sentiloop", name): [{"Function"}] for name in ("Feedback", "Confirmed")},
}
SEARCH = re.compile(
    r"SEARCH\('\{\"(\w+)/\$\{AWS::StackName\}\",([\w,]+)\} MetricName=\"(\w+)\"', '(Sum|Average|p\d\d)', \d+\)"
)
GRID_WIDTH = 24
UNITS = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60, "day": 1440, "days": 1440}
CRON_FIELDS, DAY_OF_MONTH, DAY_OF_WEEK = 6, 2, 4


# --- Schedules ---


def cron_of(expression: str) -> str:
    """EventBridge's cron in the syntax of everybody else, with the year in croniter's place: after the seconds."""
    parts = expression.removeprefix("cron(").removesuffix(")").split()
    if len(parts) != CRON_FIELDS:
        raise ValueError(f"{expression}: EventBridge's cron has six fields")
    if [parts[DAY_OF_MONTH], parts[DAY_OF_WEEK]].count("?") != 1:
        raise ValueError(f"{expression}: one of day of month and day of week is ?")
    days = parts[DAY_OF_WEEK]
    if any(sign.isdigit() for sign in days):
        raise ValueError(f"{expression}: name days of the week; EventBridge counts them from 1, others from 0")
    year = parts.pop()
    return " ".join([*("*" if part == "?" else part for part in parts), "0", year])


def next_times(expression: str, start: datetime, count: int) -> list[datetime]:
    """When a schedule fires after a moment.

    Raises:
        ValueError: if EventBridge would not take the expression.
    """
    if expression.startswith("cron("):
        times = croniter(cron_of(expression), start)
        return [times.get_next(datetime) for _ in range(count)]
    if not (expression.startswith("rate(") and expression.endswith(")")):
        raise ValueError(f"{expression} is neither cron(...) nor rate(...)")
    number, _, unit = expression[5:-1].partition(" ")
    if unit not in UNITS or not number.isdigit() or int(number) < 1 or (number == "1") == unit.endswith("s"):
        raise ValueError(f"{expression}: rate needs a number and a unit that agrees with it")
    step = timedelta(minutes=int(number) * UNITS[unit])
    return [start + step * time for time in range(1, count + 1)]


def schedule_problems(deployment: Deployment) -> Iterator[str]:
    for name, rule in deployment.resources("AWS::Events::Rule").items():
        try:
            next_times(rule["ScheduleExpression"], datetime(2026, 1, 1, tzinfo=UTC), 3)
        except ValueError as problem:
            yield f"{name}: {problem}"


# --- Functions ---


def handler_problems(template: Template, root: Path) -> Iterator[str]:
    """Handlers that are not in the tree; on the template as written, which names the folders."""
    for name, function in resources(template, FUNCTION).items():
        module, _, handler = function["Handler"].rpartition(".")
        source = (root / function["CodeUri"]).joinpath(*module.split(".")).with_suffix(".py")
        found = source.read_text(encoding="utf-8").splitlines() if source.exists() else []
        if not any(line.startswith((f"{handler} =", f"def {handler}(")) for line in map(str.strip, found)):
            yield f"{name}: {function['Handler']} is not in the tree"


def setting_problems(deployment: Deployment) -> Iterator[str]:
    known = {variable(setting.name) for setting in fields(Settings)} | {
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_LAMBDA",
        "POWERTOOLS_METRICS_NAMESPACE",
    }
    for name, function in deployment.resources("AWS::Lambda::Function").items():
        given = function["Environment"]["Variables"]
        yield from (f"{name}: {unknown} is no setting" for unknown in sorted(given.keys() - known))
        if given["POWERTOOLS_METRICS_NAMESPACE"] != "Sentiloop/${AWS::StackName}":
            yield f"{name}: its metrics are not where the dashboard looks"
        try:
            Settings.from_env({key: str(value) for key, value in given.items() if key.startswith(PREFIX)})
        except SettingsError as problem:
            yield f"{name}: {problem}"


def snapshot_problems(deployment: Deployment) -> Iterator[str]:
    """Snapshots are taken of published versions, which only an alias leads to, and not of old runtimes."""
    aliased = {alias["FunctionName"] for alias in deployment.resources("AWS::Lambda::Alias").values()}
    for name, function in deployment.resources("AWS::Lambda::Function").items():
        if function.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions":
            if f"${{{name}}}" not in aliased:
                yield f"{name}: snapshots of versions that nothing reaches"
            if function["Runtime"] in {"python3.9", "python3.10", "python3.11"}:
                yield f"{name}: no snapshots of {function['Runtime']}"


# --- Releases and alarms ---


def release_problems(deployment: Deployment) -> Iterator[str]:
    groups = deployment.resources("AWS::CodeDeploy::DeploymentGroup")
    alarms = deployment.resources("AWS::CloudWatch::Alarm")
    for name, group in groups.items():
        if group["DeploymentConfigName"] not in CODEDEPLOY_CONFIGURATIONS:
            yield f"{name}: CodeDeploy knows no {group['DeploymentConfigName']}"
        for alarm in group.get("AlarmConfiguration", {}).get("Alarms", []):
            if alarm["Name"].strip("${}") not in alarms:
                yield f"{name}: there is no alarm {alarm['Name']}"


def alarm_problems(deployment: Deployment) -> Iterator[str]:
    """Alarms on what nothing counts, or on what the template does not make."""
    functions = deployment.resources("AWS::Lambda::Function")
    queues = deployment.resources("AWS::SQS::Queue")
    paths = {
        (path, method.upper())
        for api in deployment.resources("AWS::ApiGateway::RestApi").values()
        for path, methods in api["Body"]["paths"].items()
        for method in methods
    }
    for name, alarm in deployment.resources("AWS::CloudWatch::Alarm").items():
        by = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        if set(by) not in METRICS.get((alarm["Namespace"], alarm["MetricName"]), []):
            yield f"{name}: {alarm['MetricName']} is not counted by {sorted(by)}"
        if "Method" in by and (by["Resource"], by["Method"]) not in paths:
            yield f"{name}: there is no {by['Method']} {by['Resource']}"
        if "ApiName" in by and (by["ApiName"], by["Stage"]) != ("${AWS::StackName}", deployment.parameters["Stage"]):
            yield f"{name}: there is no stage {by['Stage']} of {by['ApiName']}"
        if "FunctionName" in by and by["FunctionName"].strip("${}") not in functions:
            yield f"{name}: there is no function {by['FunctionName']}"
        if (
            "FunctionName" in by
            and by.get("Resource", f"{by['FunctionName']}:{ALIAS}") != f"{by['FunctionName']}:{ALIAS}"
        ):
            yield f"{name}: there is no alias {by['Resource']}"
        if "QueueName" in by and by["QueueName"].removesuffix(".QueueName}").removeprefix("${") not in queues:
            yield f"{name}: there is no queue {by['QueueName']}"


# --- Dashboard ---


def widgets(deployment: Deployment) -> Iterator[dict[str, Any]]:
    for dashboard in deployment.resources("AWS::CloudWatch::Dashboard").values():
        yield from json.loads(dashboard["DashboardBody"])["widgets"]


def dashboard_problems(deployment: Deployment) -> Iterator[str]:
    """Widgets that lie on one another or show what nothing counts, or alarms that the template does not make."""
    alarms = deployment.resources("AWS::CloudWatch::Alarm")
    taken: set[tuple[int, int]] = set()
    for widget in widgets(deployment):
        title, cells = widget["properties"]["title"], set(_cells(widget))
        if cells & taken or any(x >= GRID_WIDTH for x, _ in cells):
            yield f"{title}: lies on another widget or beside the grid"
        taken |= cells
        for line in widget["properties"].get("metrics", []):
            yield from (f"{title}: {problem}" for problem in _line_problems(line))
        shown = {arn.removeprefix("${").removesuffix(".Arn}") for arn in widget["properties"].get("alarms", [])}
        if widget["type"] == "alarm" and shown != alarms.keys():
            yield f"{title}: {sorted(shown ^ alarms.keys())}"


def _cells(widget: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for x in range(widget["x"], widget["x"] + widget["width"]):
        yield from ((x, y) for y in range(widget["y"], widget["y"] + widget["height"]))


def _line_problems(line: list[Any]) -> Iterator[str]:
    """What is wrong with [namespace, name, dimension, value, …, options], or with [{"expression": …}]."""
    if isinstance(line[0], str):
        namespace, name, *rest = line
        if namespace == "Sentiloop":
            yield f"Sentiloop {name} is counted by the stack's own namespace"
        namespace = namespace.replace("Sentiloop/${AWS::StackName}", "Sentiloop")
        dimensions = {each for each in rest[::2] if isinstance(each, str)}
    elif found := SEARCH.fullmatch(line[0]["expression"]):
        namespace, dimensions, name = found[1], set(found[2].split(",")), found[3]
    elif "SEARCH" in line[0]["expression"]:
        yield f"{line[0]['expression']} is not read"
        return
    else:
        return
    if dimensions not in METRICS.get((namespace, name), []):
        yield f"{namespace} {name} is not counted by {sorted(dimensions)}"


# --- Privileges ---


def privileges(role: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(action, resource) of all that a role's own policies allow."""
    return {
        (action, resource)
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def privilege_problems(deployment: Deployment) -> Iterator[str]:
    """What no role may have: actions by pattern, deletion, resources that are not this stack's."""
    for name, role in deployment.resources("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement["Effect"] != "Allow" or {"NotAction", "NotResource"} & statement.keys():
                    yield f"{name}: {statement} does not say what it allows"
        for action, resource in privileges(role):
            if "*" in action or "Delete" in action:
                yield f"{name}: {action}"
            if not resource.startswith("${") or resource.startswith(("${AWS::", "${Bucket.Arn}/*")):
                yield f"{name}: {action} on {resource}"
