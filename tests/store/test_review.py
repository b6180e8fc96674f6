"""A reviewer's answers: stored once each as corrections, undone and replaced, whatever storage does meanwhile."""

import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from feedback.intake import Intake
from retrain.merge import merge_corrections
from sentiloop.errors import InvalidRequestError, SentiloopError, StorageUnavailableError
from sentiloop.receipts import correction_key
from sentiloop.records import Correction, Sample, timestamp, to_lines
from sentiloop.review import Action, Review, ReviewConflictError
from sentiloop.review_samples import DAYS, SampleNotFoundError
from sentiloop.s3 import S3Store
from sentiloop.settings import Secret, Settings
from sentiloop.storage import ObjectStore

from tests.builders import LABELS, make_sample
from tests.faults.faulty_store import LANDED, CrashError, Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

KEY = Secret("a key for tests")
SETTINGS = Settings(contributor_key=KEY)
LATE = datetime(2026, 3, 1, 23, 59, 59, 900_000, tzinfo=UTC)
DAY = "2026-03-01"


class Clock:
    """A moment that a test moves."""

    def __init__(self) -> None:
        self.moment = LATE

    def __call__(self) -> datetime:
        return self.moment


class CountingStore(MemoryStore):
    """Counts what is read."""

    reads = 0

    def get(self, key: str):  # type: ignore[no-untyped-def]
        self.reads += 1
        return super().get(key)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def review(memory: MemoryStore, clock: Clock) -> Review:
    return Review(memory, SETTINGS, LABELS, clock)


def keep(store: ObjectStore, *samples: Sample, day: str = DAY) -> str:
    """Store samples as predict does, in one object, and return the id of the first for a reviewer."""
    store.put(f"samples/dt={day}/{samples[0].id}.jsonl", to_lines(samples), if_absent=True)
    return f"{day}.{samples[0].id}.{samples[0].id}"


def waiting(review: Review) -> list[str]:
    return [question.id for question in review.queue(100)[0]]


def corrections(store: ObjectStore) -> list[Correction]:
    return [Correction.from_line(store.get(key).body) for key in store.keys("feedback/")]


def keyed_hash(name: str) -> str:
    return hmac.new(KEY.reveal(), f"reviewer:{name}".encode(), "sha256").hexdigest()[:32]


class TestTheQueue:
    def test_samples_come_from_objects_of_many_and_carry_their_place(self, review: Review, memory: MemoryStore) -> None:
        first, second = make_sample(1, text="a cloudy afternoon"), make_sample(2, text="they painted it green")
        assert keep(memory, first, second) == f"{DAY}.{first.id}.{first.id}"
        found, left = review.queue(20)
        assert {question.id: question.sample for question in found} == {
            f"{DAY}.{first.id}.{first.id}": first,
            f"{DAY}.{first.id}.{second.id}": second,
        }
        assert left == 2

    def test_the_newest_days_count_up_to_the_most(self, memory: MemoryStore, clock: Clock) -> None:
        for age in range(6):
            keep(memory, make_sample(age, text="abcdef"[age]), day=f"{LATE - timedelta(days=age):%Y-%m-%d}")
        review = Review(memory, replace(SETTINGS, review_max_samples=4), LABELS, clock)
        assert {question.sample.text for question in review.queue(20)[0]} == set("abcd")

    def test_a_pause_of_many_days_ends_nothing_and_what_is_older_than_the_limit_is_left_alone(
        self, review: Review, memory: MemoryStore
    ) -> None:
        for number, age in enumerate((0, DAYS, DAYS + 1)):
            keep(memory, make_sample(number, text="abc"[number]), day=f"{LATE - timedelta(days=age):%Y-%m-%d}")
        assert {question.sample.text for question in review.queue(20)[0]} == {"a", "b"}

    def test_an_object_is_read_once(self, clock: Clock) -> None:
        store = CountingStore()
        for number in range(5):
            keep(store, make_sample(number, text="abcde"[number]))
        review = Review(store, SETTINGS, LABELS, clock)
        assert len(waiting(review)) == 5
        assert len(waiting(review)) == 5
        assert store.reads == 5

    def test_a_line_that_is_no_sample_is_passed_over(self, review: Review, memory: MemoryStore) -> None:
        sample = make_sample(1)
        memory.put(f"samples/dt={DAY}/{sample.id}.jsonl", b"{half\n" + sample.to_line(), if_absent=True)
        assert waiting(review) == [f"{DAY}.{sample.id}.{sample.id}"]

    def test_it_is_empty_where_there_are_no_samples(self, review: Review) -> None:
        assert review.queue(20) == ([], 0)


