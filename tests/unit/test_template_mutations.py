"""Mistakes that people make in templates, made on purpose in a copy: the linter or a check of ours catches each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.deploy.expanded import ROOT, Deployment, Expansion, expand
from infra.local.template import load_template
from tests.template_checks import (
    alarm_problems,
    dashboard_problems,
    handler_problems,
    privilege_problems,
    release_problems,
    schedule_problems,
    setting_problems,
    snapshot_problems,
)

TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Text to replace in the template, and what is said about the result: by a check, or without one by the linter."""

    old: str
    new: str
    said: str
    check: Callable[[Deployment], Iterable[str]] | None = None


MISTAKES = {
    "a reference to nothing inside a function": Mistake(
        "SENTILOOP_LABELS: !Ref Labels", "SENTILOOP_LABELS: !Ref Label", "'Label' is not one of"
    ),
    "an attribute that a resource lacks": Mistake(
        "!GetAtt DeadLetterQueue.Arn}", "!GetAtt DeadLetterQueue.Url}", "'Url' is not one of"
    ),
    "a time-out beyond Lambda's longest": Mistake("Timeout: 900", "Timeout: 901", "901 is greater"),
    "memory that Lambda does not sell": Mistake("MemorySize: 1024", "MemorySize: 64", "64 is less"),
    "a snapshot of a runtime that has none": Mistake(
        "    Runtime: python3.13", "    Runtime: python3.11", "no snapshots of python3.11", snapshot_problems
    ),
    "a snapshot of a version that no alias leads to": Mistake(
        "      MemorySize: !Ref RetrainMemory",
        "      MemorySize: !Ref RetrainMemory\n      SnapStart: {ApplyOn: PublishedVersions}",
        "versions that nothing reaches",
        snapshot_problems,
    ),
    "cron as cron writes it": Mistake("cron(0 3 ? * MON *)", "cron(0 3 * * MON)", "six fields", schedule_problems),
    "cron with both days given": Mistake("cron(0 3 ? * MON *)", "cron(0 3 * * MON *)", "is ?", schedule_problems),
    "an hour that no day has": Mistake("cron(0 3 ? * MON *)", "cron(0 25 ? * MON *)", "Weekly", schedule_problems),
    "a rate in bad English": Mistake("rate(1 hour)", "rate(1 hours)", "agrees", schedule_problems),
    "a canary that CodeDeploy does not know": Mistake(
        "Canary10Percent5Minutes", "Canary10Percent7Minutes", "CodeDeploy knows no", release_problems
    ),
    "an alarm that does not exist": Mistake(
        "!Ref PredictThrottlesAlarm]", "!Ref PredictThrottleAlarm]", "'PredictThrottleAlarm' is not one of"
    ),
    "an alarm by dimensions that nothing is counted by": Mistake(
        "{Name: ApiName, Value: !Ref AWS::StackName}", "{Name: ApiId, Value: !Ref Api}", "not counted", alarm_problems
    ),
    "an alarm on a metric that nothing sends": Mistake(
        "MetricName: Throttles", "MetricName: Throttle", "not counted", alarm_problems
    ),
    "an alarm on another alias": Mistake(
        "'${PredictFunction}:live'", "'${PredictFunction}:prod'", "alias", alarm_problems
    ),
    "an alarm on a route that is not there": Mistake(
        "Value: /v1/feedback}", "Value: /v1/feedbacks}", "/v1/feedbacks", alarm_problems
    ),
    "a widget on a metric that nothing sends": Mistake(
        'MetricName=\\"Predictions\\"', 'MetricName=\\"Prediction\\"', "not counted", dashboard_problems
    ),
    "a widget by dimensions that nothing is counted by": Mistake(
        '{\\"Sentiloop/${AWS::StackName}\\",Function,Version}',
        '{\\"Sentiloop/${AWS::StackName}\\",Version}',
        "not counted",
        dashboard_problems,
    ),
    "a line in a namespace of no stack": Mistake(
        '["Sentiloop/${AWS::StackName}", "LowConfidence"', '["Sentiloop", "LowConfidence"', "own", dashboard_problems
    ),
    "a widget on another one": Mistake('"x": 8, "y": 6', '"x": 7, "y": 6', "on another", dashboard_problems),
    "an alarm that the dashboard forgets": Mistake(
        '"${PredictErrorsAlarm.Arn}",', "", "PredictErrorsAlarm", dashboard_problems
    ),
    "any topic": Mistake(
        "Action: sns:Publish\n              Resource: !Ref AlertTopic\n      Events",
        "Action: sns:Publish\n              Resource: '*'\n      Events",
        "sns:Publish on *",
        privilege_problems,
    ),
    "a setting that the code does not know": Mistake(
        "SENTILOOP_GATE_LEVEL:", "SENTILOOP_GATE_LEVELS:", "GATE_LEVELS", setting_problems
    ),
    "a default that the code refuses": Mistake(
        "candidate has to pass.\n    Type: String\n    Default: '0.05'",
        "candidate has to pass.\n    Type: String\n    Default: '5'",
        "GATE_LEVEL",
        setting_problems,
    ),
    "an action by pattern": Mistake(
        "Action: s3:PutObject\n              Resource:\n                - !Sub ${Bucket.Arn}/activity/dt=*",
        "Action: s3:*\n              Resource:\n                - !Sub ${Bucket.Arn}/activity/dt=*",
        "s3:*",
        privilege_problems,
    ),
    "the whole bucket": Mistake(
        "${Bucket.Arn}/samples/*\n      Events", "${Bucket.Arn}/*\n      Events", "/*", privilege_problems
    ),
}


