"""The model artefact: a manifest in JSON and a table of small integers. Nothing in it can execute.

`weights.bin` holds one row a feature bucket, little-endian and row by row: the weight of one occurrence for each label,
then the occurrence's value, whose squares add up to the length norm. All are integers; `manifest["scales"]` holds the
factor of each column. Sums of integers are exact in any order, which is why the scorer and its vectorised twin agree.

Behind the table stands, in 64-bit integers, what each of `manifest["frequent_words"]` brings by itself: the sums of the
rows of its buckets, with the value squared. They follow from the table, and save an instance that has just started
most of its work.
"""

import json
import math
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from sentiloop import features
from sentiloop.errors import ArtefactError
from sentiloop.features import MAX_WIDTH
from sentiloop.records import to_json

MANIFEST = "manifest.json"
WEIGHTS = "weights.bin"
FORMAT = 1
KIND = "hashed-linear"  # an encoder would be another kind behind the same `load`
MAX_LABELS = 32
MAX_FREQUENT_WORDS = 10_000
MAX_SUM = 2**40  # far above what a word of bounded length can bring
SUM_BYTES = 8  # the squares of 16-bit values outgrow four
MAX_WEIGHTS_BYTES = 64 * 2**20
MAX_MAGNITUDE = 1e30  # of scales, their inverses and intercepts: no text can make a logit of them overflow
_ITEM_TYPES: dict[str, Literal["b", "h"]] = {"int8": "b", "int16": "h"}


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model.

    Attributes:
        version: its name in the registry.
        labels: K label names.
        width: number of feature buckets, a power of two.
        table: width x (K + 1) integers, row by row.
        frequent_words: the number of each word whose sums are known.
        frequent_sums: K + 1 integers for each of them, row by row.
        scales: K + 1 factors that turn the table's columns into real numbers.
        bias: K intercepts.
        low_confidence: the threshold below which a prediction counts as doubtful.
        manifest: the whole manifest.
    """

    version: str
    labels: tuple[str, ...]
    width: int
    table: "memoryview[int]"
    frequent_words: Mapping[str, int]
    frequent_sums: "memoryview[int]"
    scales: tuple[float, ...]
    bias: tuple[float, ...]
    low_confidence: float
    manifest: Mapping[str, Any]


def dump(manifest: Mapping[str, Any], weights: bytes, item_type: str) -> bytes:
    """Write the manifest of `weights`, completed with their digest and size.

    Args:
        manifest: version, labels, width, scales, bias, low_confidence, and whatever describes the model; frequent_words
            if `weights` has rows for such.
        weights: the table's bytes, and those of the frequent words' sums.
        item_type: "int8" or "int16".

    Returns:
        The manifest's bytes; `load` accepts them together with `weights`.
    """
    described = {"file": WEIGHTS, "item_type": item_type, "bytes": len(weights), "sha256": sha256(weights).hexdigest()}
    fixed = {"format": FORMAT, "kind": KIND, "features": features.VERSION, "weights": described}
    body = to_json({**manifest, **fixed})
    load(body, weights)
    return body


def weights_of(model: Model) -> bytes:
    """Return the bytes that the model was loaded from."""
    return model.table.tobytes() + model.frequent_sums.tobytes()


def check_sha256(name: str, body: bytes, expected: str) -> None:
    """Raise `ArtefactError` unless the bytes have the digest."""
    if sha256(body).hexdigest() != expected:
        raise ArtefactError("sha256", f"the bytes of {name} are not those that were published")


def load(manifest: bytes, weights: bytes) -> Model:
    """Check both files and return the model; its table is a view of `weights`, nothing is parsed per weight.

    Raises:
        ArtefactError: its `check` says what is wrong: manifest, format, kind, features, version, labels, width,
            frequent_words, weights, size, sha256, scales, bias or low_confidence.
    """
    fields = _parse(manifest)
    _check_generation(fields)
    version, labels, width = fields.get("version"), fields.get("labels"), fields.get("width")
    _require(isinstance(version, str) and 0 < len(version) <= 100, "version", "no name")  # noqa: PLR2004
    _check_labels(labels)
    _require(type(width) is int and 2 <= width <= MAX_WIDTH and width & (width - 1) == 0, "width", "no power of two")  # noqa: PLR2004
    columns = len(labels) + 1
    scales = _finite_numbers(fields, "scales", columns)
    _require(all(scale >= 1 / MAX_MAGNITUDE for scale in scales), "scales", "have to be positive, and not next to zero")
    low_confidence = fields.get("low_confidence")
    _require(_is_number(low_confidence) and 0 <= low_confidence <= 1, "low_confidence", "no share")
    words = fields.get("frequent_words", [])
    _check_frequent_words(words)
    table, sums = _views(fields.get("weights"), weights, width * columns, len(words) * columns)
    _check_sums(sums, columns)
    return Model(
        version=version,
        labels=tuple(labels),
        width=width,
        table=table,
        frequent_words={word: number for number, word in enumerate(words)},
        frequent_sums=sums,
        scales=scales,
        bias=_finite_numbers(fields, "bias", len(labels)),
        low_confidence=float(low_confidence),
        manifest=fields,
    )


def is_outdated(manifest: bytes) -> bool:
    """Return whether a manifest describes a model that other code than this wrote, and that this cannot serve."""
    try:
        _check_generation(_parse(manifest))
    except ArtefactError as error:
        return error.check in {"format", "kind", "features"}
    return False


def _check_generation(fields: Mapping[str, Any]) -> None:
    formats = type(fields.get("format")) is int and fields["format"] == FORMAT
    _require(formats, "format", f"this code reads format {FORMAT}")
    _require(fields.get("kind") == KIND, "kind", f"this code reads {KIND!r} models")
    _require(fields.get("features") == features.VERSION, "features", f"this code reads version {features.VERSION}")


def _parse(manifest: bytes) -> Any:
    try:
        fields = json.loads(manifest)
    except (ValueError, RecursionError) as error:
        raise ArtefactError("manifest", "not JSON") from error
    _require(isinstance(fields, dict), "manifest", "not a JSON object")
    return fields


def _check_labels(labels: Any) -> None:
    named = isinstance(labels, list) and all(isinstance(label, str) and 0 < len(label) <= 100 for label in labels)  # noqa: PLR2004
    _require(named and 2 <= len(labels) <= MAX_LABELS, "labels", f"have to be 2 to {MAX_LABELS} names")  # noqa: PLR2004
    _require(len(set(labels)) == len(labels), "labels", "a name occurs twice")


def _check_frequent_words(words: Any) -> None:
    _require(isinstance(words, list) and len(words) <= MAX_FREQUENT_WORDS, "frequent_words", "are no list, or too many")
    _require(all(isinstance(word, str) for word in words), "frequent_words", "are not all words")
    _require(len(set(words)) == len(words), "frequent_words", "a word occurs twice")


def _check_sums(sums: "memoryview[int]", columns: int) -> None:
    if sums:
        least, most = min(sums), max(sums)
        _require(max(-least, most) <= MAX_SUM, "frequent_words", "sums are beyond what rows add up to")
        _require(min(sums[columns - 1 :: columns]) >= 0, "frequent_words", "a sum of squares is negative")


def _views(described: Any, weights: bytes, items: int, sums: int) -> tuple["memoryview[int]", "memoryview[int]"]:
    """Return the table of so many items, and so many sums behind it."""
    _require(isinstance(described, dict), "weights", "are not described")
    _require(described.get("file") == WEIGHTS, "weights", f"the file has to be {WEIGHTS}")
    code = _ITEM_TYPES.get(str(described.get("item_type")))
    _require(code is not None, "weights", f"item_type is none of {', '.join(_ITEM_TYPES)}")
    assert code is not None  # noqa: S101 - for the type checker
    table_bytes = items * array(code).itemsize
    size = table_bytes + sums * SUM_BYTES
    _require(size <= MAX_WEIGHTS_BYTES, "size", f"more than {MAX_WEIGHTS_BYTES} bytes")
    _require(
        len(weights) == size == described.get("bytes"), "size", f"{len(weights)} bytes where the shape asks {size}"
    )
    check_sha256(WEIGHTS, weights, str(described.get("sha256")))
    whole = memoryview(weights)
    return _view(whole[:table_bytes], code), _view(whole[table_bytes:], "q")


def _view(data: memoryview, code: Literal["b", "h", "q"]) -> "memoryview[int]":
    if sys.byteorder == "big":
        swapped = array(code, data.tobytes())
        swapped.byteswap()
        data = memoryview(swapped.tobytes())
    return data.cast(code)


def _finite_numbers(fields: Mapping[str, Any], name: str, count: int) -> tuple[float, ...]:
    values = fields.get(name)
    _require(isinstance(values, list) and len(values) == count, name, f"have to be {count} numbers")
    assert isinstance(values, list)  # noqa: S101 - for the type checker
    usable = all(_is_number(value) and abs(value) <= MAX_MAGNITUDE for value in values)
    _require(usable, name, f"not all finite numbers within ±{MAX_MAGNITUDE}")
    return tuple(float(value) for value in values)


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def _require(holds: bool, check: str, message: str) -> None:
    if not holds:
        raise ArtefactError(check, message)
