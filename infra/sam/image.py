"""The base image that `sam local` runs the functions in: AWS's where it can be pulled, otherwise a stand-in.

The stand-in is made by a script that is not part of this project and that LAMBDA_IMAGE names. It gets PYROOT, the
prefix of a Python 3.13, and has to leave an image of the name that `sam local` asks for.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from infra.sam.build import ARCHITECTURE, python313
from infra.sam.docker import docker, reason, require_docker

REPOSITORY = "public.ecr.aws/lambda/python"
NAME = f"{REPOSITORY}:3.13-{ARCHITECTURE}"
DERIVED = [f"{REPOSITORY}:3.13-rapid-*", "samcli/lambda-python:3.13-*"]
PULL_SECONDS = 600
SCRIPT_SECONDS = 900


class BaseImage(NamedTuple):
    """An image, and where it comes from."""

    origin: str
    id: str

    def __str__(self) -> str:
        return f"{self.origin} {self.id.removeprefix('sha256:')[:12]}"


def make_sure() -> BaseImage:
    """Return the base image, which is pulled or made if there is none; exit with a clear line if neither works."""
    before = find()
    if before and before.origin == "official":
        return before
    script = Path(os.environ.get("LAMBDA_IMAGE", ""))
    try:
        docker("pull", "--quiet", NAME, seconds=PULL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        if before:
            return before
        if not script.is_file():
            sys.exit(f"{NAME} cannot be pulled, and LAMBDA_IMAGE names no script that builds it: {reason(error)}")
        _run(script)
    _remove_derived()
    found = find()
    return found or sys.exit(f"{script} left no image {NAME}")


def present() -> BaseImage:
    """Return the base image that is there; exit with a clear line if there is none, or no Docker."""
    require_docker()
    return find() or sys.exit(f"There is no image {NAME}: make sam-image")


def find() -> BaseImage | None:
    """Return the base image that is there, if any; only what was pulled has a digest of a repository."""
    try:
        found = docker("image", "inspect", "--format", "{{.Id}} {{len .RepoDigests}}", NAME)
    except subprocess.CalledProcessError:
        return None
    identity, digests = found.split()
    return BaseImage("stand-in" if digests == "0" else "official", identity)


def _run(script: Path) -> None:
    code = "import sys; print(sys.base_prefix)"
    prefix = subprocess.run([python313(), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    print(f"Building a stand-in for {NAME} with {script} …", flush=True)
    done = subprocess.run(
        [script.resolve()],
        check=False,
        env={**os.environ, "PYROOT": prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SCRIPT_SECONDS,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{script} failed")


def _remove_derived() -> None:
    """Remove what `sam local` has derived from an older base image; it would go on using that."""
    for pattern in DERIVED:
        for image in set(docker("images", "--quiet", "--filter", f"reference={pattern}").split()):
            docker("rmi", "--force", image)


def main() -> int:
    """Make sure of the base image and say which it is."""
    require_docker()
    print(f"{NAME}: {make_sure()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