class TestAnswers:
    @pytest.fixture
    def sample(self, memory: MemoryStore) -> str:
        return keep(memory, make_sample(1, text="a cloudy afternoon"))

    def test_a_label_is_a_correction_of_a_reviewer(self, review: Review, memory: MemoryStore, sample: str) -> None:
        entry = review.answer(sample, "correct", "positive", reviewer="Ada")
        [correction] = corrections(memory)
        kept = make_sample(1)
        assert entry.label is not None
        assert memory.get(correction_key(entry.label.correction)).body == correction.to_line()
        assert (correction.text, correction.correct_label) == ("a cloudy afternoon", "positive")
        assert (correction.source, correction.contributor) == ("reviewer", keyed_hash("Ada"))
        assert (correction.predicted_label, correction.confidence) == (kept.label, kept.confidence)
        assert (correction.model_version, correction.prediction_id) == (kept.model_version, kept.id)
        assert correction.received_at == timestamp(LATE)

    def test_accepting_confirms_the_predicted_label(self, review: Review, memory: MemoryStore, sample: str) -> None:
        review.answer(sample, "accept")
        [correction] = corrections(memory)
        assert correction.correct_label == correction.predicted_label == "neutral"

    @pytest.mark.parametrize("action", ["accept", "skip"])
    def test_what_was_answered_is_not_asked_again(
        self, action: Action, review: Review, memory: MemoryStore, sample: str, clock: Clock
    ) -> None:
        other = keep(memory, make_sample(2, text="they painted it green"))
        review.answer(sample, action)
        assert waiting(review) == waiting(Review(memory, SETTINGS, LABELS, clock)) == [other]

    def test_a_skip_stores_no_correction_and_no_text(self, review: Review, memory: MemoryStore, sample: str) -> None:
        assert review.answer(sample, "skip").label is None
        assert corrections(memory) == []
        [key] = memory.keys("reviews/")
        assert b"cloudy" not in memory.get(key).body

    def test_what_is_under_reviews_names_no_reviewer_and_holds_no_text(
        self, review: Review, memory: MemoryStore, sample: str
    ) -> None:
        review.answer(sample, "accept", reviewer="Ada Lovelace")
        [key] = memory.keys("reviews/")
        body = memory.get(key).body
        assert json.loads(body)["schema"] == "review/1"
        assert b"Ada" not in body
        assert b"cloudy" not in body

    @pytest.mark.parametrize("again", [("correct", "neutral"), ("accept", None)])
    def test_the_same_answer_again_is_stored_once_on_any_day_and_by_anyone(
        self, again: tuple[Action, str | None], review: Review, memory: MemoryStore, sample: str, clock: Clock
    ) -> None:
        first = review.answer(sample, "accept")
        clock.moment += timedelta(seconds=1)
        assert clock.moment.day == 2
        assert review.answer(sample, *again, reviewer="somebody else") == first
        assert len(corrections(memory)) == 1

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (("accept", None), ("correct", "positive")),
            (("accept", None), ("skip", None)),
            (("skip", None), ("accept", None)),
            (("correct", "negative"), ("accept", None)),
        ],
    )
    def test_another_answer_is_a_conflict_and_changes_nothing(
        self,
        first: tuple[Action, str | None],
        second: tuple[Action, str | None],
        review: Review,
        memory: MemoryStore,
        sample: str,
    ) -> None:
        review.answer(sample, *first)
        before = memory.copy().objects
        with pytest.raises(ReviewConflictError):
            review.answer(sample, *second)
        assert memory.objects == before

    @pytest.mark.parametrize(
        ("action", "label"),
        [("correct", None), ("correct", "splendid"), ("accept", "neutral"), ("skip", "neutral"), ("undo", "neutral")],
    )
    def test_an_answer_that_makes_no_sense_is_refused(
        self, action: Action, label: str | None, review: Review, memory: MemoryStore, sample: str
    ) -> None:
        with pytest.raises(InvalidRequestError):
            review.answer(sample, action, label)
        assert not list(memory.keys("reviews/"))

    @pytest.mark.parametrize(
        "wrong",
        [
            "",
            "x",
            "pr-1",
            f"{DAY}.pr-1.pr-1",
            "2026-99-99.a.b",
            "../models.current.json",
            f"{DAY}.../x.y",
            f"{DAY}.a.b/c",
        ],
    )
    def test_there_is_no_sample_with_an_unknown_id(self, wrong: str, review: Review, sample: str) -> None:
        with pytest.raises(SampleNotFoundError):
            review.answer(wrong, "accept")
        with pytest.raises(SampleNotFoundError):
            review.answer(sample.replace(".pr", ".qr"), "accept")

    def test_a_receipt_tells_what_became_of_it(self, review: Review, memory: MemoryStore, sample: str) -> None:
        entry = review.answer(sample, "accept")
        assert entry.label is not None
        assert Intake(memory, KEY).find(entry.label.correction) == (corrections(memory)[0], {})

    def test_it_works_on_s3(self, store: S3Store, clock: Clock) -> None:
        sample = keep(store, make_sample(1))
        review = Review(store, SETTINGS, LABELS, clock)
        assert waiting(review) == [sample]
        assert review.answer(sample, "accept") == review.answer(sample, "accept")
        assert waiting(review) == []
        with pytest.raises(ReviewConflictError):
            review.answer(sample, "skip")
        assert len(corrections(store)) == 1


