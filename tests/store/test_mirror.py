"""The folder that keeps the local bucket forgets what the bucket forgets."""

from pathlib import Path

from sentiloop.s3 import S3Store

from infra.local.bucket import FolderMirror


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
