"""Starts of a function in fresh processes under Lambda's runtime interface emulator."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.emulator import ANSWER_SECONDS, ROOT, EmulatorError, emulated, emulator_binary, wait_until
from tests.events import Answer, Event, call

BOOT = Path(__file__).with_name("boot.py")
INSTALL = ["install", "--quiet", "--no-input", "--no-deps", "--require-hashes", "--requirement"]


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
        try:
            emulator_binary()
        except EmulatorError as error:
            sys.exit(str(error))
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
        self._environment = {"HOME": str(work), **environment}

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

        try:
            with emulated(runtime, folders[0], self._environment, log) as function:

                def answer_to(event: Event, _: Any) -> Mapping[str, Any]:
                    answer: Mapping[str, Any] = json.loads(function.invoke(event))
                    return answer

                began = time.perf_counter()
                answer = call(answer_to, request)
                answer_wall = time.perf_counter() - began
                wait_until(figures.exists, "figures", log)
        except EmulatorError as error:
            sys.exit(str(error))
        except (OSError, ValueError, KeyError):  # nothing came, or an error in place of an answer
            sys.exit(f"{log.read_text('utf-8')}\n{handler} did not answer.")
        init = re.search(r"INIT REPORT\(durationMs: ([0-9.]+)", log.read_text("utf-8"))
        if init is None:
            sys.exit(f"{log.read_text('utf-8')}\nThe emulator did not report on the start.")
        found = json.loads(figures.read_text("utf-8"))
        return Start(init_wall=float(init[1]) / 1000, answer_wall=answer_wall, **found), answer
