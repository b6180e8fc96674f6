"""A retrain run that is cut short at any of its writes: what is served stays whole, and the next run finishes."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from retrain import datasets
from retrain.datasets import seed_rows, store_dataset
from retrain.run import retrain
from retrain.train import Recipe, train
from sentiloop import artefact, pointer, registry
from sentiloop.bundled import baseline
from sentiloop.errors import PreconditionFailedError, StorageUnavailableError, WriteConflictError
from sentiloop.receipts import correction_id, correction_key, read_outcome
from sentiloop.records import Correction, now, timestamp
from sentiloop.serving import LiveModel
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from tests.builders import make_correction
from tests.faults.faulty_store import CrashError, Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

RECIPE = Recipe(width=2**12, max_iter=20)
SETTINGS = Settings(gate_level=1.0, gate_slice_drop=1.0, gate_calibration_rise=1.0, gate_behaviour_floor=0.0)  # promote
SHARE_OF_SEED = 5
WORDS = ("glimmer", "sorrow", "plain")


@pytest.fixture(autouse=True)
def small_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run fills an empty bucket with the seed corpus; a fifth of it makes a run short."""
    rows = seed_rows()[::SHARE_OF_SEED]
    monkeypatch.setattr(datasets, "seed_rows", lambda: rows)


def corrections(count: int = 40, begin: int = 0) -> list[Correction]:
    """Corrections of today about invented words, of which every fourth is repeated with another label."""
    found = []
    for number in range(begin, begin + count):
        label, word = (("positive", WORDS[0]), ("negative", WORDS[1]), ("neutral", WORDS[2]))[number % 3]
        found.append(
            make_correction(
                number,
                id=correction_id(now().date(), f"{number:032x}"),
                received_at=timestamp(now()),
                text=f"a {word} of a day, the {number}th",
                correct_label=label,
                contributor=f"somebody {number % 7}",
            )
        )
    return found


def put(store: ObjectStore, entries: list[Correction]) -> None:
    for entry in entries:
        store.put(correction_key(entry.id), entry.to_line())


@pytest.fixture(scope="module")
def prepared() -> MemoryStore:
    """A bucket with a small champion that learned from little, forty corrections and a broken line."""
    store = MemoryStore()
    rows = seed_rows()[::SHARE_OF_SEED]
    about = store_dataset(store, "seed", rows, source="written for Sentiloop", licence="Apache-2.0")
    few = pd.DataFrame([(row.text, row.label) for row in rows[::20]], columns=pd.Index(["text", "label"]))
    trained = train(few, RECIPE)
    description = {"data": {"base": [{"name": "seed", "digest": about["digest"]}]}}
    target = registry.publish(
        store, "v-first", trained.manifest("v-first", description), {artefact.WEIGHTS: trained.weights}
    )
    registry.promote(store, target, by="test", reason="the first")
    put(store, corrections())
    store.put(f"feedback/dt={now():%Y-%m-%d}/broken.jsonl", b"{broken\n")
    return store


def run(store: ObjectStore) -> dict[str, Any]:
    return retrain(store, SETTINGS, RECIPE, by="test")


def records(store: ObjectStore, outcome: str) -> list[dict[str, Any]]:
    found = [json.loads(store.get(key).body) for key in store.keys("runs/")]
    return [record for record in found if record["outcome"] == outcome]


def served(store: ObjectStore) -> str:
    """What a reader that starts now serves; it has to be whole."""
    live = LiveModel(store, 0)
    live.refresh()
    found = live._served
    assert found.problem is None
    assert found.model is not baseline()
    return found.model.version


