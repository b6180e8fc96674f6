"""The stand-in for Lambda's Invoke API: what it takes, that events run one at a time, and that nothing outlives it."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from infra.local import invocations
from infra.local.invocations import Invocations

PATH = "/2015-03-31/functions/RetrainFunction/invocations"
PATIENCE_SECONDS = 60.0
# Says that it has begun, waits until it may end, and says which event it was.
RUN = """
import json, pathlib, sys, time
event, folder = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2])
running = folder / "running"
assert not running.exists(), "another one runs"
running.touch()
with (folder / "begun").open("a") as file:
    file.write(event["by"] + "\\n")
while event.get("waits") and not (folder / "go").exists():
    time.sleep(0.01)
running.unlink()
print("a warning", file=sys.stderr)
if event.get("fails"):
    sys.exit(1)
print(json.dumps({"outcome": "promoted", "by": event["by"]}))
"""

Ask = Callable[..., tuple[int, str | None, str]]


def runner(folder: Path) -> Callable[[str], Sequence[str | Path]]:
    return lambda event: [sys.executable, "-c", RUN, event, folder]


class Printed:
    """Stands for the terminal: a test waits for the next line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lines: SimpleQueue[str] = SimpleQueue()
        monkeypatch.setattr(invocations, "print", lambda line, **_: self._lines.put(line), raising=False)

    def line(self) -> str:
        """Return the next line once it is there."""
        return self._lines.get(timeout=PATIENCE_SECONDS)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    return Printed(monkeypatch)


