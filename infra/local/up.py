"""`make up`: the whole service on one machine, with no cloud account, no Docker and no network.

Everything runs in this one process and ends with it: moto's S3, the mirror that keeps the bucket, and the gateway with
the real Lambda handlers. The lines that Lambda would send to CloudWatch go to requests.jsonl, beside the bucket. Only a
run that is started over HTTP has a process of its own, which ends with this one.
"""

import argparse
import fcntl
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

import uvicorn
from retrain.bootstrap import bootstrap
from sentiloop import lines
from sentiloop.activity_totals import compact
from sentiloop.errors import SentiloopError
from sentiloop.records import now
from sentiloop.s3 import S3Store
from sentiloop.settings import PREFIX, Settings

from infra.local.bucket import CREDENTIALS, FolderMirror, s3_server
from infra.local.gateway import create_gateway
from infra.local.invocations import Invocations
from infra.local.template import api_routes, compressed_from, load_template

ROOT = Path(__file__).parents[2]
BUCKET = "sentiloop"
RETRAIN = "RetrainFunction"
KEYS = ("SENTILOOP_CONTRIBUTOR_KEY", "SENTILOOP_ADMIN_KEY")
LINES_BYTES = 10 * 2**20  # of requests.jsonl, and of the older one beside it
BANNER = """
Sentiloop is up: open {url} to try, label, release and watch   (API reference: {url}/docs)

  curl -s {url}/v1/predict{key} -H 'content-type: application/json' \\
    -d '{{"text": "The staff were wonderful and we loved every minute."}}'

  curl -s '{url}/v1/predict?explain=true'{key} -H 'content-type: application/json' \\
    -d '{{"text": "Sick gig, I was grinning all the way home."}}'

  curl -s {url}/v1/feedback{key} -H 'content-type: application/json' \\
    -d '{{"text": "Sick gig, I was grinning all the way home.", "correct_label": "positive"}}'

The page asks for the admin key, where one is needed: it is in {folder}/admin.key.
`make retrain` learns from the corrections. Ctrl-C stops everything; the bucket stays in {folder}.
"""


def main() -> int:
    """Run until interrupted; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=3000, choices=range(1, 65_536), metavar="1-65535")
    parser.add_argument("--folder", type=Path, default=ROOT / ".sentiloop", help="where state is kept")
    arguments = parser.parse_args()
    try:
        Settings.from_env()
        with held(arguments.folder):
            run(arguments.port, arguments.folder)
    except SentiloopError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    return 0


def run(port: int, folder: Path) -> None:
    """Run until interrupted.

    Raises:
        CannotStartError: the port is taken.
    """
    if not port_is_free(port):
        hint = f"Stop what uses it, or choose another: make up PORT={port + 10}"
        raise CannotStartError(f"Port {port} is taken.", hint)
    with s3_server() as endpoint:
        os.environ.update(environment(folder, endpoint))
        serve(port, folder, endpoint)


class CannotStartError(SentiloopError):
    """Raise when something else has what the stack needs."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a folder to this process: two that mirror their buckets into one folder would undo each other's work.

    The system lets go of it when the process ends, however it ends.

    Raises:
        CannotStartError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{folder} is in use by another make up; it may still be saving."
            raise CannotStartError(message, "Stop it, or wait until it has ended.") from None
        yield


def environment(folder: Path, endpoint: str) -> dict[str, str]:
    """Return what the functions find in their environment; the two secret keys are made on the first start."""
    return {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "SENTILOOP_BUCKET": BUCKET,
        "SENTILOOP_ACTIVITY_SECONDS": "1",  # a write costs nothing here
        "SENTILOOP_CONTRIBUTOR_KEY": _secret(folder / "contributor.key"),
        "SENTILOOP_ADMIN_KEY": _secret(folder / "admin.key"),
    }


def _secret(file: Path) -> str:
    """Return what the file holds; it is made, for its owner's eyes only, if there is none."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()


def serve(port: int, folder: Path, endpoint: str) -> None:
    """Fill the bucket and serve the API until interrupted."""
    store = S3Store(BUCKET)
    mirror = FolderMirror(store, folder / "bucket")
    mirror.create_bucket()
    bootstrap(store)
    compact(store, now())  # as the hourly check does
    lines.redirect(RotatingFileHandler(folder / "requests.jsonl", maxBytes=LINES_BYTES, backupCount=1))
    with mirror.kept_up_to_date(), suppress(KeyboardInterrupt), _started_runs(folder):
        api_key = os.environ.get("LOCAL_API_KEY") or None
        template = load_template(ROOT / "template.yaml")
        gateway = create_gateway(api_routes(template), api_key, compressed_from(template))
        url = f"http://127.0.0.1:{port}"
        _tell_others(folder, url, endpoint)
        banner = BANNER.format(url=url, folder=folder, key=" -H 'x-api-key: …'" if api_key else "")
        server = _Server(uvicorn.Config(gateway, "127.0.0.1", port, log_level="warning"), banner)
        try:
            server.run()
        finally:
            (folder / "stack.json").unlink(missing_ok=True)


@contextmanager
def _started_runs(folder: Path) -> Iterator[None]:
    """Let the functions start runs, each as `make retrain` runs: in a process of its own, which ends with us."""

    def command(event: str) -> list[str | Path]:
        return [sys.executable, "-m", "infra.local.retrain", event, "--folder", folder.resolve()]

    with Invocations(RETRAIN, command, folder / "retrain.log") as invocations:
        os.environ["AWS_ENDPOINT_URL_LAMBDA"] = f"http://127.0.0.1:{invocations.port}"
        os.environ["SENTILOOP_RETRAIN_FUNCTION"] = RETRAIN
        yield


def _tell_others(folder: Path, url: str, endpoint: str) -> None:
    """Write where this stack is and how it is set, for `attach`.

    It is for its owner's eyes only, since a setting may be secret; the two keys have files of their own.
    """
    settings = {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and name not in KEYS}
    part = folder / "stack.json.part"
    part.unlink(missing_ok=True)  # of a process that was killed; its mode would stay
    part.touch(mode=0o600)
    part.write_text(json.dumps({"url": url, "endpoint": endpoint, "settings": settings}))
    part.replace(folder / "stack.json")


class _Server(uvicorn.Server):
    """Says that it is up once it is."""

    def __init__(self, config: uvicorn.Config, banner: str) -> None:
        super().__init__(config)
        self._banner = banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._banner, flush=True)


def port_is_free(port: int) -> bool:
    """Return whether a server could listen on a port of the loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
