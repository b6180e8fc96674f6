"""The hourly look at a challenger: what it finds in a bucket, what it decides, and how it moves the pointer."""

import itertools
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from retrain import trials
from retrain.evidence import read_reports, steps_of
from retrain.trials import Decision
from sentiloop import artefact, pointer, registry, trial
from sentiloop.activity import Activity
from sentiloop.pointer import Pointer
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import Correction, timestamp, to_json
from sentiloop.scoring import Prediction, Scorer
from sentiloop.settings import Settings
from sentiloop.storage import create

from tests.builders import BuiltModel, make_model
from tests.faults.memory_store import MemoryStore

SETTINGS = Settings()
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NEVER = timedelta(0)


class Stage:
    """A bucket that serves v1, with v2 beside it, at a time that the test sets."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.moment = BEGIN
        self.models = [self.publish("v1", 1), self.publish("v2", 2, "v1")]
        registry.promote(store, self.models[0].target, by="test", reason="the first")
        self._numbers = itertools.count()
        scorers = [Scorer(built.model) for built in self.models]
        texts = (f"text number {number}" for number in itertools.count())
        said = ((text, *(scorer.score(text).label for scorer in scorers)) for text in texts)
        self.divided = ((text, old, new) for text, old, new in said if old != new)

    @property
    def pointer(self) -> Pointer:
        """What the pointer says."""
        found = pointer.read(self.store)
        assert found is not None
        return found.pointer

    @property
    def share(self) -> float | None:
        """The challenger's share, or None without a challenger."""
        return self.pointer.challenger.share if self.pointer.challenger else None

    def begin(self, share: float) -> None:
        """Put v2 on trial, as a canary or, without a share, in shadow."""
        mode: pointer.Mode = "canary" if share else "shadow"
        trial.begin(self.store, self.models[1].target, mode, share, by="test", reason="try it")

    def look(self, after: timedelta = NEVER, settings: Settings = SETTINGS) -> Decision:
        """Look when some time has passed."""
        self.moment += after
        decision = trials.look(self.store, settings, self.moment)
        assert decision is not None
        to_json(asdict(decision))  # it is going to be written
        return decision

    def answer(self, texts: int = 1_000, *, flips: int = 50, confidence: float = 0.9, of_champion: float = 0.9) -> None:
        """Let both versions score texts now, and the challenger answer its share of them."""
        counted = Activity(lambda: self.moment)
        own = round((self.share or 0.0) * texts)
        counted.answered("v1", [Prediction("positive", of_champion, ())] * (texts - own), 0.5)
        counted.answered("v2", [Prediction("positive", confidence, ())] * own, 0.5)
        old, new, other = (Prediction(each, of_champion, ()) for each in ("positive", "positive", "negative"))
        new, other = new._replace(confidence=confidence), other._replace(confidence=confidence)
        scored = [("a text", old, new)] * (texts - flips) + [("a text", old, other)] * flips
        counted.beside("v2", scored, 0.5)
        self._write(counted)

    def serve(self, version: str, requests: int, *, failed: int = 0, milliseconds: float = 3.0) -> None:
        """Let a version answer requests now, or fail on them."""
        counted = Activity(lambda: self.moment)
        for number in range(requests):
            counted.timed(version, milliseconds, number < failed)
        self._write(counted)

    def report(self, number: int, version: str, *, right: bool = False, source: str = "user") -> None:
        """Let as many people report what a version got wrong, or right, and the other version did not."""
        for _ in range(number):
            text, old, new = next(self.divided)
            said = {"v1": old, "v2": new}
            other = "v1" if version == "v2" else "v2"
            correction = Correction(
                id=correction_id(self.moment.date(), f"{next(self._numbers):032x}"),
                received_at=timestamp(self.moment),
                text=text,
                correct_label=said[version if right else other],
                contributor=f"somebody {next(self._numbers)}",
                source=source,
                predicted_label=said[version],
                model_version=version,
            )
            create(self.store, correction_key(correction.id), correction.to_line())

    def publish(self, version: str, seed: int, *parents: str) -> BuiltModel:
        """Publish a version; its first parent is what the gate judged it against."""
        built = make_model(version=version, seed=seed, parents=list(parents))
        registry.publish(self.store, version, built.manifest, {artefact.WEIGHTS: built.weights})
        return built

    def _write(self, counted: Activity) -> None:
        key = f"activity/dt={self.moment:%Y-%m-%d/%H}-{next(self._numbers):032x}.json"
        create(self.store, key, to_json(counted.take() or {}))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    made = Stage(MemoryStore())
    monkeypatch.setattr(trial, "now", lambda: made.moment)
    return made


