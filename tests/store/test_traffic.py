"""What texts the service is asked about: samples drawn once for a snapshot and stored with it."""

from collections.abc import Iterator

import pytest
from retrain.merge import merge_corrections
from retrain.snapshot import Snapshot, make_snapshot
from retrain.traffic import draw_samples
from sentiloop.records import Correction, Sample, to_lines

from tests.builders import LABELS, make_correction, make_sample
from tests.faults.memory_store import MemoryStore

MOST = 100


def snapshot_of(*corrections: Correction) -> Snapshot:
    return make_snapshot([], corrections, merge_corrections(corrections, LABELS, 100, 100))


def put(store: MemoryStore, *samples: Sample, name: str = "some", broken: bytes = b"") -> None:
    """Store samples as instances do, an object for each day."""
    for day in {sample.received_at[:10] for sample in samples}:
        lines = to_lines(sample for sample in samples if sample.received_at[:10] == day)
        store.put(f"samples/dt={day}/{name}.jsonl", broken + lines, if_absent=True)


def texts(store: MemoryStore, snapshot: Snapshot, most: int = MOST) -> set[str]:
    return set(draw_samples(store, snapshot, most)["text"])


@pytest.fixture
def snapshot() -> Snapshot:
    """A snapshot whose newest correction came on the second of March, at noon."""
    return snapshot_of(
        make_correction(1, text="corrected"),
        make_correction(2, text="newest", received_at="2026-03-02T12:00:00.000Z"),
    )


def test_samples_come_with_their_reason(snapshot: Snapshot) -> None:
    store = MemoryStore()
    put(store, make_sample(1, text="One  text"), make_sample(2, text="two", reason="random"))
    drawn = draw_samples(store, snapshot, MOST).sort_values("key")
    assert drawn.to_dict("list") == {
        "key": ["one text", "two"],
        "text": ["One  text", "two"],
        "reason": ["low_confidence", "random"],
    }


def test_no_samples_are_a_table_without_rows(snapshot: Snapshot) -> None:
    drawn = draw_samples(MemoryStore(), snapshot, MOST)
    assert list(drawn.columns) == ["key", "text", "reason"]
    assert drawn.empty


def test_the_same_snapshot_has_the_same_samples_whatever_comes_or_goes(snapshot: Snapshot) -> None:
    store = MemoryStore()
    put(store, *(make_sample(number) for number in range(20)))
    first = draw_samples(store, snapshot, MOST)
    assert len(first) == 20
    put(store, *(make_sample(number) for number in range(20, 40)), name="more")
    assert draw_samples(store, snapshot, MOST).equals(first)
    for key in list(store.keys("samples/")):
        del store.objects[key]
    assert draw_samples(store, snapshot, MOST).equals(first)


def test_what_another_run_has_drawn_counts(snapshot: Snapshot) -> None:
    """Two runs at once draw from what they see; the first to store decides for both."""

    class Overtaken(MemoryStore):
        overtaken = False

        def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
            if not self.overtaken:
                self.overtaken = True
                draw_samples(self, snapshot, MOST)
                put(self, make_sample(2, text="too late"), name="late")
            return super().keys(prefix, after=after)

    store = Overtaken()
    put(store, make_sample(1, text="in time"))
    assert texts(store, snapshot) == {"in time"}


def test_another_snapshot_draws_anew(snapshot: Snapshot) -> None:
    store = MemoryStore()
    put(store, make_sample(1, text="one"))
    assert texts(store, snapshot) == {"one"}
    put(store, make_sample(2, text="two"), name="more")
    later = snapshot_of(*snapshot.corrections, make_correction(3, received_at="2026-03-02T13:00:00.000Z"))
    assert texts(store, later) == {"one", "two"}


def test_texts_that_were_corrected_are_left_out_however_they_are_written(snapshot: Snapshot) -> None:
    store = MemoryStore()
    put(store, make_sample(1, text="  CORRECTED "), make_sample(2, text="other"))
    assert texts(store, snapshot) == {"other"}


def test_a_text_that_is_asked_about_often_is_drawn_once(snapshot: Snapshot) -> None:
    store = MemoryStore()
    put(store, *(make_sample(number, text=text) for number, text in enumerate(("same", "Same", "same ", "other"))))
    assert len(draw_samples(store, snapshot, MOST)) == 2


def test_broken_lines_are_skipped(snapshot: Snapshot) -> None:
    store = MemoryStore()
    put(store, make_sample(1, text="good"), broken=b'{\n[]\n\xff\n{"schema": "sample/1"}\n')
    store.put("samples/dt=2026-03-01/broken.jsonl", b"\x00", if_absent=True)
    assert texts(store, snapshot) == {"good"}


def test_nothing_is_drawn_from_after_the_newest_correction_nor_from_long_before(snapshot: Snapshot) -> None:
    """So a run that is repeated a day later has nothing else to draw from."""
    store = MemoryStore()
    moments = {
        "at noon": "2026-03-02T12:00:00.000Z",
        "a moment later": "2026-03-02T12:00:00.001Z",
        "a day later": "2026-03-03T00:00:00.000Z",
        "four weeks before": "2026-02-02T12:00:00.000Z",
        "two months before": "2026-01-02T12:00:00.000Z",
    }
    put(store, *(make_sample(n, text=text, received_at=at) for n, (text, at) in enumerate(moments.items())))
    assert texts(store, snapshot) == {"at noon", "four weeks before"}


def test_without_corrections_nothing_is_drawn() -> None:
    store = MemoryStore()
    put(store, make_sample(1))
    assert texts(store, snapshot_of()) == set()


def test_the_newest_days_come_first_and_no_more_than_asked_for(snapshot: Snapshot) -> None:
    store = MemoryStore()
    days = [f"2026-03-{2 if number < 3 else 1:02d}T08:00:00.000Z" for number in range(40)]
    put(store, *(make_sample(number, received_at=day) for number, day in enumerate(days)))
    drawn = texts(store, snapshot, most=10)
    assert len(drawn) == 10
    assert {"text number 0", "text number 1", "text number 2"} <= drawn


def test_the_order_tells_nothing_of_time_so_that_any_number_of_them_is_a_fair_draw(snapshot: Snapshot) -> None:
    store = MemoryStore()
    put(store, *(make_sample(number) for number in range(30)))
    order = draw_samples(store, snapshot, MOST)["text"].tolist()
    assert order != sorted(order)
    shuffled = MemoryStore()
    put(shuffled, *(make_sample(number) for number in reversed(range(30))))
    assert draw_samples(shuffled, snapshot, MOST)["text"].tolist() == order


def test_the_time_before_which_there_is_none_is_no_trouble() -> None:
    store = MemoryStore()
    early = snapshot_of(make_correction(1, received_at="0001-01-01T00:00:00.000Z"))
    assert texts(store, early) == set()
