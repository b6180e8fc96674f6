"""Deploying: what is asked the first time, what is remembered, what is built for which processor, and what is said."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from infra.deploy import deploy as module
from infra.deploy.deploy import deploy, deploy_arguments, fill_bucket, missing_credentials, missing_tools
from infra.deploy.stages import STAGES, Stage, outputs, read_stage
from infra.local.template import load_template
from tests.builders import ROOT

SAMCONFIG = """version = 0.1
[prod.deploy.parameters]
stack_name = "sentiloop-prod"
resolve_s3 = true
s3_prefix = "sentiloop-prod"
region = "eu-west-1"
capabilities = "CAPABILITY_IAM"
parameter_overrides = "Stage=\\"prod\\" Architecture=\\"x86_64\\" Labels=\\"\\" CheckSchedule=\\"rate(2 hours)\\""
[prod.global.parameters]
region = "eu-west-1"
"""
OUTPUTS = {
    "ApiUrl": "https://a.execute-api.eu-west-1.amazonaws.com/prod",
    "ApiKeyCommand": "aws apigateway get-api-key",
    "AdminKeyCommand": "aws secretsmanager get-secret-value",
    "BucketName": "sentiloop-prod-bucket-1",
    "RetrainFunctionName": "sentiloop-prod-RetrainFunction-1",
}


class Aws:
    """A session whose every client is itself."""

    region_name = "eu-west-1"

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.sent: list[dict[str, Any]] = []

    def client(self, *_: object, **__: object) -> "Aws":
        return self

    def get_caller_identity(self) -> dict[str, str]:
        if "refusal" in self._answers:
            raise self._answers["refusal"]
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as boto3 calls it
        if "missing" in self._answers:
            raise ClientError({"Error": {"Code": self._answers["missing"], "Message": StackName}}, "DescribeStacks")
        return {"Stacks": [{"Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in OUTPUTS.items()]}]}

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.sent.append(request)
        return {"Payload": io.BytesIO(json.dumps({"version": "v1"}).encode()), **self._answers.get("invoked", {})}


class Sam:
    """Remembers what it was asked to do; the guided deployment writes samconfig.toml."""

    def __init__(self, samconfig: Path, written: str = SAMCONFIG, fails: str = "") -> None:
        self._samconfig, self._written, self._fails = samconfig, written, fails
        self.calls: list[tuple[tuple[str, ...], Mapping[str, str] | None]] = []

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> int:
        self.calls.append((arguments, env))
        if "--guided" in arguments:
            self._samconfig.write_text(self._written, encoding="utf-8")
        return int(arguments[0] == self._fails)


@pytest.fixture
def samconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "samconfig.toml"
    monkeypatch.setattr(module, "read_stage", lambda name: read_stage(name, path))
    monkeypatch.setattr(module, "missing_tools", list)
    return path


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    aws = Aws()
    monkeypatch.setattr(module, "session", lambda _: aws)
    return aws


def test_a_stage_is_read_as_sam_writes_it(samconfig: Path) -> None:
    samconfig.write_text(SAMCONFIG, encoding="utf-8")
    stage = read_stage("prod", samconfig)
    assert stage is not None
    assert (stage.stack, stage.region, stage.profile) == ("sentiloop-prod", "eu-west-1", None)
    assert stage.parameters == {
        "Stage": "prod",
        "Architecture": "x86_64",
        "Labels": "",
        "CheckSchedule": "rate(2 hours)",
    }
    assert read_stage("dev", samconfig) is None
    assert read_stage("dev", samconfig.with_name("none.toml")) is None


def test_a_section_of_another_stage_is_refused(samconfig: Path) -> None:
    samconfig.write_text(SAMCONFIG.replace("[prod.", "[dev."), encoding="utf-8")
    with pytest.raises(ValueError, match="Stage=dev"):
        read_stage("dev", samconfig)


def test_the_first_deployment_is_guided_and_later_ones_are_not(samconfig: Path, aws: Aws) -> None:
    sam = Sam(samconfig)
    deploy("prod", "x86_64", sam=sam)
    deploy("prod", sam=sam)
    build = ("build", "--parameter-overrides", "Architecture=x86_64")
    first, second = (arguments for arguments, _ in sam.calls if arguments[0] == "deploy")
    assert [call for call in sam.calls if call[0][0] == "build"] == [(build, {"ARCHITECTURE": "x86_64"})] * 2
    assert {"--guided", "--config-env", "prod", 'Stage="prod"', 'Architecture="x86_64"'} <= set(first)
    assert second[:4] == ("deploy", "--config-env", "prod", "--no-fail-on-empty-changeset")
    assert "--guided" not in second


def test_another_release_for_once_keeps_all_other_answers(samconfig: Path, aws: Aws) -> None:
    samconfig.write_text(SAMCONFIG, encoding="utf-8")
    sam = Sam(samconfig)
    deploy("prod", release="AllAtOnce", sam=sam)
    deploy("prod", sam=sam)
    once, later = (
        set(given[given.index("--parameter-overrides") + 1 :]) for given, _ in sam.calls if "deploy" in given
    )
    answers = {'Stage="prod"', 'Architecture="x86_64"', 'Labels=""', 'CheckSchedule="rate(2 hours)"'}
    assert once == {*answers, 'Release="AllAtOnce"'}
    assert later == {*answers, 'Release="Canary10Percent5Minutes"'}, (
        "CloudFormation would keep what it was given before"
    )


def test_what_was_deployed_is_filled_and_its_address_printed(
    samconfig: Path, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy("prod", "x86_64", sam=Sam(samconfig))
    [request] = aws.sent
    assert request["FunctionName"] == OUTPUTS["RetrainFunctionName"]
    assert json.loads(request["Payload"]) == {"action": "bootstrap"}
    said = capsys.readouterr().out
    assert OUTPUTS["ApiUrl"] in said
    assert OUTPUTS["ApiKeyCommand"] in said


def test_without_a_terminal_nothing_is_asked(samconfig: Path, aws: Aws) -> None:
    sam = Sam(samconfig)
    with pytest.raises(RuntimeError, match=r"no section \[prod\.deploy\.parameters\], and nobody can be asked"):
        deploy("prod", sam=sam, interactive=False)
    assert sam.calls == []
    assert "--no-confirm-changeset" in deploy_arguments("prod", Stage("prod", "s"), "arm64", interactive=False)


def test_code_for_one_processor_is_not_deployed_to_another(samconfig: Path, aws: Aws) -> None:
    with pytest.raises(RuntimeError, match="another processor"):
        deploy("prod", "arm64", sam=Sam(samconfig))  # the answers say x86_64
    with pytest.raises(RuntimeError, match="another Architecture"):
        deploy("prod", "arm64", sam=Sam(samconfig))


@pytest.mark.parametrize("step", ["build", "deploy"])
def test_nothing_is_sent_to_a_stack_that_was_not_deployed(samconfig: Path, aws: Aws, step: str) -> None:
    samconfig.write_text(SAMCONFIG, encoding="utf-8")
    with pytest.raises(RuntimeError, match=f"sam {step} failed"):
        deploy("prod", sam=Sam(samconfig, fails=step))
    assert aws.sent == []


def test_all_that_is_missing_is_said_at_once(samconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "session", lambda _: Aws(refusal=NoCredentialsError()))
    monkeypatch.setattr(module, "missing_tools", lambda: ["python3.13 does not run"])
    with pytest.raises(RuntimeError, match=r"python3\.13 does not run\nAWS credentials: Unable to locate") as problem:
        deploy("prod", sam=Sam(samconfig))
    assert "aws configure" in str(problem.value)


def test_a_python_that_is_only_a_shim_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shim = tmp_path / "python3.13"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "SAM", tmp_path / "sam")
    for script in ("#!/bin/sh\nexit 127\n", "#!/bin/sh\nexit 0\n"):
        shim.write_text(script, encoding="utf-8")
        shim.chmod(0o755)
        said = " ".join(missing_tools())
        assert ("python3.13" in said) == ("127" in script)
        assert "sam is missing" in said


def test_the_account_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    aws: Any = Aws()
    assert missing_credentials(aws) == []
    assert "123456789012" in capsys.readouterr().out


def test_a_bootstrap_that_fails_is_an_error() -> None:
    aws: Any = Aws(invoked={"FunctionError": "Unhandled"})
    with pytest.raises(RuntimeError, match="bootstrap failed"):
        fill_bucket(aws, "retrain")


def test_a_stack_that_is_not_there_has_no_outputs_and_a_refusal_is_no_absence() -> None:
    assert outputs(Aws(missing="ValidationError"), "s") is None
    assert outputs(Aws(), "s") == OUTPUTS
    with pytest.raises(ClientError):
        outputs(Aws(missing="AccessDenied"), "s")


def test_the_page_shows_a_samconfig_that_is_read_and_names_real_parameters(samconfig: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    samconfig.write_text(example, encoding="utf-8")
    known = load_template(ROOT / "template.yaml")["Parameters"]
    for name in STAGES:
        stage = read_stage(name, samconfig)
        assert stage is not None
        assert stage.stack == f"sentiloop-{name}"
        for parameter, value in stage.parameters.items():
            assert value in known[parameter].get("AllowedValues", [value])
