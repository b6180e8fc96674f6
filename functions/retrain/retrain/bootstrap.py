"""Giving an empty bucket its first content: the bundled baseline as generation 1, and the seed corpus."""

from importlib.resources import files

from sentiloop import artefact, pointer, registry
from sentiloop.pointer import Pointer
from sentiloop.serving import baseline
from sentiloop.storage import ObjectStore

from retrain.datasets import store_seed


def bootstrap(store: ObjectStore) -> Pointer:
    """Fill an empty bucket and return the pointer; a bucket that has one keeps it."""
    store_seed(store)
    if current := pointer.read(store):
        return current.pointer
    folder = files("sentiloop") / "baseline"
    weights = (folder / artefact.WEIGHTS).read_bytes()
    manifest = (folder / artefact.MANIFEST).read_bytes()
    target = registry.publish(store, baseline().version, manifest, {artefact.WEIGHTS: weights})
    return registry.promote(store, target, by="bootstrap", reason="the bundled baseline, in an empty bucket")
