"""A table of published versions that the store tests share."""

import pytest
from sentiloop import artefact, registry
from sentiloop.pointer import Target
from sentiloop.storage import ObjectStore

from tests.builders import BuiltModel, make_model


class Shelf:
    """Makes versions and publishes them."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def publish(self, version: str, seed: int = 0) -> BuiltModel:
        """Publish a small model under a name."""
        built = make_model(version=version, seed=seed)
        registry.publish(self._store, version, built.manifest, {artefact.WEIGHTS: built.weights})
        return built

    def promote(self, version: str, seed: int = 0) -> Target:
        """Publish and promote a small model."""
        target = self.publish(version, seed).target
        registry.promote(self._store, target, by="test", reason=f"serve {version}")
        return target


@pytest.fixture
def shelf(store: ObjectStore) -> Shelf:
    return Shelf(store)
