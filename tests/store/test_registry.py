"""Versions in a bucket: published whole, fetched checked, promoted and rolled back."""

from hashlib import sha256

import pytest
from sentiloop import artefact, pointer, registry
from sentiloop.errors import ArtefactError, PointerError
from sentiloop.pointer import Target
from sentiloop.registry import version_key
from sentiloop.s3 import S3Store

from tests.builders import BuiltModel, make_model
from tests.faults.faulty_store import CrashError, Fault, FaultyStore
from tests.store.conftest import Shelf


def publish(store: S3Store, built: BuiltModel, **files: bytes) -> Target:
    version = built.model.version
    return registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights, **files})


def served(store: S3Store) -> str:
    found = pointer.read(store)
    assert found is not None
    return found.pointer.champion.version


def test_a_published_version_is_fetched_as_it_was(store: S3Store, tiny_model: BuiltModel) -> None:
    target = publish(store, tiny_model)
    fetched = registry.fetch(store, target)
    assert target == tiny_model.target
    assert fetched.version == tiny_model.model.version
    assert fetched.table == tiny_model.model.table
    assert fetched.manifest == tiny_model.model.manifest


def test_a_found_version_has_the_digest_of_its_manifest(store: S3Store, tiny_model: BuiltModel) -> None:
    target = publish(store, tiny_model)
    assert registry.find(store, tiny_model.model.version) == target
    assert target.manifest_sha256 == sha256(tiny_model.manifest).hexdigest()


def test_a_version_that_was_never_published_is_not_found(store: S3Store) -> None:
    with pytest.raises(PointerError, match="no version 'v404'"):
        registry.find(store, "v404")


def test_the_manifest_is_written_last(store: S3Store, tiny_model: BuiltModel) -> None:
    watched = FaultyStore(store)
    registry.publish(
        watched, "v-test", tiny_model.manifest, {artefact.WEIGHTS: tiny_model.weights, "model.joblib": b""}
    )
    assert watched.writes == [
        version_key("v-test", name) for name in (artefact.WEIGHTS, "model.joblib", artefact.MANIFEST)
    ]


@pytest.mark.parametrize("write", [1, 2, 3])
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_a_publication_that_was_cut_short_is_completed_by_repeating_it(
    write: int, fault: Fault, store: S3Store, tiny_model: BuiltModel
) -> None:
    files = {artefact.WEIGHTS: tiny_model.weights, "model.joblib": b"pipeline"}
    with pytest.raises(CrashError):
        registry.publish(FaultyStore(store, {write: fault}), "v-test", tiny_model.manifest, files)
    complete = write == 3 and fault is Fault.CRASH_AFTER
    if not complete:
        with pytest.raises(PointerError, match="no version"):
            registry.find(store, "v-test")
    target = registry.publish(store, "v-test", tiny_model.manifest, files)
    assert registry.fetch(store, target).table == tiny_model.model.table
    assert store.get(version_key("v-test", "model.joblib")).body == b"pipeline"


def test_a_version_is_never_replaced_by_other_weights(store: S3Store) -> None:
    first = make_model(version="v1", seed=1)
    publish(store, first)
    with pytest.raises(ArtefactError, match="not those that were published"):
        publish(store, make_model(version="v1", seed=2))
    assert registry.fetch(store, first.target).table == first.model.table


def test_a_complete_version_keeps_its_own_manifest(store: S3Store) -> None:
    first, again = make_model(version="v1", created_at="morning"), make_model(version="v1", created_at="evening")
    assert publish(store, first) == publish(store, again) == first.target
    assert registry.fetch(store, first.target).manifest["created_at"] == "morning"


