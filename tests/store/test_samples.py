"""When samples are written: at once after a pause, together while requests keep coming."""

import threading
from collections.abc import Iterator

import pytest
from predict.answering import Answers
from predict.samples import MOST_WAITING, Samples
from sentiloop.bundled import baseline
from sentiloop.records import Sample
from sentiloop.s3 import S3Store
from sentiloop.scoring import Scorer
from sentiloop.settings import Settings

from tests.faults.faulty_store import Fault, FaultyStore

SECONDS = 3_600.0
SCORER = Scorer(baseline())


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def samples(store: S3Store, clock: Clock) -> Iterator[Samples]:
    """Samples of everything."""
    made = Samples(store, Settings(sample_share=1.0, sample_seconds=SECONDS), clock)
    yield made
    made.write()  # stops the timer


def keep(samples: Samples, *texts: str) -> None:
    answers = Answers(SCORER.model, [SCORER.score(text) for text in texts], None)
    samples.keep([f"pr-{text}" for text in texts], texts, answers)


def stored(store: S3Store) -> list[list[str]]:
    """The texts of each object."""
    bodies = [store.get(key).body for key in store.keys("samples/")]
    return sorted([Sample.from_line(line).text for line in body.splitlines()] for body in bodies)


def test_the_first_sample_after_a_pause_is_written_at_once(samples: Samples, store: S3Store, clock: Clock) -> None:
    keep(samples, "a")
    assert stored(store) == [["a"]]
    clock.seconds += SECONDS
    keep(samples, "b")
    assert stored(store) == [["a"], ["b"]]


def test_what_comes_soon_after_a_write_is_written_together_with_the_next(
    samples: Samples, store: S3Store, clock: Clock
) -> None:
    keep(samples, "a")
    keep(samples, "b")
    keep(samples, "c", "d")
    assert stored(store) == [["a"]]
    clock.seconds += SECONDS
    keep(samples, "e")
    assert stored(store) == [["a"], ["b", "c", "d", "e"]]


def test_a_long_burst_does_not_wait_for_the_time_to_pass(samples: Samples, store: S3Store) -> None:
    keep(samples, "a")
    keep(samples, *(f"text {number}" for number in range(MOST_WAITING - 1)))
    assert stored(store) == [["a"]]
    keep(samples, "the last straw")
    assert [len(texts) for texts in stored(store)] == [1, MOST_WAITING]


def test_without_another_request_a_timer_writes(store: S3Store) -> None:
    written = threading.Event()

    class Watched(FaultyStore):
        def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
            etag = super().put(key, body, if_absent=if_absent, if_match=if_match)
            if len(self.writes) == 2:
                written.set()
            return etag

    samples = Samples(Watched(store), Settings(sample_share=1.0, sample_seconds=0.05), Clock())
    keep(samples, "a")
    keep(samples, "b")
    assert written.wait(30)
    assert stored(store) == [["a"], ["b"]]


def test_after_trouble_the_next_samples_are_written(store: S3Store, clock: Clock) -> None:
    samples = Samples(FaultyStore(store, {1: Fault.DOWN}), Settings(sample_share=1.0, sample_seconds=SECONDS), clock)
    keep(samples, "lost")
    clock.seconds += SECONDS
    keep(samples, "kept")
    assert stored(store) == [["kept"]]


def test_zero_seconds_write_with_every_request(store: S3Store) -> None:
    samples = Samples(store, Settings(sample_share=1.0, sample_seconds=0))
    for text in "abc":
        keep(samples, text)
    assert stored(store) == [["a"], ["b"], ["c"]]
