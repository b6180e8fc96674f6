"""`make bench-swap`: constant load on `make up` from a second process while versions are promoted and rolled back.

Requests leave at fixed times, whether or not earlier ones were answered, and a latency counts from the time at which
its request was due. A move counts from the moment that it was asked for.
"""

import http.client
import importlib
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from itertools import count, islice
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from sentiloop.bundled import baseline
from sentiloop.s3 import S3Store

from infra.local.attach import attach
from infra.local.up import BUCKET, ROOT
from tests.benchmarks.bench import closing_lines
from tests.benchmarks.handler import texts
from tests.benchmarks.shadow import RIVAL, publish_rival
from tests.events import Handler

RATE, CONNECTIONS = 100, 8  # requests a second in all
TEXTS = 500
MOVES, SERIES = 20, 2
WARM_UP_SECONDS, QUIET_SECONDS = 5.0, 20.0  # quiet before, between and after the series of moves
PAUSE_SECONDS = 1.0, 5.0  # between two moves: by lot, so that they meet every phase of the looks at the pointer
AIM_SECONDS = 5.0
POLL_SECONDS, PATIENCE_SECONDS = 0.1, 60.0
SOURCES = (
    ".",
    "layers/model",
    *(f"functions/{name}" for name in ("predict", "feedback", "admin", "console", "retrain")),
)


class Sent(NamedTuple):
    """A request: when it was due and answered, by the clock that all processes share, its status and the version."""

    due: float
    answered: float
    status: int
    version: str


class Moved(NamedTuple):
    """A move of the pointer: when it was asked for, the version that was served until then."""

    asked: float
    old: str


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stack(folder: Path, port: int) -> Iterator[None]:
    """Run `make up` in a process of its own, and stop it as Ctrl-C does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SENTILOOP_"))}
    environment["PYTHONPATH"] = os.pathsep.join(str(ROOT / source) for source in SOURCES)
    command = [sys.executable, "-m", "infra.local.up", "--port", str(port), "--folder", str(folder)]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        if not any("Ctrl-C" in line for line in process.stdout):
            raise RuntimeError("`make up` ended early")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_SECONDS)


# --- The load, in a process of its own ----------------------------------------------------------------------------


def load(port: int, stop: Event, result: Connection) -> None:
    """Send requests at the fixed rate until told to stop, and hand back what became of each."""
    bodies = [json.dumps({"text": text}) for text in islice(texts(seed=1), TEXTS)]
    began = time.monotonic()

    def connection(first: int) -> list[Sent]:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        sent = []
        for number in count(first, CONNECTIONS):
            due = began + number / RATE
            if stop.wait(max(0.0, due - time.monotonic())):
                break
            sent.append(ask(client, bodies[number % TEXTS], due))
        client.close()
        return sent

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        result.send([each for part in pool.map(connection, range(CONNECTIONS)) for each in part])


def ask(client: http.client.HTTPConnection, body: str, due: float) -> Sent:
    """Send one request; a connection that breaks is a failed request."""
    try:
        client.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
        reply = client.getresponse()
        answer = json.load(reply)
    except (OSError, http.client.HTTPException, ValueError):
        client.close()
        return Sent(due, time.monotonic(), 0, "")
    return Sent(due, time.monotonic(), reply.status, answer.get("model_version", ""))


@contextmanager
def constant_load(port: int) -> Iterator[list[Sent]]:
    """Keep the load up; the list that is yielded holds all requests once the block is left."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    stop = spawn.Event()
    sent: list[Sent] = []
    process = spawn.Process(target=load, args=(port, stop, sender))
    process.start()
    sender.close()  # so that an early end of the process is seen
    try:
        yield sent
    finally:
        stop.set()
        sent += receiver.recv()
        process.join()


# --- The moves, and what they did ---------------------------------------------------------------------------------


def move_often(handler: Handler, port: int, draw: random.Random) -> list[Moved]:
    """Promote the rival and roll back again, through the events of the retrain function."""
    served = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    old, new = baseline().version, RIVAL
    made = []
    for number in range(MOVES // SERIES):
        event = {"action": "promote", "version": new} if new == RIVAL else {"action": "rollback"}
        made.append(Moved(time.monotonic(), old))
        handler({**event, "by": "bench", "reason": f"move {number + 1}"}, None)
        wait_for(served, new)
        time.sleep(draw.uniform(*PAUSE_SECONDS))
        old, new = new, old
    return made


def wait_for(client: http.client.HTTPConnection, version: str) -> None:
    """Return once a version is served."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        client.request("GET", "/v1/model_info")
        if json.load(client.getresponse())["version"] == version:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{version} is not served after {PATIENCE_SECONDS:g} s")
        time.sleep(POLL_SECONDS)


def last_old_answers(sent: Sequence[Sent], moved: Sequence[Moved]) -> list[float]:
    """Return for each move the seconds until the last answer of the version that it ended, before the next move."""
    ends = [move.asked for move in moved[1:]] + [float("inf")]
    return [
        max(each.answered - move.asked for each in sent if each.version == move.old and each.answered < end)
        for move, end in zip(moved, ends, strict=True)
    ]


def show(title: str, sent: Sequence[Sent]) -> None:
    """Print one line of the table."""
    latencies = [1000 * (each.answered - each.due) for each in sent]
    percentiles = quantiles(latencies, n=100, method="inclusive")
    print(f"  {title:20} {len(sent):8,} {percentiles[49]:9.2f} {percentiles[98]:9.2f} {max(latencies):9.2f}")


def main() -> int:
    """Measure; return 1 if a request failed, or an old version answered for too long."""
    port, draw = free_port(), random.Random(1)
    series: list[tuple[float, list[Moved], float]] = []
    with tempfile.TemporaryDirectory() as name, stack(Path(name), port):
        attach(Path(name))
        publish_rival(S3Store(BUCKET))
        handler = importlib.import_module("retrain.app").handler  # reads the environment
        with constant_load(port) as sent:
            time.sleep(WARM_UP_SECONDS)
            warm = time.monotonic()
            for _ in range(SERIES):
                time.sleep(QUIET_SECONDS)
                series.append((time.monotonic(), move_often(handler, port, draw), time.monotonic()))
            time.sleep(QUIET_SECONDS)
    moved = [move for _, moves, _ in series for move in moves]
    failed = [each for each in sent if each.status != HTTPStatus.OK]
    swapping = [each for each in sent if any(began <= each.due < ended for began, _, ended in series)]
    quiet = [each for each in set(sent) - set(swapping) if each.due >= warm]
    last = last_old_answers(sent, moved)
    print(f"`make up` and {CONNECTIONS} connections from a second process, {RATE} predictions a second, on one machine")
    print(f"{len(moved)} promotions and rollbacks; answers: {dict(Counter(each.version for each in sent))}")
    print(f"seconds from a move to the last answer of the old version: {', '.join(f'{each:.2f}' for each in last)}")
    print(f"\n  {'milliseconds':20} {'requests':>8} {'p50':>9} {'p99':>9} {'longest':>9}")
    show("without moves", quiet)
    show("while moves are made", swapping)
    print(f"\nlongest wait for the last answer of an old version: {max(last):.2f} s (aim {AIM_SECONDS:g} s)")
    return closing_lines(
        [
            ("swap-failed-requests", len(failed), "requests", 0, False),
            ("swap-last-old-answer", max(last), "s", 10, False),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
