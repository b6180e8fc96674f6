"""Where a correction lies, and what became of it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.receipts import (
    correction_id,
    correction_key,
    day_of,
    outcome_body,
    outcome_key,
    outcome_prefix,
    read_outcome,
)
from sentiloop.s3 import S3Store

DAY = date(2026, 3, 1)
ID = correction_id(DAY, "a" * 32)
OTHER = correction_id(DAY, "b" * 32)


@given(st.dates(date(1970, 1, 1)), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_an_id_holds_the_day_that_its_key_lies_under(day: date, digest: str) -> None:
    identity = correction_id(day, digest)
    assert day_of(identity) == day.isoformat()
    assert correction_key(identity) == f"feedback/dt={day.isoformat()}/{identity}.jsonl"


@pytest.mark.parametrize(
    "text", ["", "fb-", ID[:-1], ID + "0", ID + "\n", ID.upper(), "../" + ID, "fb-20260301-" + "g" * 32, ID[3:]]
)
def test_what_is_no_id_has_no_day(text: str) -> None:
    assert day_of(text) is None


@given(st.text(max_size=60))
def test_any_text_is_an_id_or_none(text: str) -> None:
    assert day_of(text) is None


def test_outcomes_lie_under_the_day_of_their_corrections() -> None:
    assert outcome_key("2026-03-01", "run") == outcome_prefix("2026-03-01") + "run.json"


def test_nothing_is_known_of_a_correction_before_a_run(store: S3Store) -> None:
    assert read_outcome(store, ID) == {}


def test_an_outcome_is_read_as_it_was_written(store: S3Store) -> None:
    store.put(outcome_key("2026-03-01", "run"), outcome_body({ID: {"snapshot": "s1", "version": "v1"}}))
    assert read_outcome(store, ID) == {"snapshot": "s1", "version": "v1"}
    assert read_outcome(store, OTHER) == {}


def test_the_first_run_to_learn_it_counts_and_later_ones_add(store: S3Store) -> None:
    store.put(outcome_key("2026-03-01", "run-1"), outcome_body({ID: {"snapshot": "s1"}}))
    store.put(outcome_key("2026-03-01", "run-2"), outcome_body({ID: {"snapshot": "s2", "version": "v2"}}))
    store.put(outcome_key("2026-03-01", "run-3"), outcome_body({OTHER: {"quarantine": "why"}}))
    assert read_outcome(store, ID) == {"snapshot": "s1", "version": "v2"}
    assert read_outcome(store, OTHER) == {"quarantine": "why"}


def test_a_quarantine_lasts_until_a_later_run_says_otherwise(store: S3Store) -> None:
    store.put(outcome_key("2026-03-01", "run-1"), outcome_body({ID: {"quarantine": "a tie"}}))
    store.put(outcome_key("2026-03-01", "run-2"), outcome_body({OTHER: {"snapshot": "s2"}}))
    assert read_outcome(store, ID) == {"quarantine": "a tie"}
    store.put(outcome_key("2026-03-01", "run-3"), outcome_body({ID: {"quarantine": "outvoted"}}))
    assert read_outcome(store, ID) == {"quarantine": "outvoted"}
    store.put(outcome_key("2026-03-01", "run-4"), outcome_body({ID: {"snapshot": "s4"}}))
    assert read_outcome(store, ID) == {"snapshot": "s4"}


def test_of_what_was_before_an_erasure_nothing_is_told(store: S3Store) -> None:
    store.put(outcome_key("2026-03-01", "run-1"), outcome_body({ID: {"snapshot": "s1", "version": "v1"}}))
    store.put(outcome_key("2026-03-01", "run-2"), outcome_body({ID: {"quarantine": "why"}}))
    store.put(outcome_key("2026-03-01", "run-3"), outcome_body({ID: {"erased": "then"}, OTHER: {"snapshot": "s3"}}))
    assert read_outcome(store, ID) == {"erased": "then"}
    store.put(outcome_key("2026-03-01", "run-4"), outcome_body({ID: {"erased": "once more"}}))
    assert read_outcome(store, ID) == {"erased": "once more"}
    assert read_outcome(store, OTHER) == {"snapshot": "s3"}


def test_outcomes_of_another_day_are_not_looked_at(store: S3Store) -> None:
    store.put(outcome_key("2026-03-02", "run"), outcome_body({ID: {"snapshot": "s1"}}))
    assert read_outcome(store, ID) == {}
