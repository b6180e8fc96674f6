"""The storage port: what every adapter promises, and what the S3 adapter makes of S3's and the network's troubles."""

import socket
from collections.abc import Iterator
from contextlib import closing

import boto3
import pytest
from botocore.stub import Stubber
from sentiloop.errors import (
    ObjectNotFoundError,
    PreconditionFailedError,
    SentiloopError,
    StorageUnavailableError,
    WriteConflictError,
)
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore

from tests.conftest import BUCKET
from tests.faults.memory_store import MemoryStore


@pytest.fixture(params=["s3", "memory"])
def any_store(request: pytest.FixtureRequest) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    found: S3Store = request.getfixturevalue("store")
    return found


class TestContract:
    """Holds for the adapter on moto and for the store in memory that the fault tests use."""

    def test_what_was_put_is_got_with_its_etag(self, any_store: ObjectStore) -> None:
        etag = any_store.put("a/b.json", b"{}")
        found = any_store.get("a/b.json")
        assert (found.body, found.etag) == (b"{}", etag)

    def test_a_plain_put_replaces(self, any_store: ObjectStore) -> None:
        any_store.put("key", b"old")
        any_store.put("key", b"new")
        assert any_store.get("key").body == b"new"

    def test_an_empty_object_is_an_object(self, any_store: ObjectStore) -> None:
        any_store.put("key", b"")
        assert any_store.get("key").body == b""

    def test_a_missing_key_is_not_found(self, any_store: ObjectStore) -> None:
        with pytest.raises(ObjectNotFoundError, match="no-such-key"):
            any_store.get("no-such-key")

    def test_an_unchanged_object_is_not_sent_again(self, any_store: ObjectStore) -> None:
        etag = any_store.put("key", b"same")
        assert any_store.get_if_changed("key", etag) is None

    def test_a_changed_object_is_sent_with_its_new_etag(self, any_store: ObjectStore) -> None:
        old = any_store.put("key", b"old")
        new = any_store.put("key", b"new")
        found = any_store.get_if_changed("key", old)
        assert found is not None
        assert (found.body, found.etag) == (b"new", new)

    def test_an_empty_etag_fits_no_object(self, any_store: ObjectStore) -> None:
        any_store.put("key", b"body")
        found = any_store.get_if_changed("key", "")
        assert found is not None
        assert found.body == b"body"

    @pytest.mark.parametrize("etag", ["", '"0123456789abcdef0123456789abcdef"'])
    def test_a_missing_key_is_not_found_whatever_is_known_of_it(self, any_store: ObjectStore, etag: str) -> None:
        with pytest.raises(ObjectNotFoundError):
            any_store.get_if_changed("no-such-key", etag)

    def test_only_the_first_creation_of_a_key_succeeds(self, any_store: ObjectStore) -> None:
        any_store.put("key", b"first", if_absent=True)
        with pytest.raises(PreconditionFailedError):
            any_store.put("key", b"second", if_absent=True)
        assert any_store.get("key").body == b"first"

    def test_creating_again_with_the_same_bytes_is_refused_too(self, any_store: ObjectStore) -> None:
        any_store.put("key", b"same", if_absent=True)
        with pytest.raises(PreconditionFailedError):
            any_store.put("key", b"same", if_absent=True)

    def test_a_matching_etag_lets_a_write_pass(self, any_store: ObjectStore) -> None:
        etag = any_store.put("key", b"old")
        any_store.put("key", b"new", if_match=etag)
        assert any_store.get("key").body == b"new"

    def test_an_outdated_etag_stops_a_write(self, any_store: ObjectStore) -> None:
        outdated = any_store.put("key", b"one")
        any_store.put("key", b"two")
        with pytest.raises(PreconditionFailedError):
            any_store.put("key", b"three", if_match=outdated)
        assert any_store.get("key").body == b"two"

    def test_an_etag_of_a_missing_key_stops_a_write(self, any_store: ObjectStore) -> None:
        with pytest.raises(ObjectNotFoundError):
            any_store.put("key", b"body", if_match='"0123456789abcdef0123456789abcdef"')
        assert list(any_store.keys("")) == []

    def test_restored_content_restores_its_etag(self, any_store: ObjectStore) -> None:
        """The trap that the pointer's generation and commit id are for."""
        first = any_store.put("key", b"one")
        any_store.put("key", b"two")
        assert any_store.put("key", b"one") == first

    def test_keys_come_in_order_and_of_the_prefix_only(self, any_store: ObjectStore) -> None:
        for key in ("b/2", "a/1", "b/10", "b/1", "c"):
            any_store.put(key, b"")
        assert list(any_store.keys("b/")) == ["b/1", "b/10", "b/2"]

    def test_keys_can_begin_behind_a_key_that_need_not_exist(self, any_store: ObjectStore) -> None:
        for day in ("dt=2026-01-01/x", "dt=2026-01-02/x", "dt=2026-01-03/x"):
            any_store.put(f"feedback/{day}", b"")
        found = list(any_store.keys("feedback/", after="feedback/dt=2026-01-02/"))
        assert found == ["feedback/dt=2026-01-02/x", "feedback/dt=2026-01-03/x"]
        assert list(any_store.keys("feedback/", after="feedback/dt=2026-01-03/x")) == []

    def test_a_prefix_without_keys_yields_none(self, any_store: ObjectStore) -> None:
        assert list(any_store.keys("nothing/")) == []


