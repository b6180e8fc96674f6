"""Base data sets in the bucket, and the seed corpus."""

import gzip
import json
from collections import Counter

import pytest
from retrain.datasets import BASE, DatasetError, Row, read_dataset, read_datasets, seed_rows, store_dataset, store_seed
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore

from tests.builders import LABELS
from tests.faults.faulty_store import CrashError, Fault, FaultyStore

ROWS = [Row("good", "positive", "train"), Row("bad\u2028bad", "negative", "test"), Row("it's 5 o'clock", "neutral")]


def put(store: ObjectStore, name: str = "films", rows: list[Row] | None = None) -> dict[str, object]:
    return store_dataset(store, name, ROWS if rows is None else rows, source="a friend", licence="CC0")


def test_stored_rows_are_read_as_they_were(store: S3Store) -> None:
    put(store)
    found = read_dataset(store, "films")
    assert list(found.rows) == ROWS
    assert found.name == "films"


def test_the_manifest_says_what_it_is_and_where_it_comes_from(store: S3Store) -> None:
    about = put(store)
    assert json.loads(store.get(f"{BASE}films/manifest.json").body) == about
    assert about == {
        "name": "films",
        "source": "a friend",
        "licence": "CC0",
        "digest": read_dataset(store, "films").digest,
        "rows": 3,
        "labels": {"positive": 1, "negative": 1, "neutral": 1},
        "splits": {"train": 1, "test": 1, "by hash": 1},
        "file": "rows.jsonl.gz",
    }


def test_storing_the_same_rows_again_changes_nothing(store: S3Store) -> None:
    first = put(store)
    before = {key: store.get(key).etag for key in store.keys(BASE)}
    assert put(store) == first
    assert {key: store.get(key).etag for key in store.keys(BASE)} == before


def test_the_digest_is_of_the_rows_and_not_of_their_name(store: S3Store) -> None:
    same, other = put(store, "same"), put(store, "other", ROWS[:2])
    assert put(store)["digest"] == same["digest"] != other["digest"]


def test_a_name_that_is_taken_by_other_rows_is_refused(store: S3Store) -> None:
    put(store)
    with pytest.raises(DatasetError, match="films exists with other rows"):
        put(store, rows=ROWS[:1])
    assert list(read_dataset(store, "films").rows) == ROWS


def test_no_rows_are_no_data_set(store: S3Store) -> None:
    with pytest.raises(DatasetError, match="films has no rows"):
        put(store, rows=[])
    assert list(store.keys("")) == []


@pytest.mark.parametrize("write", [1, 2])
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.RETRY_REFUSED])
def test_an_import_that_was_cut_short_is_finished_by_importing_again(write: int, fault: Fault, store: S3Store) -> None:
    faulty = FaultyStore(store, {write: fault})
    if fault is Fault.RETRY_REFUSED:
        put(faulty)
    else:
        with pytest.raises(CrashError):
            put(faulty)
        put(store)
    assert [dataset.name for dataset in read_datasets(store)] == ["films"]
    assert read_dataset(store, "films").about["licence"] == "CC0"


def test_an_import_without_its_manifest_is_not_used(store: S3Store) -> None:
    with pytest.raises(CrashError):
        put(FaultyStore(store, {2: Fault.CRASH_BEFORE}))
    assert read_datasets(store) == []


def test_rows_that_are_not_those_of_the_manifest_are_refused(store: S3Store) -> None:
    put(store)
    store.put(f"{BASE}films/rows.jsonl.gz", gzip.compress(b'{"text":"evil","label":"positive"}\n'))
    with pytest.raises(DatasetError, match=r"films/rows.* is not what the manifest describes"):
        read_datasets(store)


@pytest.mark.parametrize("file", ["rows.jsonl.gz", "manifest.json"])
@pytest.mark.parametrize(
    "body", [b"", b"no gzip and no JSON", gzip.compress(b"x" * 99)[:-9], gzip.compress(b'{"a":1}')]
)
def test_a_broken_object_is_named_with_what_to_do(file: str, body: bytes, store: S3Store) -> None:
    put(store)
    store.put(f"{BASE}films/{file}", body)
    with pytest.raises(DatasetError, match=f"{BASE}films/{file} is ") as caught:
        read_datasets(store)
    assert "import the set again" in caught.value.hint.lower()


def test_rows_that_broke_are_imported_again_once_they_are_deleted(store: S3Store) -> None:
    put(store)
    store.put(f"{BASE}films/rows.jsonl.gz", b"no gzip")
    with pytest.raises(DatasetError, match="is broken"):
        put(store)
    store.delete(f"{BASE}films/rows.jsonl.gz")
    put(store)
    assert list(read_dataset(store, "films").rows) == ROWS


def test_data_sets_come_by_name(store: S3Store) -> None:
    for name in ("b", "a", "c"):
        put(store, name)
    assert [dataset.name for dataset in read_datasets(store)] == ["a", "b", "c"]


def test_the_seed_corpus_is_stored_whole(store: S3Store) -> None:
    store_seed(store)
    [seed] = read_datasets(store)
    assert list(seed.rows) == seed_rows()
    assert seed.about["licence"] == "Apache-2.0"


def test_the_seed_corpus_is_large_enough_and_balanced() -> None:
    counts = Counter(row.label for row in seed_rows())
    assert set(counts) == set(LABELS)
    assert sum(counts.values()) >= 1_500
    assert max(counts.values()) <= 1.2 * min(counts.values())
