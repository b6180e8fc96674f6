"""Base data sets in the bucket: rows somebody labelled before there were any users."""

import gzip
import json
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
SEED = "seed"


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
        DatasetError: there are no rows, or the name is taken by other rows.
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
        "file": "rows.jsonl.gz",
    }
    for file, content in (("rows.jsonl.gz", gzip.compress(body, mtime=0)), ("manifest.json", to_json(manifest))):
        written = create(store, f"{BASE}{name}/{file}", content)
        if not written and read_dataset(store, name).digest != digest:
            raise DatasetError(f"{name} exists with other rows", "Choose another name.")
    return manifest


def read_dataset(store: ObjectStore, name: str) -> Dataset:
    """Return a base data set; raise `DatasetError` if its rows are not those of its manifest."""
    try:
        about = json.loads(store.get(f"{BASE}{name}/manifest.json").body)
    except ObjectNotFoundError:  # an import was cut short before its manifest: finish by importing again
        about = {"name": name}
    body = gzip.decompress(store.get(f"{BASE}{name}/rows.jsonl.gz").body)
    digest = sha256(body).hexdigest()
    if about.setdefault("digest", digest) != digest:
        raise DatasetError(f"{name}: rows.jsonl.gz is not what the manifest describes", "Import it under another name.")
    return Dataset(name, digest, tuple(Row(**json.loads(line)) for line in body.splitlines()), about)


def read_datasets(store: ObjectStore) -> list[Dataset]:
    """Return all complete base data sets, by name."""
    suffix = "/manifest.json"
    names = [key.removeprefix(BASE).removesuffix(suffix) for key in store.keys(BASE) if key.endswith(suffix)]
    return [read_dataset(store, name) for name in sorted(names)]


def seed_rows() -> list[Row]:
    """Return the seed corpus that is part of this package."""
    folder = files("retrain") / "seed"
    lines = (line for path in sorted(folder.iterdir(), key=str) for line in path.read_text("utf-8").splitlines())
    return [Row(**json.loads(line)) for line in lines]


def store_seed(store: ObjectStore) -> None:
    """Put the seed corpus into a bucket that has none; an older edition stays, since models learned from it."""
    if any(store.keys(f"{BASE}{SEED}/manifest.json")):
        return
    store_dataset(store, SEED, seed_rows(), source="written for Sentiloop", licence="Apache-2.0")


def _fields(row: Row) -> dict[str, str]:
    fields = {"text": row.text, "label": row.label}
    return fields | {"split": row.split} if row.split else fields
