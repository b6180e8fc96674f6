"""Finishing what runs before left undone: what is served has its record, and what it learned from its receipts."""

import json
from collections.abc import Collection
from typing import Any

from sentiloop import artefact, pointer
from sentiloop.errors import ObjectNotFoundError
from sentiloop.registry import version_key
from sentiloop.run_records import decision_prefix
from sentiloop.storage import ObjectStore

from retrain.collect import read_snapshot, recollect
from retrain.ledger import PROMOTED, Decision, read_records, settle, write_record
from retrain.task import present_pointer
from retrain.without import Without

MOVES_LOOKED_AT = 10  # of the pointer, in search of promotions that were not recorded


def record_promotions(store: ObjectStore) -> None:
    """Write the records and receipts of versions that are served and have none; mostly there is nothing.

    Such a version was served after its trial, or by a person, or by a run that ended right after it.
    """
    for version in _recently_served(store):
        manifest = _manifest(store, version)
        snapshot = manifest.get("data", {}).get("snapshot")
        digest = version.removeprefix("v")
        if snapshot is None or _is_recorded(store, decision_prefix(snapshot, digest)):
            continue
        before = _manifest(store, manifest["parents"][0])
        collected = recollect(store, snapshot, before.get("data", {}).get("snapshot"), Without.of(before))
        _, left_out = read_snapshot(store, snapshot)
        left_out = Without.of(manifest).left_out(collected.corrections, left_out)
        settle(store, collected, Decision(snapshot, left_out, digest, version))
        reasons = ["served after its trial, by a person, or by a run that was cut short; recorded by the next run"]
        record = {"outcome": PROMOTED, "version": version, "reasons": reasons, "snapshot": snapshot}
        write_record(store, snapshot, digest, record)


def _is_recorded(store: ObjectStore, prefix: str) -> bool:
    return any(record["outcome"] == PROMOTED for _, record in read_records(store, prefix))


def _recently_served(store: ObjectStore) -> Collection[str]:
    """Return the versions of the last moves: after a promotion people may have moved the pointer more than once."""
    newest = present_pointer(store).generation
    entries = (pointer.read_history(store, newest - back) for back in range(MOVES_LOOKED_AT))
    return dict.fromkeys(entry.champion.version for entry in entries if entry)


def _manifest(store: ObjectStore, version: str) -> dict[str, Any]:
    """Return a version's manifest; one that was deleted or broken since it was served has nothing to tell."""
    try:
        found: dict[str, Any] = json.loads(store.get(version_key(version, artefact.MANIFEST)).body)
    except (ObjectNotFoundError, ValueError):
        return {}
    return found
