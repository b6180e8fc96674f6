"""Base data from files, from folders and from the Hub."""

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import pandas as pd
import pytest
from retrain.datasets import DatasetError, Row
from retrain.importer import HUB, read_hub, read_path

ROWS = [
    Row("A fine, “quoted” film", "positive"),
    Row("two\nlines; and a comma,", "negative"),
    Row("中文 🎉", "neutral"),
]


def jsonl(rows: Sequence[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write(path: Path, rows: Sequence[Row] = ROWS) -> Path:
    """Write rows in the form that the file's name says."""
    if ".csv" in path.suffixes:
        plain = path.with_name("plain")
        with plain.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["id", "label", "text"])
            table.writerows([number, row.label, row.text] for number, row in enumerate(rows))
        body = plain.read_bytes()
        plain.unlink()
    else:
        body = jsonl([{"text": row.text, "label": row.label, "id": 7} for row in rows])
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def problem(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        read_path(path)
    return caught.value.message


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.csv", "rows.csv.gz"])
def test_a_file_is_read_whatever_its_form(tmp_path: Path, name: str) -> None:
    assert read_path(write(tmp_path / name)) == ROWS


def test_a_folder_has_a_file_a_split(tmp_path: Path) -> None:
    for name in ("train.jsonl.gz", "dev.csv", "test.jsonl", "validation.csv.gz", "extra.jsonl"):
        write(tmp_path / name, [Row(f"from {name}", "positive")])
    (tmp_path / "README.md").write_text("not data")
    assert {row.text.removeprefix("from "): row.split for row in read_path(tmp_path)} == {
        "train.jsonl.gz": "train",
        "dev.csv": "dev",
        "test.jsonl": "test",
        "validation.csv.gz": "dev",
        "extra.jsonl": None,
    }


def test_a_single_file_declares_no_split(tmp_path: Path) -> None:
    assert {row.split for row in read_path(write(tmp_path / "test.jsonl"))} == {None}


def test_a_missing_path_and_a_folder_without_data_are_errors(tmp_path: Path) -> None:
    assert problem(tmp_path / "nowhere").endswith("no file or folder with .jsonl, .jsonl.gz, .csv, .csv.gz")
    (tmp_path / "README.md").write_text("not data")
    assert problem(tmp_path).endswith("no file or folder with .jsonl, .jsonl.gz, .csv, .csv.gz")


@pytest.mark.parametrize(
    "bad",
    [
        {"text": "no label"},
        {"label": "positive"},
        {"text": "", "label": "positive"},
        {"text": "  ", "label": "positive"},
        {"text": "a text", "label": ""},
        {"text": 7, "label": "positive"},
        {"text": "a number", "label": 1},
        {"text": None, "label": None},
        {"text": ["a list"], "label": "positive"},
        ["a text", "positive"],
        "a text",
        None,
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, bad: Any) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(jsonl([{"text": "a text", "label": "positive"}, bad, {"text": "b", "label": "positive"}]))
    assert problem(path) == 'rows.jsonl, row 2: "text" and "label" have to be non-empty strings'


@pytest.mark.parametrize("line", [b"{", b"", b'{"text":"\\ud800","label":"positive"}', b"[" * 100_000])
def test_a_line_that_is_no_json_or_no_unicode_is_named_too(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(jsonl([{"text": "a text", "label": "positive"}]) + line + b"\n")
    assert problem(path) == 'rows.jsonl, row 2: "text" and "label" have to be non-empty strings'


def test_a_bad_row_of_a_table_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\na text,positive\nanother\n", encoding="utf-8")
    assert problem(path) == 'rows.csv, row 2: "text" and "label" have to be non-empty strings'
    path.write_text("sentence,label\na text,positive\n", encoding="utf-8")
    assert problem(path) == 'rows.csv, row 1: "text" and "label" have to be non-empty strings'


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("rows.jsonl", "{'text': 'café'}".encode("latin-1")),
        ("rows.csv", b"text,label\ncaf\xe9,positive\n"),
        ("rows.csv", b'text,label\n"' + b"x" * 200_000 + b'",positive\n'),
        ("rows.jsonl.gz", b"not gzip"),
        ("rows.jsonl.gz", gzip.compress(jsonl([{"text": "a", "label": "b"}]))[:-9]),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, body: bytes) -> None:
    (tmp_path / name).write_bytes(body)
    assert problem(tmp_path / name).startswith(f"{name}, after row ")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for whatever is asked of the Hub."""
    asked = []

    def download(repository: str, *, repo_type: str, allow_patterns: str) -> str:
        asked.append((repository, repo_type, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return tmp_path


def parquet(path: Path, text_column: str, rows: list[tuple[str, int]]) -> None:
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=pd.Index([text_column, "label"])).to_parquet(path)


def test_sst2_comes_from_the_hub_without_its_hidden_labels(hub: Path) -> None:
    parquet(hub / "data" / "train-00000-of-00001.parquet", "sentence", [("fine ", 1), ("poor", 0)])
    parquet(hub / "data" / "validation-00000-of-00001.parquet", "sentence", [("so fine", 1)])
    parquet(hub / "data" / "test-00000-of-00001.parquet", "sentence", [("hidden", -1)])
    assert read_hub("sst2") == [
        Row("fine ", "positive", "train"),
        Row("poor", "negative", "train"),
        Row("so fine", "positive", "dev"),
    ]


def test_sst3_comes_from_the_hub_with_five_labels_made_three(hub: Path) -> None:
    rows = [{"text": f"text {label}", "label": label, "label_text": "…"} for label in range(5)]
    (hub / "dev.jsonl").write_bytes(jsonl(rows))
    assert [row.label for row in read_hub("sst3")] == ["negative", "negative", "neutral", "positive", "positive"]
    assert {row.split for row in read_hub("sst3")} == {"dev"}


@pytest.mark.parametrize(("name", "folder"), [("tweeteval", "sentiment"), ("imdb", "plain_text")])
def test_other_data_sets_come_from_the_hub_with_their_splits(hub: Path, name: str, folder: str) -> None:
    for split in ("train", "test"):
        parquet(hub / folder / f"{split}-00000-of-00001.parquet", "text", [(f"{split} text", 0)])
    assert read_hub(name) == [Row("test text", "negative", "test"), Row("train text", "negative", "train")]


def test_the_unlabelled_part_of_imdb_is_not_looked_at(hub: Path) -> None:
    parquet(hub / "plain_text" / "train-00000-of-00001.parquet", "text", [("a film", 1)])
    (hub / "plain_text" / "unsupervised-00000-of-00001.parquet").write_bytes(b"not even a table")
    assert read_hub("imdb") == [Row("a film", "positive", "train")]


def test_a_hub_that_does_not_answer_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DatasetError, match=r"did not deliver stanfordnlp/sst2: ConnectionError") as caught:
        read_hub("sst2")
    assert "FROM=" in caught.value.hint


def test_an_unknown_name_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(DatasetError, match="mnist is none of sst2, sst3, tweeteval, imdb"):
        read_hub("mnist")


@pytest.mark.parametrize("name", HUB)
def test_every_known_data_set_states_its_licence_and_its_labels(name: str) -> None:
    assert HUB[name].licence
    assert set(HUB[name].labels.values()) <= {"negative", "neutral", "positive"}
