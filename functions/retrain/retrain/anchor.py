"""What candidates are adapted from: a model of the base data alone, with the certainty of its weights.

An empty bucket's anchor is the bundled baseline. Base data that somebody imported makes another, trained once and kept
in the registry as a version of its own, under a name that follows from what it was made of.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from sentiloop import artefact, registry
from sentiloop.artefact import Model
from sentiloop.bundled import baseline
from sentiloop.errors import ObjectNotFoundError, PointerError
from sentiloop.pointer import Target
from sentiloop.records import to_json
from sentiloop.registry import version_key
from sentiloop.storage import ObjectStore

from retrain import certainty
from retrain.champion import Champion
from retrain.datasets import SEED, Dataset
from retrain.snapshot import base_rows
from retrain.splits import TRAIN
from retrain.train import Recipe, label_weights, train

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a candidate is adapted from.

    Attributes:
        target: where its files are.
        model: the model.
        certainty: how hard each bucket's weights, and last the intercepts, are held; see `retrain.certainty`.
    """

    target: Target
    model: Model
    certainty: Floats


def find_anchor(store: ObjectStore, champion: Champion, datasets: Sequence[Dataset], recipe: Recipe) -> Anchor:
    """Return the anchor of the base data, trained now if it was never needed before.

    Raises:
        TrainingError: there is too little base data, and no model to start from.
    """
    if champion.prior and champion.prior_target and all(data.name == SEED for data in datasets):
        return Anchor(champion.prior_target, champion.prior, _certainty_of(store, champion.prior))
    version = f"anchor-{_digest(champion, datasets, recipe)[:12]}"
    try:
        target = registry.find(store, version)
    except PointerError:
        target = _train(store, version, champion, datasets, recipe)
    return read_anchor(store, target)


def read_anchor(store: ObjectStore, target: Target) -> Anchor:
    """Return the anchor whose files are at the target."""
    model = registry.fetch(store, target)
    return Anchor(target, model, _certainty_of(store, model))


def _digest(champion: Champion, datasets: Sequence[Dataset], recipe: Recipe) -> str:
    prior = asdict(champion.prior_target) if champion.prior_target else {}
    made_of = [[[data.name, data.digest] for data in datasets], prior, asdict(recipe)]
    return sha256(to_json(made_of)).hexdigest()


def _train(store: ObjectStore, version: str, champion: Champion, datasets: Sequence[Dataset], recipe: Recipe) -> Target:
    rows = base_rows(datasets)
    rows = rows[rows["side"] == TRAIN]
    trained = train(rows, recipe, champion.prior)
    model = trained.model(version)
    known = rows[rows["label"].isin(model.labels)]
    found = certainty.certainty_of(model, known["text"].tolist(), recipe.c * label_weights(known, recipe.balance))
    if champion.prior:
        found += _certainty_of(store, champion.prior)
    description = {
        "created_at": None,  # what it says follows from what it was made of, so that whoever makes it makes the same
        "parents": [champion.prior_target.version] if champion.prior_target else [],
        "parameters": asdict(recipe),
        "data": {"base": [{"name": data.name, "digest": data.digest, "rows": len(data.rows)} for data in datasets]},
    }
    files = {artefact.WEIGHTS: trained.weights, certainty.FILE: certainty.dump(found)}
    return registry.publish(store, version, trained.manifest(version, description), files)


def _certainty_of(store: ObjectStore, model: Model) -> Floats:
    """Return the certainty that was kept with a model; without any its weights are held no harder than new ones."""
    if model.version == baseline().version:
        return certainty.bundled(model.width)
    try:
        return certainty.load(store.get(version_key(model.version, certainty.FILE)).body, model.width)
    except ObjectNotFoundError:
        return np.zeros(model.width + 1)