def test_without_a_challenger_there_is_nothing_to_decide(stage: Stage) -> None:
    assert trials.look(MemoryStore(), SETTINGS, BEGIN) is None
    assert trials.look(stage.store, SETTINGS, BEGIN) is None


def test_a_canary_gets_more_and_more_clients_and_then_all(stage: Stage) -> None:
    stage.begin(0.1)
    told = []
    for _ in range(3):
        stage.answer()
        decision = stage.look(DAY)
        told.append((decision.action, decision.share, decision.next_share, stage.share))
        if decision.action == "crown":
            break
    assert told == [("advance", 0.1, 0.5, 0.5), ("crown", 0.5, None, None)]
    assert (stage.pointer.champion.version, stage.pointer.by) == ("v2", "check")
    assert "nothing speaks against it: 2000 texts scored, 5.0% of them answered differently" in stage.pointer.reason
    assert trials.look(stage.store, SETTINGS, stage.moment) is None


def test_what_was_in_shadow_is_served_to_all_after_one_step(stage: Stage) -> None:
    stage.begin(0)
    stage.answer()
    decision = stage.look(DAY)
    assert (decision.action, decision.mode, stage.pointer.champion.version) == ("crown", "shadow", "v2")


def test_what_is_served_after_its_trial_is_recorded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[str] = []
    monkeypatch.setattr(trials, "record_promotions", lambda _: recorded.append(stage.pointer.champion.version))
    stage.begin(0)
    stage.answer()
    stage.look(DAY)
    assert recorded == ["v2"]


def test_a_step_takes_its_time_and_its_texts(stage: Stage) -> None:
    stage.begin(0.1)
    before = stage.pointer
    decision = stage.look(HOUR)
    assert decision.action == "hold"
    assert decision.reason == "0 texts scored in this step, of 500 that it takes; 1.0 hours in this step, of 24"
    stage.answer(499)
    assert stage.look(DAY).reason == "499 texts scored in this step, of 500 that it takes"
    assert stage.pointer == before


def test_each_step_takes_texts_of_its_own(stage: Stage) -> None:
    stage.begin(0.1)
    stage.answer(5_000)
    assert stage.look(DAY).action == "advance"
    assert stage.look(DAY).reason == "0 texts scored in this step, of 500 that it takes"


def test_to_look_again_changes_nothing(stage: Stage) -> None:
    stage.begin(0.1)
    stage.answer()
    stage.look(DAY)
    before = stage.pointer
    assert stage.look().action == "hold"
    assert stage.pointer == before


@pytest.mark.parametrize(("version", "right"), [("v2", False), ("v1", True)])
def test_a_canary_is_withdrawn_when_users_report_that_it_is_worse(stage: Stage, version: str, right: bool) -> None:
    stage.begin(0.5)
    stage.answer()
    stage.moment += 3 * HOUR
    stage.report(20, version, right=right)
    decision = stage.look(HOUR)
    assert decision.action == "withdraw"
    assert stage.share is None
    assert stage.pointer.champion.version == "v1"
    assert "20 of the 20 labels that tell the versions apart speak against it" in stage.pointer.reason
    assert decision.flips == {"positive>negative": 50}
    assert decision.disagreement == 0.05


@pytest.mark.parametrize(("version", "right"), [("v1", False), ("v2", True)])
def test_a_canary_stays_when_users_report_that_it_is_better(stage: Stage, version: str, right: bool) -> None:
    stage.begin(0.5)
    stage.answer()
    stage.moment += 3 * HOUR
    stage.report(20, version, right=right)
    decision = stage.look(DAY)
    assert decision.action == "crown"
    assert decision.figures["p value of being better"] < 0.05


def test_many_reports_of_the_champion_are_no_surprise_while_it_answers_most(stage: Stage) -> None:
    stage.begin(0.1)
    stage.answer()
    stage.moment += 3 * HOUR
    stage.report(18, "v1")
    stage.report(2, "v2")
    decision = stage.look(DAY)
    assert decision.action == "advance"
    assert decision.figures["p value of being worse"] == decision.figures["p value of being better"] == 1


def test_in_shadow_reviewers_are_heard_and_users_are_not(stage: Stage) -> None:
    stage.begin(0)
    stage.answer()
    stage.moment += 3 * HOUR
    stage.report(30, "v1", right=True)
    assert stage.look(HOUR).action == "hold"
    stage.report(20, "v1", right=True, source="reviewer")
    assert stage.look(HOUR).action == "withdraw"


def test_what_was_reported_before_the_trial_does_not_count(stage: Stage) -> None:
    stage.report(30, "v1", right=True, source="reviewer")
    stage.moment += HOUR
    stage.begin(0)
    assert stage.look(HOUR).figures["labels that tell the versions apart"] == 0


