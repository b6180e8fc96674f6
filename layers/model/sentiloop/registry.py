"""Versions in the bucket: publishing them whole, fetching them checked, promoting them and rolling back."""

from collections.abc import Mapping
from hashlib import sha256

from sentiloop import artefact, pointer
from sentiloop.artefact import Model
from sentiloop.errors import ArtefactError, ObjectNotFoundError, PointerError
from sentiloop.pointer import Move, Pointer, Target
from sentiloop.storage import ObjectStore, create

MARK = "erased.json"  # beside a version's files: it learned from corrections that were erased


def version_key(version: str, name: str) -> str:
    """Return the key of one file of a version."""
    return f"models/{version}/{name}"


def is_marked(store: ObjectStore, version: str) -> bool:
    """Return whether a version learned from corrections that were erased since."""
    return any(store.keys(version_key(version, MARK)))


def publish(store: ObjectStore, version: str, manifest: bytes, files: Mapping[str, bytes]) -> Target:
    """Write a version's files, the manifest last: a version with a manifest is complete.

    Publishing again what a crashed run had begun is fine: the weights have to be the same, and where a complete
    version stands already its own manifest stays.

    Raises:
        ArtefactError: the version exists with other weights.
    """
    for name, body in files.items():
        if not create(store, version_key(version, name), body) and name == artefact.WEIGHTS:
            _check_same(store, version_key(version, name), body)
    if not create(store, version_key(version, artefact.MANIFEST), manifest):
        manifest = store.get(version_key(version, artefact.MANIFEST)).body
    return Target(version, sha256(manifest).hexdigest())


def fetch(store: ObjectStore, target: Target) -> Model:
    """Return a version's model, every byte of it checked against the pointer.

    Raises:
        ArtefactError: a file is missing, or not what the pointer and the manifest say.
    """
    try:
        manifest = store.get(version_key(target.version, artefact.MANIFEST)).body
        weights = store.get(version_key(target.version, artefact.WEIGHTS)).body
    except ObjectNotFoundError as error:
        raise ArtefactError("complete", f"{target.version}: {error.message}") from error
    artefact.check_sha256(artefact.MANIFEST, manifest, target.manifest_sha256)
    return artefact.load(manifest, weights)


def find(store: ObjectStore, version: str) -> Target:
    """Return the target of a published version; raise `PointerError` if there is none of that name."""
    try:
        manifest = store.get(version_key(version, artefact.MANIFEST)).body
    except ObjectNotFoundError as error:
        raise PointerError(f"no version {version!r}", "List models/ for the versions there are.") from error
    return Target(version, sha256(manifest).hexdigest())


def promote(store: ObjectStore, target: Target, *, by: str, reason: str) -> Pointer:
    """Point at a version after reading it whole; a version that is served already stays as it is.

    A trial ends with it, since its challenger was compared with another champion; a pin stays.
    """
    fetch(store, target)

    def decide(current: Pointer | None) -> Move | None:
        if current is None:
            return Move(target, by, reason)
        return None if current.champion == target else Move(target, by, reason, pinned=current.pinned)

    moved = pointer.move(store, decide)
    assert moved is not None  # noqa: S101 - `decide` leaves the pointer alone only where there is one
    return moved


def rollback(store: ObjectStore, *, by: str, reason: str, away_from: str | None = None) -> Pointer:
    """Point at the last version that was served before the present one and is not it; a trial ends with it.

    A version that learned from what was erased since is passed over.

    Args:
        store: the bucket.
        by: who asks.
        reason: why.
        away_from: the version that is to go. If another one is served nothing happens, so that a request that is
            repeated does not go back twice. None: whatever is served.

    Raises:
        PointerError: nothing else was ever served.
    """

    def decide(current: Pointer | None) -> Move | None:
        if current and away_from is not None and current.champion.version != away_from:
            return None
        target = goes_back_to(store, current)
        fetch(store, target)
        return Move(target, by, reason, pinned=current is not None and current.pinned)

    moved = pointer.move(store, decide)
    assert moved is not None  # noqa: S101 - `decide` moves or raises
    return moved


def goes_back_to(store: ObjectStore, current: Pointer | None) -> Target:
    """Return the version that a rollback from there serves again; raise `PointerError` if there is none."""
    for generation in range(current.generation - 1 if current else 0, 0, -1):
        entry = pointer.read_history(store, generation)
        if entry and current and entry.champion != current.champion and not is_marked(store, entry.champion.version):
            return entry.champion
    raise PointerError("no other version was ever served", "Promote a version by name instead.")


def _check_same(store: ObjectStore, key: str, body: bytes) -> None:
    artefact.check_sha256(key, store.get(key).body, sha256(body).hexdigest())
