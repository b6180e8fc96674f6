"""What an instance does before its snapshot is taken and after it is restored, called as Lambda's runtime calls it."""

import random
from collections.abc import Iterator

import pytest
import snapshot_restore_py
from predict import snapstart
from sentiloop import trial
from sentiloop.s3 import S3Store
from sentiloop.serving import LiveModel

from tests.faults.faulty_store import down
from tests.store.conftest import Shelf

HOUR = 3_600.0


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    state = random.getstate()
    yield
    random.setstate(state)


@pytest.fixture
def live(store: S3Store) -> LiveModel:
    """A model that looks at the pointer once an hour, unless a hook makes it look."""
    return LiveModel(store, HOUR)


def test_the_function_registers_its_hooks_with_the_runtime() -> None:
    import predict.app  # noqa: PLC0415

    before = [(hook, arguments) for hook, arguments, _ in snapshot_restore_py.get_before_snapshot()]
    after = [(hook, arguments) for hook, arguments, _ in snapshot_restore_py.get_after_restore()]
    assert (snapstart.prepare, (predict.app.live, predict.app.store)) in before
    assert (snapstart.restore, (predict.app.live,)) in after


def test_a_snapshot_holds_the_published_model(live: LiveModel, store: S3Store, shelf: Shelf) -> None:
    shelf.promote("v1")
    snapstart.prepare(live, store)
    assert live.current().model.version == "v1"
    assert store.get("models/current.json"), "with its connections closed, the store connects anew"


def test_a_snapshot_holds_the_challenger_too(live: LiveModel, store: S3Store, shelf: Shelf) -> None:
    shelf.promote("v1")
    trial.begin(store, shelf.publish("v2", seed=2).target, "shadow", 0.0, by="test", reason="")
    snapstart.prepare(live, store)
    challenger = live.current().challenger
    assert challenger is not None
    assert challenger.model.version == "v2"


def test_a_restored_instance_serves_what_was_published_since_the_snapshot(
    live: LiveModel, store: S3Store, shelf: Shelf
) -> None:
    shelf.promote("v1")
    snapstart.prepare(live, store)
    shelf.promote("v2", seed=2)
    assert live.current().model.version == "v1", "or this test shows nothing"
    snapstart.restore(live)
    assert live.current().model.version == "v2"


def test_instances_of_one_snapshot_draw_different_samples(live: LiveModel) -> None:
    snapshot = random.getstate()
    draws = set()
    for _ in range(3):
        random.setstate(snapshot)
        snapstart.restore(live)
        draws.add(random.random())
    assert len(draws) == 3


def test_storage_that_does_not_answer_stops_neither_the_snapshot_nor_the_restored_instance(store: S3Store) -> None:
    live = LiveModel(down(), HOUR)
    snapstart.prepare(live, store)
    snapstart.restore(live)
    assert live.current().problem
    assert live.current().scorer.score("fine").label
