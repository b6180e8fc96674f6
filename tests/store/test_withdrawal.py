"""A champion that learned from erased corrections is replaced, without having to be beaten and without doing harm."""

import json
from dataclasses import replace
from typing import Any

import pytest
from retrain import datasets
from retrain.check import check
from retrain.datasets import seed_rows
from retrain.erase import erase, plan_erasure
from retrain.erasures import Erasure
from retrain.rebuild import RebuildError, rebuild
from retrain.run import retrain
from retrain.train import Recipe
from sentiloop import artefact, pointer, registry, trial
from sentiloop.bundled import baseline
from sentiloop.receipts import correction_id, correction_key, read_outcome
from sentiloop.records import now, timestamp
from sentiloop.registry import version_key
from sentiloop.settings import Settings

from tests.builders import make_correction
from tests.faults.memory_store import MemoryStore

PROMOTE_ALL = Settings(
    gate_level=1.0,
    gate_min_gain=-1.0,
    gate_slice_drop=1.0,
    gate_calibration_rise=1.0,
    gate_behaviour_floor=0.0,
    search_seconds=0.0,
)
ASK_FOR_GAIN = replace(PROMOTE_ALL, gate_level=0.0, gate_min_gain=1.0)
RECIPE = Recipe(max_iter=20)
WORDS = {"positive": "glimmer", "negative": "sorrow", "neutral": "plain"}
PEOPLE = 3


def whose(number: int) -> str:
    return f"{number:032x}"


