"""The retrain function outside Lambda: the Dockerfile's files are enough to run the same handler on an event."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from sentiloop.bundled import baseline
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS, s3_server
from tests.builders import ROOT

DOCKERFILE = ROOT / "functions" / "retrain" / "Dockerfile"
BUCKET = "outside-lambda"


def instructions(name: str) -> list[str]:
    lines = DOCKERFILE.read_text("utf-8").replace("\\\n", "").splitlines()
    return [line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} ")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile copies, where it copies it to, below a folder."""
    root = tmp_path_factory.mktemp("image")
    for line in instructions("COPY"):
        source, target = (path.strip("/") for path in line.split())
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, root / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (root / target).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, root / target)
    return root


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as address:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": address}.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield address


def run(image: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    [settings] = instructions("ENV")
    given = dict(each.split("=") for each in shlex.split(settings))
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(("AWS_", "PATH", "HOME"))},
        **given,
        "PYTHONPATH": str(image / given["PYTHONPATH"].strip("/")),
        "SENTILOOP_BUCKET": BUCKET,
    }
    _, *command = json.loads(instructions("ENTRYPOINT")[0])
    return subprocess.run(
        [sys.executable, *command, *arguments], cwd=image, env=environment, capture_output=True, text=True, check=False
    )


def test_an_event_is_handled_as_on_lambda_and_its_outcome_printed(image: Path, endpoint: str) -> None:
    done = run(image, '{"action": "bootstrap"}')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["champion"]["version"] == baseline().version
    assert "INFO bootstrap" in done.stderr
    assert list(S3Store(BUCKET).keys("models/current.json"))


def test_an_event_that_fails_says_why_and_leaves_a_status(image: Path, endpoint: str) -> None:
    failed = run(image, '{"action": "promote", "version": "v-none", "by": "test", "reason": "test"}')
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "version_not_found: no version 'v-none'" in failed.stderr


@pytest.mark.parametrize("arguments", [[], ["retrain"], ["[]"], ["{}", "{}"]])
def test_what_is_no_event_is_told_how_to_write_one(image: Path, arguments: list[str]) -> None:
    refused = run(image, *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("usage: ")


def test_the_image_runs_as_nobody_and_retrains_unless_told_otherwise() -> None:
    [user] = instructions("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    [event] = json.loads(instructions("CMD")[0])
    assert json.loads(event) == {"action": "retrain"}


def test_the_context_of_the_build_is_what_the_image_copies() -> None:
    lines = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == {line.split()[0] for line in instructions("COPY")}
