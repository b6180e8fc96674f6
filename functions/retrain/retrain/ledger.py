"""What a run leaves behind besides a model: its record, the quarantine, and what the receipts say."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sentiloop.receipts import outcome_body, outcome_key
from sentiloop.records import now, timestamp, to_json
from sentiloop.run_records import SCHEMA, SKIPPED, make_run_id, run_key
from sentiloop.storage import ObjectStore, create

from retrain.collect import Collected, Quarantined

QUARANTINE = "quarantine/"

PROMOTED = "promoted"
ON_TRIAL = "on_trial"  # passed the gate, and is a challenger at first
HELD = "held"  # passed the gate, and a person has to promote it, because the pointer is pinned
REJECTED = "rejected"
RELEASED = (PROMOTED, ON_TRIAL)


def write_record(store: ObjectStore, snapshot: str, input_digest: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a run's record and return it, completed with its id and time."""
    moment = now()
    run_id = make_run_id(snapshot, input_digest, moment, skipped=record["outcome"] == SKIPPED)
    complete = {"schema": SCHEMA, "run_id": run_id, "at": timestamp(moment), **record}
    create(store, run_key(run_id), to_json(complete))  # a refusal is that of a retry: the record is there
    return complete


def read_records(store: ObjectStore, prefix: str, after: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the records under a prefix and behind a key, each with its own key."""
    for key in store.keys(prefix, after=after):
        if key.endswith(".json"):
            yield key, json.loads(store.get(key).body)


def decided(store: ObjectStore, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record of the decision: that of the run itself or, if it was skipped, of the one that it names.

    A run may have ended before people were told of it; the one that repeats it is skipped, and tells them.
    """
    if "decided" not in record:
        return record
    found: dict[str, Any] = json.loads(store.get(record["decided"]).body)
    return found


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a snapshot.

    Attributes:
        snapshot: the snapshot's digest.
        left_out: why corrections behind it are not in it, by id.
        input_digest: names the decision.
        learned_in: the version that learned from the snapshot, if it was promoted.
    """

    snapshot: str
    left_out: Mapping[str, str]
    input_digest: str
    learned_in: str | None


def settle(store: ObjectStore, collected: Collected, decision: Decision) -> None:
    """Write down what became of the corrections whose fate this run changed, in the quarantine and for the receipts.

    Args:
        store: the bucket.
        collected: what the run read, and what the champion's snapshot had settled already.
        decision: what it came to.
    """
    outcomes: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    set_aside: list[Quarantined] = list(collected.broken)
    for entry in collected.corrections:
        reason = decision.left_out.get(entry.id)
        if collected.settled.get(entry.id, "") == reason:
            continue
        day = entry.received_at[:10]
        if reason:
            set_aside.append(Quarantined(entry.id, day, reason, entry.to_line()))
            continue
        learned = {"version": decision.learned_in} if decision.learned_in else {}
        outcomes[day][entry.id] = {"snapshot": decision.snapshot, **learned}
    for row in set_aside:
        outcomes[row.day][row.id] = {"quarantine": row.reason}
    _quarantine(store, set_aside)
    run = f"{timestamp(now())}-{decision.input_digest[:16]}"
    for day, fates in outcomes.items():
        create(store, outcome_key(day, run), outcome_body(fates))


def _quarantine(store: ObjectStore, rows: Iterable[Quarantined]) -> None:
    """Add rows to those of their days, each once: a run before, cut short or rejected, may have set them aside."""
    by_day: dict[str, list[bytes]] = defaultdict(list)
    for row in rows:
        shown = row.line.decode("utf-8", "replace").strip()
        record = {"schema": "quarantined/1", "id": row.id, "reason": row.reason, "line": shown}
        by_day[row.day].append(to_json(record) + b"\n")
    for day, lines in by_day.items():
        folder = f"{QUARANTINE}dt={day}/"
        there = {line for key in store.keys(folder) for line in store.get(key).body.splitlines(keepends=True)}
        body = b"".join(line for line in dict.fromkeys(lines) if line not in there)
        if body:
            create(store, f"{folder}{sha256(body).hexdigest()[:32]}.jsonl", body)
