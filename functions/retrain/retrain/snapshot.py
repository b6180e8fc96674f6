"""Step 3: exactly what a model is trained on, named by its digest."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pandas as pd
from sentiloop.records import Correction, to_json
from sentiloop.storage import ObjectStore, create

from retrain import segments
from retrain.collect import LEFT_OUT, SEGMENTS, SNAPSHOTS
from retrain.datasets import Dataset
from retrain.merge import Merged, text_key
from retrain.segments import Segment
from retrain.splits import declared_side, side_of

RULES = 2  # raise it when merging or splitting changes, so that equal data with other rules is another snapshot
FEEDBACK_SOURCE = "feedback"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Training data.

    Attributes:
        digest: names it; equal inputs have equal digests.
        rows: columns key, text, label, source (a data set's name, or "feedback"), side (train or holdout); and of
            feedback, empty in base data, contributors, trusted, received_at and selection, as `retrain.merge` has them.
        manifest: counts and the digests of its parts.
        corrections: all valid corrections behind it, the left-out ones included.
        left_out: reason by correction id.
    """

    digest: str
    rows: pd.DataFrame
    manifest: Mapping[str, Any]
    corrections: tuple[Correction, ...]
    left_out: Mapping[str, str]


def make_snapshot(datasets: Sequence[Dataset], corrections: tuple[Correction, ...], merged: Merged) -> Snapshot:
    """Put base data and merged corrections together. A corrected text replaces the base rows of the same text."""
    feedback = merged.rows.assign(source=FEEDBACK_SOURCE, side=merged.rows["key"].map(side_of))
    base = base_rows(datasets)
    base = base[~base["key"].isin(set(feedback["key"]))]
    nobody: list[Any] = [()] * len(base)
    base = base.assign(contributors=nobody, trusted=False, received_at="", selection="")
    rows = pd.concat([base, feedback[base.columns]], ignore_index=True)
    manifest = {
        "rules": RULES,
        "base": [{"name": data.name, "digest": data.digest, "rows": len(data.rows)} for data in datasets],
        "corrections": {
            "sha256": segments.digest_of(corrections),
            "stored": len(corrections),
            "rows": len(feedback),
        },
        "left_out": pd.Series(merged.left_out, dtype="object").value_counts().sort_index().to_dict(),
        "rows": {
            side: counts.to_dict()
            for side, counts in rows.groupby(["side", "label"]).size().unstack(fill_value=0).iterrows()
        },
    }
    return Snapshot(sha256(to_json(manifest)).hexdigest(), rows, manifest, corrections, merged.left_out)


def store_snapshot(store: ObjectStore, snapshot: Snapshot, kept_in: Sequence[Segment] | None = None) -> None:
    """Write the snapshot; storing it again changes nothing. Base data and corrections are named, not copied.

    Args:
        store: the bucket.
        snapshot: what to write.
        kept_in: the segments that hold its corrections; None: they are in none yet, and become some.
    """
    if kept_in is None:
        kept_in = [part.segment for part in segments.append(store, [], snapshot.corrections)]
    folder = f"{SNAPSHOTS}{snapshot.digest}/"
    for name, body in (
        (SEGMENTS, to_json({"segments": segments.to_fields(kept_in)})),
        (LEFT_OUT, gzip.compress(to_json(dict(snapshot.left_out)), segments.COMPRESSION, mtime=0)),
        (MANIFEST, to_json(dict(snapshot.manifest))),
    ):
        create(store, folder + name, body)


def base_rows(datasets: Sequence[Dataset]) -> pd.DataFrame:
    """Return the rows of base data with the columns key, text, label, source and side.

    Each text is there once: of repeated texts a held-out row stays, so that none leaks.
    """
    rows = [
        (key, row.text, row.label, data.name, declared_side(row.split, key))
        for data in datasets
        for row in data.rows
        for key in [text_key(row.text)]
    ]
    table = pd.DataFrame(rows, columns=pd.Index(["key", "text", "label", "source", "side"]))
    return table.sort_values("side", kind="stable").drop_duplicates("key", keep="first").sort_index()
