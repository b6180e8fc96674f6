"""`make sam-build`: builds SAM projects for this machine's processor, and knows how `sam` is run here."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from infra.local.up import ROOT

ARCHITECTURE = "x86_64" if platform.machine() in {"x86_64", "AMD64"} else "arm64"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
# Apart from .aws-sam/build, where `sam deploy` looks: that may be built for the other processor.
WORK = ROOT / ".aws-sam" / "local"
PARAMETERS = ["--parameter-overrides", f"Architecture={ARCHITECTURE}"]
BUILD_SECONDS = 900


def python313() -> Path:
    """Return a Python 3.13 that runs: PYTHON313, the first on the PATH, or pyenv's; exit with a line if none is."""
    named = os.environ.get("PYTHON313")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))  # it may have one that is not activated
    found_there = sorted(map(str, pyenv.glob("versions/3.13*/bin/python3.13")))
    candidates = [named] if named else [f"{folder}/python3.13" for folder in os.get_exec_path()] + found_there
    for candidate in candidates:
        try:
            code = "import sys; print(sys.executable if sys.version_info[:2] == (3, 13) else '')"
            found = subprocess.run([candidate, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            continue  # a version manager leaves a python3.13 on the PATH that only says that it is not activated
        if found:
            return Path(found)
    return sys.exit("No Python 3.13 that runs was found. Put one on the PATH, or name it: make … PYTHON313=file")


def sam_environment() -> dict[str, str]:
    """Return the environment that `sam` runs in: this one without credentials of AWS and settings of ours.

    Credentials, real or not, would be handed on to the containers, and made-up ones cost a look-up of 5 s a start.
    """
    foreign = ("AWS_", "SENTILOOP_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    nowhere = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {**kept, **nowhere, "SAM_CLI_TELEMETRY": "0"}


def sam_build(project: Path, work: Path, function: str | None = None) -> Path:
    """Run `sam build` and return the folder with a folder for each function and layer.

    Args:
        project: the folder of template.yaml, which takes the parameter Architecture.
        work: a folder of its own; build and cache go here.
        function: the only function to build, with its layers.
    """
    if not SAM.exists():
        sys.exit(f"{SAM.relative_to(ROOT)} is missing: make .venv-sam/sam")
    build = work / "build"
    command: list[str | Path] = [SAM, "build", *([function] if function else [])]
    command += ["--template-file", project / "template.yaml"]
    command += ["--build-dir", build, "--cache-dir", work / "cache", *PARAMETERS]
    path = os.pathsep.join([str(python313().parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        command,
        check=False,
        cwd=project,
        env={**sam_environment(), "PATH": path, "ARCHITECTURE": ARCHITECTURE},
        timeout=BUILD_SECONDS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nsam build failed in {project}")
    return build


def main() -> int:
    """Build this project."""
    print(f"Building for {ARCHITECTURE} …", flush=True)
    build = sam_build(ROOT, WORK)
    print(f"Built into {build.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
