"""Builds SAM projects as they are deployed, outside the repository, for this machine's processor."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local.up import ROOT

ARCHITECTURE = "x86_64" if platform.machine() in {"x86_64", "AMD64"} else "arm64"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
BUILD_SECONDS = 900


def python313() -> Path:
    """Return a Python 3.13 that runs: PYTHON313, or the first on the PATH; exit with a clear line if there is none."""
    named = os.environ.get("PYTHON313")
    candidates = [named] if named else [f"{folder}/python3.13" for folder in os.get_exec_path()]
    for candidate in candidates:
        try:
            code = "import sys; print(sys.executable if sys.version_info[:2] == (3, 13) else '')"
            found = subprocess.run([candidate, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            continue  # a version manager leaves a python3.13 on the PATH that only says that it is not activated
        if found:
            return Path(found)
    return sys.exit("No Python 3.13 that runs was found. Put one on the PATH, or name it: make … PYTHON313=file")


def sam_build(project: Path, work: Path, function: str | None = None) -> Path:
    """Run `sam build` and return the folder with a folder for each function and layer.

    Args:
        project: the folder of template.yaml, which takes the parameter Architecture.
        work: an empty folder of its own; build and cache go here.
        function: the only function to build, with its layers.
    """
    if not SAM.exists():
        sys.exit(f"{SAM.relative_to(ROOT)} is missing: make .venv-sam/sam")
    build = work / "build"
    command: list[str | Path] = [
        SAM,
        "build",
        *([function] if function else []),
        "--template-file",
        project / "template.yaml",
    ]
    command += ["--build-dir", build, "--cache-dir", work / "cache"]
    command += ["--parameter-overrides", f"Architecture={ARCHITECTURE}"]
    path = os.pathsep.join([str(python313().parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, "ARCHITECTURE": ARCHITECTURE, "SAM_CLI_TELEMETRY": "0"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command,
        check=False,
        cwd=project,
        env=environment,
        timeout=BUILD_SECONDS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nsam build failed in {project}")
    return build


def files(*folders: Path) -> Iterator[tuple[str, int]]:
    """Yield the path within its folder and the size in bytes of every file, links not followed."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path.stat().st_size


def megabytes(*folders: Path) -> float:
    """Return what all files take, in MB of 10^6 bytes."""
    return sum(size for _, size in files(*folders)) / 1e6
