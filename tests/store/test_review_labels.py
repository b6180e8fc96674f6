"""Labels since the served version: counted from the answers in the bucket, whatever lies there, in bounded work."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import artefact, pointer, registry, review_labels
from sentiloop.errors import StorageUnavailableError
from sentiloop.records import timestamp, to_lines
from sentiloop.review import Action, Entry, Label, Review
from sentiloop.review_labels import Given, ReviewLabels, last_entries
from sentiloop.review_samples import DAYS
from sentiloop.settings import Secret, Settings
from sentiloop.storage import ObjectStore

from tests.builders import LABELS, make_model, make_sample
from tests.faults.faulty_store import down
from tests.faults.memory_store import MemoryStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class CountingStore(MemoryStore):
    """Counts what of the answers is read and listed."""

    reads = 0
    listed = 0

    def get(self, key: str):  # type: ignore[no-untyped-def]
        self.reads += key.startswith("reviews/")
        return super().get(key)

    def keys(self, prefix: str, *, after: str = ""):  # type: ignore[no-untyped-def]
        for key in super().keys(prefix, after=after):
            self.listed += prefix.startswith("reviews/")
            yield key


def serve(store: ObjectStore, version: str = "v1", newest: str | None = None) -> None:
    """Publish and promote a version that learned from corrections up to a moment, or from none."""
    feedback = {} if newest is None else {"newest": newest}
    built = make_model(version=version, data={"feedback": feedback})
    target = registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
    registry.promote(store, target, by="test", reason="for a test")


def put(store: ObjectStore, number: int, actions: Sequence[Action], at: datetime = NOW, day: datetime = NOW) -> None:
    """Store the history of a sample of a day, all of it at a moment."""
    for step, action in enumerate(actions, 1):
        label = Label("positive", "fb-1", "somebody") if action in {"accept", "correct"} else None
        key = f"reviews/dt={day:%Y-%m-%d}/pr-{number:04d}.pr-{number:04d}/{step:04d}.json"
        store.put(key, Entry(action, timestamp(at), "somebody", label).to_bytes(), if_absent=True)


def found(store: ObjectStore) -> Given | None:
    return ReviewLabels(store, lambda: NOW).since_champion()


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


def test_labels_count_and_skips_and_what_was_undone_do_not(memory: MemoryStore) -> None:
    serve(memory)
    histories: list[list[Action]] = [
        ["accept"],
        ["correct"],
        ["skip"],
        ["accept", "undo"],
        ["accept", "undo", "correct"],
        ["skip", "undo", "accept"],
        ["correct", "undo", "correct", "undo"],
    ]
    for number, actions in enumerate(histories):
        put(memory, number, actions)
    assert found(memory) == Given("v1", labels=4, corrected=2, is_complete=True)


def test_what_a_reviewer_answers_is_what_is_counted(memory: MemoryStore) -> None:
    serve(memory)
    samples = [make_sample(number) for number in range(3)]
    memory.put(f"samples/dt={NOW:%Y-%m-%d}/{samples[0].id}.jsonl", to_lines(samples), if_absent=True)
    review = Review(memory, Settings(contributor_key=Secret("any")), LABELS, lambda: NOW)
    first, second, third = (f"{NOW:%Y-%m-%d}.{samples[0].id}.{sample.id}" for sample in samples)
    review.answer(first, "accept")
    review.answer(second, "correct", "positive")
    review.answer(third, "skip")
    assert found(memory) == Given("v1", labels=2, corrected=1, is_complete=True)
    review.answer(second, "undo")
    assert found(memory) == Given("v1", labels=1, corrected=0, is_complete=True)


def test_only_what_the_served_version_has_not_learned_from_counts(memory: MemoryStore) -> None:
    serve(memory, newest=timestamp(NOW - HOUR))
    put(memory, 1, ["accept"], at=NOW - 2 * HOUR)
    put(memory, 2, ["accept"], at=NOW - HOUR)
    put(memory, 3, ["correct"], at=NOW)
    assert found(memory) == Given("v1", labels=1, corrected=1, is_complete=True)


def test_after_a_promotion_it_is_counted_anew_and_after_a_rollback_as_before(memory: MemoryStore) -> None:
    labels = ReviewLabels(memory, lambda: NOW)
    serve(memory, "v1")
    put(memory, 1, ["correct"], at=NOW - HOUR)
    assert labels.since_champion() == Given("v1", 1, 1, is_complete=True)
    serve(memory, "v2", newest=timestamp(NOW))
    assert labels.since_champion() == Given("v2", 0, 0, is_complete=True)
    registry.rollback(memory, by="test", reason="for a test")
    assert labels.since_champion() == Given("v1", 1, 1, is_complete=True)


def test_a_label_of_an_old_sample_counts_by_its_own_time(memory: MemoryStore) -> None:
    serve(memory, newest=timestamp(NOW - HOUR))
    put(memory, 1, ["accept"], at=NOW, day=NOW - timedelta(days=DAYS))
    assert found(memory) == Given("v1", labels=1, corrected=0, is_complete=True)


def test_of_a_ledger_that_goes_back_too_far_a_part_is_counted_and_said_to_be_one(memory: MemoryStore) -> None:
    serve(memory)
    put(memory, 1, ["accept"], day=NOW)
    put(memory, 2, ["accept"], day=NOW - 3 * timedelta(days=DAYS))
    assert found(memory) == Given("v1", labels=1, corrected=0, is_complete=False)


def test_of_many_answers_those_to_the_newest_samples_are_read_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_labels, "MOST_ANSWERS", 5)
    store = CountingStore()
    serve(store)
    for number in range(12):
        put(store, number, ["correct" if number < 4 else "accept"], day=NOW - timedelta(days=number))
    labels = ReviewLabels(store, lambda: NOW)
    assert labels.since_champion() == Given("v1", labels=5, corrected=4, is_complete=False)
    assert store.reads == 5
    assert labels.since_champion() == Given("v1", labels=5, corrected=4, is_complete=False)
    assert store.reads == 5


def test_of_a_day_with_endless_answers_a_part_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_labels, "MOST_KEYS", 10)
    store = CountingStore()
    serve(store)
    for number in range(100):
        put(store, number, ["accept"])
    assert ReviewLabels(store, lambda: NOW).since_champion() == Given("v1", 10, 0, is_complete=False)
    assert store.listed <= 12


def test_what_is_no_answer_is_passed_over(memory: MemoryStore) -> None:
    serve(memory)
    put(memory, 1, ["accept"])
    for number, body in enumerate((b"", b"{}", b"[]", b'{"entry": 1}', b'{"entry": {"label": null}}', b"\xff")):
        memory.put(f"reviews/dt={NOW:%Y-%m-%d}/broken.{number}/0001.json", body, if_absent=True)
    memory.put("reviews/of-no-day.json", b"{}", if_absent=True)
    assert found(memory) == Given("v1", labels=1, corrected=0, is_complete=True)


def test_without_answers_there_are_none(memory: MemoryStore) -> None:
    serve(memory)
    assert found(memory) == Given("v1", labels=0, corrected=0, is_complete=True)


@pytest.mark.parametrize("body", [None, b"no pointer"])
def test_without_a_served_version_nothing_is_counted(body: bytes | None, memory: MemoryStore) -> None:
    put(memory, 1, ["accept"])
    if body is not None:
        memory.put(pointer.CURRENT, body, if_absent=True)
    assert found(memory) is None


def test_a_served_version_whose_files_are_gone_counts_as_one_that_learned_from_nothing(memory: MemoryStore) -> None:
    serve(memory, newest=timestamp(NOW))
    put(memory, 1, ["accept"])
    del memory.objects[registry.version_key("v1", artefact.MANIFEST)]
    assert found(memory) == Given("v1", labels=1, corrected=0, is_complete=True)


def test_storage_that_does_not_answer_is_an_error(memory: MemoryStore) -> None:
    with pytest.raises(StorageUnavailableError):
        found(down())


@given(lengths=st.lists(st.integers(1, 4), max_size=6))
def test_of_each_decided_sample_the_last_entry_holds(lengths: list[int]) -> None:
    keys = [f"reviews/dt=2026-03-01/{n}/{step:04d}.json" for n, length in enumerate(lengths) for step in range(length)]
    kept = [f"reviews/dt=2026-03-01/{n}/{length - 1:04d}.json" for n, length in enumerate(lengths) if length % 2]
    assert list(last_entries(keys)) == kept
