"""What a run leaves behind: its record, the quarantine, and what the receipts say."""

import json
from typing import Any

import pytest
from retrain.collect import Collected, Quarantined
from retrain.ledger import Decision, settle, write_record
from sentiloop.receipts import read_outcome
from sentiloop.records import Correction
from sentiloop.run_records import RUNS, decision_prefix
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore, create

from tests.builders import make_correction

SNAPSHOT, INPUT = "5" * 64, "7" * 64
DAY = "2026-03-01"


def decision(learned_in: str | None = "v1", **left_out: str) -> Decision:
    return Decision(SNAPSHOT, left_out, INPUT, learned_in)


def collected(*corrections: Correction, settled: dict[str, str | None] | None = None) -> Collected:
    return Collected(corrections, (), settled or {})


def quarantine(store: ObjectStore) -> list[dict[str, Any]]:
    return [json.loads(line) for key in store.keys("quarantine/") for line in store.get(key).body.splitlines()]


def entry(number: int, **fields: Any) -> Correction:
    return make_correction(number, **fields)


def test_a_record_says_what_was_decided_when_and_under_which_id(store: S3Store) -> None:
    record = write_record(store, SNAPSHOT, INPUT, {"outcome": "promoted", "version": "v1"})
    [key] = store.keys(RUNS)
    assert json.loads(store.get(key).body) == record
    assert key == f"{RUNS}{record['run_id']}.json"
    assert (record["schema"], record["outcome"], record["version"]) == ("run/1", "promoted", "v1")
    assert record["at"].endswith("Z")


@pytest.mark.parametrize("outcome", ["promoted", "rejected"])
def test_a_decision_is_found_by_its_snapshot_and_by_its_input(outcome: str, store: S3Store) -> None:
    write_record(store, SNAPSHOT, INPUT, {"outcome": outcome})
    for prefix in (decision_prefix(SNAPSHOT), decision_prefix(SNAPSHOT, INPUT), decision_prefix(SNAPSHOT, INPUT[:12])):
        assert len(list(store.keys(prefix))) == 1
    assert list(store.keys(decision_prefix(SNAPSHOT, "8" * 64))) == []
    assert list(store.keys(decision_prefix(INPUT))) == []


def test_a_run_that_was_skipped_is_recorded_and_is_no_decision(store: S3Store) -> None:
    write_record(store, SNAPSHOT, INPUT, {"outcome": "skipped"})
    assert len(list(store.keys(RUNS))) == 1
    assert list(store.keys(decision_prefix(SNAPSHOT))) == []


def test_a_promotion_tells_its_corrections_what_learned_them(store: S3Store) -> None:
    settle(store, collected(entry(1), entry(2)), decision())
    for number in (1, 2):
        assert read_outcome(store, entry(number).id) == {"snapshot": SNAPSHOT, "version": "v1"}
    assert quarantine(store) == []


def test_a_rejection_tells_them_their_snapshot_only(store: S3Store) -> None:
    settle(store, collected(entry(1)), decision(learned_in=None))
    assert read_outcome(store, entry(1).id) == {"snapshot": SNAPSHOT}


def test_a_correction_that_is_left_out_is_in_quarantine_with_the_reason(store: S3Store) -> None:
    settle(store, collected(entry(1), entry(2)), decision(**{entry(2).id: "a tie"}))
    assert read_outcome(store, entry(2).id) == {"quarantine": "a tie"}
    line = entry(2).to_line().decode().strip()
    assert quarantine(store) == [{"schema": "quarantined/1", "id": entry(2).id, "reason": "a tie", "line": line}]


def test_a_broken_line_is_in_quarantine_whatever_its_bytes(store: S3Store) -> None:
    broken = Quarantined("fb-broken", DAY, "not a line of UTF-8 JSON", b'{"text": "\xff\x00\x1b[2J')
    settle(store, Collected((), (broken,), {}), decision())
    assert read_outcome(store, "fb-20260301-" + "0" * 32) == {}
    [row] = quarantine(store)
    assert (row["id"], row["reason"], row["line"]) == ("fb-broken", broken.reason, '{"text": "�\x00\x1b[2J')


def test_what_was_settled_before_is_not_said_again(store: S3Store) -> None:
    known: dict[str, str | None] = {entry(1).id: None, entry(2).id: "a tie"}
    settle(store, collected(entry(1), entry(2), settled=known), decision(**{entry(2).id: "a tie"}))
    assert list(store.keys("")) == []


def test_a_fate_that_changed_is_said(store: S3Store) -> None:
    settle(store, collected(entry(1), entry(2)), decision(**{entry(1).id: "a tie"}))
    known: dict[str, str | None] = {entry(1).id: "a tie", entry(2).id: None}
    now_out = {entry(2).id: "replaced by a later correction"}
    settle(store, collected(entry(1), entry(2), settled=known), Decision("6" * 64, now_out, "8" * 64, "v2"))
    assert read_outcome(store, entry(1).id) == {"snapshot": "6" * 64, "version": "v2"}
    assert read_outcome(store, entry(2).id)["quarantine"] == "replaced by a later correction"


def test_outcomes_lie_under_the_days_of_their_corrections(store: S3Store) -> None:
    other_day = entry(2, id="fb-20260302-" + "0" * 32, received_at="2026-03-02T00:00:00.000Z")
    settle(store, collected(entry(1), other_day), decision())
    days = [key.split("/")[1] for key in store.keys("receipts/")]
    assert days == ["dt=2026-03-01", "dt=2026-03-02"]
    assert read_outcome(store, other_day.id)["version"] == "v1"


def test_settling_again_fills_no_quarantine_twice(store: S3Store) -> None:
    for _ in range(2):
        settle(store, collected(entry(1)), decision(**{entry(1).id: "a tie"}))
    assert len(quarantine(store)) == 1
    assert read_outcome(store, entry(1).id) == {"quarantine": "a tie"}


def test_what_an_earlier_run_created_stays(store: S3Store) -> None:
    create(store, "key", b"first")
    create(store, "key", b"second")
    assert store.get("key").body == b"first"
