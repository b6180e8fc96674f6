"""What runs remember of the feedback, and how much a quick look finds that they have not read."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

from retrain.collect import collect
from retrain.memory import RECORDS, Memory, count_stored, recall, remember
from retrain.segments import append
from sentiloop.receipts import correction_key
from sentiloop.records import now

from tests.builders import make_correction
from tests.faults.memory_store import MemoryStore

TODAY, LONG_AGO = f"{now():%Y-%m-%d}", f"{now() - timedelta(days=30):%Y-%m-%d}"


def put(store: MemoryStore, day: str, *numbers: int) -> None:
    for number in numbers:
        store.put(f"feedback/dt={day}/{number}.jsonl", make_correction(number).to_line(), if_absent=True)


def test_a_bucket_without_records_remembers_nothing() -> None:
    assert recall(MemoryStore()) == Memory()


def test_the_newest_record_counts() -> None:
    store = MemoryStore()
    first = remember(store, Memory(), append(store, [], [make_correction(1)]), [])
    second = remember(store, first, append(store, first.parts, [make_correction(2)]), [])
    assert (first.generation, second.generation) == (1, 2)
    assert recall(store) == second
    assert second.keys() == {correction_key(make_correction(number).id) for number in (1, 2)}


def test_a_record_of_somebody_else_stands_and_ends_recording() -> None:
    store = MemoryStore()
    ours = append(store, [], [make_correction(1)])
    remember(store, Memory(), append(store, [], [make_correction(2)]), [])
    late = remember(store, Memory(), ours, [])
    assert (late.generation, late.parts) == (0, ours)
    remember(store, late, ours, [])
    assert [entry.id for part in recall(store).parts for entry in part.corrections()] == [make_correction(2).id]
    assert len(list(store.keys(RECORDS))) == 1


def test_an_id_that_is_none_of_ours_leads_to_no_key() -> None:
    store = MemoryStore()
    assert remember(store, Memory(), append(store, [], [make_correction(1, id="mine")]), []).keys() == set()


def test_a_quick_look_counts_what_is_known_and_what_came_since() -> None:
    store = MemoryStore()
    assert count_stored(store) == 0
    put(store, TODAY, 1, 2)
    put(store, LONG_AGO, 3)
    assert count_stored(store) == 3
    collect(store, None)
    assert count_stored(store) == 3
    put(store, TODAY, 4)
    put(store, f"{now() + timedelta(days=400):%Y-%m-%d}", 5)
    assert count_stored(store) == 5
    collect(store, None)
    assert count_stored(store) == 5


def test_an_object_counts_as_one_correction_until_it_is_read() -> None:
    store = MemoryStore()
    body = b"".join(make_correction(number).to_line() for number in range(5))
    store.put(f"feedback/dt={TODAY}/many.jsonl", body, if_absent=True)
    store.put(f"feedback/dt={TODAY}/broken.jsonl", b"{", if_absent=True)
    assert count_stored(store) == 2
    collect(store, None)
    assert count_stored(store) == 5


def test_a_quick_look_lists_the_last_days_only_and_a_run_all() -> None:
    class Watched(MemoryStore):
        asked: ClassVar[list[tuple[str, str]]] = []

        def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
            self.asked.append((prefix, after))
            return super().keys(prefix, after=after)

    store = Watched()
    put(store, TODAY, 1)
    put(store, LONG_AGO, 2)
    collect(store, None)
    store.asked.clear()
    put(store, LONG_AGO, 3)
    assert count_stored(store) == 2, "too late for a quick look"
    [after] = [after for prefix, after in store.asked if prefix == "feedback/"]
    assert after == f"feedback/dt={now() - timedelta(days=2):%Y-%m-%d}/"
    assert len(collect(store, None).corrections) == 3