def asking(server: Invocations) -> Ask:
    """Return what sends a request and returns status, type of the error, and body."""

    def ask(
        body: bytes = b"{}", path: str = PATH, kind: str | None = "Event", headers: dict[str, str] | None = None
    ) -> tuple[int, str | None, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
        named = {"X-Amz-Invocation-Type": kind} if kind else {}
        connection.request("POST", path, body, {**named, **(headers or {})})
        reply = connection.getresponse()
        return reply.status, reply.getheader("X-Amzn-ErrorType"), reply.read().decode()

    return ask


def wait_for(file: Path) -> None:
    """Return once a process has made the file."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists():
        assert time.monotonic() < deadline, f"there is no {file.name}"
        time.sleep(0.01)


def event(by: str, **more: object) -> bytes:
    return json.dumps({"action": "retrain", "by": by, **more}).encode()


def test_an_event_is_taken_at_once_and_its_outcome_is_one_line(tmp_path: Path, printed: Printed) -> None:
    log = tmp_path / "folder" / "retrain.log"
    with Invocations("RetrainFunction", runner(tmp_path), log) as server:
        assert asking(server)(event("ada")) == (202, None, "")
        assert printed.line() == f"retrain: promoted; more is in {log}"
    told = log.read_text()
    assert told.startswith("--- 20")
    assert "a warning" in told
    assert '{"outcome": "promoted", "by": "ada"}' in told


def test_events_run_one_at_a_time_in_the_order_in_which_they_came(tmp_path: Path, printed: Printed) -> None:
    with Invocations("RetrainFunction", runner(tmp_path), tmp_path / "log") as server:
        ask = asking(server)
        for by in "abc":
            assert ask(event(by, waits=True))[0] == 202
        (tmp_path / "go").touch()
        assert ["promoted" in printed.line() for _ in range(3)] == [True, True, True]
    assert (tmp_path / "begun").read_text().split() == ["a", "b", "c"]


def test_one_that_fails_or_cannot_be_run_ends_none_that_follow(tmp_path: Path, printed: Printed) -> None:
    def command(event: str) -> Sequence[str | Path]:
        return [tmp_path / "missing"] if "missing" in event else runner(tmp_path)(event)

    with Invocations("RetrainFunction", command, tmp_path / "log") as server:
        for body in (event("a", fails=True), event("missing"), event("b")):
            assert asking(server)(body)[0] == 202
        assert printed.line().startswith("retrain: failed; ")
        assert printed.line().startswith("The event could not be run: FileNotFoundError")
        assert printed.line().startswith("retrain: promoted; ")


@pytest.mark.parametrize(
    ("status", "error", "request_"),
    [
        (404, "ResourceNotFoundException", {"path": PATH.replace("RetrainFunction", "AdminFunction")}),
        (404, "ResourceNotFoundException", {"path": "/2015-03-31/functions"}),
        (404, "ResourceNotFoundException", {"path": "/"}),
        (403, "AccessDeniedException", {"headers": {"Origin": "https://site.example"}}),
        (403, "AccessDeniedException", {"headers": {"Host": "site.example:80"}}),
        (400, "InvalidParameterValueException", {"kind": "RequestResponse"}),
        (400, "InvalidParameterValueException", {"kind": None}),
        (400, "InvalidRequestContentException", {"body": b"no JSON"}),
        (400, "InvalidRequestContentException", {"body": b"[1]"}),
        (400, "InvalidRequestContentException", {"body": b"\xff"}),
        (400, "InvalidRequestContentException", {"body": b"[" * 100_000}),
        (413, "RequestTooLargeException", {"body": b" " * (invocations.MOST_BYTES + 1)}),
        (411, "InvalidRequestContentException", {"headers": {"Content-Length": "-1"}}),
    ],
)
def test_what_is_no_event_for_the_function_is_refused_as_lambda_refuses_it(
    status: int, error: str, request_: dict[str, object], tmp_path: Path
) -> None:
    with Invocations("RetrainFunction", runner(tmp_path), tmp_path / "log") as server:
        answered = asking(server)(**request_)
    assert answered[:2] == (status, error)
    assert json.loads(answered[2])["Message"]
    assert not (tmp_path / "begun").exists()


def test_more_events_than_may_wait_are_refused(
    tmp_path: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invocations, "MOST_WAITING", 2)
    with Invocations("RetrainFunction", runner(tmp_path), tmp_path / "log") as server:
        answered = [asking(server)(event(by, waits=True))[:2] for by in "abcd"]  # one of them may run already
        (tmp_path / "go").touch()
        assert "promoted" in printed.line()
    assert answered[:2] == [(202, None)] * 2
    assert answered[3] == (429, "TooManyRequestsException")


def test_at_the_end_what_runs_is_ended_and_what_waits_never_begins(tmp_path: Path) -> None:
    with Invocations("RetrainFunction", runner(tmp_path), tmp_path / "log") as server:
        for by in "ab":
            assert asking(server)(event(by, waits=True))[0] == 202
        wait_for(tmp_path / "begun")
        process = server._process
    assert process is not None
    assert process.poll() not in {None, 0}
    assert (tmp_path / "begun").read_text().split() == ["a"]


def test_a_process_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invocations, "END_SECONDS", 0.1)
    deaf = "import signal, pathlib, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    deaf += "pathlib.Path(sys.argv[1]).touch(); signal.pause()"
    begun = tmp_path / "begun"
    with Invocations("RetrainFunction", lambda _: [sys.executable, "-c", deaf, begun], tmp_path / "log") as server:
        asking(server)(event("a"))
        wait_for(begun)
        process = server._process
    assert isinstance(process, subprocess.Popen)
    assert process.wait(PATIENCE_SECONDS) < 0


def test_the_process_finds_out_by_itself_where_the_stack_is(
    tmp_path: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTILOOP_BUCKET", "ours")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    names = "import os; print([name for name in os.environ if name.startswith(('AWS_', 'SENTILOOP_'))])"
    log = tmp_path / "log"
    with Invocations("RetrainFunction", lambda _: [sys.executable, "-c", names], log) as server:
        asking(server)()
        assert printed.line() == f"the event: done; more is in {log}"
    assert log.read_text().splitlines()[1:] == ["[]"]


def test_the_log_begins_anew_when_it_has_grown_large(
    tmp_path: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invocations, "LOG_BYTES", 10)
    log = tmp_path / "log"
    log.write_text("of another day" + os.linesep)
    with Invocations("RetrainFunction", runner(tmp_path), log) as server:
        asking(server)(event("ada"))
        printed.line()
    assert "another day" not in log.read_text()