def put_feedback(store: MemoryStore, begin: int, count: int = 60) -> None:
    """Corrections of three contributors, every third of each."""
    for number in range(begin, begin + count):
        label = list(WORDS)[number % len(WORDS)]
        entry = make_correction(
            number,
            id=correction_id(now().date(), f"{number:032x}"),
            received_at=timestamp(now()),
            text=f"A {WORDS[label]} of a day, the {number}th",
            correct_label=label,
            contributor=whose(number // 2 % PEOPLE),
        )
        store.put(correction_key(entry.id), entry.to_line(), if_absent=True)


def erase_person(store: MemoryStore, person: int, moment: str | None = None) -> None:
    asked = Erasure(at=moment or timestamp(now()), by="operator", reason="asked", contributor=whose(person))
    erase(store, plan_erasure(store, asked))


def served(store: MemoryStore) -> str:
    found = pointer.read(store)
    assert found
    return found.pointer.champion.version


def manifest_of(store: MemoryStore, version: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.get(version_key(version, artefact.MANIFEST)).body)
    return found


@pytest.fixture(autouse=True)
def small_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = seed_rows()[::5]
    monkeypatch.setattr(datasets, "seed_rows", lambda: rows)


@pytest.fixture(scope="module")
def learned() -> MemoryStore:
    """A bucket whose champion learned from three people."""
    store = MemoryStore()
    rows = seed_rows()[::5]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(datasets, "seed_rows", lambda: rows)
        put_feedback(store, 0)
        record = retrain(store, PROMOTE_ALL, RECIPE, by="test")
    assert record["outcome"] == "promoted", record["reasons"]
    return store


@pytest.fixture(scope="module")
def erased(learned: MemoryStore) -> MemoryStore:
    """The same after the corrections of the first were erased."""
    store = learned.copy()
    erase_person(store, 0)
    return store


def cause_of(store: MemoryStore) -> object:
    """Return the cause that the hourly check would retrain for."""
    return check(store.copy(), PROMOTE_ALL, now(), lambda: {"outcome": "skipped", "reasons": []})["cause"]


def test_the_hourly_check_has_a_cause(learned: MemoryStore, erased: MemoryStore) -> None:
    assert cause_of(learned) is None
    assert cause_of(erased) == f"{served(erased)} learned from corrections that were erased since"


def test_the_candidate_need_not_be_better_and_the_next_check_finds_nothing(erased: MemoryStore) -> None:
    store, before = erased.copy(), served(erased)
    record = retrain(store, ASK_FOR_GAIN, RECIPE, by="test")
    assert record["outcome"] == "promoted", record["reasons"]
    assert record["reasons"][0].startswith(f"no gain is asked for, as {before} learned from corrections that were")
    assert served(store) == record["version"]
    assert not registry.is_marked(store, record["version"])
    assert manifest_of(store, record["version"])["data"]["feedback"]["stored"] == 40
    assert cause_of(store) is None
    assert rebuild(store, record["version"]).version == record["version"]
    assert retrain(store, ASK_FOR_GAIN, RECIPE, by="test")["outcome"] == "skipped"


def test_a_guard_against_harm_still_rejects_and_says_what_to_do(erased: MemoryStore) -> None:
    store, before = erased.copy(), served(erased)
    picky = replace(ASK_FOR_GAIN, gate_calibration_rise=0.0, gate_slice_drop=0.0, gate_behaviour_floor=1.0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("retrain.checks.FALL_LEVEL", 1e9)  # any fall counts
        patched.setattr("retrain.checks.CALIBRATION_LEVEL", 1.0)
        record = retrain(store, picky, RECIPE, by="test")
    assert record["outcome"] == "rejected"
    assert not any("no gain is asked for" in reason for reason in record["reasons"])
    assert record["reasons"][-1].startswith(f"{before} is served on, though it learned from corrections that were")
    assert f"promote {record['anchor']}, which learned from no feedback" in record["reasons"][-1]
    assert served(store) == before
    registry.promote(store, registry.find(store, record["anchor"]), by="operator", reason="as the record says")
    assert cause_of(store) is None


def test_where_no_feedback_is_left_the_anchor_is_served_again(erased: MemoryStore) -> None:
    store, before = erased.copy(), served(erased)
    for person in (1, 2):
        erase_person(store, person)
    record = retrain(store, ASK_FOR_GAIN, RECIPE, by="test")
    assert (record["outcome"], record["version"]) == ("promoted", baseline().version)
    assert f"{baseline().version}, of the base data alone, has to be served instead of {before}" in record["reasons"][0]
    assert served(store) == baseline().version
    assert cause_of(store) is None
    assert retrain(store, PROMOTE_ALL, RECIPE, by="test")["outcome"] == "skipped"


def test_where_no_feedback_is_left_a_pinned_pointer_waits_for_a_person(erased: MemoryStore) -> None:
    store, before = erased.copy(), served(erased)
    for person in (1, 2):
        erase_person(store, person)
    trial.pin(store, True, by="ada", reason="a fair")
    record = retrain(store, ASK_FOR_GAIN, RECIPE, by="test")
    found = pointer.read(store)
    assert found is not None
    assert (record["outcome"], record["version"]) == ("held", baseline().version)
    assert (served(store), found.pointer.pinned) == (before, True)


def test_what_a_version_before_learned_is_learned_again_under_a_new_name(erased: MemoryStore) -> None:
    """Without the newest person's rows the data is that of an earlier version, which nobody rolled back."""
    store = erased.copy()
    first = retrain(store, PROMOTE_ALL, RECIPE, by="test")["version"]
    entry = make_correction(
        900,
        id=correction_id(now().date(), f"{900:032x}"),
        received_at=timestamp(now()),
        text="A glimmer of a day, and one more",
        contributor=whose(9),
    )
    store.put(correction_key(entry.id), entry.to_line(), if_absent=True)
    second = retrain(store, PROMOTE_ALL, RECIPE, by="test")["version"]
    erase_person(store, 9)
    record = retrain(store, ASK_FOR_GAIN, RECIPE, by="test")
    assert record["outcome"] == "promoted", record["reasons"]
    assert record["version"] not in {first, second}
    weights = [manifest_of(store, version)["weights"]["sha256"] for version in (first, record["version"])]
    assert weights[0] == weights[1]


def test_a_version_that_saw_erased_rows_cannot_be_rebuilt(erased: MemoryStore) -> None:
    with pytest.raises(RebuildError, match="of 60 corrections 40 are left: some were erased"):
        rebuild(erased, served(erased))


def test_an_erasure_while_a_candidate_is_trained_is_respected(
    learned: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = learned.copy()
    put_feedback(store, 100, 12)
    judged = 0

    def judge(*arguments: Any, **named: Any) -> Any:
        nonlocal judged
        judged += 1
        if judged == 1:
            erase_person(store, 0)
        return original(*arguments, **named)

    from retrain import run as module  # noqa: PLC0415

    original = module.judge  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "judge", judge)
    record = retrain(store, PROMOTE_ALL, RECIPE, by="test")
    assert judged > 1
    assert record["outcome"] == "promoted"
    assert manifest_of(store, record["version"])["data"]["feedback"]["stored"] == 48
    assert not registry.is_marked(store, record["version"])


def test_the_receipts_of_others_say_what_became_of_them(erased: MemoryStore) -> None:
    store = erased.copy()
    version = retrain(store, ASK_FOR_GAIN, RECIPE, by="test")["version"]
    put_feedback(store, 200, 6)
    retrain(store, PROMOTE_ALL, RECIPE, by="test")
    gone, stays = (correction_id(now().date(), f"{number:032x}") for number in (0, 2))
    assert read_outcome(store, gone).keys() == {"erased"}
    assert read_outcome(store, stays)["version"] != version, "the first version that learned from it"
