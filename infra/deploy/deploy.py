"""`make deploy`: build, deploy a stage, fill its bucket, and say where it is.

The first time `sam` asks for everything and remembers the answers in samconfig.toml, a section a stage.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.expanded import ROOT
from infra.deploy.stages import SAM, STAGES, Stage, outputs, read_stage, session
from infra.local.template import load_template

BOOTSTRAP = {"action": "bootstrap"}
LONGEST_RUN = 900  # seconds, the retrain function's time-out

Sam = Callable[..., int]
"""Runs `sam` with arguments, and `env` beside the environment; returns its exit status."""


def run_sam(*arguments: str, env: Mapping[str, str] | None = None) -> int:
    """Run `sam` in the project with this process's terminal, and return its exit status."""
    environment = {"SAM_CLI_TELEMETRY": "0", **os.environ, **(env or {})}
    return subprocess.run([SAM, *arguments], cwd=ROOT, env=environment, check=False).returncode


def missing_tools() -> list[str]:
    """Return a line for each program that a deployment needs and that does not run."""
    lines = []
    python = shutil.which("python3.13")
    # A version manager's shim is found, too, but does not run before the version is activated.
    if python is None or subprocess.run([python, "--version"], check=False, capture_output=True).returncode:
        lines.append("python3.13 does not run: install it and put its own bin folder first on the PATH")
    if not SAM.exists():
        lines.append("sam is missing: `make deploy` sets it up in .venv-sam")
    return lines


def missing_credentials(aws: boto3.Session) -> list[str]:
    """Return a line if AWS does not know who is asking; print who it is otherwise."""
    try:
        # Any region does; without one the client would not be made, and `sam` asks for it the first time.
        caller = aws.client("sts", region_name=aws.region_name or "us-east-1").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return [f"AWS credentials: {error}; `aws configure sso` or `aws configure` sets them up"]
    print(f"AWS account {caller['Account']} as {caller['Arn']}")
    return []


def default(parameter: str) -> str:
    """Return what the template says where nobody says anything."""
    return str(load_template(ROOT / "template.yaml")["Parameters"][parameter]["Default"])


def deploy_arguments(
    name: str, stage: Stage | None, architecture: str, release: str = "", interactive: bool = True
) -> list[str]:
    """Return `sam deploy`'s arguments: guided as long as samconfig.toml does not know the stage.

    `sam` takes all parameters from one place, and CloudFormation those that are not given from the deployment before.
    So all are given, with what was built for, and a release by another way stays the exception.
    """
    once = {"Release": release} if release else {}
    if stage is None:
        given = _overrides({"Stage": name, "Architecture": architecture, **once})
        named = ["--config-env", name, "--stack-name", f"sentiloop-{name}", "--capabilities", "CAPABILITY_IAM"]
        return ["deploy", "--guided", *named, "--parameter-overrides", *given]
    quiet = [] if interactive else ["--no-confirm-changeset"]
    given = _overrides(
        {"Stage": name, "Architecture": architecture, "Release": default("Release"), **stage.parameters, **once}
    )
    return ["deploy", "--config-env", name, "--no-fail-on-empty-changeset", *quiet, "--parameter-overrides", *given]


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    return [f'{name}="{value}"' for name, value in parameters.items()]


def fill_bucket(aws: boto3.Session, function: str) -> dict[str, Any]:
    """Send the retrain function the bootstrap event, which does nothing where it was sent before.

    Raises:
        RuntimeError: if the function fails.
        ClientError: if it does not run; TooManyRequestsException while a retrain does.
    """
    patient = Config(read_timeout=LONGEST_RUN + 10, retries={"total_max_attempts": 1})
    answer = aws.client("lambda", config=patient).invoke(FunctionName=function, Payload=json.dumps(BOOTSTRAP).encode())
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RuntimeError(f"bootstrap failed: {result.get('errorMessage', result)}")
    return result


def deploy(name: str, architecture: str = "", release: str = "", sam: Sam = run_sam, interactive: bool = True) -> None:
    """Build and deploy a stage, and print its outputs.

    Args:
        name: dev or prod.
        architecture: processor to build for; empty for the one in samconfig.toml, or the template's.
        release: how requests move to the new code this time; empty for the stage's way.
        sam: runs `sam`.
        interactive: whether there is somebody to ask.

    Raises:
        RuntimeError: with a line a problem, if anything is missing or fails.
    """
    stage = read_stage(name)
    if problems := missing_tools() + missing_credentials(session(stage)):
        raise RuntimeError("\n".join(problems))
    if stage is None and not interactive:
        raise RuntimeError(f"samconfig.toml has no section [{name}.deploy.parameters], and nobody can be asked")
    built = architecture or (stage.parameters.get("Architecture") if stage else None) or default("Architecture")
    if stage and stage.parameters.get("Architecture", default("Architecture")) != built:
        raise RuntimeError(f"samconfig.toml names another Architecture than {built}: change it there")
    if sam("build", "--parameter-overrides", f"Architecture={built}", env={"ARCHITECTURE": built}):
        raise RuntimeError("sam build failed")
    if sam(*deploy_arguments(name, stage, built, release, interactive)):
        raise RuntimeError("sam deploy failed")
    stage = read_stage(name)
    if stage is None:
        raise RuntimeError(f"deployed, but the answers were not saved as [{name}.deploy.parameters] in samconfig.toml")
    if stage.parameters.get("Architecture", built) != built:
        raise RuntimeError(f"deployed for another processor than built for: make deploy STAGE={name} mends that")
    report(stage)


def report(stage: Stage) -> None:
    """Fill the bucket of a deployed stage and print where its API is.

    Raises:
        RuntimeError: if the stack has no outputs, or its bucket was not filled.
    """
    aws = session(stage)
    found = outputs(aws.client("cloudformation"), stage.stack)
    if not found:
        raise RuntimeError(f"stack {stage.stack} was not deployed")
    print("bootstrap:", json.dumps(fill_bucket(aws, found["RetrainFunctionName"])))
    shown = {"URL": "ApiUrl", "API key": "ApiKeyCommand", "admin key": "AdminKeyCommand", "bucket": "BucketName"}
    print("", *(f"{name:10} {found[output]}" for name, output in shown.items()), sep="\n")


def main() -> int:
    """Deploy; print what is wrong in a line or two and return 1 if that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", required=True, choices=STAGES)
    parser.add_argument("--architecture", default="", choices=("", "arm64", "x86_64"), help="asked only the first time")
    parser.add_argument("--release", default="", help="this time's value of the template's parameter Release")
    given = parser.parse_args()
    try:
        deploy(given.stage, given.architecture, given.release, interactive=sys.stdin.isatty())
    except (RuntimeError, ValueError, BotoCoreError, ClientError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
