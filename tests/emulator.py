"""Lambda's runtime interface emulator, which comes with the SAM CLI: run with a function, sent events, and ended."""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
ANSWER_SECONDS = 120.0
WAIT_SECONDS = 10.0
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class EmulatorError(Exception):
    """Raise when the emulator is missing or cannot run here, or when nothing comes of it."""


class Emulated(NamedTuple):
    """A function in a running emulator.

    Attributes:
        address: host and port that take events.
        log: the file that everything the emulator and the function print goes to.
    """

    address: str
    log: Path

    def invoke(self, payload: object) -> bytes:
        """Send an event and return what the runtime answers, be it an answer or an error.

        Args:
            payload: bytes are sent as they are, anything else as JSON.

        Raises:
            OSError: the emulator does not answer.
        """
        url = f"http://{self.address}/2015-03-31/functions/function/invocations"
        sent = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        try:
            with urllib.request.urlopen(url, sent, timeout=ANSWER_SECONDS) as response:
                answer: bytes = response.read()
        except urllib.error.HTTPError as error:  # 502, when the function did not start
            with error:
                answer = error.read()
        return answer


def platform_problem() -> str:
    """Return why the emulator cannot run here, or nothing."""
    if sys.platform == "linux" and platform.machine() in _ARCHITECTURES:
        return ""
    here = f"{sys.platform} on {platform.machine()}"
    return f"Lambda's runtime interface emulator is for Linux on x86_64 and arm64, and this is {here}."


def emulator_binary() -> Path:
    """Return the emulator.

    Raises:
        EmulatorError: there is none for this platform, or the SAM CLI is not installed.
    """
    if problem := platform_problem():
        raise EmulatorError(problem)
    name = f"samcli/local/rapid/aws-lambda-rie-{_ARCHITECTURES[platform.machine()]}"
    for path in ROOT.glob(f".venv-sam/lib/python3*/site-packages/{name}"):
        return path
    raise EmulatorError("The SAM CLI, which carries the emulator, is missing: make .venv-sam/sam")


@contextmanager
def emulated(
    runtime: Sequence[str | Path], task: Path, environment: Mapping[str, str], log: Path
) -> Iterator[Emulated]:
    """Run the emulator with a runtime, which starts with the first event.

    Args:
        runtime: the command that runs the runtime with its handler.
        task: the function's folder.
        environment: all that the function finds in its environment besides what the emulator adds.
        log: the file to write the output to.

    Raises:
        EmulatorError: the emulator is missing, or does not listen within `WAIT_SECONDS`.
    """
    own, api = _free_addresses()
    command: list[str | Path] = [emulator_binary(), "--log-level", "info"]
    command += ["--runtime-interface-emulator-address", own, "--runtime-api-address", api, *runtime]
    given = {"PATH": os.defpath, "LANG": "C.UTF-8", **environment, "LAMBDA_TASK_ROOT": str(task)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=task, env=given, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_until(lambda: _listens(own), "emulator", log)
        yield Emulated(own, log)
    finally:
        _end(process)


def wait_until(holds: Callable[[], bool], what: str, log: Path) -> None:
    """Wait until something holds, `WAIT_SECONDS` at most.

    Raises:
        EmulatorError: it does not hold by then; the message has the log.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise EmulatorError(f"{log.read_text('utf-8')}\nNothing came of the {what} in {WAIT_SECONDS:.0f} s.")
        time.sleep(0.01)


def _free_addresses() -> tuple[str, str]:
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as other:
        return f"{HOST}:{one.getsockname()[1]}", f"{HOST}:{other.getsockname()[1]}"


def _listens(address: str) -> bool:
    host, port = address.split(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the emulator and its children: it kills them itself, unless it has to be killed."""
    tasks = Path(f"/proc/{process.pid}/task")
    children = [int(pid) for file in tasks.glob("*/children") for pid in file.read_text("ascii").split()]
    process.terminate()
    try:
        process.wait(WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(WAIT_SECONDS)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