def test_a_report_counts_at_the_share_of_its_step(stage: Stage) -> None:
    stage.begin(0.1)
    stage.answer()
    stage.moment += 3 * HOUR
    stage.report(2, "v2")
    stage.look(DAY)
    stage.answer()
    stage.moment += 3 * HOUR
    stage.report(1, "v2")
    decision = stage.look(HOUR)
    assert [(tally["probability"], tally["hits"]) for tally in decision.evidence["against"]] == [(0.1, 2), (0.5, 1)]


def test_steps_are_told_by_history(stage: Stage) -> None:
    stage.begin(0.1)
    trial.pin(stage.store, True, by="ada", reason="a fair")
    trial.pin(stage.store, False, by="ada", reason="it is over")
    stage.answer()
    stage.look(DAY)
    assert stage.pointer.challenger is not None
    steps = steps_of(stage.store, stage.pointer, stage.pointer.challenger)
    found = [(step.since, step.until, step.share) for step in steps]
    assert found == [(BEGIN, BEGIN + DAY, 0.1), (BEGIN + DAY, None, 0.5)]


def test_a_trial_that_is_begun_anew_has_steps_of_its_own(stage: Stage) -> None:
    stage.begin(0.1)
    trial.withdraw(stage.store, "v2", by="ada", reason="not today")
    stage.moment += DAY
    stage.begin(0.5)
    assert stage.pointer.challenger is not None
    [step] = steps_of(stage.store, stage.pointer, stage.pointer.challenger)
    assert (step.since, step.share) == (BEGIN + DAY, 0.5)


def test_a_trial_in_the_place_of_another_has_steps_of_its_own(stage: Stage) -> None:
    trial.begin(stage.store, stage.publish("v3", 3).target, "canary", 0.1, by="test", reason="try it")
    stage.moment += DAY
    stage.begin(0.5)
    assert stage.pointer.challenger is not None
    [step] = steps_of(stage.store, stage.pointer, stage.pointer.challenger)
    assert (step.since, step.share) == (BEGIN + DAY, 0.5)


@pytest.mark.parametrize(("of_champion", "action"), [(0, "withdraw"), (81, "hold")])
def test_a_challenger_that_fails_goes_unless_the_champion_fails_as_well(
    stage: Stage, of_champion: int, action: str
) -> None:
    stage.begin(0.1)
    stage.serve("v1", 900, failed=of_champion)
    stage.serve("v2", 100, failed=9)
    decision = stage.look(HOUR)
    assert decision.action == action
    if action == "withdraw":
        assert decision.reason == "it failed on 9.0% of its requests, the champion on 0.0%"


def test_a_few_errors_are_no_reason(stage: Stage) -> None:
    stage.begin(0.1)
    stage.serve("v1", 900)
    stage.serve("v2", 100, failed=4)
    assert stage.look(HOUR).action == "hold"


@pytest.mark.parametrize(("texts", "action"), [(499, "hold"), (500, "withdraw")])
def test_a_challenger_that_is_much_less_sure_goes(stage: Stage, texts: int, action: str) -> None:
    stage.begin(0)
    stage.answer(texts, confidence=0.8, of_champion=0.9)
    assert stage.look(HOUR).action == action


def test_a_challenger_that_is_a_little_less_sure_stays(stage: Stage) -> None:
    stage.begin(0)
    stage.answer(confidence=0.82, of_champion=0.9)
    assert stage.look(HOUR).action == "hold"


@pytest.mark.parametrize(
    ("of_champion", "of_challenger", "action"), [(3, 900, "withdraw"), (600, 900, "hold"), (3, 90, "hold")]
)
def test_a_challenger_that_is_slow_goes_unless_the_champion_is_nearly_as_slow(
    stage: Stage, of_champion: float, of_challenger: float, action: str
) -> None:
    stage.begin(0.1)
    stage.serve("v1", 900, milliseconds=of_champion)
    stage.serve("v2", 500, milliseconds=of_challenger)
    assert stage.look(HOUR).action == action


def test_a_person_decides_where_the_versions_disagree_too_often(stage: Stage) -> None:
    stage.begin(0.1)
    stage.answer(flips=301)
    before = stage.pointer
    decision = stage.look(DAY)
    assert decision.action == "ask"
    assert "disagree on 30.1% of the texts, more than 30%" in decision.reason
    assert stage.pointer == before


@pytest.mark.parametrize("parents", [(), ("v0", "v1")])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_person_decides_about_what_the_gate_did_not_judge_against_this_champion(
    stage: Stage, parents: tuple[str, ...], share: float
) -> None:
    stage.models[1] = stage.publish("v3", 2, *parents)
    stage.begin(share)
    before = stage.pointer
    assert stage.look(HOUR).action == "hold"
    decision = stage.look(DAY, replace(SETTINGS, release_min_answers=0))
    assert (decision.action, decision.version, stage.pointer) == ("ask", "v3", before)
    assert decision.reason.startswith("the gate did not judge it against v1, so a person has to promote or withdraw it")


