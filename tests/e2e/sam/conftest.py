"""One stack for all tests here: the built functions in containers behind `sam local start-api`, over moto's S3."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.sam.build import WORK
from infra.sam.docker import LABEL, docker
from infra.sam.image import present
from infra.sam.stack import TEMPLATE, Stack, free_port, running
from tests.events import Answer

PATIENCE_SECONDS = 60.0
SEEN_SECONDS = 10.0  # within which a warm instance notices what changed in the bucket
LOG = pytest.StashKey[Path]()
IMAGE = pytest.StashKey[str]()
STARTED = pytest.StashKey[float]()


class Client:
    """Sends requests to the gateway of `sam local`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request and return the answer, whatever its status.

        Args:
            method: the HTTP method.
            path: the path and the query.
            body: bytes, sent as they are; anything else is sent as JSON; None sends none.
            headers: further headers, with _ for -; the content type is JSON unless it is among them.
        """
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        given = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        request = urllib.request.Request(
            self._url + path, data, {"content-type": "application/json", **given}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
                return _answer(reply.status, reply.read(), reply.headers.items())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers.items())

    def get(self, path: str) -> Answer:
        """Send a GET."""
        return self.send("GET", path)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """Send a POST."""
        return self.send("POST", path, body, **headers)

    def version(self) -> str:
        """Return the version that answers a prediction, which has to succeed."""
        answer = self.post("/v1/predict", {"text": "anything"})
        assert answer.status == 200, answer.body
        return str(answer.body["model_version"])

    def instance(self) -> str:
        """Return what tells an instance of the predict function from another: the id of its container."""
        shown = "{{.Id}} {{.Config.Env}}"
        ids = docker("ps", "--quiet", "--filter", f"label={LABEL}").split()
        containers = docker("inspect", "--format", shown, *ids).splitlines()
        [instance] = [each.split()[0] for each in containers if "AWS_LAMBDA_FUNCTION_NAME=PredictFunction" in each]
        return instance


def _answer(status: int, body: bytes, headers: list[tuple[str, str]]) -> Answer:
    lower = {name.lower(): value for name, value in headers}
    is_json = lower.get("content-type", "").startswith("application/json")
    return Answer(status, json.loads(body) if is_json else body.decode(), lower)


def wait_until(holds: Callable[[], bool], seconds: float = SEEN_SECONDS) -> None:
    """Ask again and again until it holds; fail when the seconds are over."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running service, as `make sam-build` built it."""
    pytestconfig.stash[IMAGE] = str(present())
    assert TEMPLATE.exists(), f"nothing is built in {WORK}: make sam-build"
    folder = tmp_path_factory.mktemp("sam-local")
    log = pytestconfig.stash[LOG] = folder / "log.txt"
    with log.open("wb") as output, running(folder, free_port(), output) as started:
        yield started


@pytest.fixture(scope="session")
def client(stack: Stack) -> Client:
    """A client of the running service, both of whose functions have their container."""
    made = Client(stack.url)
    assert made.get("/health").status == 200
    assert made.get("/v1/feedback/none").status == 404
    return made


def pytest_configure(config: pytest.Config) -> None:
    """Remember when the run started."""
    config.stash[STARTED] = time.monotonic()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show with a failure what SAM and the functions said last."""
    report = yield
    log = item.config.stash.get(LOG, None)
    if report.failed and log is not None and log.exists():
        report.sections.append(("sam local", log.read_text("utf-8", errors="replace")[-6_000:]))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many tests ran, how long, and in which image."""
    if image := config.stash.get(IMAGE, None):
        count = sum(len(terminalreporter.stats.get(outcome, [])) for outcome in ("passed", "failed"))
        seconds = time.monotonic() - config.stash[STARTED]
        terminalreporter.write_line(f"sam local: {count} tests in {seconds:.0f} s, base image {image}")
