"""An empty bucket gets its first content, however often and however interrupted."""

import json

import pytest
from retrain.bootstrap import bootstrap
from retrain.datasets import SEED, Row, read_dataset, read_datasets, store_dataset
from sentiloop import artefact, features, pointer, registry
from sentiloop.bundled import baseline
from sentiloop.pointer import Move, Target
from sentiloop.records import to_json
from sentiloop.registry import version_key
from sentiloop.s3 import S3Store
from sentiloop.serving import LiveModel

from tests.builders import BuiltModel, make_model
from tests.faults.faulty_store import CrashError, Fault, FaultyStore
from tests.faults.memory_store import MemoryStore
from tests.store.conftest import Shelf


def test_an_empty_bucket_gets_the_baseline_as_generation_one_and_the_seed_corpus(store: S3Store) -> None:
    first = bootstrap(store)
    assert (first.generation, first.champion.version, first.by) == (1, baseline().version, "bootstrap")
    assert registry.fetch(store, first.champion).table == baseline().table
    assert [dataset.name for dataset in read_datasets(store)] == [SEED]


def test_a_reader_finds_the_baseline_healthy_afterwards(store: S3Store) -> None:
    bootstrap(store)
    served = LiveModel(store, 0).current()
    assert (served.model.version, served.problem) == (baseline().version, None)


def test_a_second_time_changes_nothing(store: S3Store) -> None:
    first = bootstrap(store)
    before = {key: store.get(key).etag for key in store.keys("")}
    assert bootstrap(store) == first
    assert {key: store.get(key).etag for key in store.keys("")} == before


def test_a_bucket_with_a_pointer_keeps_it(store: S3Store, shelf: Shelf) -> None:
    target = shelf.promote("v1")
    assert bootstrap(store).champion == target
    assert [dataset.name for dataset in read_datasets(store)] == [SEED]


def outdated(version: str) -> tuple[bytes, BuiltModel]:
    """A manifest as older code wrote it, and the model it was made of."""
    built = make_model(version=version)
    fields = {**json.loads(built.manifest), "features": features.VERSION - 1}
    return to_json(fields), built


def test_a_model_that_only_older_code_reads_gives_way_to_the_baseline(store: S3Store) -> None:
    manifest, built = outdated("old")
    target = registry.publish(store, "old", manifest, {artefact.WEIGHTS: built.weights})
    pointer.move(store, lambda _current: Move(target, "test", "as it was before the upgrade"))
    assert "features" in str(LiveModel(store, 0).current().problem)
    after = bootstrap(store)
    assert (after.generation, after.champion.version) == (2, baseline().version)
    assert "old" in after.reason
    assert LiveModel(store, 0).current().problem is None
    assert bootstrap(store) == after


def test_a_model_that_is_broken_is_not_covered_up(store: S3Store) -> None:
    gone = Target("gone", "0" * 64)
    pointer.move(store, lambda _current: Move(gone, "test", "its files were deleted"))
    assert bootstrap(store).champion == gone


def test_a_promotion_that_comes_meanwhile_is_not_taken_back() -> None:
    """Two instances may find the bucket empty at once; the slower one must not undo what happened since."""
    memory = MemoryStore()
    slow = FaultyStore(memory)
    promoted = make_model(version="v2")

    def others_go_on(key: str) -> None:
        if key == version_key(baseline().version, artefact.MANIFEST):
            slow.before_write = lambda _key: None
            bootstrap(memory)
            registry.publish(memory, "v2", promoted.manifest, {artefact.WEIGHTS: promoted.weights})
            registry.promote(memory, promoted.target, by="somebody else", reason="better")

    slow.before_write = others_go_on
    assert bootstrap(slow).champion == promoted.target
    found = pointer.read(memory)
    assert found is not None
    assert found.pointer.champion == promoted.target


def test_wherever_it_is_cut_short_the_next_time_completes_it() -> None:
    write = 0
    while True:
        write += 1
        for fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER):
            memory = MemoryStore()
            faulty = FaultyStore(memory, {write: fault})
            try:
                bootstrap(faulty)
            except CrashError:
                assert LiveModel(memory, 0).current().model.version == baseline().version
                bootstrap(memory)
            else:
                assert write > 6, "seed rows and manifest, weights and manifest, history and pointer"
                return
            assert LiveModel(memory, 0).current().problem is None
            assert [dataset.name for dataset in read_datasets(memory)] == [SEED]
            assert len(list(memory.keys("models/history/"))) == 1


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.DOWN])
def test_storage_trouble_is_raised_and_the_next_time_completes_it(fault: Fault) -> None:
    memory = MemoryStore()
    with pytest.raises(Exception, match=fault.value):
        bootstrap(FaultyStore(memory, {3: fault}))
    assert bootstrap(memory).generation == 1


def test_an_older_edition_of_the_seed_corpus_stays(store: S3Store) -> None:
    older = [Row("an old sentence", "neutral"), Row("a nice old sentence", "positive")]
    store_dataset(store, SEED, older, source="an earlier release", licence="Apache-2.0")
    bootstrap(store)
    assert read_dataset(store, SEED).rows == tuple(older)
