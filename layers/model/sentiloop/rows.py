"""Rows of JSON Lines or CSV, scored a block at a time: bytes in, bytes out, no files and no processes.

A block is a run of whole rows. What becomes of a row depends on the row, the layout and the model alone, so that an
input may be cut between any two rows and its blocks be scored anywhere and in any order. No HTTP function loads it.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, NoReturn

from sentiloop.bulk import BulkScorer
from sentiloop.errors import InvalidRequestError, MalformedRequestError, SentiloopError
from sentiloop.texts import check_text

Format = Literal["jsonl", "csv", "tsv"]
DELIMITERS = {"csv": ",", "tsv": "\t"}
MAX_ROW_BYTES = 16 * 2**20  # a row has to fit in memory several times over
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"  # as a file's first character: the byte order mark
_AROUND_LINES = " \t\r" + BOM  # files put together may have a mark at the start of any line
_UNDECODABLE = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of bytes that are not UTF-8


class LayoutError(SentiloopError):
    """Raise when the input as a whole is not what the layout says, so that scoring it has to stop."""

    code = "bad_layout"
    hint = "Look at the input, and at the options that describe it."


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows are written, and which names are whose.

    Attributes:
        format: JSON Lines, or CSV with commas or tabs.
        text_column: the field that holds the text.
        prefix: what every added name starts with.
        header: a CSV's column names; empty for JSON Lines.
    """

    format: Format
    text_column: str = "text"
    prefix: str = ""
    header: tuple[str, ...] = ()


class Tally(NamedTuple):
    """How many rows there were, and how many of them got an error instead of a prediction."""

    rows: int
    errors: int


def added_names(layout: Layout, labels: Sequence[str]) -> list[str]:
    """Return the names that scoring adds to a row, in their order."""
    probabilities = ["probabilities"] if layout.format == "jsonl" else [f"probability_{label}" for label in labels]
    names = ["predicted_label", "confidence", *probabilities, "model_version", "error"]
    return [layout.prefix + name for name in names]


def with_header(layout: Layout, record: bytes, labels: Sequence[str]) -> tuple[Layout, bytes]:
    """Read a CSV's first record.

    Returns:
        The layout with its column names, and the header of the output.

    Raises:
        LayoutError: the text column is missing or named twice, or an added name is taken.
    """
    content = _decode(record).removeprefix(BOM)
    names: list[str] = next(parse_csv(io.StringIO(content, newline=""), layout), [])
    if names.count(layout.text_column) != 1:
        found = "more than one column" if layout.text_column in names else "no column"
        columns = ", ".join(names) or "none"
        message = f"the header names {found} {layout.text_column!r}"
        raise LayoutError(message, f"Choose the one that holds the text by --text-column; the columns are: {columns}.")
    added = added_names(layout, labels)
    _refuse_taken(added, names)
    return replace(layout, header=tuple(names)), _csv_bytes([[*names, *added]], layout)


def parse_csv(lines: Iterable[str], layout: Layout) -> "Iterator[list[str]]":
    """Return the records of lines that keep their line ends; whoever cuts a CSV into blocks reads it by this too."""
    csv.field_size_limit(MAX_ROW_BYTES)  # the csv module's own, one for the whole process, is 128 KiB
    return csv.reader(lines, delimiter=DELIMITERS[layout.format])


def score_block(scorer: BulkScorer, layout: Layout, block: bytes) -> tuple[bytes, Tally]:
    """Add a prediction to every row of a block, or an error to one that cannot be scored; blank lines are left out.

    Args:
        scorer: remembers words from block to block, which changes no result.
        layout: how the rows are written.
        block: whole rows without the header.

    Raises:
        LayoutError: a row has a field by one of the added names.
    """
    score = _score_jsonl if layout.format == "jsonl" else _score_csv
    content = _decode(block)
    return score(scorer, layout, content, content.isascii() or not _UNDECODABLE.search(content))


def _score_jsonl(scorer: BulkScorer, layout: Layout, content: str, sound: bool) -> tuple[bytes, Tally]:
    """Splice new members in before each object's closing brace; what stands before it is never written anew."""
    added = added_names(layout, scorer.model.labels)
    taken = frozenset(added)
    output: list[str] = []
    texts: list[str] = []
    places: list[int] = []  # of the texts' rows in the output
    for line in content.split("\n"):
        row = line.strip(_AROUND_LINES)
        if not row:
            continue
        fields = _parse_object(row)
        if fields is None:
            error = MalformedRequestError("not a JSON object", "Write one JSON object a line.")
            output.append(f'{{"line": {json.dumps(row)}, {_error_member(added[-1], error)}}}\n')
            continue
        if not taken.isdisjoint(fields):
            _refuse_taken(added, fields)
        try:
            texts.append(_text(layout, fields.get(layout.text_column), sound or not _UNDECODABLE.search(row)))
        except InvalidRequestError as error:
            output.append(f"{row[:-1]}{', ' if fields else ''}{_error_member(added[-1], error)}}}\n")
        else:
            places.append(len(output))
            output.append(row[:-1])
    tails = _json_tails(scorer, added)
    for place, (label, probabilities) in zip(places, _predictions(scorer, texts), strict=True):
        output[place] += tails[label] % (probabilities[label], *probabilities)
    return _encode("".join(output)), Tally(len(output), len(output) - len(texts))


