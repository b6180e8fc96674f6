"""The records in the bucket: JSON Lines, UTF-8, each with its schema's name; unknown fields are kept."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from sentiloop.errors import RecordError

REVIEWER = "reviewer"  # the source that is trusted
SOURCES = ("user", REVIEWER, "llm", "rule")
BY_CHANCE = "random"  # why a sample was kept, if not because its confidence was low
DISAGREEMENT = "disagreement"  # or because two versions gave it different labels
MAX_LINE_BYTES = 1_048_576  # far above a longest text; a longer line is an accident or an attack
MAX_NESTING = 20  # levels inside an unknown field
_SURROGATE = re.compile("[\ud800-\udfff]")


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    schema: ClassVar[str]
    extra: dict[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """Write the record as one JSON line; a field that holds None is left out."""
        every = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "extra"}
        values = {name: value for name, value in every.items() if value is not None}
        return to_json({"schema": self.schema, **values, **self.extra}) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read one line.

        Raises:
            RecordError: with the reason, if the line is not a valid record of this schema.
        """
        values = _parse_object(line)
        if (schema := values.pop("schema", None)) != cls.schema:
            raise RecordError(f"schema is {str(schema)[:40]!r}, not {cls.schema!r}")
        names = {entry.name for entry in fields(cls)} - {"extra"}
        extra = {name: value for name, value in values.items() if name not in names}
        known = {name: value for name, value in values.items() if name in names}
        _check_extra(extra)
        try:
            record = cls(extra=extra, **known)
        except TypeError as error:
            raise RecordError(f"missing fields: {str(error).rpartition(': ')[2]}") from None
        record.check()
        return record

    def check(self) -> None:
        """Raise `RecordError` unless every field has its type and range."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction(_Record):
    """What somebody said about a text: the right label, which may confirm the predicted one."""

    schema: ClassVar[str] = "correction/1"
    id: str
    received_at: str
    text: str
    correct_label: str
    contributor: str
    source: str
    predicted_label: str | None = None
    confidence: float | None = None
    model_version: str | None = None
    prediction_id: str | None = None
    comment: str | None = None
    request_digest: str | None = None

    def check(self) -> None:
        """See `_Record.check`."""
        _check_strings(self, ("id", "received_at", "text", "correct_label", "contributor", "source"), required=True)
        _check_strings(
            self, ("predicted_label", "model_version", "prediction_id", "comment", "request_digest"), required=False
        )
        _check_share("confidence", self.confidence)
        if self.source not in SOURCES:
            raise RecordError(f"source is none of {', '.join(SOURCES)}")
        try:
            moment = datetime.fromisoformat(self.received_at)
        except ValueError:
            raise RecordError("received_at is no ISO 8601 time") from None
        if moment.tzinfo != UTC or timestamp(moment) != self.received_at:  # days and order are read off the text
            raise RecordError("received_at is not in UTC and written like 2026-01-31T08:00:00.000Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(_Record):
    """A served prediction that was kept: because its confidence was low, by chance, or because two versions disagree.

    During a trial `other` is what the version said that did not answer, if it gave another label: version, label,
    confidence and probabilities.
    """

    schema: ClassVar[str] = "sample/1"
    id: str
    received_at: str
    text: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    model_version: str
    reason: str
    other: dict[str, Any] | None = None

    def check(self) -> None:
        """See `_Record.check`."""
        _check_strings(self, ("id", "received_at", "text", "label", "model_version", "reason"), required=True)
        _check_share("confidence", self.confidence)


def to_json(value: Mapping[str, Any] | list[Any]) -> bytes:
    """Write compact JSON with sorted keys, so that equal values have equal bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def to_lines(records: Iterable[_Record]) -> bytes:
    """Write records one a line."""
    return b"".join(record.to_line() for record in records)


def _parse_object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise RecordError(f"line longer than {MAX_LINE_BYTES} bytes")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise RecordError("not a line of UTF-8 JSON") from None
    if not isinstance(values, dict):
        raise RecordError("not a JSON object")
    return values


def _check_extra(extra: dict[str, Any]) -> None:
    """Raise `RecordError` for unknown fields that could not be written again."""
    if not _nested_within(extra, MAX_NESTING):
        raise RecordError(f"unknown fields are nested more than {MAX_NESTING} levels deep")
    try:
        to_json(extra)
    except ValueError:
        raise RecordError("an unknown field holds a number that is not finite, or an unpaired surrogate") from None


def _nested_within(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels >= 0 and all(_nested_within(entry, levels - 1) for entry in inner)


def _check_strings(record: _Record, names: Iterable[str], *, required: bool) -> None:
    for name in names:
        value = getattr(record, name)
        if value is None and not required:
            continue
        if not isinstance(value, str) or (required and not value.strip()):
            raise RecordError(f"{name} is no {'non-empty ' if required else ''}string")
        if _SURROGATE.search(value):
            raise RecordError(f"{name} holds an unpaired surrogate")


def _check_share(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise RecordError(f"{name} is no number between 0 and 1")
