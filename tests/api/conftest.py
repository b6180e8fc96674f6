"""The HTTP functions as Lambda runs them: Mangum around the application, over a bucket on moto."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest
from admin.routes import create_admin_app
from fastapi import FastAPI
from feedback.routes import create_feedback_app
from mangum import Mangum
from predict.routes import create_predict_app
from predict.samples import Samples
from sentiloop import artefact, registry
from sentiloop.activity import Activity
from sentiloop.activity_store import ActivityWriter
from sentiloop.pointer import Pointer
from sentiloop.s3 import S3Store
from sentiloop.serving import LiveModel
from sentiloop.settings import Secret, Settings
from sentiloop.storage import ObjectStore

from tests.builders import BuiltModel
from tests.events import Answer, Event, call
from tests.faults.memory_store import MemoryStore

CONTRIBUTOR_KEY = "a contributor key for tests"
ADMIN_KEY = "an admin key for tests"


class Function:
    """A function that answers events; `app` is there to add what a test needs."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._handler = Mangum(app, lifespan="off")

    def __call__(self, request: Event) -> Answer:
        return call(self._handler, request)


class MakeFunction(Protocol):
    """Makes a function with other settings, or over another store."""

    def __call__(self, store: ObjectStore | None = None, /, **settings: Any) -> Function: ...


@pytest.fixture
def settings() -> Settings:
    return Settings(
        contributor_key=Secret(CONTRIBUTOR_KEY),
        admin_key=Secret(ADMIN_KEY),
        sample_share=0.0,
        sample_seconds=0,
        refresh_seconds=3_600,
        activity_seconds=0,
    )


def writer(store: ObjectStore, settings: Settings) -> ActivityWriter:
    """Make what counts and writes the activity of one instance."""
    return ActivityWriter(store, Activity(), settings)


@pytest.fixture
def make_predict(store: S3Store, settings: Settings, event_loop_of_the_thread: None) -> MakeFunction:
    def make(given: ObjectStore | None = None, **changes: Any) -> Function:
        changed = replace(settings, **changes)
        over = store if given is None else given
        live = LiveModel(over, changed.refresh_seconds)
        return Function(create_predict_app(changed, live, Samples(over, changed), writer(over, changed)))

    return make


@pytest.fixture
def make_feedback(store: S3Store, settings: Settings, event_loop_of_the_thread: None) -> MakeFunction:
    def make(given: ObjectStore | None = None, **changes: Any) -> Function:
        changed, over = replace(settings, **changes), store if given is None else given
        return Function(create_feedback_app(changed, over, writer(over, changed)))

    return make


@pytest.fixture
def make_admin(store: S3Store, settings: Settings, event_loop_of_the_thread: None) -> MakeFunction:
    def make(given: ObjectStore | None = None, **changes: Any) -> Function:
        changed, over = replace(settings, **changes), store if given is None else given
        return Function(create_admin_app(changed, over, writer(over, changed)))

    return make


@pytest.fixture
def make_admin_in_memory(settings: Settings, event_loop_of_the_thread: None) -> MakeFunction:
    """For what needs no S3: over a store in memory, unless another is given."""

    def make(given: ObjectStore | None = None, **changes: Any) -> Function:
        changed, over = replace(settings, **changes), MemoryStore() if given is None else given
        return Function(create_admin_app(changed, over, writer(over, changed)))

    return make


@pytest.fixture
def predict(make_predict: MakeFunction) -> Function:
    return make_predict()


@pytest.fixture
def feedback(make_feedback: MakeFunction) -> Function:
    return make_feedback()


@pytest.fixture
def admin(make_admin: MakeFunction) -> Function:
    return make_admin()


@pytest.fixture
def promote(store: S3Store) -> Callable[[BuiltModel], Pointer]:
    """Publish and promote a model."""

    def publish_and_promote(built: BuiltModel) -> Pointer:
        version = built.model.version
        target = registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
        return registry.promote(store, target, by="test", reason="for a test")

    return publish_and_promote
