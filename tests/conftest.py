"""What all tests share: one hypothesis profile, an environment without anybody's cloud, and a bucket on moto."""

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Final

import boto3
import pytest
from hypothesis import settings
from moto import mock_aws
from sentiloop.s3 import S3Store
from sentiloop.settings import PREFIX

from tests.builders import BuiltModel, make_model

BUCKET = "sentiloop"
REGION: Final = "eu-central-1"

settings.register_profile("sentiloop", deadline=None, max_examples=60)
settings.load_profile("sentiloop")

# Small products gain nothing from BLAS threads, and where cores are few and busy these wait for each other: a retrain
# run of 0.1 s was seen to take 5 s. No module imported so far has loaded numpy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Test modules import the functions' applications, which read the settings as they are imported. The builders, imported
# above, have read SENTILOOP_TEST_DATA by now; it is no setting.
for name in [name for name in os.environ if name.startswith(PREFIX)]:
    del os.environ[name]


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from real accounts, real endpoints and the developer's own settings."""
    for name in [name for name in os.environ if name.startswith((PREFIX, "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def store() -> Iterator[S3Store]:
    """A store on a fresh, empty bucket."""
    with mock_aws(config={"core": {"reset_boto3_session": False}}):  # a new session would parse S3's model anew
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield S3Store(BUCKET)


@pytest.fixture(scope="session")
def tiny_model() -> BuiltModel:
    """A model of the default labels with 1,024 buckets of random weights."""
    return make_model()


@pytest.fixture
def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def event_loop_of_the_thread() -> Iterator[None]:
    """The loop that Mangum asks its thread for; Lambda's runtime has one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
