"""JSON objects that never change, read many at a time and kept; one that cannot be read is passed over.

A list of records is told though one of them is torn, foreign, or of a newer schema.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Generic, NoReturn, TypeVar

from sentiloop.errors import ObjectNotFoundError, RecordError
from sentiloop.records import to_json
from sentiloop.storage import ObjectStore

READERS = 8
MOST_BYTES = 4_194_304  # of an object; far above the largest record

log = logging.getLogger("sentiloop")
Told = TypeVar("Told")


class Documents(Generic[Told]):
    """Reads objects and keeps what was made of them, safe to use from several threads.

    Args:
        store: the bucket.
        schema: what a document has to say that it is, such as `run/1`.
        tell: makes what is kept of a document, and raises any error of Python's own if it has not the shape for it.
        most: of how many documents that is kept; those that were asked for longest ago go first.
    """

    def __init__(self, store: ObjectStore, schema: str, tell: Callable[[Mapping[str, Any]], Told], most: int) -> None:
        self._store = store
        self._schema = schema
        self._tell = tell
        self._most = most
        self._kept: dict[str, Told] = {}
        self._lock = Lock()

    def read(self, keys: Sequence[str]) -> list[Told | None]:
        """Return what each document tells, or None of one that is gone or cannot be read.

        Raises:
            StorageUnavailableError: storage does not answer.
        """
        with self._lock:
            told: dict[str, Told | None] = {key: self._kept[key] for key in keys if key in self._kept}
        missing = [key for key in dict.fromkeys(keys) if key not in told]
        if missing:
            with ThreadPoolExecutor(READERS) as pool:
                told |= zip(missing, pool.map(self._read, missing), strict=True)
        self._keep(told)
        return [told[key] for key in keys]

    def _keep(self, told: Mapping[str, Told | None]) -> None:
        with self._lock:
            for key, value in told.items():
                if value is not None:
                    self._kept.pop(key, None)
                    self._kept[key] = value
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def _read(self, key: str) -> Told | None:
        return read_document(self._store, key, self._schema, self._tell)


def read_document(store: ObjectStore, key: str, schema: str, tell: Callable[[Mapping[str, Any]], Told]) -> Told | None:
    """Return what a document tells, or None, which the log explains, of one that is gone or cannot be read.

    Args:
        store: the bucket.
        key: where it is.
        schema: what it has to say that it is.
        tell: makes the result of it, and raises any error of Python's own if it has not the shape for it.
    """
    try:
        return tell(parse(store.get(key).body, schema))
    except ObjectNotFoundError:  # deleted or expired since it was listed
        return None
    except RecordError as error:
        log.warning("%s was passed over: %s", key, error.message)
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # may quote anything: its words stay out
        log.warning("%s was passed over: it has not the shape of its schema (%s)", key, type(error).__name__)
    return None


def parse(body: bytes, schema: str) -> dict[str, Any]:
    """Return the document in an object.

    Raises:
        RecordError: with the reason, if it is no JSON object of that schema that can be written as JSON again.
    """
    if len(body) > MOST_BYTES:
        raise RecordError(f"more than {MOST_BYTES} bytes")
    try:
        document = json.loads(body, parse_float=_finite, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise RecordError("not JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise RecordError("not a JSON object")
    if (found := document.get("schema")) != schema:
        raise RecordError(f"schema is {str(found)[:40]!r}, not {schema!r}")
    try:
        to_json(document)
    except (ValueError, RecursionError):
        raise RecordError("it holds an unpaired surrogate") from None
    return document


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no number of JSON")