def test_keys_go_on_behind_the_first_page_of_a_listing(store: S3Store) -> None:
    names = [f"many/{number:04d}" for number in range(1_001)]
    for name in names:
        store.put(name, b"")
    assert list(store.keys("many/")) == names


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("runs/x.json", "application/json"),
        ("feedback/dt=2026-01-01/x.jsonl", "application/x-ndjson"),
        ("models/v1/report/report.html", "text/html; charset=utf-8"),
        ("models/v1/weights.bin", "application/octet-stream"),
        ("no-suffix", "application/octet-stream"),
    ],
)
def test_an_object_says_what_it_is(store: S3Store, key: str, kind: str) -> None:
    store.put(key, b"")
    assert boto3.client("s3").head_object(Bucket=BUCKET, Key=key)["ContentType"] == kind


def test_a_missing_bucket_is_no_answer_about_a_key(store: S3Store) -> None:
    elsewhere = S3Store("there-is-no-such-bucket")
    with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
        elsewhere.get("key")
    with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
        list(elsewhere.keys("models/"))


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (409, "ConditionalRequestConflict", WriteConflictError),
        (409, "OperationAborted", WriteConflictError),
        (409, "409", WriteConflictError),
        (412, "PreconditionFailed", PreconditionFailedError),
        (412, "412", PreconditionFailedError),
        (404, "NoSuchKey", ObjectNotFoundError),
        (404, "404", ObjectNotFoundError),
        (404, "NoSuchBucket", StorageUnavailableError),
        (403, "AccessDenied", StorageUnavailableError),
        (500, "InternalError", StorageUnavailableError),
        (503, "SlowDown", StorageUnavailableError),
        (400, "ExpiredToken", StorageUnavailableError),
        (502, "502", StorageUnavailableError),
    ],
)
def test_an_answer_of_s3_becomes_the_error_that_it_means(
    status: int, code: str, error: type[SentiloopError], store: S3Store
) -> None:
    with Stubber(store._client) as stub:  # moto never answers most of these
        stub.add_client_error("put_object", service_error_code=code, http_status_code=status)
        with pytest.raises(error) as caught:
            store.put("a-key", b"", if_absent=True)
    assert type(caught.value) is error
    assert caught.value.message == f"{code} for a-key"


def test_a_fault_of_storage_is_no_unchanged_object(store: S3Store) -> None:
    with Stubber(store._client) as stub:
        stub.add_client_error("get_object", service_error_code="InternalError", http_status_code=500)
        with pytest.raises(StorageUnavailableError):
            store.get_if_changed("key", '"etag"')


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def everything(store: S3Store) -> dict[str, SentiloopError]:
    """Call every method and return what each raises."""
    raised = {}
    for name, method in (
        ("get", lambda: store.get("key")),
        ("get_if_changed", lambda: store.get_if_changed("key", "")),
        ("put", lambda: store.put("key", b"body")),
        ("keys", lambda: list(store.keys(""))),
    ):
        with pytest.raises(SentiloopError) as caught:
            method()
        raised[name] = caught.value
    return raised


def test_a_refused_connection_is_unavailable_storage(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port}")
    for error in everything(S3Store(BUCKET, attempts=1)).values():
        assert isinstance(error, StorageUnavailableError)
        assert error.message.startswith("EndpointConnectionError")


def test_a_reply_that_does_not_come_is_unavailable_storage(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{silent_port}")
    for error in everything(S3Store(BUCKET, read_timeout=0.05, attempts=1)).values():
        assert isinstance(error, StorageUnavailableError)
        assert error.message.startswith("ReadTimeoutError")
