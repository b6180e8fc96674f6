"""Weighing what people say during a trial: which labels count, once, and with which probability under the null."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.evidence import Report, Step, reports_of, weigh
from retrain.sequential import Tally
from sentiloop.bulk import BulkScorer

from tests.benchmarks import trials
from tests.builders import BuiltModel, make_correction, make_model

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LATER = BEGIN + timedelta(days=1)
SHADOW = [Step(BEGIN, None, 0.0, 0.0)]
CANARY = [Step(BEGIN, None, 0.1, 0.1)]


def report(number: int = 0, **fields: object) -> Report:
    """A user's report of a mistake that the challenger alone makes, a day after the trial began."""
    values: dict[str, object] = {
        "contributor": f"contributor {number}",
        "text": f"text {number}",
        "at": LATER,
        "trusted": False,
        "by_challenger": True,
        "champion_right": True,
        "challenger_right": False,
    }
    return Report(**{**values, **fields})  # type: ignore[arg-type]


def of_champion(number: int = 0, **fields: object) -> Report:
    """The counterpart: a report of a mistake that the champion alone makes."""
    values = {"by_challenger": False, "champion_right": False, "challenger_right": True}
    return report(number, **{**values, **fields})


def test_a_mistake_speaks_against_the_version_that_made_it() -> None:
    evidence = weigh([report(1), of_champion(2), of_champion(3)], CANARY)
    assert evidence.against == (Tally(0.1, hits=1, events=3),)
    assert evidence.in_favour == (Tally(0.9, hits=2, events=3),)
    assert (evidence.labels, evidence.labels_against) == (3, 1)


def test_a_confirmation_speaks_for_the_version_that_answered() -> None:
    of_challenger = report(1, champion_right=False, challenger_right=True)
    of_other = of_champion(2, champion_right=True, challenger_right=False)
    assert weigh([of_challenger], CANARY).against == (Tally(0.9, hits=0, events=1),)
    assert weigh([of_other], CANARY).against == (Tally(0.9, hits=1, events=1),)


@pytest.mark.parametrize("steps", [SHADOW, CANARY])
def test_a_reviewer_speaks_against_either_as_likely_in_any_mode(steps: list[Step]) -> None:
    reviewed = [report(number, trusted=True, by_challenger=None, contributor="reviewer") for number in range(3)]
    assert weigh(reviewed, steps).against == (Tally(0.5, hits=3, events=3),)


def test_users_say_nothing_fair_in_shadow() -> None:
    assert weigh([of_champion(1), of_champion(2, champion_right=True, challenger_right=False)], SHADOW).labels == 0


@pytest.mark.parametrize("both", [True, False])
def test_a_text_counts_only_if_one_version_alone_is_right(both: bool) -> None:
    assert weigh([report(champion_right=both, challenger_right=both)], CANARY).labels == 0


def test_a_report_that_names_no_version_counts_only_from_a_reviewer() -> None:
    assert weigh([report(by_challenger=None)], CANARY).labels == 0
    assert weigh([report(by_challenger=None, trusted=True)], CANARY).labels == 1


def test_a_contributor_counts_once_however_much_he_reports() -> None:
    alone = weigh([report(0)], CANARY)
    assert weigh([replace(report(number), contributor="contributor 0") for number in range(200)], CANARY) == alone


def test_a_contributor_is_heard_at_the_first_label_that_counts() -> None:
    undecided = report(1, contributor="somebody", challenger_right=True)
    assert weigh([undecided, report(2, contributor="somebody")], CANARY).labels == 1


def test_a_text_counts_once_whoever_reports_it() -> None:
    same = [report(1, text="same"), of_champion(2, text="same"), report(3, text="same", trusted=True)]
    assert weigh(same, CANARY).labels == 1


def test_a_report_counts_at_the_share_of_its_time() -> None:
    steps = [Step(BEGIN, LATER, 0.1, 0.1), Step(LATER, None, 0.5, 0.5)]
    reports = [report(1, at=LATER - timedelta(hours=5)), report(2, at=LATER + timedelta(hours=5))]
    assert weigh(reports, steps).against == (Tally(0.1, 1, 1), Tally(0.5, 1, 1))


def test_just_after_a_step_the_answer_may_be_from_before_it() -> None:
    steps = [Step(BEGIN, LATER, 0.1, 0.1), Step(LATER, None, 0.5, 0.5)]
    confirmed = of_champion(1, at=LATER, champion_right=True, challenger_right=False)
    evidence = weigh([confirmed], steps)
    assert evidence.against == (Tally(0.9, hits=1, events=1),)  # had it been answered before the step
    assert evidence.in_favour == (Tally(0.5, hits=0, events=1),)  # had it been answered after it


def test_just_after_its_beginning_what_the_champion_did_before_says_nothing() -> None:
    confirmed = of_champion(1, at=BEGIN, champion_right=True, challenger_right=False)
    assert weigh([confirmed], CANARY).against == (Tally(1.0, hits=1, events=1),)


