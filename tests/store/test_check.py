"""The hourly check as a whole: what it looks at, what it does about it, whom it tells, and what it notes."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from retrain import alerts, news
from retrain.check import check
from sentiloop import artefact, moves, pointer, registry, trial
from sentiloop.activity import Activity
from sentiloop.activity_store import ActivityWriter
from sentiloop.errors import StorageUnavailableError
from sentiloop.receipts import correction_key
from sentiloop.records import now, to_json
from sentiloop.scoring import Scorer
from sentiloop.settings import Settings

from tests.builders import make_correction, make_model
from tests.faults.memory_store import MemoryStore

SETTINGS = Settings(check_min_new=5, release_min_answers=1, release_min_hours=0)


@dataclass
class Runs:
    """Stands for the retrain run: counts its calls and returns a record."""

    store: MemoryStore
    outcome: str = "rejected"
    calls: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self) -> dict[str, Any]:
        self.calls += 1
        run_id = f"run-{self.calls}"
        return {
            "run_id": f"skipped-{run_id}" if self.outcome == "skipped" else run_id,
            "outcome": self.outcome,
            "reasons": ["for a test"],
            "champion": "v1",
            "candidate": f"v{self.calls + 1}",
        }


@pytest.fixture
def store() -> MemoryStore:
    """A bucket that serves v1, and holds v2."""
    store = MemoryStore()
    for version in ("v2", "v1"):
        built = make_model(version=version, seed=int(version[1]), parents=["v1"])
        registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
    registry.promote(store, registry.find(store, "v1"), by="test", reason="the first")
    return store


@pytest.fixture
def look(store: MemoryStore) -> Callable[..., dict[str, Any]]:
    """Check at some hours from now."""
    runs = Runs(store)

    def look(hours: float = 0, settings: Settings = SETTINGS) -> dict[str, Any]:
        found = check(store, settings, now() + timedelta(hours=hours), runs)
        return {**found, "calls": runs.calls}

    return look


def correct(store: MemoryStore, count: int) -> None:
    for number in range(count):
        correction = make_correction(number, contributor=f"c{number}")
        store.put(correction_key(correction.id), correction.to_line(), if_absent=True)


def sent(store: MemoryStore) -> set[str]:
    """The causes of all messages."""
    return {key.split("/")[1] for key in store.keys("alerts/")}


def test_without_cause_nothing_is_done_and_the_look_is_noted(
    store: MemoryStore, look: Callable[..., dict[str, Any]]
) -> None:
    found = look()
    assert (found["outcome"], found["cause"], found["calls"]) == ("skipped", None, 0)
    noted = json.loads(store.get(found["check"]).body)
    assert (noted["trial"], noted["cause"], noted["run"], noted["alerts"]) == (None, None, None, [])
    assert store.get(found["check"].replace(".json", "/report.html")).body.startswith(b"<!doctype html>")
    assert not sent(store)


def test_new_corrections_start_a_run_of_which_people_are_told(
    store: MemoryStore, look: Callable[..., dict[str, Any]]
) -> None:
    correct(store, 5)
    found = look()
    assert found["calls"] == 1
    assert found["cause"] == "5 new corrections since v1"
    assert "rejected-v2" in sent(store)
    assert json.loads(store.get(found["check"]).body)["run"] == "run-1"


def test_a_run_that_changed_nothing_is_not_repeated_every_hour(
    store: MemoryStore, look: Callable[..., dict[str, Any]]
) -> None:
    correct(store, 5)
    assert [look(hours)["calls"] for hours in (0, 1, 23, 24.5, 25.5)] == [1, 1, 1, 2, 2]


def test_a_cause_that_waits_is_noted_with_how_long(store: MemoryStore, look: Callable[..., dict[str, Any]]) -> None:
    correct(store, 5)
    look()
    found = look(1)
    noted = json.loads(store.get(found["check"]).body)
    assert (found["calls"], noted["run"], noted["cause"]) == (1, None, "5 new corrections since v1")
    [reason] = found["reasons"]
    assert reason.startswith("there is cause (5 new corrections since v1), but a check started a run at 20")
    assert reason.endswith("or send the retrain event")


def test_a_run_that_was_skipped_does_not_keep_from_learning_what_comes_next(store: MemoryStore) -> None:
    correct(store, 5)
    runs, begin = Runs(store, "skipped"), now()

    def look(hours: float) -> tuple[int, str]:
        found = check(store, SETTINGS, begin + timedelta(hours=hours), runs)
        return runs.calls, found["reasons"][0]

    assert look(0)[0] == 1
    calls, reason = look(1)
    assert calls == 1, "the same would be skipped again"
    assert "had nothing to decide; the next may after new corrections, or at " in reason
    later = make_correction(60, contributor="c60")
    store.put(correction_key(later.id), later.to_line(), if_absent=True)
    runs.outcome = "rejected"
    assert [look(hours)[0] for hours in (2, 3, 25, 26.5)] == [2, 2, 2, 3]


def test_of_another_champion_a_skipped_run_says_nothing(store: MemoryStore) -> None:
    correct(store, 5)
    runs, begin = Runs(store, "skipped"), now()
    check(store, SETTINGS, begin, runs)
    registry.promote(store, registry.find(store, "v2"), by="ada", reason="look at it")
    check(store, SETTINGS, begin + timedelta(hours=1), runs)
    assert runs.calls == 2


@pytest.mark.parametrize("body", [None, b"\xff"], ids=["gone", "broken"])
def test_a_champion_that_cannot_be_read_is_told_of_until_it_is_back(
    store: MemoryStore, look: Callable[..., dict[str, Any]], body: bytes | None
) -> None:
    trial.begin(store, registry.find(store, "v2"), "shadow", 0, by="test", reason="try it")
    correct(store, 5)
    key = registry.version_key("v1", artefact.MANIFEST)
    whole = store.objects[key]
    store.objects.pop(key) if body is None else store.put(key, body)
    found = look()
    assert (found["calls"], found["trial"], found["cause"]) == (0, None, None)
    assert found["reasons"] == ["v1 cannot be read, and a run starts from what is served"]
    told = json.loads(store.get("alerts/champion-broken/000001.json").body)
    assert told["command"] == "./sentiloop models rollback --from v1"
    assert look(0.001)["alerts"] == ["champion-broken"]
    assert alerts.open_causes(store) == ["champion-broken"]
    store.put(key, whole)
    assert look(0.002)["trial"]["version"] == "v2"
    assert alerts.open_causes(store) == []


def test_the_command_of_the_alert_ends_the_trouble(store: MemoryStore, look: Callable[..., dict[str, Any]]) -> None:
    registry.promote(store, registry.find(store, "v2"), by="ada", reason="look at it")
    store.put(registry.version_key("v2", artefact.MANIFEST), b"\xff")
    look()
    assert alerts.open_causes(store) == ["champion-broken"]
    assert moves.rollback(store, by="ada", reason="it is broken", away_from="v2").pointer.champion.version == "v1"
    assert look(0.001)["reasons"] == ["no cause to retrain"]
    assert alerts.open_causes(store) == []


def test_an_erasure_does_not_wait(store: MemoryStore, look: Callable[..., dict[str, Any]]) -> None:
    correct(store, 5)
    look()
    store.put(registry.version_key("v1", registry.MARK), b"{}", if_absent=True)
    assert look(1)["calls"] == 2


def test_a_trial_goes_on_to_its_end_hour_by_hour(store: MemoryStore, look: Callable[..., dict[str, Any]]) -> None:
    trial.begin(store, registry.find(store, "v2"), "canary", 0.1, by="test", reason="try it")
    told = []
    for hour in range(2):
        count_answers(store)
        told.append(json.loads(store.get(look(hour / 1_000)["check"]).body)["trial"]["action"])
    assert told == ["advance", "crown"]
    read = pointer.read(store)
    assert read is not None
    assert (read.pointer.champion.version, read.pointer.challenger) == ("v2", None)
    assert any(cause.startswith("crown-v2-") for cause in sent(store))


def test_what_a_trial_came_to_is_told_though_the_run_after_it_fails(store: MemoryStore) -> None:
    def fail() -> dict[str, Any]:
        raise MemoryError

    trial.begin(store, registry.find(store, "v2"), "shadow", 0, by="test", reason="try it")
    count_answers(store)
    correct(store, 5)
    with pytest.raises(MemoryError):
        check(store, SETTINGS, now(), fail)
    assert {cause.rpartition("-")[0] for cause in sent(store)} == {"crown-v2"}


def test_two_trials_of_a_version_may_come_to_the_same_and_both_are_told(
    store: MemoryStore, look: Callable[..., dict[str, Any]]
) -> None:
    store.put(registry.version_key("v2", registry.MARK), b"{}", if_absent=True)
    for _ in range(2):
        trial.begin(store, registry.find(store, "v2"), "shadow", 0, by="test", reason="try it")
        look()
    assert len([cause for cause in sent(store) if cause.startswith("withdraw-v2-")]) == 2


def test_the_report_tells_where_the_versions_differ(store: MemoryStore, look: Callable[..., dict[str, Any]]) -> None:
    trial.begin(store, registry.find(store, "v2"), "shadow", 0, by="test", reason="try it")
    count_answers(store)
    page = store.get(look()["check"].replace(".json", "/report.html")).body.decode()
    assert "<h2>v2, on trial beside v1</h2>" in page
    assert "<tr><td>short</td><td>100</td><td>0.0%</td></tr>" in page


@pytest.mark.parametrize("end", ["withdraw", "promote", "anew"])
def test_what_a_person_was_asked_is_over_when_he_ends_the_trial(
    store: MemoryStore, look: Callable[..., dict[str, Any]], end: str
) -> None:
    count_answers(store)
    store.put(registry.version_key("v2", registry.MARK), b"{}", if_absent=True)
    trial.begin(store, registry.find(store, "v2"), "shadow", 0, by="test", reason="try it")
    trial.pin(store, True, by="ada", reason="the fair is on")
    look()
    [asked] = alerts.open_causes(store)
    assert asked.startswith("ask-v2-")
    look(0.001)
    assert alerts.open_causes(store) == [asked]
    if end == "promote":
        moves.promote(store, "v2", by="ada", reason="I know better", force=True)
    else:
        trial.withdraw(store, "v2", by="ada", reason="enough")
    if end == "anew":
        time.sleep(0.002)  # a trial is told from the one before by its beginning, in milliseconds
        trial.begin(store, registry.find(store, "v2"), "shadow", 0, by="test", reason="once more")
    look(0.002)
    assert asked not in alerts.open_causes(store)
    assert len([cause for cause in alerts.open_causes(store) if cause.startswith("ask-")]) == (end == "anew")


def test_news_of_a_run_that_ended_before_it_told_them_are_told_by_the_run_that_repeats_it(store: MemoryStore) -> None:
    before = {"outcome": "rejected", "run_id": "before", "reasons": ["worse"], "champion": "v1", "candidate": "v7"}
    store.put("runs/before.json", to_json(before), if_absent=True)
    correct(store, 5)
    skipped = {"outcome": "skipped", "reasons": ["decided before"], "decided": "runs/before.json"}
    for _ in range(2):
        assert check(store, SETTINGS, now(), lambda: skipped)["outcome"] == "skipped"
    assert [key for key in store.keys("alerts/rejected-v7/") if key.endswith("01.json")] == [
        "alerts/rejected-v7/000001.json"
    ]


def test_no_run_begins_while_a_challenger_is_on_trial(store: MemoryStore, look: Callable[..., dict[str, Any]]) -> None:
    trial.begin(store, registry.find(store, "v2"), "canary", 0.1, by="test", reason="try it")
    correct(store, 5)
    assert look()["calls"] == 0
    trial.withdraw(store, "v2", by="ada", reason="enough")
    assert look(0.001)["calls"] == 1


def count_answers(store: MemoryStore) -> None:
    """Let both versions have answered, alike."""
    writer = ActivityWriter(store, Activity(), SETTINGS)
    prediction = Scorer(make_model().model).score("fine")
    for version in ("v1", "v2"):
        writer.activity.answered(version, [prediction] * 100, 0.5)
        writer.activity.timed(version, 1.0, failed=False)
    writer.activity.beside("v2", [("fine", prediction, prediction)] * 100, 0.5)
    writer.write()


def test_a_check_at_the_same_moment_notes_itself_once(store: MemoryStore, look: Callable[..., dict[str, Any]]) -> None:
    moment = datetime(2026, 3, 1, 8, tzinfo=UTC)
    runs = Runs(store)
    first, second = (check(store, SETTINGS, moment, runs)["check"] for _ in range(2))
    assert first == second
    assert len(list(store.keys("checks/"))) == 2


def test_of_an_error_that_may_quote_a_text_people_are_told_the_type_alone() -> None:
    told = news.of_failure("retrain", ValueError("my name is Ada"))
    assert told.title == "retrain failed: ValueError"
    assert "Ada" not in told.text
    assert news.of_failure("check", StorageUnavailableError("no answer")).text.startswith("no answer. What is served")
