"""`make sam-invoke-retrain`: runs the retrain function in its container, on the bucket of `make sam-local`."""

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.local.retrain import SCHEDULED
from infra.local.up import RETRAIN, ROOT
from infra.sam.build import SAM, WORK, sam_environment
from infra.sam.docker import require_docker
from infra.sam.stack import INVOKE_OPTIONS, TEMPLATE, end, variables_file

INVOKE_SECONDS = 960.0  # the function's own limit is 900
SHOWN = ("outcome", "version", "reasons", "metrics", "run_id")


def invoke(function: str, event: str, file: Path) -> Any:
    """Run a function once in a container of its own and return its result.

    Exits with the function's messages if it fails.

    Args:
        function: its logical id.
        event: as JSON.
        file: the functions' variables.
    """
    command: list[str | Path] = [SAM, "local", "invoke", function, "--template-file", TEMPLATE, "--event", "-"]
    command += ["--env-vars", file, *INVOKE_OPTIONS]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=sam_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, messages = process.communicate(event, INVOKE_SECONDS)
    finally:
        end(process)
    try:
        result = json.loads(output)
    except ValueError:
        sys.exit(f"{messages}\n{function} gave no result: {output}")
    if process.returncode or (isinstance(result, dict) and "errorType" in result):
        sys.exit(f"{messages}\n{function} failed: {output}")
    return result


def main() -> int:
    """Print what the handler returns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("event", nargs="?", default=SCHEDULED.read_text(), help="the event, as JSON")
    parser.add_argument("--port", type=int, default=3000, help="of the running `make sam-local`")
    parser.add_argument("--folder", type=Path, default=WORK, help="where it keeps the functions' variables")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the container ends with us
    file = variables_file(arguments.folder, arguments.port)
    require_docker()
    if not file.exists():
        sys.exit("No `make sam-local` is running. Start it in another terminal.")
    result = invoke(RETRAIN, arguments.event, file)
    print(json.dumps({name: result[name] for name in SHOWN if name in result} or result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
