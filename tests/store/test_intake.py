"""Corrections are stored once each and found again: guarantees 1 and 2."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feedback.intake import Intake
from sentiloop.errors import (
    IdempotencyConflictError,
    ReceiptNotFoundError,
    RecordError,
    StorageUnavailableError,
)
from sentiloop.receipts import correction_id, correction_key, outcome_body, outcome_key
from sentiloop.records import Correction
from sentiloop.s3 import S3Store
from sentiloop.settings import Secret
from sentiloop.storage import ObjectStore

from tests.faults.faulty_store import CrashError, Fault, FaultyStore

KEY = Secret("a key for tests")
BODY: dict[str, Any] = {"text": "Sick gig.", "correct_label": "positive", "predicted_label": "negative"}
LATE = datetime(2026, 2, 28, 23, 59, 59, 900_000, tzinfo=UTC)


class Clock:
    """A moment that a test moves."""

    def __init__(self) -> None:
        self.moment = LATE

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def intake(store: S3Store, clock: Clock) -> Intake:
    return Intake(store, KEY, clock)


def stored_keys(store: ObjectStore) -> list[str]:
    return list(store.keys("feedback/"))


def test_a_correction_is_one_object_under_its_day(intake: Intake, store: S3Store) -> None:
    correction = intake.store(BODY, "contributor", None)
    assert correction.id.startswith("fb-20260228-")
    assert correction.received_at == "2026-02-28T23:59:59.900Z"
    assert stored_keys(store) == [f"feedback/dt=2026-02-28/{correction.id}.jsonl"]
    assert Correction.from_line(store.get(correction_key(correction.id)).body) == correction


def test_what_was_sent_is_what_is_stored(intake: Intake) -> None:
    everything = {
        **BODY,
        "text": " Grüße 🎉\u2028\n",
        "confidence": 0.25,
        "model_version": "v1",
        "prediction_id": "pr-1",
        "comment": "irony",
    }
    found, _ = intake.find(intake.store(everything, "contributor", "key").id)
    assert found is not None
    assert {name: getattr(found, name) for name in everything} == everything
    assert (found.contributor, found.source) == ("contributor", "user")


def test_equal_corrections_without_a_key_are_two(intake: Intake, store: S3Store) -> None:
    first, second = intake.store(BODY, "contributor", None), intake.store(BODY, "contributor", None)
    assert first.id != second.id
    assert len(stored_keys(store)) == 2


def test_a_retry_with_the_key_is_stored_once_and_told_what_the_first_was_told(
    intake: Intake, store: S3Store, clock: Clock
) -> None:
    first = intake.store(BODY, "contributor", "key")
    clock.moment += timedelta(milliseconds=50)
    assert intake.store(BODY, "contributor", "key") == first
    assert len(stored_keys(store)) == 1


def test_the_order_of_fields_makes_no_other_body(intake: Intake) -> None:
    first = intake.store(BODY, "contributor", "key")
    assert intake.store(dict(reversed(BODY.items())), "contributor", "key") == first


@pytest.mark.parametrize(
    "change", [{"text": "Sick gig!"}, {"correct_label": "neutral"}, {"comment": "more"}, {"predicted_label": "neutral"}]
)
def test_the_key_with_another_body_is_a_conflict_and_changes_nothing(
    change: dict[str, str], intake: Intake, store: S3Store
) -> None:
    first = intake.store(BODY, "contributor", "key")
    with pytest.raises(IdempotencyConflictError):
        intake.store({**BODY, **change}, "contributor", "key")
    assert intake.find(first.id)[0] == first
    assert len(stored_keys(store)) == 1


def test_contributors_do_not_share_their_keys(intake: Intake, store: S3Store) -> None:
    ids = {intake.store(BODY, who, key).id for who, key in (("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"))}
    assert len(ids) == len(stored_keys(store)) == 4


def test_an_id_tells_nothing_of_the_key(store: S3Store, clock: Clock) -> None:
    ours, theirs = (Intake(store, Secret(secret), clock).store(BODY, "a", "key").id for secret in ("ours", "theirs"))
    assert ours != theirs


def test_a_retry_after_midnight_meets_what_was_stored_before_it(intake: Intake, store: S3Store, clock: Clock) -> None:
    first = intake.store(BODY, "contributor", "key")
    clock.moment += timedelta(seconds=1)
    assert clock.moment.day == 1
    assert intake.store(BODY, "contributor", "key") == first
    with pytest.raises(IdempotencyConflictError):
        intake.store({**BODY, "text": "other"}, "contributor", "key")
    assert len(stored_keys(store)) == 1


def test_a_key_without_a_correction_is_new_on_any_day(intake: Intake, store: S3Store, clock: Clock) -> None:
    intake.store(BODY, "contributor", "yesterday's")
    clock.moment += timedelta(days=1)
    intake.store({**BODY, "text": "new"}, "contributor", "today's")
    assert len(stored_keys(store)) == 2


@pytest.mark.parametrize("fault", [Fault.RETRY_REFUSED])
def test_a_write_that_landed_while_its_reply_was_lost_is_stored(fault: Fault, store: S3Store, clock: Clock) -> None:
    intake = Intake(FaultyStore(store, {1: fault}), KEY, clock)
    correction = intake.store(BODY, "contributor", None)
    assert stored_keys(store) == [correction_key(correction.id)]
    assert intake.find(correction.id)[0] == correction


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.CRASH_AFTER])
def test_a_caller_who_got_no_answer_sends_it_again_and_it_is_stored_once(
    fault: Fault, store: S3Store, clock: Clock
) -> None:
    intake = Intake(FaultyStore(store, {1: fault}), KEY, clock)
    with pytest.raises((StorageUnavailableError, CrashError)):
        intake.store(BODY, "contributor", "key")
    clock.moment += timedelta(seconds=2)  # and over midnight
    correction = intake.store(BODY, "contributor", "key")
    assert stored_keys(store) == [correction_key(correction.id)]


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.CONFLICT])
def test_nothing_counts_as_stored_that_is_not(fault: Fault, store: S3Store, clock: Clock) -> None:
    intake = Intake(FaultyStore(store, {1: fault}), KEY, clock)
    with pytest.raises(StorageUnavailableError):
        intake.store(BODY, "contributor", "key")
    assert stored_keys(store) == []


def test_a_conflict_with_a_twin_that_won_is_answered_by_the_twins_correction(store: S3Store, clock: Clock) -> None:
    faulty = FaultyStore(store, {1: Fault.CONFLICT})
    faulty.before_write = lambda _key: twins.append(Intake(store, KEY, clock).store(BODY, "contributor", "key"))
    twins: list[Correction] = []
    assert [Intake(faulty, KEY, clock).store(BODY, "contributor", "key")] == twins


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "fb-20260228-",
        "fb-20260228-" + "g" * 32,
        "fb-20260228-" + "0" * 33,
        "../models/current.json",
        "fb-2026/228-" + "0" * 32,
        "fb-99999999-" + "0" * 32,
        correction_id(LATE.date(), "0" * 32),
    ],
)
def test_there_is_no_receipt_for_an_unknown_id(wrong: str, intake: Intake) -> None:
    with pytest.raises(ReceiptNotFoundError):
        intake.find(wrong)


def test_a_receipt_sums_up_what_the_runs_wrote(intake: Intake, store: S3Store) -> None:
    correction = intake.store(BODY, "contributor", None)
    assert intake.find(correction.id)[1] == {}
    for run, fate in (("1", {"snapshot": "s1"}), ("2", {"snapshot": "s2", "version": "v2"})):
        body = outcome_body({correction.id: fate, "fb-another": {"quarantine": "not this one"}})
        store.put(outcome_key("2026-02-28", run), body)
    assert intake.find(correction.id)[1] == {"snapshot": "s1", "version": "v2"}


def test_a_correction_that_was_left_out_first_and_learned_later_is_no_longer_in_quarantine(
    intake: Intake, store: S3Store
) -> None:
    correction = intake.store(BODY, "contributor", None)
    for run, fate in (("1", {"quarantine": "a tie"}), ("2", {"snapshot": "s2", "version": "v2"})):
        store.put(outcome_key("2026-02-28", run), outcome_body({correction.id: fate}))
    assert intake.find(correction.id)[1] == {"snapshot": "s2", "version": "v2"}


def test_a_stored_line_that_broke_is_an_error_of_ours(intake: Intake, store: S3Store) -> None:
    correction = intake.store(BODY, "contributor", None)
    store.put(correction_key(correction.id), b"{}\n")
    with pytest.raises(RecordError):
        intake.find(correction.id)


def test_of_an_erased_correction_the_moment_is_told_and_no_more(intake: Intake, store: S3Store) -> None:
    correction = intake.store(BODY, "contributor", "key")
    store.put(outcome_key("2026-02-28", "1"), outcome_body({correction.id: {"snapshot": "s1", "version": "v1"}}))
    store.put(outcome_key("2026-02-28", "2"), outcome_body({correction.id: {"erased": correction.received_at}}))
    told = (None, {"erased": correction.received_at})
    assert intake.find(correction.id) == told, "its object may come back, out of a backup"
    store.delete(correction_key(correction.id))
    assert intake.find(correction.id) == told


def test_what_is_sent_anew_after_an_erasure_is_told_as_any_other(intake: Intake, store: S3Store, clock: Clock) -> None:
    first = intake.store(BODY, "contributor", "key")
    store.put(outcome_key("2026-02-28", "1"), outcome_body({first.id: {"erased": first.received_at}}))
    store.delete(correction_key(first.id))
    clock.moment += timedelta(milliseconds=50)
    again = intake.store(BODY, "contributor", "key")
    assert again.id == first.id
    assert intake.find(again.id) == (again, {})
    store.put(outcome_key("2026-02-28", "2"), outcome_body({again.id: {"snapshot": "s2"}}))
    assert intake.find(again.id) == (again, {"snapshot": "s2"})