def check_finished(store: MemoryStore, expected: list[Correction]) -> str:
    """Hold a bucket to what is true when a run has finished, and return the version that it promoted."""
    version = served(store)
    found = pointer.read(store)
    assert found is not None
    assert [record["version"] for record in records(store, "promoted")] == [version]
    for entry in expected:
        outcome = read_outcome(store, entry.id)
        assert (outcome["version"], "quarantine" in outcome) == (version, False), entry.id
    quarantined = [
        json.loads(line)["id"] for key in store.keys("quarantine/") for line in store.get(key).body.splitlines()
    ]
    assert quarantined == ["broken"]
    manifest = json.loads(store.get(registry.version_key(version, artefact.MANIFEST)).body)
    assert manifest["data"]["feedback"]["stored"] == len(expected)
    assert manifest["data"]["feedback"]["rows"] == len(expected)
    assert len(list(store.keys("models/history/"))) == 2
    assert len(list(store.keys("datasets/snapshots/"))) == 5
    return version


def crashes(prepared: MemoryStore, fault: Fault) -> Iterator[tuple[int, MemoryStore]]:
    """Yield a bucket after a run that was cut short at its first write, another for the second, and so on."""
    write = 0
    while True:
        write += 1
        store = prepared.copy()
        try:
            run(FaultyStore(store, {write: fault}))
        except (CrashError, StorageUnavailableError, PreconditionFailedError):
            yield write, store
        else:
            assert write > 12, "snapshot, version, pointer, quarantine, receipts, record"
            return


def test_a_run_without_faults_learns_everything_and_a_second_does_nothing(prepared: MemoryStore) -> None:
    store = prepared.copy()
    assert run(store)["outcome"] == "promoted"
    check_finished(store, corrections())
    assert_nothing_more_happens(store)


def assert_nothing_more_happens(store: MemoryStore) -> None:
    before = {key: body for key, body in store.objects.items() if not key.startswith("runs/skipped-")}
    assert run(store)["outcome"] == "skipped"
    assert {key: body for key, body in store.objects.items() if not key.startswith("runs/skipped-")} == before


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_wherever_a_run_is_cut_short_the_next_one_finishes_it_and_a_third_does_nothing(
    fault: Fault, prepared: MemoryStore
) -> None:
    for _write, store in crashes(prepared, fault):
        between = served(store)
        run(store)
        version = check_finished(store, corrections())
        assert between in {"v-first", version}
        assert_nothing_more_happens(store)


@pytest.mark.parametrize("fault", [Fault.RETRY_REFUSED, Fault.CONFLICT])
def test_a_refusal_that_proves_nothing_ends_a_run_at_worst(fault: Fault, prepared: MemoryStore) -> None:
    write = 0
    while True:
        write += 1
        store = prepared.copy()
        faulty = FaultyStore(store, {write: fault})
        try:
            run(faulty)
        except (PreconditionFailedError, WriteConflictError):
            served(store)
            run(store)
        check_finished(store, corrections())
        if len(faulty.writes) < write:
            assert write > 12
            return


def test_what_a_cut_short_run_learned_is_told_even_if_new_feedback_came_before_the_next(
    prepared: MemoryStore,
) -> None:
    new = corrections(12, begin=100)
    for _write, store in crashes(prepared, Fault.CRASH_BEFORE):
        put(store, new)
        run(store)
        promoted = [record["version"] for record in records(store, "promoted")]
        keys = list(store.keys("models/history/"))
        ever_served = [pointer.Pointer.from_bytes(store.get(key).body).champion.version for key in keys]
        assert sorted(promoted) == sorted(ever_served[1:]), "each promotion is recorded once"
        for entry in corrections():
            assert read_outcome(store, entry.id).get("version") == ever_served[1], entry.id
        for entry in new:
            assert "snapshot" in read_outcome(store, entry.id), entry.id
        assert served(store) == ever_served[-1]


def test_a_promotion_that_was_cut_short_and_rolled_back_by_hand_is_not_repeated(prepared: MemoryStore) -> None:
    rolled_back = 0
    for _write, store in crashes(prepared, Fault.CRASH_AFTER):
        if served(store) == "v-first":
            continue
        registry.rollback(store, by="operator", reason="customers complain")
        record = run(store)
        assert record["outcome"] == "skipped"
        assert "rolled back" in record["reasons"][0]
        assert served(store) == "v-first"
        rolled_back += 1
    assert rolled_back
