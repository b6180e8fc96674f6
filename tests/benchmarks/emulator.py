"""Starts of a function in fresh processes under Lambda's runtime interface emulator, which comes with the SAM CLI."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from infra.local.up import ROOT
from tests.benchmarks.built import ARCHITECTURE
from tests.events import Answer, Event, call

BOOT = Path(__file__).with_name("boot.py")
INSTALL = ["install", "--quiet", "--no-input", "--no-deps", "--require-hashes", "--requirement"]
ANSWER_SECONDS = 120.0
WAIT_SECONDS = 10.0


class Start(NamedTuple):
    """What one start cost, in seconds, and the modules of the function that it had to compile."""

    init_cpu: float
    init_wall: float
    answer_cpu: float
    answer_wall: float
    compiled: int


class Emulator:
    """Starts functions, each time in a fresh emulator and a fresh Python.

    Args:
        python: the Python 3.13 to run them with.
        work: a folder for the runtime's environment and for logs.
        environment: all that a function finds in its environment besides what the emulator adds.
    """

    def __init__(self, python: Path, work: Path, environment: Mapping[str, str]) -> None:
        self._binary = _binary()
        self._work = work
        # Empty but for the runtime, so that nothing else that the interpreter has is found.
        subprocess.run([python, "-m", "venv", "--without-pip", work / "runtime"], check=True, timeout=ANSWER_SECONDS)
        self._python = work / "runtime" / "bin" / "python"
        pip: list[str | Path] = [python, "-m", "pip", "--python", self._python]
        done = subprocess.run(
            [*pip, *INSTALL, ROOT / "requirements" / "rie.txt"],
            check=False,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
        )
        if done.returncode:
            sys.exit(f"{done.stderr}\nThe Lambda runtime could not be installed.")
        self._environment = {"PATH": os.defpath, "HOME": str(work), "LANG": "C.UTF-8", **environment}

    def start(self, handler: str, folders: list[Path], request: Event) -> tuple[Start, Answer]:
        """Start a function, send it one event, and end it.

        Args:
            handler: module and function, as in a template.
            folders: the function's folder, then the layers'.
            request: an event of API Gateway.
        """
        figures, log = self._work / "figures.json", self._work / "log.txt"
        figures.unlink(missing_ok=True)
        # -I and -B: no settings of this shell, and no .pyc written, since Lambda's file system is read-only.
        runtime: list[str | Path] = [self._python, "-I", "-B", BOOT, figures, handler, *folders]
        with self._running(runtime, folders[0], log) as address:
            began = time.perf_counter()
            try:
                answer = call(lambda event, _: _post(address, event), request)
            except (OSError, KeyError):  # the emulator says 502, or hands on an error in place of an answer
                sys.exit(f"{log.read_text('utf-8')}\n{handler} did not answer.")
            answer_wall = time.perf_counter() - began
            _until(figures.exists, "figures", log)
        init = re.search(r"INIT REPORT\(durationMs: ([0-9.]+)", log.read_text("utf-8"))
        if init is None:
            sys.exit(f"{log.read_text('utf-8')}\nThe emulator did not report on the start.")
        found = json.loads(figures.read_text("utf-8"))
        return Start(init_wall=float(init[1]) / 1000, answer_wall=answer_wall, **found), answer

    @contextmanager
    def _running(self, runtime: list[str | Path], task: Path, log: Path) -> Iterator[str]:
        """Run the emulator and yield where it takes events; the runtime starts with the first."""
        own, api = _free_addresses()
        command: list[str | Path] = [self._binary, "--log-level", "info", "--runtime-interface-emulator-address", own]
        command += ["--runtime-api-address", api, *runtime]
        environment = {**self._environment, "LAMBDA_TASK_ROOT": str(task)}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=task, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            _until(lambda: _listens(own), "emulator", log)
            yield own
        finally:
            _end(process)


def _binary() -> Path:
    """Return the emulator; exit with a clear line if it is not there or cannot run here."""
    if sys.platform != "linux":
        sys.exit("The runtime interface emulator runs on Linux only.")
    name = f"samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
    for path in ROOT.glob(f".venv-sam/lib/python3*/site-packages/{name}"):
        return path
    return sys.exit("The SAM CLI, which carries the emulator, is missing: make .venv-sam/sam")


def _free_addresses() -> tuple[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return f"127.0.0.1:{one.getsockname()[1]}", f"127.0.0.1:{other.getsockname()[1]}"


def _listens(address: str) -> bool:
    host, port = address.split(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def _until(holds: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"{log.read_text('utf-8')}\nNothing came of the {what} in {WAIT_SECONDS:.0f} s.")
        time.sleep(0.01)


def _post(address: str, event: Event) -> Mapping[str, Any]:
    url = f"http://{address}/2015-03-31/functions/function/invocations"
    with urllib.request.urlopen(url, json.dumps(event).encode(), timeout=ANSWER_SECONDS) as response:
        answer: Mapping[str, Any] = json.load(response)
    return answer


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