@pytest.mark.parametrize("name", [artefact.WEIGHTS, artefact.MANIFEST])
def test_one_flipped_bit_is_noticed(name: str, store: S3Store, tiny_model: BuiltModel) -> None:
    target = publish(store, tiny_model)
    key = version_key(target.version, name)
    body = bytearray(store.get(key).body)
    body[len(body) // 2] ^= 1
    store.put(key, bytes(body))
    with pytest.raises(ArtefactError, match="sha256"):
        registry.fetch(store, target)


def test_a_manifest_that_fits_other_weights_is_noticed_too(store: S3Store) -> None:
    target = publish(store, make_model(version="v1", seed=1))
    other = make_model(version="v1", seed=2)
    store.put(version_key("v1", artefact.WEIGHTS), other.weights)
    store.put(version_key("v1", artefact.MANIFEST), other.manifest)
    with pytest.raises(ArtefactError, match=r"sha256: the bytes of manifest\.json"):
        registry.fetch(store, target)


@pytest.mark.parametrize("missing", [artefact.WEIGHTS, artefact.MANIFEST])
def test_a_version_that_lacks_a_file_is_not_complete(missing: str, store: S3Store, tiny_model: BuiltModel) -> None:
    for name, body in ((artefact.WEIGHTS, tiny_model.weights), (artefact.MANIFEST, tiny_model.manifest)):
        if name != missing:
            store.put(version_key("v-test", name), body)
    with pytest.raises(ArtefactError, match=f"complete: v-test: NoSuchKey for models/v-test/{missing}"):
        registry.fetch(store, tiny_model.target)


def test_a_promotion_says_who_and_why(store: S3Store, shelf: Shelf) -> None:
    built = shelf.publish("v1")
    moved = registry.promote(store, built.target, by="retrain", reason="better beyond chance")
    assert (moved.champion, moved.by, moved.reason) == (built.target, "retrain", "better beyond chance")
    assert served(store) == "v1"


def test_promoting_what_is_served_changes_nothing(store: S3Store, shelf: Shelf) -> None:
    target = shelf.promote("v1")
    before = store.get(pointer.CURRENT)
    assert registry.promote(store, target, by="somebody", reason="again").generation == 1
    assert store.get(pointer.CURRENT) == before


def test_a_broken_version_is_not_promoted(store: S3Store, shelf: Shelf) -> None:
    shelf.promote("v1")
    broken = shelf.publish("v2", seed=2)
    store.put(version_key("v2", artefact.WEIGHTS), broken.weights[:-1])
    with pytest.raises(ArtefactError, match="size"):
        registry.promote(store, broken.target, by="test", reason="")
    assert served(store) == "v1"


def test_a_rollback_serves_the_version_before(store: S3Store, shelf: Shelf) -> None:
    first = shelf.promote("v1")
    shelf.promote("v2", seed=2)
    moved = registry.rollback(store, by="a person", reason="v2 is rude")
    assert (moved.generation, moved.champion, moved.by, moved.reason) == (3, first, "a person", "v2 is rude")
    assert served(store) == "v1"


def test_a_second_rollback_goes_back_to_what_the_first_one_left(store: S3Store, shelf: Shelf) -> None:
    for version in ("v1", "v2", "v3"):
        shelf.promote(version)
    rolled = [registry.rollback(store, by="test", reason="").champion.version for _ in range(2)]
    assert rolled == ["v2", "v3"]


def test_a_rollback_passes_over_what_learned_from_erased_corrections(store: S3Store, shelf: Shelf) -> None:
    for version in ("v1", "v2", "v3"):
        shelf.promote(version)
    store.put(version_key("v2", registry.MARK), b"{}")
    assert registry.rollback(store, by="test", reason="").champion.version == "v1"


@pytest.mark.parametrize("versions", [[], ["v1"], ["v1", "v1"]])
def test_there_is_nothing_to_roll_back_to_where_nothing_else_was_served(
    versions: list[str], store: S3Store, shelf: Shelf
) -> None:
    for version in versions:
        shelf.promote(version)
    with pytest.raises(PointerError, match="no other version was ever served"):
        registry.rollback(store, by="test", reason="")


def test_a_rollback_to_a_version_that_broke_meanwhile_is_refused(store: S3Store, shelf: Shelf) -> None:
    shelf.promote("v1")
    shelf.promote("v2", seed=2)
    store.put(version_key("v1", artefact.WEIGHTS), b"")
    with pytest.raises(ArtefactError, match="size"):
        registry.rollback(store, by="test", reason="")
    assert served(store) == "v2"
