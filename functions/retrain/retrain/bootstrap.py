"""Giving a bucket what a run starts from: a model that this code can serve, and the seed corpus."""

from sentiloop import artefact, pointer, registry
from sentiloop.bundled import baseline, baseline_files
from sentiloop.errors import ObjectNotFoundError
from sentiloop.pointer import Move, Pointer
from sentiloop.registry import version_key
from sentiloop.storage import ObjectStore

from retrain.datasets import store_seed


def bootstrap(store: ObjectStore) -> Pointer:
    """Point at the bundled baseline where nothing is served, or a model that only older code reads; return the pointer.

    After such an upgrade the next run learns all corrections anew.
    """
    store_seed(store)
    before = pointer.move(store, lambda _current: None)  # finishes what a crash or a restored copy left behind
    if before and not _is_outdated(store, before):
        return before
    manifest, weights = baseline_files()
    target = registry.publish(store, baseline().version, manifest, {artefact.WEIGHTS: weights})
    reason = f"the code no longer reads {before.champion.version}" if before else "the bucket was empty"
    move = Move(target, "bootstrap", f"the bundled baseline: {reason}")
    moved = pointer.move(store, lambda found: move if found == before else None)  # another instance may have been first
    assert moved is not None  # noqa: S101 - there is a pointer now, this one or another
    return moved


def _is_outdated(store: ObjectStore, current: Pointer) -> bool:
    try:
        return artefact.is_outdated(store.get(version_key(current.champion.version, artefact.MANIFEST)).body)
    except ObjectNotFoundError:
        return False  # an incomplete version is trouble of another kind, and not to be covered up
