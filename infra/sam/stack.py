"""The service as `sam local start-api` runs it: real containers, over a filled bucket on this machine."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3
from retrain.bootstrap import bootstrap
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS
from infra.local.invocations import Invocations
from infra.local.template import FUNCTION, Template, load_template, resources
from infra.local.up import BUCKET, RETRAIN, ROOT
from infra.sam.bucket import S3Server
from infra.sam.build import PARAMETERS, SAM, WORK, sam_environment
from infra.sam.docker import host_address, sweep

TEMPLATE = WORK / "build" / "template.yaml"
INVOKE_OPTIONS = ["--skip-pull-image", "--region", CREDENTIALS["AWS_DEFAULT_REGION"], *PARAMETERS]
START_SECONDS = 60.0
END_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stack:
    """A running service: its address, the process of SAM, its bucket, and the file of its functions' variables."""

    url: str
    process: subprocess.Popen[Any]
    s3: S3Server
    store: S3Store
    variables: Path


@contextmanager
def running(folder: Path, port: int, output: IO[Any] | None = None) -> Iterator[Stack]:
    """Run the service as built by `make sam-build`, and leave nothing behind.

    Points this process at the bucket.

    Args:
        folder: where the file of variables is kept meanwhile, and the log of the runs that were started over HTTP.
        port: of the loopback, for the API.
        output: where the messages of SAM and the functions go; None: where ours go.
    """
    host = host_address()

    def command(event: str) -> list[str | Path]:
        return [sys.executable, "-m", "infra.sam.retrain", "--port", str(port), "--folder", folder.resolve(), event]

    log = folder / f"retrain-{port}.log"
    with S3Server(host) as s3, Invocations(RETRAIN, command, log, host.listen) as invocations:
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": s3.address}
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        store = S3Store(BUCKET)
        bootstrap(store)
        values = {
            "AWS_ENDPOINT_URL_LAMBDA": f"http://{host.called}:{invocations.port}",
            "AWS_ENDPOINT_URL_S3": s3.address_in_containers,
            "SENTILOOP_BUCKET": BUCKET,
            "SENTILOOP_RETRAIN_FUNCTION": RETRAIN,
            "SENTILOOP_CONTRIBUTOR_KEY": secrets.token_hex(32),
            "SENTILOOP_ADMIN_KEY": secrets.token_hex(32),
            "SENTILOOP_ALERT_TOPIC_ARN": "",
            "POWERTOOLS_METRICS_NAMESPACE": "Sentiloop",
        }
        file = variables_file(folder, port)
        file.touch(mode=0o600)
        file.write_text(json.dumps(variables(load_template(ROOT / "template.yaml"), values), indent=2))
        try:
            with start_api(TEMPLATE, port, file, output) as process:
                yield Stack(f"http://127.0.0.1:{port}", process, s3, store, file)
        finally:
            file.unlink()
            sweep(s3.address_in_containers)


def variables_file(folder: Path, port: int) -> Path:
    """Return the file of variables of the service on a port; it is there while the service runs."""
    return folder / f"variables-{port}.json"


def variables(template: Template, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what `sam local --env-vars` takes: of each function all variables that the template declares for it.

    Args:
        template: as `load_template` returns it.
        values: what to give in place of the template's values; further names are left out where not declared.

    Raises:
        ValueError: a variable is neither given, nor a text, nor a parameter with a default.
    """
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    return {
        name: {
            variable: values[variable] if variable in values else _value(variable, declared, template["Parameters"])
            for variable, declared in {**shared, **function.get("Environment", {}).get("Variables", {})}.items()
        }
        for name, function in resources(template, FUNCTION).items()
    }


def _value(variable: str, declared: Any, parameters: Mapping[str, Any]) -> str:
    if isinstance(declared, str):
        return declared
    with suppress(KeyError, TypeError):
        return str(parameters[declared["Ref"]]["Default"])
    raise ValueError(f"{variable} has no value outside AWS: {declared}")


@contextmanager
def start_api(template: Path, port: int, file: Path, output: IO[Any] | None = None) -> Iterator[subprocess.Popen[Any]]:
    """Run `sam local start-api` with warm containers and yield its process once it listens.

    Args:
        template: a built template.
        port: of the loopback.
        file: the functions' variables.
        output: where its messages go; None: where ours go.
    """
    command: list[str | Path] = [SAM, "local", "start-api", "--template-file", template, "--port", str(port)]
    command += ["--env-vars", file, "--warm-containers", "LAZY", *INVOKE_OPTIONS]
    # A session of its own: Ctrl-C comes to us alone, and SAM is told to end while its containers can still be ended.
    process = subprocess.Popen(
        command, cwd=ROOT, env=sam_environment(), stdout=output, stderr=output, start_new_session=True
    )
    try:
        _wait_until_it_listens(process, port)
        yield process
    finally:
        end(process)


def free_port() -> int:
    """Return a port of the loopback that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def end(process: subprocess.Popen[Any]) -> None:
    """End `sam` as Ctrl-C does, or by force if it does not."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(END_SECONDS)


def _wait_until_it_listens(process: subprocess.Popen[Any], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            sys.exit(f"sam local start-api ended with status {process.returncode}.")
        if time.monotonic() > deadline:
            sys.exit(f"sam local start-api does not listen on port {port} after {START_SECONDS:.0f} s.")
        time.sleep(0.1)
