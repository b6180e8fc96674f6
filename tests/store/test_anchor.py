"""What candidates are adapted from: made once, under a name that follows from what it is made of."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from retrain import anchor as module
from retrain import certainty
from retrain.anchor import find_anchor, read_anchor
from retrain.bootstrap import bootstrap
from retrain.champion import Champion, read_champion
from retrain.datasets import SEED, Dataset, Row
from retrain.train import Recipe, TrainingError, train
from sentiloop import artefact, registry
from sentiloop.bundled import baseline
from sentiloop.pointer import Target
from sentiloop.registry import version_key

from tests.adaptations import base_table
from tests.faults.memory_store import MemoryStore

RECIPE = Recipe(width=2**12, max_iter=30)


def dataset(name: str = "mine", seed: int = 0) -> Dataset:
    table = base_table(seed=seed)
    rows = tuple(Row(text, label) for text, label in zip(table["text"], table["label"], strict=True))
    return Dataset(name, f"digest of {seed}", rows, {})


def without_prior() -> Champion:
    """A champion whose data is all there; nothing of it is asked for but its prior."""
    return Champion("commit", Target("v1", "0" * 64), baseline(), None, None)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def with_prior(store: MemoryStore) -> Champion:
    """A champion that pulls to a small model which was published without certainties."""
    trained = train(base_table(seed=5), RECIPE)
    target = registry.publish(store, "v-old", trained.manifest("v-old", {}), {artefact.WEIGHTS: trained.weights})
    return Champion("commit", target, trained.model("v-old"), trained.model("v-old"), target)


def test_a_bucket_with_the_seed_alone_starts_from_the_bundled_baseline_and_its_certainty(store: MemoryStore) -> None:
    champion = read_champion(store, bootstrap(store))
    before = dict(store.objects)
    found = find_anchor(store, champion, [dataset(SEED)], RECIPE)
    assert found.model.version == baseline().version
    assert found.target == champion.target
    assert (found.certainty == certainty.bundled(baseline().width)).all()
    assert store.objects == before, "nothing is trained and nothing written"
    assert find_anchor(store, champion, [], RECIPE).target == champion.target


def test_base_data_makes_an_anchor_that_is_kept_whole(store: MemoryStore) -> None:
    found = find_anchor(store, without_prior(), [dataset()], RECIPE)
    assert found.target.version.startswith("anchor-")
    assert registry.fetch(store, found.target).version == found.target.version
    assert len(found.certainty) == RECIPE.width + 1
    assert found.certainty[-1] == found.certainty.max()
    again = read_anchor(store, found.target)
    assert (again.target, (again.certainty == found.certainty).all()) == (found.target, True)
    assert again.model.manifest["data"]["base"] == [
        {"name": "mine", "digest": "digest of 0", "rows": len(dataset().rows)}
    ]


def test_it_is_trained_once(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = find_anchor(store, without_prior(), [dataset()], RECIPE)
    before = dict(store.objects)

    def never(*_: Any) -> None:
        pytest.fail("trained again")

    monkeypatch.setattr(module, "train", never)
    again = find_anchor(store, without_prior(), [dataset()], RECIPE)
    assert again.target == first.target
    assert (again.certainty == first.certainty).all()
    assert store.objects == before


def test_whoever_makes_it_makes_the_same_bytes(store: MemoryStore) -> None:
    other = MemoryStore()
    first = find_anchor(store, without_prior(), [dataset()], RECIPE)
    assert find_anchor(other, without_prior(), [dataset()], RECIPE).target == first.target
    assert other.objects == store.objects


@pytest.mark.parametrize("written", range(4))
def test_one_that_was_cut_short_is_finished(written: int, store: MemoryStore) -> None:
    whole = find_anchor(store, without_prior(), [dataset()], RECIPE)
    begun = MemoryStore(dict(list(store.objects.items())[:written]))
    assert find_anchor(begun, without_prior(), [dataset()], RECIPE).target == whole.target
    assert begun.objects == store.objects


def test_its_name_depends_on_all_that_it_is_made_of(store: MemoryStore, with_prior: Champion) -> None:
    assert with_prior.prior_target is not None
    other_prior = replace(with_prior, prior_target=replace(with_prior.prior_target, manifest_sha256="1" * 64))
    names = {
        module._digest(champion, datasets, recipe)
        for champion, datasets, recipe in (
            (without_prior(), [dataset()], RECIPE),
            (without_prior(), [dataset(seed=1)], RECIPE),
            (without_prior(), [dataset("other")], RECIPE),
            (without_prior(), [dataset(), dataset("other", seed=1)], RECIPE),
            (without_prior(), [dataset()], replace(RECIPE, c=1.0)),
            (with_prior, [dataset()], RECIPE),
            (other_prior, [dataset()], RECIPE),
        )
    }
    assert len(names) == 7
    assert module._digest(without_prior(), [dataset()], RECIPE) in names


def test_feedback_and_the_champion_do_not_change_it(store: MemoryStore, with_prior: Champion) -> None:
    first = find_anchor(store, with_prior, [dataset()], RECIPE)
    promoted = replace(with_prior, commit="another", target=Target("v2", "2" * 64), model=baseline())
    assert find_anchor(store, promoted, [dataset()], RECIPE).target == first.target


def test_with_a_prior_it_is_pulled_there_and_at_least_as_certain(store: MemoryStore, with_prior: Champion) -> None:
    pulled = find_anchor(store, with_prior, [dataset()], RECIPE)
    assert pulled.model.manifest["parents"] == ["v-old"]
    prior = np.ones(RECIPE.width + 1)
    body = certainty.dump(prior)
    store.put(version_key("v-old", certainty.FILE), body, if_absent=True)
    sure = find_anchor(store, with_prior, [dataset("renamed")], RECIPE)
    assert (sure.certainty >= 0.9).all(), "the prior's certainty is added"
    assert pulled.certainty.min() < 0.1


def test_held_out_rows_are_not_trained_on(store: MemoryStore) -> None:
    rows = dataset().rows
    split = tuple(replace(row, split="test" if row.label == "neutral" else "train") for row in rows)
    found = find_anchor(store, without_prior(), [Dataset("mine", "split", split, {})], RECIPE)
    assert sorted(found.model.labels) == ["negative", "positive"]


def test_without_data_and_without_a_model_there_is_nothing_to_start_from(store: MemoryStore) -> None:
    with pytest.raises(TrainingError):
        find_anchor(store, without_prior(), [], RECIPE)
