"""Base data sets in the bucket: rows somebody labelled before there were any users."""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from sentiloop.errors import ObjectNotFoundError, SentiloopError
from sentiloop.records import to_json
from sentiloop.storage import ObjectStore, create

BASE = "datasets/base/"
ROWS, MANIFEST = "rows.jsonl.gz", "manifest.json"
SEED = "seed"
MEND = "Restore the object, or delete it and import the set again: what is there is never written over."


class DatasetError(SentiloopError):
    """Raise when base data cannot be read or may not be stored."""

    code = "bad_dataset"
    hint = 'Rows are JSON lines or CSV with the fields "text" and "label".'


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled text; `split` is train, dev or test as its source declares it, or None."""

    text: str
    label: str
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A base data set with what is known about it."""

    name: str
    digest: str
    rows: tuple[Row, ...]
    about: Mapping[str, Any]


def store_dataset(store: ObjectStore, name: str, rows: Iterable[Row], *, source: str, licence: str) -> dict[str, Any]:
    """Write a base data set and return its manifest; storing the same rows again changes nothing.

    Raises:
        DatasetError: there are no rows, or the name is taken by other rows, or by an object that broke.
    """
    kept = list(rows)
    if not kept:
        raise DatasetError(f"{name} has no rows")
    body = b"".join(to_json(_fields(row)) + b"\n" for row in kept)
    digest = sha256(body).hexdigest()
    manifest = {
        "name": name,
        "source": source,
        "licence": licence,
        "digest": digest,
        "rows": len(kept),
        "labels": dict(Counter(row.label for row in kept)),
        "splits": dict(Counter(row.split or "by hash" for row in kept)),
        "file": ROWS,
    }
    for file, content in ((ROWS, gzip.compress(body, mtime=0)), (MANIFEST, to_json(manifest))):
        written = create(store, f"{BASE}{name}/{file}", content)
        if not written and read_dataset(store, name).digest != digest:
            raise DatasetError(f"{name} exists with other rows", "Choose another name.")
    return manifest


def read_dataset(store: ObjectStore, name: str) -> Dataset:
    """Return a base data set; raise `DatasetError` if it cannot be read, or its rows are not those of its manifest."""
    about, key = _read_manifest(store, name), f"{BASE}{name}/{ROWS}"
    try:
        body = gzip.decompress(store.get(key).body)
        rows = tuple(Row(**json.loads(line)) for line in body.splitlines())
    except (ObjectNotFoundError, OSError, EOFError, zlib.error, ValueError, TypeError) as error:
        raise _broken(key) from error
    digest = sha256(body).hexdigest()
    if about.setdefault("digest", digest) != digest:
        raise DatasetError(f"{key} is not what the manifest describes", MEND)
    return Dataset(name, digest, rows, about)


def _read_manifest(store: ObjectStore, name: str) -> dict[str, Any]:
    key = f"{BASE}{name}/{MANIFEST}"
    try:
        return dict(json.loads(store.get(key).body))
    except ObjectNotFoundError:  # an import was cut short before its manifest: finish by importing again
        return {"name": name}
    except (ValueError, TypeError) as error:
        raise _broken(key) from error


def _broken(key: str) -> DatasetError:
    return DatasetError(f"{key} is broken or gone", MEND)


def read_datasets(store: ObjectStore) -> list[Dataset]:
    """Return all complete base data sets, by name."""
    suffix = f"/{MANIFEST}"
    names = [key.removeprefix(BASE).removesuffix(suffix) for key in store.keys(BASE) if key.endswith(suffix)]
    return [read_dataset(store, name) for name in sorted(names)]


def seed_rows() -> list[Row]:
    """Return the seed corpus that is part of this package."""
    folder = files("retrain") / "seed"
    lines = (line for path in sorted(folder.iterdir(), key=str) for line in path.read_text("utf-8").splitlines())
    return [Row(**json.loads(line)) for line in lines]


def store_seed(store: ObjectStore) -> None:
    """Put the seed corpus into a bucket that has none; an older edition stays, since models learned from it."""
    if any(store.keys(f"{BASE}{SEED}/{MANIFEST}")):
        return
    store_dataset(store, SEED, seed_rows(), source="written for Sentiloop", licence="Apache-2.0")


def _fields(row: Row) -> dict[str, str]:
    fields = {"text": row.text, "label": row.label}
    return fields | {"split": row.split} if row.split else fields
