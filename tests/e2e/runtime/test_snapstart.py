"""SnapStart's hooks as Lambda's runtime runs them: before the snapshot, and after an instance is restored from it.

The emulator has no snapshots, so a stub stands in for the platform: it takes the runtime's word that it is ready for
the snapshot, lets the test change the world meanwhile, restores the instance, and hands it one event.
"""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sentiloop.s3 import S3Store

from tests.e2e.runtime.conftest import Storage, function_environment, runtime_command
from tests.emulator import HOST, ROOT, WAIT_SECONDS, wait_until
from tests.events import Event, post
from tests.store.conftest import Shelf

HEADERS = {
    "Content-Type": "application/json",  # without it the runtime crashes
    "Lambda-Runtime-Aws-Request-Id": "only-one",
    "Lambda-Runtime-Deadline-Ms": "4102444800000",
}


class Platform(ThreadingHTTPServer):
    """The side of the runtime API that a SnapStart function sees."""

    daemon_threads = True

    def __init__(self, request: Event) -> None:
        super().__init__((HOST, 0), _Calls)
        self.request = json.dumps(request).encode()
        self.ready, self.restored, self.answered = threading.Event(), threading.Event(), threading.Event()
        self.ended = threading.Event()
        self.answer: Any = None
        self.calls: list[str] = []


class _Calls(BaseHTTPRequestHandler):
    server: Platform
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        platform = self.server
        call = self.path.removeprefix("/2018-06-01/runtime/")
        platform.calls.append(call)
        if call == "restore/next":
            platform.ready.set()
            platform.restored.wait(WAIT_SECONDS)
            self._reply(200)
        elif not platform.answered.is_set():
            self._reply(200, platform.request)
        else:
            platform.ended.wait(WAIT_SECONDS)  # there is no second event
            self.close_connection = True

    def do_POST(self) -> None:
        platform = self.server
        platform.calls.append(self.path.removeprefix("/2018-06-01/runtime/"))
        platform.answer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._reply(202)
        platform.answered.set()

    def _reply(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    serving = Platform(post("/v1/predict", {"text": "ready when you are"}))
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.ended.set()
    serving.restored.set()
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.fixture
def shelf(store: S3Store) -> Shelf:
    return Shelf(store)


@pytest.fixture
def snapshot(platform: Platform, storage: Storage, shelf: Shelf, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """An instance whose snapshot was taken while v1 was served; a call restores it and returns the version it serves.

    Once restored it looks at the pointer no more for an hour, unless the hook makes it look.
    """
    shelf.promote("v1")
    environment = {
        **function_environment("predict", storage, tmp_path),
        "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{platform.server_port}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "SENTILOOP_REFRESH_SECONDS": "3600",
    }
    task, log = ROOT / "functions" / "predict", tmp_path / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(runtime_command("predict"), cwd=task, env=environment, stdout=output, stderr=output)

    def restore() -> str:
        platform.restored.set()
        wait_until(platform.answered.is_set, "answer", log)
        assert platform.calls[:3] == ["restore/next", "invocation/next", "invocation/only-one/response"]
        version: str = json.loads(platform.answer["body"])["model_version"]
        return version

    try:
        wait_until(platform.ready.is_set, "hook before the snapshot", log)
        yield restore
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)


def test_a_restored_instance_serves_what_was_published_since_its_snapshot(
    snapshot: Callable[[], str], shelf: Shelf
) -> None:
    shelf.promote("v2", seed=2)
    assert snapshot() == "v2"


def test_without_storage_a_restored_instance_serves_what_its_snapshot_holds(
    snapshot: Callable[[], str], storage: Storage
) -> None:
    with storage.away():
        assert snapshot() == "v1"
