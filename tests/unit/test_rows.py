"""Scoring rows: every row keeps its place and its own fields, whatever it holds and wherever the input is cut."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.bulk import BulkScorer
from sentiloop.rows import MAX_ROW_BYTES, Layout, LayoutError, added_names, score_block, with_header

from tests.builders import LABELS, TEXTS, VERSION, make_model

SCORER = BulkScorer(make_model().model)
JSONL = Layout("jsonl")
ADDED = added_names(JSONL, LABELS)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5)
OBJECTS = st.dictionaries(TEXTS.filter(lambda name: name not in ADDED), VALUES, max_size=4)
JSON_ROWS = OBJECTS | st.builds(lambda fields, text: {**fields, "text": text}, OBJECTS, TEXTS)
JSON_LINES = st.one_of(
    JSON_ROWS.map(json.dumps).map(str.encode),
    JSON_ROWS.map(lambda row: json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")),  # may be no UTF-8
    st.sampled_from([b"", b"  \r", b"[]", b"no json", b'{"text": NaN}', b'{"text": "good"} {}', b"\xff"]),
    st.sampled_from([b' {"text": "good"}\t\r', b'\xef\xbb\xbf{"text": "bad"}', b'{"text": "good", "x": "\xff"}']),
)
FIELDS = TEXTS.map(lambda text: text.encode("utf-8", "ignore").decode()) | st.text(",\"'\r\n\t x", max_size=8)
RECORDS = st.lists(st.lists(FIELDS, min_size=1, max_size=5), max_size=6)


def scored(line: bytes, layout: Layout = JSONL) -> Any:
    """Return one JSON line's row after scoring."""
    return json.loads(score_block(SCORER, layout, line)[0])


def prediction(text: str) -> tuple[str, list[str]]:
    """Return the label and the probabilities of a text, written as in a row."""
    (probabilities,) = SCORER.probabilities([text]).tolist()
    return LABELS[probabilities.index(max(probabilities))], [f"{share:.6f}" for share in probabilities]


def can_be_scored(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip()) and not any("\ud800" <= char <= "\udfff" for char in text)


def csv_bytes(records: list[list[str]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(records)
    return written.getvalue().encode("utf-8", "surrogateescape")


def csv_records(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))


def csv_layout(*header: str) -> Layout:
    return with_header(Layout("csv"), csv_bytes([list(header)]), LABELS)[0]


@given(JSON_ROWS)
def test_a_json_row_keeps_its_bytes_and_gains_a_prediction_or_an_error(row: dict[str, Any]) -> None:
    line = json.dumps(row).encode()
    output, tally = score_block(SCORER, JSONL, line)
    assert output.startswith(line[:-1])
    assert output.endswith(b"}\n")
    found = json.loads(output)
    assert {name: found[name] for name in row} == row
    if not can_be_scored(row.get("text")):
        assert tally == (1, 1)
        assert found.keys() - row.keys() == {"error"}
        assert set(found["error"]) == {"code", "message", "hint"}
        return
    label, shares = prediction(row["text"])
    probabilities = dict(zip(LABELS, map(float, shares), strict=True))
    assert tally == (1, 0)
    assert {name: found[name] for name in found if name not in row} == {
        "predicted_label": label,
        "confidence": max(probabilities.values()),
        "probabilities": probabilities,
        "model_version": VERSION,
    }


@given(st.lists(JSON_LINES, max_size=8))
def test_it_makes_no_difference_where_lines_are_cut_into_blocks(lines: list[bytes]) -> None:
    whole, tally = score_block(SCORER, JSONL, b"".join(line + b"\n" for line in lines))
    alone = [score_block(SCORER, JSONL, line) for line in lines]
    assert whole == b"".join(output for output, _ in alone)
    assert tally == (sum(rows for _, (rows, _) in alone), sum(errors for _, (_, errors) in alone))
    assert tally.rows == whole.count(b"\n") == sum(bool(line.strip()) for line in lines)


@pytest.mark.parametrize(
    "line", ["[1]", "good", '"text"', '{"text": "a"', '{"text": "a"} {}', '{"a": NaN}', "[" * 100_000]
)
def test_a_line_that_is_no_object_is_kept_beside_its_error(line: str) -> None:
    row = scored(line.encode())
    assert row["line"] == line
    assert row["error"]["message"] == "not a JSON object"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{}", "text: is missing or no string"),
        (b'{"text": 1}', "text: is missing or no string"),
        (b'{"text": " "}', "text: is empty"),
        (b'{"text": "\\ud800"}', "text: holds an unpaired surrogate"),
    ],
)
def test_an_error_says_what_is_wrong_with_a_row(line: bytes, message: str) -> None:
    assert scored(line)["error"]["message"] == message


@pytest.mark.parametrize("line", [b'{"text": "g\xff"}', b'{"x": "\xed\xa0\x80", "text": "good"}', b"\xff"])
def test_bytes_that_are_no_utf8_are_an_error_and_are_kept(line: bytes) -> None:
    output, tally = score_block(SCORER, JSONL, b'{"text": "gut \xc3\xbc"}\n' + line)
    first, second = output.splitlines()
    assert tally == (2, 1)
    assert b'"predicted_label"' in first
    assert second.startswith(line[:-1] or b'{"line": "\\udcff"')


