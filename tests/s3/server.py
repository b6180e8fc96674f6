"""An S3 server in a process of its own: `python server.py NAME` prints its address and ends when its input does.

It binds nothing but the loopback, one thread a connection. LocalStack has an environment of its own, hence the imports
inside functions, and nothing of ours.

moto looks whether a conditional write may pass and stores it later, with nothing that keeps another write from coming
between; so plain moto cannot prove that a race has one winner. `moto` serialises writes with a lock. `moto-conflicts`
answers 409 to a write while another to its key is under way, as S3 may and neither implementation does.
`moto-unlocked` is there to show that the tests see two winners where there are two. All three pause before they store:
without the pause eight writers had two winners in 9 of 400 rounds when threads gave way every microsecond, and in none
of 400 at Python's own switch interval.
"""
# ruff: noqa: PLC0415

import logging
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

PAUSE_SECONDS = 0.005
Application = tuple[Any, type[WSGIRequestHandler]]
Write = Callable[..., Any]
WRITES = ("_key_response_put", "_key_response_delete", "_key_response_post", "_bucket_response_delete_keys")
"""Every way into moto's S3 that changes an object: put and copy, delete, complete a multipart upload, delete many."""


def moto(guarded: Callable[[Write], Write]) -> Application:
    """Return moto's application, with all that writes objects guarded and with a pause before they are stored."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from moto.s3.models import S3Backend
    from moto.s3.responses import S3Response

    for name in WRITES:
        _wrap(S3Response, name, guarded)
    _wrap(S3Backend, "put_object", _delayed)
    return DomainDispatcherApplication(create_backend_app), MotoRequestHandler


def _wrap(owner: type, name: str, wrapper: Callable[[Write], Write]) -> None:
    setattr(owner, name, wrapper(getattr(owner, name)))


def _delayed(write: Write) -> Write:
    def later(*arguments: Any, **options: Any) -> Any:
        time.sleep(PAUSE_SECONDS)
        return write(*arguments, **options)

    return later


def one_at_a_time() -> Callable[[Write], Write]:
    """Return a wrapper that lets a write wait until no other is under way."""
    lock = threading.Lock()

    def guarded(write: Write) -> Write:
        def inside(*arguments: Any) -> Any:
            with lock:
                return write(*arguments)

        return inside

    return guarded


def one_a_key_or_409() -> Callable[[Write], Write]:
    """Return a wrapper that answers 409 to a write while another to the key is under way."""
    locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def guarded(write: Write) -> Write:
        def inside(request: Any, *arguments: Any) -> Any:
            lock = locks[request.path]
            if not lock.acquire(blocking=False):
                return 409, {}, "<Error><Code>ConditionalRequestConflict</Code></Error>"
            try:
                return write(request, *arguments)
            finally:
                lock.release()

        return inside

    return guarded


def unguarded(write: Write) -> Write:
    """Return the write as it is."""
    return write


def localstack() -> Application:
    """Return LocalStack's gateway without its runtime, which would bind all interfaces.

    That runtime takes requests and sends replies as a whole. werkzeug streams them, and then a client killed in the
    middle of an upload leaves the object empty, and one killed in the middle of a download leaves it locked. So they
    are taken and sent as a whole here, too.
    """
    from localstack.aws.app import LocalstackAwsGateway  # type: ignore[import-not-found]
    from localstack.aws.serving.werkzeug import CustomWSGIRequestHandler  # type: ignore[import-not-found]
    from localstack.services.plugins import SERVICE_PLUGINS  # type: ignore[import-not-found]
    from localstack.services.s3 import provider  # type: ignore[import-not-found]
    from rolo.gateway.wsgi import WsgiGateway  # type: ignore[import-not-found]

    provider.DEFAULT_S3_TMP_DIR = tempfile.mkdtemp()
    gateway = WsgiGateway(LocalstackAwsGateway(SERVICE_PLUGINS))

    def answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length:
            raise ConnectionAbortedError
        with closing(gateway({**environ, "wsgi.input": BytesIO(body)}, start_response)) as reply:
            return list(reply)

    return answer, CustomWSGIRequestHandler


APPLICATIONS: dict[str, Callable[[], Application]] = {
    "moto": lambda: moto(one_at_a_time()),
    "moto-conflicts": lambda: moto(one_a_key_or_409()),
    "moto-unlocked": lambda: moto(unguarded),
    "localstack": localstack,
}


def main() -> None:
    """Serve until standard input ends, which it does even when whoever started this was killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application, handler = APPLICATIONS[sys.argv[1]]()
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdout = sys.stderr  # nobody reads on
    sys.stdin.read()


if __name__ == "__main__":
    main()
