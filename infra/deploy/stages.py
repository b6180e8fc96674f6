"""What samconfig.toml says of a stage, and what the stack that was deployed for it says of itself."""

import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.deploy.expanded import ROOT

STAGES = ("dev", "prod")
SAMCONFIG = ROOT / "samconfig.toml"  # the name that `sam` looks for
SAM = ROOT / ".venv-sam" / "bin" / "sam"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage's section of samconfig.toml.

    Args:
        name: dev or prod; it is `sam`'s --config-env.
        stack: name of its stack.
        region: where the stack is; None for the environment's.
        profile: AWS profile to use; None for the environment's.
        parameters: the template's parameters.
    """

    name: str
    stack: str
    region: str | None = None
    profile: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)


def read_stage(name: str, path: Path = SAMCONFIG) -> Stage | None:
    """Return what the file says of a stage, None if it says nothing.

    Raises:
        ValueError: if the section is of another stage, or the file is not TOML.
    """
    if not path.exists():
        return None
    section = tomllib.loads(path.read_text(encoding="utf-8")).get(name, {})
    given: dict[str, Any] = {**section.get("global", {}).get("parameters", {})}
    given |= section.get("deploy", {}).get("parameters", {})
    if "stack_name" not in given:
        return None
    parameters = _parameters(given.get("parameter_overrides", ""))
    if parameters.get("Stage", "prod") != name:
        raise ValueError(f"{path.name}: section [{name}.deploy.parameters] needs Stage={name} in parameter_overrides")
    return Stage(name, given["stack_name"], given.get("region"), given.get("profile"), parameters)


def _parameters(overrides: str | list[str]) -> dict[str, str]:
    """Read `Name="value" …`, a text or a list, as `sam` takes it."""
    parts = (
        shlex.split(overrides)
        if isinstance(overrides, str)
        else [part for each in overrides for part in shlex.split(each)]
    )
    return dict(part.split("=", 1) for part in parts)


def session(stage: Stage | None) -> boto3.Session:
    """Return a session with the stage's region and profile, or the environment's."""
    if stage is None:
        return boto3.Session()
    return boto3.Session(profile_name=stage.profile, region_name=stage.region)


def outputs(cloudformation: Any, stack: str) -> dict[str, str] | None:
    """Return a stack's outputs by name, which it lacks while its creation has failed; None if there is no such stack.

    Raises:
        ClientError: if AWS refuses the call.
    """
    try:
        [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # how CloudFormation says: does not exist
            return None
        raise
    return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