@pytest.mark.parametrize(
    ("answered", "mistake", "confirmation"), [(1.0, 1.0, 0.9), (0.3, 0.3, 0.9), (0.0, 0.1, 1.0), (None, 1.0, 1.0)]
)
def test_the_share_of_the_answers_counts_where_it_weakens_the_evidence(
    answered: float | None, mistake: float, confirmation: float
) -> None:
    steps = [Step(BEGIN, None, 0.1, answered)]
    confirmed = of_champion(1, champion_right=True, challenger_right=False)
    assert weigh([report()], steps).against == (Tally(mistake, 1, 1),)
    assert weigh([confirmed], steps).against == (Tally(confirmation, 1, 1),)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=40),
    st.floats(0.01, 1),
    st.none() | st.floats(0, 1),
)
def test_each_label_counts_on_one_side_and_bounds_only_weaken(
    drawn: list[tuple[bool, bool, bool]], share: float, answered: float | None
) -> None:
    reports = [
        report(number, by_challenger=by_challenger, champion_right=right, challenger_right=not right, trusted=trusted)
        for number, (by_challenger, right, trusted) in enumerate(drawn)
    ]
    known, bounded = (weigh(reports, [Step(BEGIN, None, share, each)]) for each in (share, answered))
    assert known.labels == len(drawn)
    assert known.labels_against == sum(right for _, right, _ in drawn)
    assert sum(tally.hits for tally in known.in_favour) == known.labels - known.labels_against
    assert bounded.p_worse >= known.p_worse - 1e-9
    assert bounded.p_better >= known.p_better - 1e-9


@pytest.fixture(scope="module")
def models() -> tuple[BuiltModel, BuiltModel]:
    return make_model(version="v1", seed=1), make_model(version="v2", seed=2)


@pytest.fixture(scope="module")
def divided(models: tuple[BuiltModel, BuiltModel]) -> tuple[str, str, str]:
    """A text on which the two models differ, and what each says."""
    texts = [f"text number {number}" for number in range(100)]
    labels = [
        [built.model.labels[at] for at in BulkScorer(built.model).probabilities(texts).argmax(axis=1)]
        for built in models
    ]
    return next((text, one, other) for text, one, other in zip(texts, *labels, strict=True) if one != other)


def read(models: tuple[BuiltModel, BuiltModel], *corrections: dict[str, str]) -> list[Report]:
    made = [make_correction(number, **fields) for number, fields in enumerate(corrections)]
    return reports_of(made, models[0].model, models[1].model)


def test_corrections_are_held_against_what_both_versions_say(
    models: tuple[BuiltModel, BuiltModel], divided: tuple[str, str, str]
) -> None:
    text, old, new = divided
    [mistake] = read(models, {"text": text, "correct_label": old, "model_version": "v2", "predicted_label": new})
    assert (mistake.by_challenger, mistake.champion_right, mistake.challenger_right) == (True, True, False)
    assert not mistake.trusted
    [reviewed] = read(models, {"text": text, "correct_label": new, "source": "reviewer"})
    assert (reviewed.by_challenger, reviewed.champion_right, reviewed.trusted) == (None, False, True)


@pytest.mark.parametrize("fields", [{}, {"model_version": "v0"}, {"model_version": "v2", "predicted_label": "other"}])
def test_which_version_answered_is_not_known_without_a_word_that_fits(
    models: tuple[BuiltModel, BuiltModel], divided: tuple[str, str, str], fields: dict[str, str]
) -> None:
    [found] = read(models, {"text": divided[0], "correct_label": divided[1], **fields})
    assert found.by_challenger is None


def test_of_what_one_contributor_says_of_a_text_the_latest_counts(
    models: tuple[BuiltModel, BuiltModel], divided: tuple[str, str, str]
) -> None:
    text, old, new = divided
    [found] = read(models, {"text": text, "correct_label": old}, {"text": f" {text.upper()}", "correct_label": new})
    assert found.at == datetime.fromisoformat(make_correction(1).received_at)


def test_rules_and_language_models_are_no_witnesses(
    models: tuple[BuiltModel, BuiltModel], divided: tuple[str, str, str]
) -> None:
    assert read(models, *({"text": divided[0], "source": source} for source in ("llm", "rule"))) == []


def test_equal_canaries_stay_and_worse_ones_go() -> None:
    equal = trials.simulate(trials.World("equal"), canaries=40)
    one_client = trials.simulate(trials.World("equal, all users behind one client", clients=1), canaries=20)
    worse = trials.simulate(trials.worse(), canaries=30)
    assert trials.share_withdrawn(equal) <= trials.SETTINGS.release_level
    assert trials.share_withdrawn(one_client) <= trials.SETTINGS.release_level
    assert trials.share_withdrawn(worse) >= trials.LEAST_WITHDRAWN
