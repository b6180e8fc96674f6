"""What of `make sam-local` needs no container: the functions' variables, the choice of base image, the refusals."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.template import FUNCTION, load_template, resources
from infra.local.up import ROOT
from infra.sam import docker, image
from infra.sam.stack import variables

VALUES = {
    "SENTILOOP_BUCKET": "a bucket",
    "AWS_ENDPOINT_URL_S3": "http://there",
    "AWS_ENDPOINT_URL_LAMBDA": "http://here",
    "SENTILOOP_RETRAIN_FUNCTION": "RetrainFunction",
    "SENTILOOP_CONTRIBUTOR_KEY": "a key",
    "SENTILOOP_ADMIN_KEY": "another key",
    "SENTILOOP_ALERT_TOPIC_ARN": "",
    "POWERTOOLS_METRICS_NAMESPACE": "metrics",
}


def test_each_function_gets_all_variables_that_the_template_declares_for_it() -> None:
    template = load_template(ROOT / "template.yaml")
    given = variables(template, VALUES)
    functions = resources(template, FUNCTION)
    assert given.keys() == functions.keys()
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    for name, function in functions.items():
        assert given[name].keys() == shared.keys() | function.get("Environment", {}).get("Variables", {}).keys()
        assert given[name]["SENTILOOP_BUCKET"] == "a bucket"
    assert given["FeedbackFunction"]["SENTILOOP_CONTRIBUTOR_KEY"] == "a key"
    assert "SENTILOOP_CONTRIBUTOR_KEY" not in given["PredictFunction"]
    assert given["AdminFunction"]["SENTILOOP_ADMIN_KEY"] == "another key"
    assert given["AdminFunction"]["AWS_ENDPOINT_URL_LAMBDA"] == "http://here"
    default = template["Parameters"]["MaxRowsPerSender"]["Default"]
    assert given["RetrainFunction"]["SENTILOOP_CONTRIBUTOR_MAX_ROWS"] == str(default)


def test_a_variable_whose_value_only_aws_knows_has_to_be_given() -> None:
    known = {name: value for name, value in VALUES.items() if name != "SENTILOOP_CONTRIBUTOR_KEY"}
    with pytest.raises(ValueError, match="SENTILOOP_CONTRIBUTOR_KEY has no value outside AWS"):
        variables(load_template(ROOT / "template.yaml"), known)


def test_without_docker_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="Docker is not installed"):
        docker.require_docker()


def test_without_a_daemon_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\necho 'a warning' >&2\necho 'nobody listens' >&2\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"^Docker's daemon does not answer: nobody listens$"):
        docker.require_docker()


def test_a_retrain_without_a_running_service_says_what_to_start(tmp_path: Path) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\n")
    client.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "infra.sam.retrain", "--port", "1"],
        env={"PATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("No `make sam-local` is running.")


class FakeDocker:
    """Knows one image, or none, and pulls the official one if there is a network."""

    def __init__(self, known: str | None, network: bool) -> None:
        self.known = known
        self.network = network
        self.commands: list[str] = []

    def __call__(self, *arguments: str, **_seconds: float) -> str:
        self.commands.append(arguments[0])
        if arguments[0] == "pull" and self.network:
            self.known = "sha256:aws 1"
        elif arguments[0] == "pull" or (arguments[0] == "image" and self.known is None):
            raise subprocess.CalledProcessError(1, arguments, stderr="no such host\n")
        return (self.known or "") if arguments[0] == "image" else "derived" if arguments[0] == "images" else ""


class TestTheBaseImage:
    @pytest.fixture
    def fake(self, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
        made = FakeDocker(known=None, network=False)
        monkeypatch.setattr(image, "docker", made)
        monkeypatch.delenv("LAMBDA_IMAGE", raising=False)
        return made

    def test_the_official_one_is_not_pulled_again(self, fake: FakeDocker) -> None:
        fake.known = "sha256:aws 1"
        assert image.make_sure() == ("official", "sha256:aws")
        assert "pull" not in fake.commands

    def test_it_replaces_a_stand_in_and_what_was_derived_from_that(self, fake: FakeDocker) -> None:
        fake.known, fake.network = "sha256:ours 0", True
        assert image.make_sure() == ("official", "sha256:aws")
        assert "rmi" in fake.commands

    def test_a_stand_in_stays_where_nothing_can_be_pulled(self, fake: FakeDocker) -> None:
        fake.known = "sha256:ours 0"
        assert image.make_sure() == ("stand-in", "sha256:ours")
        assert "rmi" not in fake.commands

    def test_without_either_one_line_says_so(self, fake: FakeDocker) -> None:
        assert fake.known is None
        with pytest.raises(SystemExit, match=r"cannot be pulled, and LAMBDA_IMAGE names no script .*: no such host$"):
            image.make_sure()