class TestUndo:
    @pytest.fixture
    def sample(self, memory: MemoryStore) -> str:
        return keep(memory, make_sample(1))

    def test_an_undone_answer_is_asked_again(self, review: Review, sample: str) -> None:
        review.answer(sample, "skip")
        assert waiting(review) == []
        review.answer(sample, "undo")
        assert waiting(review) == [sample]
        assert review.answer(sample, "undo").action == "undo", "again is no more than once"
        review.answer(sample, "accept")
        assert waiting(review) == []

    def test_the_next_label_replaces_the_first_whoever_gives_it(
        self, review: Review, memory: MemoryStore, sample: str, clock: Clock
    ) -> None:
        clock.moment -= timedelta(hours=1)
        review.answer(sample, "correct", "negative", reviewer="Ada")
        clock.moment += timedelta(minutes=1)
        review.answer(sample, "undo", reviewer="Bob")
        review.answer(sample, "correct", "positive", reviewer="Bob")
        stored = corrections(memory)
        merged = merge_corrections(stored, LABELS, 10_000, 1_000)
        assert len(stored) == 2
        assert merged.rows["label"].tolist() == ["positive"]
        assert set(merged.left_out.values()) == {"replaced by a later correction"}

    def test_a_label_can_be_replaced_and_not_taken_back(self, review: Review, sample: str) -> None:
        review.answer(sample, "accept")
        review.answer(sample, "undo")
        with pytest.raises(ReviewConflictError, match="replaced but not taken back"):
            review.answer(sample, "skip")
        review.answer(sample, "accept")

    def test_there_has_to_be_an_answer(self, review: Review, sample: str) -> None:
        with pytest.raises(ReviewConflictError, match="no answer to undo"):
            review.answer(sample, "undo")


class TestTrouble:
    @pytest.mark.parametrize("fault", Fault)
    @pytest.mark.parametrize("write", [1, 2])
    def test_the_answer_that_is_sent_again_is_stored_once(
        self, fault: Fault, write: int, memory: MemoryStore, clock: Clock
    ) -> None:
        sample = keep(memory, make_sample(1))
        faulty = FaultyStore(memory, {write: fault})
        review = Review(faulty, SETTINGS, LABELS, clock)
        try:
            entry = review.answer(sample, "accept")
        except (CrashError, SentiloopError):
            clock.moment += timedelta(seconds=1)  # and over midnight
            entry = review.answer(sample, "accept")
        [correction] = corrections(memory)
        assert entry.label is not None
        assert correction.id == entry.label.correction
        assert len(list(memory.keys("reviews/"))) == 1
        assert waiting(review) == []

    @pytest.mark.parametrize("fault", sorted(set(Fault) - set(LANDED), key=str))
    def test_nothing_counts_as_answered_that_is_not(self, fault: Fault, memory: MemoryStore, clock: Clock) -> None:
        sample = keep(memory, make_sample(1))
        review = Review(FaultyStore(memory, dict.fromkeys(range(1, 9), fault)), SETTINGS, LABELS, clock)
        with pytest.raises((StorageUnavailableError, CrashError)):
            review.answer(sample, "accept")
        assert waiting(review) == [sample]

    @pytest.mark.parametrize(("other", "outcome"), [("accept", None), ("skip", ReviewConflictError), ("undo", None)])
    def test_of_two_answers_at_once_one_wins_and_the_other_hears_of_it(
        self, other: Action, outcome: type[SentiloopError] | None, memory: MemoryStore, clock: Clock
    ) -> None:
        sample = keep(memory, make_sample(1))
        faulty = FaultyStore(memory)
        rival = Review(memory, SETTINGS, LABELS, clock)

        def come_first(_key: str) -> None:
            faulty.before_write = nothing
            rival.answer(sample, "skip" if other == "undo" else other)
            if other == "undo":
                rival.answer(sample, "undo")

        nothing: Callable[[str], None] = faulty.before_write
        faulty.before_write = come_first
        review = Review(faulty, SETTINGS, LABELS, clock)
        if outcome:
            with pytest.raises(outcome):
                review.answer(sample, "accept")
        else:
            review.answer(sample, "accept")
        assert len(corrections(memory)) == (0 if outcome else 1)
