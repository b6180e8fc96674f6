"""Documents that never change: each is read once as long as it is kept, and no more are kept than was said."""

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.documents import Documents, parse
from sentiloop.errors import RecordError, StorageUnavailableError
from sentiloop.records import to_json
from sentiloop.storage import StoredObject

from tests.faults.faulty_store import FaultyStore
from tests.faults.memory_store import MemoryStore

SECRET_TEXT = "a text that belongs to somebody"


class Counting(MemoryStore):
    """Counts the objects that are read."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.reads: list[str] = []

    def get(self, key: str) -> StoredObject:
        self.reads.append(key)
        return super().get(key)


def number_of(document: Mapping[str, Any]) -> int:
    return int(document["number"])


def numbered(count: int) -> dict[str, bytes]:
    return {f"n/{number}": to_json({"schema": "n/1", "number": number}) for number in range(count)}


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=8), st.integers(1, 6))
def test_what_is_told_is_the_same_however_much_is_kept(asked: list[list[int]], most: int) -> None:
    store = Counting(numbered(8))
    documents = Documents(store, "n/1", number_of, most)
    kept: list[int] = []
    for numbers in asked:
        store.reads.clear()
        assert documents.read([f"n/{number}" for number in numbers]) == [n if n < 8 else None for n in numbers]
        assert len(store.reads) == len(set(store.reads))
        assert {f"n/{number}" for number in set(numbers) - set(kept)} == set(store.reads)
        there = list(dict.fromkeys(number for number in numbers if number < 8))
        kept = [number for number in kept if number not in there]
        fresh = [number for number in there if f"n/{number}" in store.reads]
        kept = (kept + [number for number in there if number not in fresh] + fresh)[-most:]


def test_what_cannot_be_read_is_looked_at_again(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore(numbered(2) | {"n/1": to_json({"schema": "n/1", "number": SECRET_TEXT})})
    documents = Documents(store, "n/1", number_of, 9)
    with caplog.at_level(logging.WARNING):
        assert documents.read(["n/0", "n/1"]) == [0, None]
    assert "n/1 was passed over" in caplog.text
    assert SECRET_TEXT not in caplog.text
    store.put("n/1", to_json({"schema": "n/1", "number": 1}))
    assert documents.read(["n/0", "n/1"]) == [0, 1]


def test_storage_that_does_not_answer_is_no_torn_document() -> None:
    store = FaultyStore(MemoryStore(numbered(2)))
    store.reads_fail = True
    with pytest.raises(StorageUnavailableError):
        Documents(store, "n/1", number_of, 9).read(["n/0"])


def test_a_document_of_another_schema_is_refused_with_the_reason() -> None:
    with pytest.raises(RecordError, match="schema is 'n/2', not 'n/1'"):
        parse(b'{"schema":"n/2"}', "n/1")
