"""Where a correction lies and what became of it: keys, ids and outcomes, shared by those who write and who read them.

An id holds the day, so that the correction's key follows from it. Each retrain run that changes the fate of corrections
writes one immutable object a day under `receipts/dt=<day>/`, and a receipt is the sum of that day's objects.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from sentiloop.records import to_json
from sentiloop.storage import ObjectStore

FEEDBACK = "feedback/"
_ID = re.compile(r"fb-([0-9]{4})([0-9]{2})([0-9]{2})-[0-9a-f]{32}")


def correction_id(day: date, digest: str) -> str:
    """Return the id of a correction received on a day; `digest` is 32 hexadecimal digits."""
    return f"fb-{day:%Y%m%d}-{digest}"


def day_of(correction: str) -> str | None:
    """Return the day in an id as YYYY-MM-DD, or None if it is no id of ours."""
    match = _ID.fullmatch(correction)
    return "-".join(match.groups()) if match else None


def correction_key(correction: str) -> str:
    """Return the key of the object that holds the correction."""
    return f"{FEEDBACK}dt={day_of(correction)}/{correction}.jsonl"


def outcome_prefix(day: str) -> str:
    """Return the prefix of a day's outcomes."""
    return f"receipts/dt={day}/"


def outcome_key(day: str, run: str) -> str:
    """Return the key of the outcomes that a run gave to a day's corrections."""
    return f"{outcome_prefix(day)}{run}.json"


def outcome_body(outcomes: Mapping[str, Mapping[str, str]]) -> bytes:
    """Write outcomes: of each correction id the fields that became true.

    These are `snapshot` and `version`, `quarantine` with the reason, or `erased` with the moment up to which what was
    received under that id is gone.
    """
    return to_json(dict(outcomes))


def read_outcome(store: ObjectStore, correction: str) -> dict[str, Any]:
    """Return all that is known of a correction: the first run to learn it counts, and the last to leave it out.

    Of what was before an erasure nothing is told.
    """
    outcome: dict[str, Any] = {}
    for key in store.keys(outcome_prefix(day_of(correction) or "")):
        found = json.loads(store.get(key).body).get(correction, {})
        if "erased" in found:
            outcome = {}
        elif found:
            outcome.pop("quarantine", None)  # unless this run says so again
        outcome = {**found, **outcome}
    return outcome
