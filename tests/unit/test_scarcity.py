"""How much rarer a label is in the traffic than in the base data, as far as the reports tell."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.scarcity import BIAS, LEVEL, VOTES, scarcity, told, votes_of
from scipy import stats

LABELS = 3
counts = st.lists(st.floats(0, 500), min_size=LABELS, max_size=LABELS)
parts = st.lists(st.floats(0.05, 1), min_size=LABELS, max_size=LABELS).map(lambda drawn: np.array(drawn) / sum(drawn))


def shares_of(contributors: list[str], trusted: bool = False) -> pd.DataFrame:
    """Reports of one contributor each."""
    who = pd.factorize(pd.Series(contributors))[0]
    return pd.DataFrame({"row": range(len(who)), "who": who, "trusted": trusted})


@given(counts, parts)
def test_it_shrinks_and_never_raises(votes: list[float], base: np.ndarray) -> None:
    found = scarcity(np.array(votes), base)
    assert ((found > 0) & (found <= 1)).all()


@given(counts, parts)
def test_a_label_that_reports_give_half_as_often_as_base_data_is_not_rare(votes: list[float], base: np.ndarray) -> None:
    if (total := sum(votes)) == 0:
        return
    found = scarcity(np.array(votes), base)
    assert (found[np.array(votes) / total >= base / BIAS] == 1).all()


@given(counts, parts, st.integers(0, LABELS - 1), st.floats(0.5, 50))
def test_who_asks_for_a_label_makes_it_less_rare_and_who_asks_for_others_more(
    votes: list[float], base: np.ndarray, label: int, more: float
) -> None:
    added = np.array(votes)
    added[label] += more
    before, after = scarcity(np.array(votes), base), scarcity(added, base)
    others = np.arange(LABELS) != label
    assert after[label] >= before[label] - 1e-9
    assert (after[others] <= before[others] + 1e-9).all()


@given(st.lists(st.integers(0, LABELS - 1), min_size=1, max_size=300), parts)
def test_one_contributor_alone_makes_nothing_rare(labels: list[int], base: np.ndarray) -> None:
    votes = votes_of(shares_of(["flood"] * len(labels)), np.array(labels), LABELS)
    assert votes.sum() == pytest.approx(min(len(labels), VOTES))
    assert (scarcity(votes, base)[base <= 0.85] == 1).all()


@pytest.mark.parametrize("people", [10, 40, 200])
def test_a_label_is_called_too_rare_as_seldom_as_the_level_says(people: int) -> None:
    """Of people who ask for a label at random, each once; without what is allowed for bias, the factor is the bound."""
    for share in (0.05, 0.15, 0.3):
        asked = np.arange(people + 1)
        found = np.array([scarcity(np.array([x, people - x]), np.array([1.0, 1.0]))[0] for x in asked]) / BIAS
        too_rare = (found < share) & (found < 1 / BIAS)
        assert stats.binom.pmf(asked, people, share)[too_rare].sum() <= LEVEL


def test_what_nobody_asks_for_is_the_rarer_the_more_people_could_have() -> None:
    base = np.array([0.3, 0.4, 0.3])
    found = [scarcity(np.array([people / 2, 0, people / 2]), base)[1] for people in (1, 5, 20, 80, 320)]
    assert found[0] == 1, "one person says nothing of all texts"
    assert found == sorted(found, reverse=True)
    assert found[2] == pytest.approx(2 * (1 - 0.05 ** (1 / 20)) / 0.4)
    assert found[4] < 0.05


def test_a_contributor_has_few_votes_whatever_he_sends_and_a_reviewer_one_for_each_label_he_gave() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    flood = votes_of(shares_of(["one"] * 40), labels, LABELS)
    assert flood.tolist() == pytest.approx([VOTES / 2, VOTES / 2, 0])
    crowd = votes_of(shares_of([f"c{number}" for number in range(40)]), labels, LABELS)
    assert crowd.tolist() == [20, 20, 0]
    reviewer = votes_of(shares_of(["one"] * 40, trusted=True), labels, LABELS)
    assert reviewer.tolist() == [20, 20, 0]


@given(st.lists(parts, min_size=1, max_size=5), st.lists(st.floats(0.01, 1), min_size=LABELS, max_size=LABELS))
def test_answers_are_told_anew_in_the_ratio_of_how_rare_labels_are(rows: list[np.ndarray], rarer: list[float]) -> None:
    answers = np.array(rows)
    found = told(answers, np.array(rarer))
    assert found.sum(axis=1) == pytest.approx(1)
    assert found[:, 0] / found[:, 2] == pytest.approx(answers[:, 0] / answers[:, 2] * rarer[0] / rarer[2])
    assert told(answers, np.ones(LABELS)) == pytest.approx(answers)
