"""Training a published version once more, from what its manifest names: equal bytes show that nothing is missing.

Base data is found by its digest, corrections in the snapshot's segments, the anchor by its target; the recipe and what
was chosen stand in the manifest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sentiloop import artefact, features, registry
from sentiloop.errors import ArtefactError, ObjectNotFoundError, SentiloopError
from sentiloop.pointer import Target
from sentiloop.records import Correction
from sentiloop.registry import version_key
from sentiloop.storage import ObjectStore

from retrain import segments
from retrain.adapt import Adaptation, Limits
from retrain.anchor import read_anchor
from retrain.candidate import make_candidate
from retrain.collect import SNAPSHOTS, read_corrections
from retrain.datasets import Dataset, DatasetError, read_dataset
from retrain.merge import Merged, merge_corrections
from retrain.run import MODEL_FILE
from retrain.snapshot import MANIFEST, RULES, Snapshot, make_snapshot
from retrain.splits import TRAIN
from retrain.traffic import FILE as SAMPLES_FILE
from retrain.traffic import draw_samples
from retrain.train import Recipe, Trained
from retrain.without import Without

UNLIMITED = 2**31  # what a snapshot has kept is within the limits of its time


class RebuildError(SentiloopError):
    """Raise when a version cannot be trained again, or comes out as another one."""

    code = "cannot_rebuild"
    hint = "The published files are not touched, and are served as before."


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A version that was trained again, to the same weights.

    Attributes:
        version: its name.
        weights_sha256: of the published weights and of the rebuilt ones.
        joblib_is_same: whether model.joblib has come out the same too; other editions of the libraries write another.
    """

    version: str
    weights_sha256: str
    joblib_is_same: bool


def rebuild(store: ObjectStore, version: str) -> Rebuilt:
    """Train a version again and compare; nothing is written.

    Raises:
        PointerError: there is no version of that name.
        RebuildError: something that it was made from is gone, or the weights are others.
    """
    target = registry.find(store, version)
    manifest = json.loads(store.get(version_key(target.version, artefact.MANIFEST)).body)
    published = manifest["weights"]["sha256"]
    if manifest["features"] != features.VERSION:
        message = f"made with feature version {manifest['features']}; this code has {features.VERSION}"
        raise RebuildError(f"{version}: {message}", "Rebuild it with the code that made it.")
    trained = train_again(store, manifest)
    rebuilt = sha256(trained.weights).hexdigest()
    if rebuilt != published:
        message = f"{version}: the weights are {rebuilt[:16]}…, and those that were published {published[:16]}…"
        raise RebuildError(message, "Rebuild it with the code and the libraries that made it.")
    return Rebuilt(version, rebuilt, store.get(version_key(version, MODEL_FILE)).body == trained.joblib())


def train_again(store: ObjectStore, manifest: Mapping[str, Any]) -> Trained:
    """Make the candidate as a version's manifest says, on the snapshot that it names.

    Raises:
        RebuildError: the version was not made from a snapshot, or something that it was made from is gone.
    """
    data, parameters = manifest.get("data", {}), manifest.get("parameters", {})
    if "snapshot" not in data:
        raise RebuildError(f"{manifest['version']}: not trained from a snapshot", "It was not made by a run.")
    snapshot = read_again(store, data["snapshot"])
    recipe = Recipe(**parameters["recipe"])
    try:
        store.get(f"{SNAPSHOTS}{snapshot.digest}/{SAMPLES_FILE}")  # where they are gone, others would be drawn
        samples = draw_samples(store, snapshot, recipe.sample_rows)
        anchor = read_anchor(store, Target(**data["anchor"]))
    except (ObjectNotFoundError, ArtefactError) as error:
        raise RebuildError(f"{error.message}: it was erased") from error
    rows = snapshot.rows[snapshot.rows["side"] == TRAIN]
    adaptation = Adaptation(anchor, rows, samples, recipe, Limits(**parameters["limits"]))
    return make_candidate(adaptation, parameters["feedback_weight"], Without.of(manifest))


def read_again(store: ObjectStore, digest: str) -> Snapshot:
    """Return a snapshot from the parts that it names.

    Raises:
        RebuildError: a part is gone or was changed, or other code made the snapshot.
    """
    try:
        manifest = json.loads(store.get(f"{SNAPSHOTS}{digest}/{MANIFEST}").body)
        _check(manifest["rules"] == RULES, f"snapshot by rules {manifest['rules']}, and this code has {RULES}")
        datasets = [_read_base(store, base) for base in manifest["base"]]
        corrections, left_out = read_corrections(store, digest)
    except ObjectNotFoundError as error:
        raise RebuildError(f"{error.message}: it was erased") from error
    known = segments.digest_of(corrections) == manifest["corrections"]["sha256"]
    _check(known, f"of {manifest['corrections']['stored']} corrections {len(corrections)} are left: some were erased")
    snapshot = make_snapshot(datasets, corrections, _merge_again(corrections, left_out))
    _check(snapshot.digest == digest, f"the snapshot comes out as {snapshot.digest[:16]}…, and not as {digest[:16]}…")
    return snapshot


def _merge_again(corrections: Sequence[Correction], left_out: Mapping[str, str]) -> Merged:
    """Merge what the snapshot kept: what it left out by the settings of its time stays out."""
    kept = [entry for entry in corrections if entry.id not in left_out]
    merged = merge_corrections(kept, {entry.correct_label for entry in kept}, UNLIMITED, UNLIMITED)
    return Merged(merged.rows, left_out)


def _read_base(store: ObjectStore, base: Mapping[str, Any]) -> Dataset:
    try:
        found = read_dataset(store, base["name"])
    except DatasetError as error:
        raise RebuildError(error.message) from error
    _check(found.digest == base["digest"], f"data set {base['name']} holds other rows than then")
    return found


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise RebuildError(message)
