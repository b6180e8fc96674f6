"""Records as lines: what is written can be read, and what cannot be read says why."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.errors import RecordError
from sentiloop.records import MAX_LINE_BYTES, SOURCES, Correction, Sample, timestamp, to_json, to_lines

from tests.builders import make_correction

SAMPLE = Sample(
    id="sm-1",
    received_at="2026-03-01T00:00:00.000Z",
    text="a text",
    label="positive",
    confidence=0.6,
    probabilities={"negative": 0.4, "positive": 0.6},
    model_version="v1",
    reason="low confidence",
)
LINE: dict[str, Any] = json.loads(make_correction().to_line())
VALID_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def line_with(**changes: Any) -> bytes:
    return json.dumps({**LINE, **changes}).encode()


def reason(line: bytes) -> str:
    with pytest.raises(RecordError) as caught:
        Correction.from_line(line)
    return caught.value.message


@given(
    text=VALID_TEXT,
    confidence=st.none() | st.floats(0, 1),
    comment=st.none() | NAMES,
    source=st.sampled_from(SOURCES),
    extra=st.dictionaries(st.sampled_from(["reviewed", "language", "extra", "é"]), JSON, max_size=3),
)
def test_a_correction_is_read_as_it_was_written(**fields: Any) -> None:
    correction = make_correction(**fields)
    line = correction.to_line()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert Correction.from_line(line) == correction
    assert Correction.from_line(line).to_line() == line


def test_a_sample_is_read_as_it_was_written() -> None:
    assert Sample.from_line(SAMPLE.to_line()) == SAMPLE


def test_a_record_names_its_schema() -> None:
    assert json.loads(make_correction().to_line())["schema"] == "correction/1"
    assert json.loads(SAMPLE.to_line())["schema"] == "sample/1"


def test_a_field_without_value_is_left_out() -> None:
    assert "comment" not in json.loads(make_correction().to_line())


def test_unknown_fields_are_kept() -> None:
    read = Correction.from_line(line_with(reviewed=True, tags=["a", {"b": 1}]))
    assert read.extra == {"reviewed": True, "tags": ["a", {"b": 1}]}
    assert json.loads(read.to_line())["tags"] == ["a", {"b": 1}]


def test_lines_follow_each_other() -> None:
    body = to_lines([make_correction(1), make_correction(2)])
    assert [Correction.from_line(line).id for line in body.splitlines()] == [
        make_correction(1).id,
        make_correction(2).id,
    ]


def test_equal_values_have_equal_bytes() -> None:
    assert to_json({"b": 1, "a": "é"}) == to_json({"a": "é", "b": 1}) == '{"a":"é","b":1}'.encode()


def test_what_is_not_json_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": math.inf})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", "not a line of UTF-8 JSON"),
        (b"{", "not a line of UTF-8 JSON"),
        (b"\xff\xfe\xfa", "not a line of UTF-8 JSON"),
        (b"[" * 100_000, "not a line of UTF-8 JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "schema is 'None', not 'correction/1'"),
        (SAMPLE.to_line(), "schema is 'sample/1', not 'correction/1'"),
        (b" " * MAX_LINE_BYTES + b"{}", f"line longer than {MAX_LINE_BYTES} bytes"),
    ],
)
def test_what_is_no_correction_says_so(line: bytes, expected: str) -> None:
    assert reason(line) == expected


def test_a_schema_of_any_length_makes_a_short_reason() -> None:
    assert len(reason(line_with(schema="x" * 10_000))) < 100


@pytest.mark.parametrize("name", ["id", "received_at", "text", "correct_label", "contributor", "source"])
def test_a_missing_field_is_named(name: str) -> None:
    line = json.dumps({key: value for key, value in LINE.items() if key != name}).encode()
    assert reason(line).startswith("missing fields: ")
    assert name in reason(line)


@pytest.mark.parametrize("name", ["id", "received_at", "text", "correct_label", "contributor", "source"])
@pytest.mark.parametrize("value", [None, "", " \n", 1, True, [], {}, ["a"]])
def test_a_required_field_is_a_string_that_says_something(name: str, value: Any) -> None:
    assert reason(line_with(**{name: value})) == f"{name} is no non-empty string"


@pytest.mark.parametrize("name", ["predicted_label", "model_version", "prediction_id", "comment", "request_digest"])
@pytest.mark.parametrize("value", [1, True, [], {}])
def test_an_optional_field_is_a_string(name: str, value: Any) -> None:
    assert reason(line_with(**{name: value})) == f"{name} is no string"


@pytest.mark.parametrize("name", ["id", "text", "correct_label", "contributor", "comment", "predicted_label"])
def test_half_a_surrogate_pair_is_refused(name: str) -> None:
    assert reason(line_with(**{name: "a\ud800b"})) == f"{name} holds an unpaired surrogate"


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, 10**400, True, "0.5", []])
def test_a_confidence_is_a_share(value: Any) -> None:
    assert reason(line_with(confidence=value)) == "confidence is no number between 0 and 1"


def test_a_source_is_one_of_the_known_ones() -> None:
    assert reason(line_with(source="bot")) == "source is none of user, reviewer, llm, rule"


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01T00:00:00.000Z", "2026-03-01T25:00:00.000Z"])
def test_a_time_is_a_time(value: str) -> None:
    assert reason(line_with(received_at=value)) == "received_at is no ISO 8601 time"


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01",
        "2026-03-01T00:00:00",
        "2026-03-01T00:00:00Z",
        "2026-03-01T00:00:00.000+00:00",
        "2026-03-01T02:00:00.000+02:00",
        "20260301T000000.000Z",
        "2026-W09-7T00:00:00.000Z",
        "2026-03-01 00:00:00.000Z",
        "0001-01-01T00:00:00.000+23:00",
    ],
)
def test_a_time_is_written_in_the_one_way_that_sorts_and_starts_with_its_day(value: str) -> None:
    assert reason(line_with(received_at=value)).startswith("received_at is not in UTC and written like")


@pytest.mark.parametrize(
    "value", [b"NaN", b"Infinity", b"1e999", b'"\\ud800"', b'{"a":["\\udfff"]}', b'{"\\ud800":1}', b"[[-Infinity]]"]
)
def test_an_unknown_field_that_could_not_be_written_again_is_refused(value: bytes) -> None:
    line = make_correction().to_line().strip()[:-1] + b',"unknown":' + value + b"}"
    assert reason(line) == "an unknown field holds a number that is not finite, or an unpaired surrogate"


@pytest.mark.parametrize("depth", [30, 300])
def test_unknown_fields_may_not_be_nested_without_end(depth: int) -> None:
    line = make_correction().to_line().strip()[:-1] + b',"unknown":' + b"[" * depth + b"]" * depth + b"}"
    assert reason(line) == "unknown fields are nested more than 20 levels deep"


@given(st.binary(max_size=100))
def test_any_bytes_are_a_record_error_and_nothing_else(line: bytes) -> None:
    with pytest.raises(RecordError):
        Correction.from_line(line)


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*LINE, "comment", "confidence", "other", "extra"]), HOSTILE, max_size=4))
def test_whatever_is_accepted_can_be_written_and_read_again(changes: dict[str, Any]) -> None:
    try:
        correction = Correction.from_line(line_with(**changes))
    except RecordError:
        return
    assert Correction.from_line(correction.to_line()) == correction


@given(st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1)), st.integers(-14, 14))
def test_a_moment_is_written_in_utc_with_milliseconds(moment: datetime, hours: int) -> None:
    written = timestamp(moment.replace(tzinfo=timezone(timedelta(hours=hours))))
    assert len(written) == len("2026-01-31T08:00:00.000Z")
    assert written.endswith("Z")
    assert timestamp(datetime.fromisoformat(written)) == written
    make_correction(received_at=written).check()


def test_times_sort_as_text() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    moments = [start + timedelta(milliseconds=500 * step) for step in range(5)]
    assert sorted(map(timestamp, moments)) == [timestamp(moment) for moment in moments]
