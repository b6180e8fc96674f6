"""Buckets on several S3 servers, over HTTP."""

import os
from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest
from sentiloop.s3 import S3Store

from tests.conftest import REGION
from tests.s3.movers import Bucket
from tests.s3.processes import LOCALSTACK_IS_INSTALLED, Server, running

HOW_TO_GET_LOCALSTACK = "LocalStack's S3 is not installed; `make test-s3` installs it and needs a python3.13"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not LOCALSTACK_IS_INSTALLED:
        terminalreporter.write_line(f"SKIPPED tests/s3 on LocalStack: {HOW_TO_GET_LOCALSTACK}.", yellow=True, bold=True)


@pytest.fixture(scope="session", params=["moto", "localstack"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One S3 server after the other; some tests name others of `server.py`."""
    if request.param == "localstack" and not LOCALSTACK_IS_INSTALLED:
        pytest.skip(HOW_TO_GET_LOCALSTACK)
    with running(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield started


@pytest.fixture
def bucket(server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A fresh, empty bucket; this process's environment leads to it, too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    name = f"sentiloop-{uuid4()}"
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return Bucket(name, {key: value for key, value in os.environ.items() if key.startswith("AWS_")})


@pytest.fixture
def store(bucket: Bucket) -> S3Store:
    """A store on that bucket."""
    return bucket.connect()


@pytest.fixture
def any_store(store: S3Store) -> S3Store:
    """What the storage port's contract is held against."""
    return store
