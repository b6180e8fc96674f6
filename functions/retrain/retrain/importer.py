"""Reading base data: from the Hugging Face Hub by name, from a folder with a file a split, or from one file."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from retrain.datasets import DatasetError, Row

LONGEST_FIELD = 131_072  # characters in a table; a longer one is a quote that never ends
SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
_TWO = {0: "negative", 1: "positive"}
_THREE = {0: "negative", 1: "neutral", 2: "positive"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPLITS = {"train": "train", "validation": "dev", "dev": "dev", "test": "test"}


@dataclass(frozen=True, slots=True)
class HubSource:
    """Where a data set lies on the Hub, and what its columns mean."""

    repository: str
    files: str
    labels: Mapping[int, str]
    licence: str
    text: str = "text"


HUB = {
    "sst2": HubSource("stanfordnlp/sst2", "data/*.parquet", _TWO, "none stated; cite Socher 2013", "sentence"),
    "sst3": HubSource(
        "SetFit/sst5",
        "*.jsonl",
        {0: "negative", 1: "negative", 2: "neutral", 3: "positive", 4: "positive"},
        "none stated; cite Socher 2013",
    ),
    "tweeteval": HubSource("cardiffnlp/tweet_eval", "sentiment/*.parquet", _THREE, "CC BY 3.0 and Twitter's terms"),
    "imdb": HubSource("stanfordnlp/imdb", "plain_text/t*.parquet", _TWO, "none stated; cite Maas 2011"),
}


def read_path(path: Path) -> list[Row]:
    """Return the rows of a file, or of a folder whose files are named after splits (train, dev, test).

    Raises:
        DatasetError: there is no such path, no readable file, or a row lacks a text or a label; it says where.
    """
    if path.is_file():
        return list(_read_file(path, None))
    files = sorted(file for file in path.glob("*") if file.name.endswith(SUFFIXES))
    if not files:
        raise DatasetError(f"{path}: no file or folder with {', '.join(SUFFIXES)}")
    return [row for file in files for row in _read_file(file, _SPLITS.get(file.name.partition(".")[0]))]


def read_hub(name: str) -> list[Row]:
    """Return the rows of a data set on the Hub; needs requirements/data.txt and a network.

    Raises:
        DatasetError: the name is not one of `HUB`, or the Hub cannot be reached.
    """
    if name not in HUB:
        raise DatasetError(f"{name} is none of {', '.join(HUB)}", "Give a file or a folder: make data NAME=… FROM=…")
    import pandas as pd  # noqa: PLC0415
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - not part of what runs on Lambda

    source = HUB[name]
    try:
        folder = Path(snapshot_download(source.repository, repo_type="dataset", allow_patterns=source.files))
    except Exception as error:
        message = f"the Hub did not deliver {source.repository}: {type(error).__name__}"
        raise DatasetError(message, "Check the network, or use a local copy: make data NAME=… FROM=…") from error
    rows = []
    for file in sorted(folder.glob(source.files)):
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_json(file, lines=True)
        split = _SPLITS[file.name.partition("-")[0].partition(".")[0]]
        labelled = table[table["label"].isin(list(source.labels))]  # hidden test labels are -1
        texts, labels = labelled[source.text], labelled["label"]
        rows += [Row(str(text), source.labels[label], split) for text, label in zip(texts, labels, strict=True)]
    return rows


def _read_file(path: Path, split: str | None) -> Iterator[Row]:
    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as lines:
            csv.field_size_limit(LONGEST_FIELD)  # one limit for the whole process, so say it where it matters
            records: Iterable[Any] = csv.DictReader(lines) if ".csv" in path.suffixes else map(_parse, lines)
            for number, record in enumerate(records, 1):
                fields = record if isinstance(record, dict) else {}
                text, label = fields.get("text"), fields.get("label")
                if not _is_said(text) or not _is_said(label):
                    raise DatasetError(f'{path.name}, row {number}: "text" and "label" have to be non-empty strings')
                yield Row(text, label, split)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path.name}, after row {number}: not readable: {error}") from error


def _is_said(value: Any) -> TypeGuard[str]:
    """Return whether the value is a string with something in it that UTF-8 can hold."""
    return isinstance(value, str) and bool(value.strip()) and not _SURROGATE.search(value)


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