def _json_tails(scorer: BulkScorer, added: Sequence[str]) -> list[str]:
    """Return for each label what a row ends with, with a `%.6f` for the confidence and for each probability."""
    label_name, confidence, probabilities, version, _ = (_json_literal(name) for name in added)
    labels = [_json_literal(label) for label in scorer.model.labels]
    shares = ", ".join(f"{label}: %.6f" for label in labels)
    end = f"{confidence}: %.6f, {probabilities}: {{{shares}}}, {version}: {_json_literal(scorer.model.version)}}}\n"
    return [f", {label_name}: {label}, {end}" for label in labels]


def _json_literal(text: str) -> str:
    return json.dumps(text).replace("%", "%%")


def _error_member(name: str, error: SentiloopError) -> str:
    described = {"code": error.code, "message": error.message, "hint": error.hint}
    return f"{json.dumps(name)}: {json.dumps(described)}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")  # Python's parser would take NaN and Infinity


_raw_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode


def _parse_object(row: str) -> dict[str, Any] | None:
    try:
        fields, end = _raw_decode(row)
    except (ValueError, RecursionError):
        return None
    return fields if end == len(row) and isinstance(fields, dict) else None


def _score_csv(scorer: BulkScorer, layout: Layout, content: str, sound: bool) -> tuple[bytes, Tally]:
    """Append columns to the header's; fields that a row has beyond the header stay, behind the appended ones."""
    width = len(layout.header)
    text_at = layout.header.index(layout.text_column)
    blanks = [""] * (len(added_names(layout, scorer.model.labels)) - 1)
    output: list[list[str]] = []
    texts: list[str] = []
    places: list[int] = []
    for record in parse_csv(io.StringIO(content, newline=""), layout):
        if not record:
            continue
        try:
            if len(record) != width:
                raise InvalidRequestError(
                    f"{len(record)} fields where the header has {width}",
                    "Quote fields that hold a delimiter, a quote or a line break.",
                )
            texts.append(_text(layout, record[text_at], sound or not any(map(_UNDECODABLE.search, record))))
        except InvalidRequestError as error:
            padded = record[:width] + [""] * (width - len(record))
            output.append([*padded, *blanks, f"{error.message}. {error.hint}", *record[width:]])
        else:
            places.append(len(output))
            output.append(record)
    labels, version = scorer.model.labels, scorer.model.version
    for place, (label, probabilities) in zip(places, _predictions(scorer, texts), strict=True):
        shares = [f"{probability:.6f}" for probability in probabilities]
        output[place] += [labels[label], shares[label], *shares, version, ""]
    return _csv_bytes(output, layout), Tally(len(output), len(output) - len(texts))


class _Written(list[str]):
    """Collects what a CSV writer writes, a record an item."""

    write = list.append


def _csv_bytes(records: Iterable[Sequence[str]], layout: Layout) -> bytes:
    """Write records with plain line ends. The writer has to know both characters of the other one, to quote them."""
    written = _Written()
    csv.writer(written, delimiter=DELIMITERS[layout.format], lineterminator="\r\n").writerows(records)
    return _encode("".join(record[:-2] + "\n" for record in written))


def _predictions(scorer: BulkScorer, texts: Sequence[str]) -> Iterator[tuple[int, list[float]]]:
    """Yield each text's label by its number, and the probabilities of all labels."""
    probabilities = scorer.probabilities(texts)
    return zip(probabilities.argmax(axis=1).tolist(), probabilities.tolist(), strict=True)


def _text(layout: Layout, value: object, sound: bool) -> str:
    """Return a row's text; raise `InvalidRequestError` if it is unfit, or if the row is not sound UTF-8."""
    if not isinstance(value, str):
        raise InvalidRequestError(
            f"{layout.text_column}: is missing or no string", "--text-column names the field that holds the text."
        )
    if not sound:
        raise InvalidRequestError("not valid UTF-8", "Convert the input to UTF-8.")
    return check_text(layout.text_column, value, sys.maxsize)


def _refuse_taken(added: Sequence[str], names: Iterable[str]) -> None:
    for name in names:
        if name in added:
            raise LayoutError(
                f"the input has a field {name!r} already", "Set the added ones apart by a prefix: --prefix p_"
            )


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
