"""A stand-in for AWS Lambda's Invoke API: takes events for one function and runs a command with each, one at a time.

It knows asynchronous invocations alone. Its port is its own and no part of the public API. An event that failed is not
tried again, as Lambda would: the person who asked for it sees the line in the terminal.
"""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from sentiloop.records import now, timestamp
from sentiloop.settings import PREFIX

from infra.local.origins import is_foreign

ROOT = Path(__file__).parents[2]
MOST_BYTES = 2**18  # of an event
MOST_WAITING = 100  # events; more are refused
LOG_BYTES = 10 * 2**20  # from which on the log begins anew
END_SECONDS = 45.0  # for a process to end once it is told to; one that has a container ends that first
SOCKET_SECONDS = 10.0  # for a client to send what it announced

Command = Callable[[str], Sequence[str | Path]]
Refusal = tuple[int, str, str]


class Invocations:
    """Listens from its creation to the end of the `with` block, which ends the process that runs as well.

    Args:
        function: the only name that is known.
        command: returns the command for an event, which is a JSON object; it prints its result as JSON.
        log: where the messages and results of the processes go.
        host: the address to listen on, on a free port.
    """

    def __init__(self, function: str, command: Command, log: Path, host: str = "127.0.0.1") -> None:
        self._function = function
        self._command = command
        self._log = log
        self._events: SimpleQueue[str | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._ended = False
        self._server = ThreadingHTTPServer((host, 0), _handler(self._taken))
        self._server.daemon_threads = True
        self._threads = [
            threading.Thread(target=self._server.serve_forever, name="invocations", daemon=True),
            threading.Thread(target=self._work, name="runs", daemon=True),
        ]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    def __enter__(self) -> "Invocations":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            self._ended, process = True, self._process
        self._events.put(None)
        if process is not None:
            process.terminate()
        try:
            for thread in self._threads:
                thread.join(END_SECONDS)
        finally:  # a second Ctrl-C, too, leaves no process behind
            if process is not None and process.poll() is None:
                process.kill()

    def _taken(self, function: str, kind: str, body: bytes) -> Refusal | None:
        """Have an event run, or return status, type and message of the refusal."""
        if function != self._function:
            return 404, "ResourceNotFoundException", f"there is no function of that name; {self._function} is"
        if kind != "Event":
            return 400, "InvalidParameterValueException", "only the invocation type Event is known here"
        try:
            event = body.decode()
            is_object = isinstance(json.loads(event), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            return 400, "InvalidRequestContentException", "the event is no JSON object"
        if self._events.qsize() >= MOST_WAITING:
            return 429, "TooManyRequestsException", f"{MOST_WAITING} events wait already"
        self._events.put(event)
        return None

    def _work(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._run(event)
            except Exception as error:  # noqa: BLE001 - one event that cannot be run must not end those that follow
                print(f"The event could not be run: {type(error).__name__}: {error}", flush=True)

    def _run(self, event: str) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        full = self._log.exists() and self._log.stat().st_size > LOG_BYTES
        with self._log.open("w" if full else "a", encoding="utf-8") as log:
            log.write(f"--- {timestamp(now())} {event}\n")
            log.flush()
            with self._lock:
                if self._ended:
                    return
                process = self._process = subprocess.Popen(
                    self._command(event),
                    cwd=ROOT,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,  # Ctrl-C comes to us alone, and we end it
                )
            result, _ = process.communicate()
            log.write(result)
        if not self._ended:
            print(_line(event, process.returncode, result, self._log), flush=True)


def _environment() -> dict[str, str]:
    """Return this environment without what the command finds out about the running stack by itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", PREFIX))}


def _line(event: str, status: int, result: str, log: Path) -> str:
    """Return what became of an event."""
    action = json.loads(event).get("action")
    name = action if isinstance(action, str) and action.isidentifier() else "the event"
    try:
        outcome = "failed" if status else json.loads(result).get("outcome", "done")
    except (ValueError, AttributeError):
        outcome = "done"
    return f"{name}: {outcome}; more is in {log}"


def _handler(taken: Callable[[str, str, bytes], Refusal | None]) -> type[BaseHTTPRequestHandler]:
    """Return the class that answers requests.

    Args:
        taken: is given function, invocation type and body; returns a refusal, or None.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = SOCKET_SECONDS

        def do_POST(self) -> None:
            self._answer(self._refusal())

        def _refusal(self) -> Refusal | None:
            if is_foreign(self.headers.get):
                return 403, "AccessDeniedException", "websites may invoke nothing"
            match self.path.partition("?")[0].split("/"):
                case ["", "2015-03-31", "functions", function, "invocations"]:
                    pass
                case _:
                    return 404, "ResourceNotFoundException", "only Invoke is known here"
            length = self.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdigit()):
                return 411, "InvalidRequestContentException", "the length of the body is missing"
            if len(length) > len(str(MOST_BYTES)) or int(length) > MOST_BYTES:
                return 413, "RequestTooLargeException", f"an event has at most {MOST_BYTES} bytes"
            body = self.rfile.read(int(length))
            return taken(unquote(function), self.headers.get("X-Amz-Invocation-Type", "RequestResponse"), body)

        def _answer(self, refusal: Refusal | None) -> None:
            status, kind, message = refusal or (202, "", "")
            body = json.dumps({"Type": "User", "Message": message}).encode() if refusal else b""
            self.send_response(status)
            if refusal:
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Amzn-ErrorType", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the line in the terminal tells of the outcome."""

    return Handler