def test_a_very_long_text_is_scored() -> None:
    assert "error" not in scored(json.dumps({"text": "good " * 20_000}).encode())


def test_marks_and_line_ends_around_a_line_are_left_out() -> None:
    output, _ = score_block(SCORER, JSONL, b'\xef\xbb\xbf{"text": "good"}\r\n\r\n')
    assert output == score_block(SCORER, JSONL, b'{"text": "good"}')[0]


@pytest.mark.parametrize("name", ADDED)
def test_a_name_that_is_taken_stops_everything_and_a_prefix_helps(name: str) -> None:
    line = json.dumps({"text": "good", name: 1}).encode()
    with pytest.raises(LayoutError, match=f"'{name}'") as caught:
        score_block(SCORER, JSONL, line)
    assert "--prefix" in caught.value.hint
    row = scored(line, Layout("jsonl", prefix="p_"))
    assert row[name] == 1
    assert set(row) == {"text", name, "p_predicted_label", "p_confidence", "p_probabilities", "p_model_version"}


def test_the_text_may_have_another_name() -> None:
    row = scored(b'{"text": 1, "body": "good"}', Layout("jsonl", "body"))
    assert row["predicted_label"] == prediction("good")[0]


def test_labels_are_written_as_json_whatever_they_are() -> None:
    labels = ('100%s "sure"', "ünsure")
    scorer = BulkScorer(make_model(labels).model)
    row = json.loads(score_block(scorer, JSONL, b'{"text": "good"}')[0])
    assert tuple(row["probabilities"]) == labels
    assert row["predicted_label"] in labels


@given(RECORDS)
def test_a_csv_row_keeps_its_fields_and_gains_a_prediction_or_an_error(records: list[list[str]]) -> None:
    records = csv_records(csv_bytes(records))  # a record of one empty field is a blank line
    output, tally = score_block(SCORER, csv_layout("text", "id", "note"), csv_bytes(records))
    found = csv_records(output)
    assert (tally.rows, tally.errors) == (len(found), sum(bool(row[9]) for row in found))
    assert len(found) == len(records)
    for record, row in zip(records, found, strict=True):
        assert row[:3] == [*record, "", ""][:3]
        assert row[10:] == record[3:]
        if len(record) == 3 and can_be_scored(record[0]):
            label, shares = prediction(record[0])
            assert row[3:10] == [label, max(shares), *shares, VERSION, ""]
        else:
            assert row[3:9] == [""] * 6
            assert row[9]


@given(RECORDS)
def test_it_makes_no_difference_where_records_are_cut_into_blocks(records: list[list[str]]) -> None:
    layout = csv_layout("text", "id", "note")
    whole, _ = score_block(SCORER, layout, csv_bytes(records))
    assert whole == b"".join(score_block(SCORER, layout, csv_bytes([record]))[0] for record in records)


def test_the_header_gains_the_added_names() -> None:
    layout, header = with_header(Layout("csv", "body", "p_"), b'\xef\xbb\xbf"body",text\r\n', LABELS)
    assert layout == Layout("csv", "body", "p_", ("body", "text"))
    assert header == (
        b"body,text,p_predicted_label,p_confidence,p_probability_negative,p_probability_neutral,"
        b"p_probability_positive,p_model_version,p_error\n"
    )


@pytest.mark.parametrize(
    ("header", "message", "hint"),
    [
        (b"", "no column 'text'", "none"),
        (b"id,body\n", "no column 'text'", "id, body"),
        (b"text,text\n", "more than one column 'text'", "text, text"),
        (b"text,probability_neutral\n", "'probability_neutral'", "--prefix"),
    ],
)
def test_a_header_that_does_not_do_is_refused(header: bytes, message: str, hint: str) -> None:
    with pytest.raises(LayoutError, match=message) as caught:
        with_header(Layout("csv"), header, LABELS)
    assert hint in caught.value.hint


def test_rows_of_another_length_than_the_header_are_errors() -> None:
    output, tally = score_block(SCORER, csv_layout("id", "text"), b"1\n2,good,more,still\n3,good\n")
    few, many, right = csv_records(output)
    assert tally == (3, 2)
    assert few[:2] == ["1", ""]
    assert few[8].startswith("1 fields where the header has 2. ")
    assert many[:2] == ["2", "good"]
    assert many[8].startswith("4 fields where the header has 2. ")
    assert many[9:] == ["more", "still"]
    assert right[2] == prediction("good")[0]


def test_bytes_of_a_csv_that_are_no_utf8_are_an_error_and_are_kept() -> None:
    output, tally = score_block(SCORER, csv_layout("id", "text"), b"\xff,good\n2,good\n")
    assert tally == (2, 1)
    assert output.startswith(b"\xff,good,,,,,,,not valid UTF-8. ")


def test_a_csv_field_may_be_as_long_as_a_row() -> None:
    output, tally = score_block(SCORER, csv_layout("text"), b"good " * 100_000)
    assert tally == (1, 0)
    assert len(output) > 500_000
    assert csv.field_size_limit() == MAX_ROW_BYTES


def test_tabs_may_separate_fields() -> None:
    layout, header = with_header(Layout("tsv"), b"id\ttext\n", LABELS)
    output, _ = score_block(SCORER, layout, b"1\tgood, or so\n")
    assert header.startswith(b"id\ttext\tpredicted_label\t")
    assert output.startswith(b"1\tgood, or so\t")
