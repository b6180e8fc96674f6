"""Giving an empty bucket its first content: the bundled baseline as generation 1, and the seed corpus."""

from sentiloop import artefact, pointer, registry
from sentiloop.bundled import baseline, baseline_files
from sentiloop.pointer import Move, Pointer
from sentiloop.storage import ObjectStore

from retrain.datasets import store_seed


def bootstrap(store: ObjectStore) -> Pointer:
    """Fill an empty bucket and return the pointer; a bucket that has one keeps it."""
    store_seed(store)
    if current := pointer.read(store):
        return current.pointer
    manifest, weights = baseline_files()
    target = registry.publish(store, baseline().version, manifest, {artefact.WEIGHTS: weights})
    move = Move(target, "bootstrap", "the bundled baseline, in an empty bucket")
    moved = pointer.move(store, lambda current: None if current else move)  # another instance may have been first
    assert moved is not None  # noqa: S101 - there is a pointer now, this one or another
    return moved
