"""S3 servers and racers as processes of their own."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any, TypeVar

from tests.builders import ROOT
from tests.s3 import movers

LOCALSTACK = ROOT / ".venv-localstack"
PATIENCE_SECONDS = 60.0
PROCESSES = 3
T = TypeVar("T")
LOCALSTACK_IS_INSTALLED = (LOCALSTACK / "localstack").exists()
CONTEXT = multiprocessing.get_context("forkserver")  # a process in 20 ms, forked from one without threads
CONTEXT.set_forkserver_preload(["tests.s3.movers", "tests.s3.preload"])


@dataclass(frozen=True, slots=True)
class Server:
    """A running S3 server."""

    name: str
    url: str
    pid: int


@contextmanager
def running(name: str, folder: Path) -> Iterator[Server]:
    """Start a server of `server.py`, yield it once it listens, and end it.

    Args:
        name: which one.
        folder: for what it writes, its messages among that.
    """
    python = str(LOCALSTACK / "bin" / "python") if name == "localstack" else sys.executable
    environment = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": os.defpath, "DISABLE_EVENTS": "1"}
    messages = folder / "messages.txt"
    with (
        messages.open("wb") as errors,
        subprocess.Popen(
            [python, str(Path(__file__).with_name("server.py")), name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            ready, _, _ = select([process.stdout], [], [], PATIENCE_SECONDS)
            url = process.stdout.readline().decode().strip() if ready else ""
            assert url, f"{name} does not start: {messages.read_text()[-2_000:]}"
            yield Server(name, url, process.pid)
        finally:
            process.kill()


def race(work: Callable[..., T], *arguments: Any) -> list[T]:
    """Run some work of `movers` in several processes at once; each is given its number last."""
    barrier = CONTEXT.Barrier(PROCESSES * movers.THREADS)
    with ProcessPoolExecutor(PROCESSES, CONTEXT, initializer=movers.meet_at, initargs=(barrier,)) as pool:
        return movers.results([pool.submit(work, *arguments, number) for number in range(PROCESSES)])
