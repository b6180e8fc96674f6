"""A version is trained again from what its manifest names, to the same bytes; what is gone is missed by name."""

import json
from typing import Any

import pytest
from retrain import datasets
from retrain.datasets import seed_rows
from retrain.rebuild import RebuildError, Rebuilt, rebuild
from retrain.run import retrain
from retrain.train import Recipe
from sentiloop import artefact, pointer
from sentiloop.bundled import baseline
from sentiloop.errors import PointerError
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import now, timestamp
from sentiloop.registry import version_key
from sentiloop.settings import Settings

from tests.builders import make_correction
from tests.faults.memory_store import MemoryStore

SETTINGS = Settings(  # whatever comes out is promoted, and a cap leaves rows out
    gate_level=1.0,
    gate_min_gain=-1.0,
    gate_slice_drop=1.0,
    gate_calibration_rise=1.0,
    gate_behaviour_floor=0.0,
    contributor_max_rows=6,
    search_seconds=0.0,
)
WORDS = {"positive": "glimmer", "negative": "sorrow", "neutral": "plain"}


def put_feedback(store: MemoryStore, begin: int, count: int = 60) -> None:
    """Corrections with repeats, conflicts and a contributor over the cap."""
    for number in range(begin, begin + count):
        label = list(WORDS)[number % 3]
        entry = make_correction(
            number,
            id=correction_id(now().date(), f"{number:032x}"),
            received_at=timestamp(now()),
            text=f"A {WORDS[label]}  of a day, the {number // 2}th",
            correct_label=label,
            contributor=f"somebody {number % 9}",
        )
        store.put(correction_key(entry.id), entry.to_line(), if_absent=True)


@pytest.fixture(scope="module")
def promoted() -> tuple[MemoryStore, str]:
    """A bucket whose champion learned from two rounds of feedback, and the champion's version."""
    store = MemoryStore()
    rows = seed_rows()[::5]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(datasets, "seed_rows", lambda: rows)
        for begin in (0, 1_000):
            put_feedback(store, begin)
            record: dict[str, Any] = retrain(store, SETTINGS, Recipe(max_iter=20), by="test")
    assert record["outcome"] == "promoted", record["reasons"]
    return store, record["version"]


def manifest_of(store: MemoryStore, version: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.get(version_key(version, artefact.MANIFEST)).body)
    return found


def test_the_champion_comes_out_with_the_same_sha256_and_nothing_is_written(promoted: tuple[MemoryStore, str]) -> None:
    store, version = promoted
    before = dict(store.objects)
    published = manifest_of(store, version)["weights"]["sha256"]
    assert rebuild(store, version) == Rebuilt(version, published, joblib_is_same=True)
    assert store.objects == before


def test_it_comes_out_alike_when_others_have_trained_and_data_was_added_since(
    promoted: tuple[MemoryStore, str],
) -> None:
    store, version = promoted[0].copy(), promoted[1]
    put_feedback(store, 2_000)
    datasets.store_dataset(store, "more", seed_rows()[1::5], source="test", licence="none")
    retrain(store, SETTINGS, Recipe(max_iter=20), by="test")
    assert rebuild(store, version).version == version


def changed(store: MemoryStore, version: str, **fields: Any) -> None:
    manifest = manifest_of(store, version)
    store.put(version_key(version, artefact.MANIFEST), json.dumps({**manifest, **fields}).encode())


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("datasets/segments/", "NoSuchKey for datasets/segments/.*erased"),
        ("datasets/snapshots/", "NoSuchKey for datasets/snapshots/.*erased"),
        ("datasets/base/", "datasets/base/seed/rows.jsonl.gz is broken or gone"),
    ],
)
def test_what_was_erased_is_named(promoted: tuple[MemoryStore, str], prefix: str, message: str) -> None:
    store, version = promoted[0].copy(), promoted[1]
    for key in list(store.keys(prefix)):
        del store.objects[key]
    with pytest.raises(RebuildError, match=message):
        rebuild(store, version)


@pytest.mark.parametrize("lost", ["samples.jsonl.gz", f"{baseline().version}/{artefact.WEIGHTS}"])
def test_neither_other_samples_nor_another_anchor_are_taken_instead(
    promoted: tuple[MemoryStore, str], lost: str
) -> None:
    store, version = promoted[0].copy(), promoted[1]
    for key in [key for key in store.objects if key.endswith(lost)]:
        del store.objects[key]
    with pytest.raises(RebuildError, match=f"{lost}: it was erased"):
        rebuild(store, version)


def test_erased_rows_are_counted(promoted: tuple[MemoryStore, str]) -> None:
    store, version = promoted[0].copy(), promoted[1]
    key = f"datasets/snapshots/{manifest_of(store, version)['data']['snapshot']}/segments.json"
    kept = json.loads(store.get(key).body)["segments"][1:]
    store.put(key, json.dumps({"segments": kept}).encode())
    with pytest.raises(RebuildError, match="of 120 corrections 0 are left: some were erased"):
        rebuild(store, version)


def test_another_recipe_makes_other_weights(promoted: tuple[MemoryStore, str]) -> None:
    store, version = promoted[0].copy(), promoted[1]
    changed(store, version, parameters={**manifest_of(store, version)["parameters"], "feedback_weight": 0.01})
    with pytest.raises(RebuildError, match="the weights are"):
        rebuild(store, version)


def test_other_rules_and_features_are_refused(promoted: tuple[MemoryStore, str]) -> None:
    store, version = promoted[0].copy(), promoted[1]
    key = f"datasets/snapshots/{manifest_of(store, version)['data']['snapshot']}/manifest.json"
    store.put(key, json.dumps({**json.loads(store.get(key).body), "rules": 1}).encode())
    with pytest.raises(RebuildError, match="rules 1"):
        rebuild(store, version)
    changed(store, version, features=1)
    with pytest.raises(RebuildError, match="feature version 1"):
        rebuild(store, version)


def test_base_data_with_other_rows_is_refused(promoted: tuple[MemoryStore, str]) -> None:
    store, version = promoted[0].copy(), promoted[1]
    for key in list(store.keys("datasets/base/")):
        del store.objects[key]
    datasets.store_dataset(store, "seed", seed_rows()[:9], source="test", licence="none")
    with pytest.raises(RebuildError, match="data set seed holds other rows"):
        rebuild(store, version)


def test_the_bundled_baseline_and_unknown_versions_cannot_be_rebuilt(promoted: tuple[MemoryStore, str]) -> None:
    store, _ = promoted
    assert pointer.read(store)
    with pytest.raises(RebuildError, match="not trained from a snapshot"):
        rebuild(store, baseline().version)
    with pytest.raises(PointerError, match="no version"):
        rebuild(store, "v-none")
