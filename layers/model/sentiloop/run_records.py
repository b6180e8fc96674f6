"""The records of retrain runs: under which keys they lie, which are the newest, and what they tell.

A record is an immutable object, `runs/<run id>.json`. The id names the snapshot, the input that was decided on, and
when; that of a run which was skipped, and so decided nothing, begins with `skipped-`. So prefixes find decisions, and
the times at the ends of the keys say which are the newest, without reading any.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sentiloop.documents import Documents, parse
from sentiloop.errors import InvalidRequestError, ObjectNotFoundError, RecordError, SentiloopError
from sentiloop.records import timestamp
from sentiloop.storage import ObjectStore

RUNS = "runs/"
SCHEMA = "run/1"
SKIPPED = "skipped"
KEPT = 500  # records whose summary is kept
_ID = re.compile(
    rf"(?:{SKIPPED}-)?[0-9a-f]{{16}}-[A-Za-z0-9._-]{{1,16}}-([0-9]{{8}}T[0-9]{{6}}\.[0-9]{{3}}Z)", re.ASCII
)
_LONG = {"confusion"}  # of the metrics: a matrix, which is shown nowhere

Item = TypeVar("Item")


class RunNotFoundError(SentiloopError):
    """Raise when no run of that id is recorded."""

    code = "run_not_found"
    status = 404
    hint = "GET /v1/runs names the runs, skipped ones with ?skipped=true."


def decision_prefix(snapshot: str, input_digest: str = "") -> str:
    """Return the prefix of the records of all decisions on a snapshot, or on one input with it."""
    return f"{RUNS}{snapshot[:16]}-{input_digest[:16]}"


def make_run_id(snapshot: str, input_digest: str, moment: datetime, *, skipped: bool) -> str:
    """Return the id of a run; a skipped one is no decision, and must not be found as one."""
    decided = f"{snapshot[:16]}-{input_digest[:16]}-{timestamp(moment).replace(':', '').replace('-', '')}"
    return f"{SKIPPED}-{decided}" if skipped else decided


def run_key(run_id: str) -> str:
    """Return where a run's record lies."""
    return f"{RUNS}{run_id}.json"


def summary_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list says of a run: what it came to, and why."""
    told = {
        name: record.get(name)
        for name in ("run_id", "at", "by", "outcome", "reasons", "champion", "candidate", "version", "p_value")
    }
    decided = record.get("decided")
    return {
        **told,
        "repeats": decided.removeprefix(RUNS).removesuffix(".json") if decided else None,
        "snapshot": record.get("snapshot"),
        "checks": [{name: each[name] for name in ("name", "ok", "finding")} for each in record.get("checks", [])],
        "metrics": {name: value for name, value in record.get("metrics", {}).items() if name not in _LONG},
        "corrections": _corrections(record.get("snapshot_manifest")),
    }


def details_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that is told of a run: the summary, both models slice by slice, and what the run worked with."""
    noise = record.get("label_noise", {})
    manifest = record.get("snapshot_manifest") or {}
    return {
        **summary_of(record),
        "comparisons": record.get("comparisons", []),
        "label_noise": {"sources": noise.get("sources", {}), "suspicious": len(noise.get("suspicious", []))},
        "parameters": record.get("parameters", {}),
        "gate": record.get("gate", {}),
        "anchor": record.get("anchor"),
        "rows": manifest.get("rows", {}),
    }


def _corrections(manifest: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return how many corrections a snapshot rests on, and why others are left out; None if that is not known."""
    if manifest is None:
        return None
    counted = manifest["corrections"]
    return {"stored": counted["stored"], "rows": counted["rows"], "left_out": manifest.get("left_out", {})}


@dataclass(frozen=True, slots=True)
class RunPage(Generic[Item]):
    """A part of the list.

    Attributes:
        items: the runs, the newest first.
        next: the `before` by which the list goes on, or None where it ends.
        unreadable: records of this part that could not be read.
    """

    items: Sequence[Item]
    next: str | None
    unreadable: int


class Runs(Generic[Item]):
    """The runs of one bucket.

    Args:
        store: the bucket.
        tell: makes an item of the list of a record.
    """

    def __init__(self, store: ObjectStore, tell: Callable[[Mapping[str, Any]], Item]) -> None:
        self._store = store
        self._records = Documents(store, SCHEMA, tell, KEPT)

    def page(self, limit: int, before: str | None = None, *, skipped: bool = False) -> RunPage[Item]:
        """Return runs, the newest first; only these are read.

        Args:
            limit: most runs to return.
            before: id of a run; those that were earlier. It need not be there any more.
            skipped: with those that decided nothing.

        Raises:
            InvalidRequestError: `before` is no id of a run.
        """
        until = None if before is None else _age(before)
        if before is not None and until is None:
            raise InvalidRequestError(f"before: {before[:100]!r} is no id of a run", "Give `next` of the page before.")
        ages = (_age(key.removeprefix(RUNS).removesuffix(".json")) for key in self._store.keys(RUNS))
        found = sorted((age for age in ages if age and (until is None or age < until)), reverse=True)
        ids = [run_id for _, run_id in found if skipped or not run_id.startswith(SKIPPED)]
        told = self._records.read([run_key(run_id) for run_id in ids[:limit]])
        items = [item for item in told if item is not None]
        return RunPage(items, ids[limit - 1] if len(ids) > limit else None, len(told) - len(items))

    def find(self, run_id: str) -> dict[str, Any]:
        """Return a run's record.

        Raises:
            RunNotFoundError: there is none, or what is there is none.
        """
        if _age(run_id):
            try:
                return parse(self._store.get(run_key(run_id)).body, SCHEMA)
            except ObjectNotFoundError:
                pass
            except RecordError as error:
                raise unreadable(run_id, error.message) from None
        raise RunNotFoundError(f"no run {run_id[:100]!r}")


def unreadable(run_id: str, why: str) -> RunNotFoundError:
    """Return the error that what lies under a run's key is no record that can be told."""
    return RunNotFoundError(
        f"the record of {run_id} cannot be read: {why}", f"Look at {run_key(run_id)} in the bucket."
    )


def _age(run_id: str) -> tuple[str, str] | None:
    """Return what runs are ordered by, or None if it is no id of a run."""
    found = _ID.fullmatch(run_id)
    return (found[1], run_id) if found else None