def test_what_the_gate_did_not_judge_gets_more_clients_all_the_same(stage: Stage) -> None:
    stage.models[1] = stage.publish("v3", 2)
    stage.begin(0.1)
    assert stage.look(DAY, replace(SETTINGS, release_min_answers=0)).action == "advance"
    assert stage.share == 0.5


def test_the_decision_tells_where_the_versions_differ(stage: Stage) -> None:
    stage.begin(0.1)
    stage.answer(200, flips=10)
    stage.answer(100, flips=2, of_champion=0.4)
    found = stage.look(HOUR).slices
    assert found["label positive"] == found["short"] == {"texts": 300, "disagreement": 0.04}
    assert found["sure"] == {"texts": 200, "disagreement": 0.05}
    assert found["doubtful"] == {"texts": 100, "disagreement": 0.02}


def test_a_pinned_pointer_is_left_to_people(stage: Stage) -> None:
    stage.begin(0.5)
    trial.pin(stage.store, True, by="ada", reason="a fair")
    before = stage.pointer
    stage.answer()
    assert (stage.look(DAY).action, stage.pointer) == ("hold", before)
    stage.report(20, "v2")
    decision = stage.look(2 * HOUR)
    assert (decision.action, stage.pointer) == ("ask", before)
    assert decision.reason.startswith("the pointer is pinned, so a person has to withdraw it: worse beyond chance")


def test_a_challenger_that_learned_from_what_was_erased_goes(stage: Stage) -> None:
    stage.begin(0.1)
    create(stage.store, registry.version_key("v2", registry.MARK), b"{}")
    assert stage.look(HOUR).action == "withdraw"
    assert "erased" in stage.pointer.reason


def test_a_challenger_that_is_not_whole_goes(stage: Stage) -> None:
    stage.begin(0.1)
    stage.store.delete(registry.version_key("v2", artefact.WEIGHTS))
    assert stage.look(HOUR).action == "withdraw"
    assert "cannot be loaded" in stage.pointer.reason


def withdraw(stage: Stage) -> None:
    trial.withdraw(stage.store, "v2", by="ada", reason="I have seen enough")


def pin(stage: Stage) -> None:
    trial.pin(stage.store, True, by="ada", reason="a fair")


@pytest.mark.parametrize("meanwhile", [withdraw, pin])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_what_somebody_else_did_meanwhile_stands(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Stage], None], share: float
) -> None:
    stage.begin(share)
    stage.answer()

    def interrupted(*arguments: object) -> object:
        meanwhile(stage)
        return read_reports(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trials, "read_reports", interrupted)
    decision = stage.look(DAY)
    assert (decision.action, decision.next_share) == ("hold", None)
    assert (stage.pointer.by, stage.pointer.champion.version) == ("ada", "v1")


def begin_anew(stage: Stage) -> None:
    withdraw(stage)
    stage.moment += timedelta(seconds=1)
    stage.begin(0.1)


@pytest.mark.parametrize("meanwhile", [pin, begin_anew])
def test_what_is_worse_is_not_withdrawn_from_what_somebody_moved_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Stage], None]
) -> None:
    stage.begin(0.5)
    stage.answer()
    stage.moment += 3 * HOUR
    stage.report(20, "v2")

    def interrupted(*arguments: object) -> object:
        found = read_reports(*arguments)  # type: ignore[arg-type]
        meanwhile(stage)
        return found

    monkeypatch.setattr(trials, "read_reports", interrupted)
    assert stage.look(HOUR).action == "hold"
    assert stage.share is not None


def test_two_looks_at_once_do_the_same_thing_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.begin(0.1)
    stage.answer()
    others = []

    def interrupted(*arguments: object) -> object:
        monkeypatch.setattr(trials, "read_reports", read_reports)
        others.append(trials.look(stage.store, SETTINGS, stage.moment))
        return read_reports(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trials, "read_reports", interrupted)
    generation = stage.pointer.generation
    decision = stage.look(DAY)
    assert [each.action for each in others if each] == [decision.action] == ["advance"]
    assert (stage.share, stage.pointer.generation) == (0.5, generation + 1)


def test_the_steps_are_a_setting(stage: Stage) -> None:
    stage.begin(0.1)
    stage.answer()
    settings = replace(SETTINGS, release_steps=(0.05, 0.2), release_min_hours=1.0)
    assert stage.look(2 * HOUR, settings).next_share == 0.2