def with_mistakes(path: Path, *mistakes: Mistake) -> Path:
    text = TEMPLATE
    for mistake in mistakes:
        assert mistake.old in text
        text = text.replace(mistake.old, mistake.new)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def checked(sam_python: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Expansion]:
    """A template for each mistake that a check of ours has to catch, expanded in one process."""
    folder = tmp_path_factory.mktemp("mutations")
    names = [name for name, mistake in MISTAKES.items() if mistake.check]
    paths = [with_mistakes(folder / f"{number}.yaml", MISTAKES[name]) for number, name in enumerate(names)]
    return dict(zip(names, expand(*paths, lint=False), strict=True))


@pytest.fixture(scope="module")
def findings(sam_python: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the linter says of one template with all the mistakes that it has to catch."""
    mistakes = [mistake for mistake in MISTAKES.values() if mistake.check is None]
    [expansion] = expand(with_mistakes(tmp_path_factory.mktemp("lint") / "template.yaml", *mistakes))
    return expansion.findings


@pytest.mark.parametrize("name", [name for name, mistake in MISTAKES.items() if mistake.check])
def test_a_mistake_is_caught_by_a_check(name: str, checked: dict[str, Expansion]) -> None:
    check, expansion = MISTAKES[name].check, checked[name]
    assert check is not None
    assert expansion.template is not None, expansion.findings
    problems = list(check(Deployment(expansion.template)))
    assert any(MISTAKES[name].said in problem for problem in problems), problems


@pytest.mark.parametrize("name", [name for name, mistake in MISTAKES.items() if mistake.check is None])
def test_a_mistake_is_caught_by_the_linter(name: str, findings: list[str]) -> None:
    assert any(MISTAKES[name].said in finding for finding in findings), findings


def test_a_handler_that_is_not_there_is_caught(tmp_path: Path) -> None:
    copy = tmp_path / "template.yaml"
    for mistake in ("predict.app.handle", "predict.api.handler"):
        copy.write_text(TEMPLATE.replace("predict.app.handler", mistake), encoding="utf-8")
        [problem] = handler_problems(load_template(copy), ROOT)
        assert mistake in problem
    assert list(handler_problems(load_template(ROOT / "template.yaml"), ROOT)) == []
