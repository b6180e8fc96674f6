"""The functions in their source folders under Lambda's own runtime, over moto's S3 on the loopback."""

import itertools
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS
from tests.emulator import HOST, ROOT, Emulated, emulated, platform_problem
from tests.events import Answer, Event, call

CONTRIBUTOR_KEY = "only for tests"
PLATFORM_PROBLEM = platform_problem()
_numbers = itertools.count()


class Storage:
    """moto's S3 with one bucket; it can go, hang, and come back at the same address with what it holds."""

    def __init__(self) -> None:
        self.bucket = f"sentiloop-runtime-{next(_numbers)}"  # moto keeps buckets for as long as this process lives
        self._port = 0
        self.start()
        boto3.client(
            "s3",
            endpoint_url=self.address,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        ).create_bucket(Bucket=self.bucket)

    @property
    def address(self) -> str:
        """The URL of its endpoint."""
        return f"http://{HOST}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a function finds in its environment."""
        return {
            **CREDENTIALS,
            "AWS_REGION": CREDENTIALS["AWS_DEFAULT_REGION"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": self.address,
            "SENTILOOP_BUCKET": self.bucket,
        }

    def start(self) -> None:
        """Listen."""
        self._server = ThreadedMotoServer(ip_address=HOST, port=self._port, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()

    def stop(self) -> None:
        """Refuse connections."""
        self._server.stop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections in this context."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Take connections and never answer in this context."""
        with self.away(), socket.create_server((HOST, self._port)):
            yield


@dataclass(frozen=True, slots=True)
class Function:
    """A function in the emulator."""

    emulated: Emulated

    def __call__(self, request: Event) -> Answer:
        """Send an event of API Gateway and return the function's answer."""
        return call(lambda event, _: self.invoke(event), request)

    def invoke(self, payload: object) -> Any:
        """Send any payload and return the runtime's answer: its JSON, or its text where it is no JSON."""
        answer = self.emulated.invoke(payload).decode()
        try:
            return json.loads(answer)
        except ValueError:
            return answer

    @property
    def log(self) -> str:
        """What the function and the emulator have printed so far."""
        return self.emulated.log.read_text("utf-8")


class Start(Protocol):
    """Starts a function with further variables in its environment."""

    def __call__(self, name: str, /, **environment: str) -> AbstractContextManager[Function]: ...


def runtime_command(name: str) -> list[str | Path]:
    """Return the command that runs a function under Lambda's Python runtime, with the interpreter of the tests."""
    return [sys.executable, "-m", "awslambdaric", f"{name}.app.handler"]


def function_environment(name: str, storage: Storage, home: Path) -> dict[str, str]:
    """Return a function's environment; its folder and the layer are its import roots, as on Lambda."""
    roots = [ROOT / "functions" / name, ROOT / "layers" / "model"]
    return {
        **storage.environment,
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(map(str, roots)),
        "SENTILOOP_CONTRIBUTOR_KEY": CONTRIBUTOR_KEY,
        "OPENBLAS_NUM_THREADS": "1",
    }


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if PLATFORM_PROBLEM:
        terminalreporter.write_line(f"SKIPPED tests/e2e/runtime: {PLATFORM_PROBLEM}", yellow=True, bold=True)


@pytest.fixture(scope="session", autouse=True)
def _linux() -> None:
    if PLATFORM_PROBLEM:
        pytest.skip(PLATFORM_PROBLEM)


@pytest.fixture(scope="module")
def storage() -> Iterator[Storage]:
    """An empty bucket."""
    running = Storage()
    yield running
    running.stop()


@pytest.fixture
def store(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """The bucket as the test itself reads and writes it."""
    for name, value in storage.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return S3Store(storage.bucket)


@pytest.fixture(scope="module")
def start(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Start:
    @contextmanager
    def start_function(name: str, /, **environment: str) -> Iterator[Function]:
        home = tmp_path_factory.mktemp(name)
        given: Mapping[str, str] = {**function_environment(name, storage, home), **environment}
        task = ROOT / "functions" / name
        with emulated(runtime_command(name), task, given, home / "log.txt") as running:
            yield Function(running)

    return start_function


@pytest.fixture(scope="module")
def retrain(start: Start) -> Iterator[Function]:
    with start("retrain") as function:
        yield function


@pytest.fixture(scope="module")
def predict(start: Start) -> Iterator[Function]:
    with start("predict") as function:
        yield function


@pytest.fixture(scope="module")
def feedback(start: Start) -> Iterator[Function]:
    with start("feedback") as function:
        yield function
