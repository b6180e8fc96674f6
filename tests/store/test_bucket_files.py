"""The store in a folder that benchmarks use keeps the port's promises, between processes too."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sentiloop.errors import ObjectNotFoundError, PreconditionFailedError

from tests.benchmarks.bucket_files import BucketFiles


@pytest.fixture
def bucket(tmp_path: Path) -> BucketFiles:
    return BucketFiles(tmp_path)


def test_what_was_put_is_got_and_a_plain_put_replaces(bucket: BucketFiles) -> None:
    bucket.put("a/b.json", b"old")
    etag = bucket.put("a/b.json", b"")
    found = bucket.get("a/b.json")
    assert (found.body, found.etag) == (b"", etag)
    assert bucket.get_if_changed("a/b.json", etag) is None
    assert bucket.get_if_changed("a/b.json", "") == found


def test_what_is_missing_is_not_found(bucket: BucketFiles) -> None:
    with pytest.raises(ObjectNotFoundError, match="a/b"):
        bucket.get("a/b")
    with pytest.raises(ObjectNotFoundError, match="a/b"):
        bucket.put("a/b", b"", if_match='"etag"')


def test_a_refused_write_changes_nothing(bucket: BucketFiles) -> None:
    old = bucket.put("key", b"old", if_absent=True)
    new = bucket.put("key", b"new", if_match=old)
    with pytest.raises(PreconditionFailedError):
        bucket.put("key", b"other", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        bucket.put("key", b"other", if_match=old)
    assert (bucket.get("key").body, bucket.get("key").etag) == (b"new", new)


def test_keys_come_in_the_order_of_their_characters_and_from_a_place_on(bucket: BucketFiles) -> None:
    for key in ("a/b/c", "a/b-c", "ab", "a.b/x", "a/a"):
        bucket.put(key, b"")
    assert list(bucket.keys("")) == ["a.b/x", "a/a", "a/b-c", "a/b/c", "ab"]
    assert list(bucket.keys("a/")) == ["a/a", "a/b-c", "a/b/c"]
    assert list(bucket.keys("a/b", after="a/b-c")) == ["a/b/c"]
    assert list(bucket.keys("none/")) == []


@pytest.mark.parametrize("condition", ["if_absent", "if_match"])
def test_of_many_writers_exactly_one_wins(tmp_path: Path, condition: str) -> None:
    etag = BucketFiles(tmp_path).put("key", b"first") if condition == "if_match" else None

    def write(number: int) -> int | None:
        store = BucketFiles(tmp_path)  # as another process has it: nothing is shared but the folder
        try:
            store.put("key", str(number).encode(), if_absent=etag is None, if_match=etag)
        except PreconditionFailedError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(write, range(50)) if number is not None]
    assert [str(number).encode() for number in winners] == [BucketFiles(tmp_path).get("key").body]
