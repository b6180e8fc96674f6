"""Step 3: exactly what a model is trained on, named by its digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pandas as pd
from sentiloop.records import Correction, to_json
from sentiloop.storage import ObjectStore, create

from retrain.collect import CORRECTIONS, LEFT_OUT, SNAPSHOTS, corrections_body
from retrain.datasets import Dataset
from retrain.merge import Merged, text_key
from retrain.splits import declared_side, side_of

RULES = 1  # raise it when merging or splitting changes, so that equal data with other rules is another snapshot
FEEDBACK_SOURCE = "feedback"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Training data.

    Attributes:
        digest: names it; equal inputs have equal digests.
        rows: columns key, text, label, source (a data set's name, or "feedback"), side (train or holdout).
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
    feedback = merged.rows[["key", "text", "label"]].assign(source=FEEDBACK_SOURCE)
    feedback["side"] = feedback["key"].map(side_of)
    rows = pd.concat([_base_rows(datasets, set(feedback["key"])), feedback], ignore_index=True)
    body = corrections_body(corrections)
    manifest = {
        "rules": RULES,
        "base": [{"name": data.name, "digest": data.digest, "rows": len(data.rows)} for data in datasets],
        "corrections": {"sha256": sha256(body).hexdigest(), "stored": len(corrections), "rows": len(feedback)},
        "left_out": pd.Series(merged.left_out, dtype="object").value_counts().sort_index().to_dict(),
        "rows": {
            side: counts.to_dict()
            for side, counts in rows.groupby(["side", "label"]).size().unstack(fill_value=0).iterrows()
        },
    }
    return Snapshot(sha256(to_json(manifest)).hexdigest(), rows, manifest, corrections, merged.left_out)


def store_snapshot(store: ObjectStore, snapshot: Snapshot) -> None:
    """Write the snapshot; storing it again changes nothing. Base data is named by digest, not copied."""
    folder = f"{SNAPSHOTS}{snapshot.digest}/"
    for name, body in (
        (CORRECTIONS, corrections_body(snapshot.corrections)),
        (LEFT_OUT, to_json(dict(snapshot.left_out))),
        ("manifest.json", to_json(dict(snapshot.manifest))),
    ):
        create(store, folder + name, body)


def _base_rows(datasets: Sequence[Dataset], corrected: set[str]) -> pd.DataFrame:
    """Return the base rows, each text once a data set: of repeated texts the held-out row stays, so none leaks."""
    rows = [
        (key, row.text, row.label, data.name, declared_side(row.split, key))
        for data in datasets
        for row in data.rows
        if (key := text_key(row.text)) not in corrected
    ]
    table = pd.DataFrame(rows, columns=pd.Index(["key", "text", "label", "source", "side"]))
    return table.sort_values("side", kind="stable").drop_duplicates("key", keep="first").sort_index()
