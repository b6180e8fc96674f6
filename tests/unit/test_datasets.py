"""Base data sets in the bucket."""

import gzip

import pytest
from retrain.datasets import BASE, DatasetError, Row, read_dataset, read_datasets, seed_rows, store_dataset, store_seed
from sentiloop.s3 import S3Store

ROWS = [Row("a good film", "positive", "train"), Row("a bad film", "negative", "dev"), Row("a film", "neutral")]


def save(store: S3Store, name: str = "films", rows: list[Row] = ROWS) -> dict[str, object]:
    return store_dataset(store, name, rows, source="here", licence="none")


def test_a_data_set_is_read_as_it_was_stored(store: S3Store) -> None:
    manifest = save(store)
    found = read_dataset(store, "films")
    assert found.rows == tuple(ROWS)
    assert found.digest == manifest["digest"]
    assert found.about == manifest
    assert manifest["labels"] == {"positive": 1, "negative": 1, "neutral": 1}
    assert manifest["splits"] == {"train": 1, "dev": 1, "by hash": 1}


def test_storing_the_same_rows_again_changes_nothing(store: S3Store) -> None:
    save(store)
    before = {key: store.get(key).etag for key in store.keys(BASE)}
    save(store)
    assert {key: store.get(key).etag for key in store.keys(BASE)} == before


def test_a_name_that_is_taken_by_other_rows_is_an_error(store: S3Store) -> None:
    save(store)
    with pytest.raises(DatasetError, match="films exists with other rows"):
        save(store, rows=ROWS[:2])
    assert read_dataset(store, "films").rows == tuple(ROWS)


def test_a_data_set_without_rows_is_an_error(store: S3Store) -> None:
    with pytest.raises(DatasetError, match="films has no rows"):
        save(store, rows=[])


def test_an_import_that_was_cut_short_is_not_seen_and_is_finished_by_the_next(store: S3Store) -> None:
    save(store)
    rows = store.get(f"{BASE}films/rows.jsonl.gz").body
    store.put(f"{BASE}cut/rows.jsonl.gz", rows)
    assert [data.name for data in read_datasets(store)] == ["films"]
    save(store, "cut")
    assert [data.name for data in read_datasets(store)] == ["cut", "films"]


def test_rows_that_are_not_those_of_the_manifest_are_an_error(store: S3Store) -> None:
    save(store)
    store.put(f"{BASE}films/rows.jsonl.gz", gzip.compress(b'{"text":"x","label":"positive"}\n'))
    with pytest.raises(DatasetError, match=r"rows\.jsonl\.gz is not what the manifest describes"):
        read_datasets(store)


def test_all_data_sets_come_by_name(store: S3Store) -> None:
    for name in ("b", "c", "a"):
        save(store, name)
    assert [data.name for data in read_datasets(store)] == ["a", "b", "c"]


def test_the_seed_corpus_can_be_stored(store: S3Store) -> None:
    store_seed(store)
    assert list(read_dataset(store, "seed").rows) == seed_rows()
