"""The folder that keeps the local bucket forgets what the bucket forgets, and outlives what fails."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from sentiloop.errors import StorageUnavailableError
from sentiloop.pointer import CURRENT
from sentiloop.s3 import S3Store
from sentiloop.storage import StoredObject

from infra.local import bucket
from infra.local.bucket import FolderMirror, LostContentError

PATIENCE_SECONDS = 20.0


def test_what_is_erased_in_the_bucket_goes_from_the_folder(store: S3Store, tmp_path: Path) -> None:
    store.put("feedback/one.jsonl", b"1", if_absent=True)
    store.put("feedback/two.jsonl", b"2", if_absent=True)
    mirror = FolderMirror(store, tmp_path)
    mirror.save()
    store.delete("feedback/one.jsonl")
    mirror.save()
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == ["two.jsonl"]
    store.put("feedback/one.jsonl", b"1", if_absent=True)
    mirror.save()
    assert (tmp_path / "feedback" / "one.jsonl").read_bytes() == b"1"


class Flaky(S3Store):
    """A bucket that does not answer while it is down."""

    down = False

    def get(self, key: str) -> StoredObject:
        if self.down:
            raise StorageUnavailableError("no answer for a test")
        return super().get(key)


@pytest.fixture
def flaky(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> Flaky:
    """The bucket, and a mirror that looks at it often."""
    monkeypatch.setattr(bucket, "MIRROR_SECONDS", 0.01)
    return Flaky(store.bucket)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_failure_is_said_once_and_what_came_meanwhile_is_written_after_it(
    flaky: Flaky, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []
    with FolderMirror(flaky, tmp_path).kept_up_to_date():
        flaky.down = True
        flaky.put("feedback/one.jsonl", b"1", if_absent=True)
        wait_until(lambda: bool(caplog.records))
        tries.append(len(caplog.records))
        time.sleep(0.1)
        tries.append(len(caplog.records))
        flaky.down = False
        wait_until((tmp_path / "feedback" / "one.jsonl").exists)
        wait_until(lambda: len(caplog.records) > 1)
    assert tries == [1, 1]
    said, over = (record.getMessage() for record in caplog.records)
    assert f"is not being written to {tmp_path}: StorageUnavailableError: no answer for a test; trying again" in said
    assert over == f"the bucket is being written to {tmp_path} again"


def test_a_failure_at_the_end_is_said_and_no_traceback(
    flaky: Flaky, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "MIRROR_SECONDS", 60.0)
    with FolderMirror(flaky, tmp_path).kept_up_to_date():
        flaky.put("feedback/one.jsonl", b"1", if_absent=True)
        flaky.down = True
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert caplog.records[0].getMessage().startswith(f"at the end the bucket could not be written to {tmp_path}: ")


def kept(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_files_outlive_a_bucket_that_is_gone_or_has_lost_what_it_held(store: S3Store, tmp_path: Path) -> None:
    before = {CURRENT, "feedback/one.jsonl"}
    for key in before:
        store.put(key, b"1", if_absent=True)
    mirror = FolderMirror(store, tmp_path)
    mirror.save()

    for key in before:
        store.delete(key)
    with pytest.raises(LostContentError, match="everything is gone"):
        mirror.save()
    assert kept(tmp_path) == before
    store.put("activity/new.json", b"2", if_absent=True)
    with pytest.raises(LostContentError, match=CURRENT):
        mirror.save()
    assert kept(tmp_path) == {*before, "activity/new.json"}

    store.delete("activity/new.json")
    boto3.client("s3").delete_bucket(Bucket=store.bucket)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        mirror.save()
    assert kept(tmp_path) == {*before, "activity/new.json"}


def test_a_pointer_that_comes_back_lets_go_of_what_was_erased(store: S3Store, tmp_path: Path) -> None:
    for key in (CURRENT, "feedback/one.jsonl"):
        store.put(key, b"1", if_absent=True)
    mirror = FolderMirror(store, tmp_path)
    mirror.save()
    store.delete(CURRENT)
    store.delete("feedback/one.jsonl")
    with pytest.raises(LostContentError):
        mirror.save()
    store.put(CURRENT, b"2", if_absent=True)
    mirror.save()
    assert kept(tmp_path) == {CURRENT}
    assert (tmp_path / CURRENT).read_bytes() == b"2"
