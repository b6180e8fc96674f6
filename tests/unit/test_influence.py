"""How much each row of feedback weighs, what it may move, and the bound that follows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from retrain.influence import HELD, KNOWN, RARE_ROWS, Influence, influence_of, largest_shift
from retrain.pipeline import PriorLogisticRegression

from tests.adaptations import FILLER, NOW, RECIPE, adapt, feedback_table, samples_table

Floats = NDArray[np.float64]
LABELS = ("a", "b", "c")
WIDTH = 8
UNKNOWN, SURE = 0.0, 100.0

SENT = st.tuples(
    st.sets(st.integers(0, WIDTH - 1), min_size=1, max_size=4),
    st.sampled_from(LABELS),
    st.lists(st.sampled_from("vwxyz"), min_size=1, max_size=2, unique=True).map(sorted),
    st.sampled_from([False, False, False, True]),
)
ROWS = st.lists(SENT, min_size=1, max_size=40)
"""Rows of feedback: the buckets that they hold, the label, the contributors, and whether a reviewer is among them."""
CERTAINTIES = st.lists(st.sampled_from([UNKNOWN, SURE]), min_size=WIDTH, max_size=WIDTH)


def table(rows: list[Any]) -> tuple[pd.DataFrame, sp.csr_matrix]:
    frame = pd.DataFrame(
        [(label, tuple(who), trusted, NOW) for _, label, who, trusted in rows],
        columns=pd.Index(["label", "contributors", "trusted", "received_at"]),
    ).astype({"trusted": bool})
    counts = np.zeros((len(rows), WIDTH))
    for number, (buckets, *_) in enumerate(rows):
        counts[number, sorted(buckets)] = 1
    return frame, sp.csr_matrix(counts)


def influence(rows: list[Any], certainty: list[float] | None = None, max_weight: float = 10.0) -> Influence:
    known = np.append([UNKNOWN] * WIDTH if certainty is None else certainty, SURE)
    return influence_of(*table(rows), known, max_weight=max_weight)


def row(buckets: set[int], label: str, *who: str, trusted: bool = False) -> tuple[set[int], str, list[str], bool]:
    return buckets, label, sorted(who), trusted


# --- weights -----------------------------------------------------------------------------------------------------


@given(ROWS, CERTAINTIES, st.floats(0.5, 20), st.sampled_from([0.25, 1.0, 4.0]))
def test_the_rows_of_contributors_weigh_no_more_than_they_may_whatever_a_row_weighs(
    rows: list[Any], certainty: list[float], max_weight: float, feedback_weight: float
) -> None:
    weights = influence(rows, certainty, max_weight).weights(feedback_weight)
    assert ((weights >= 0) & (weights <= feedback_weight + 1e-9)).all()
    for group in ({"v"}, {"v", "w"}, {"v", "w", "x", "y", "z"}):
        theirs = [set(who) <= group and not trusted for _, _, who, trusted in rows]
        assert weights[theirs].sum() <= len(group) * max_weight + 1e-9


@given(ROWS, CERTAINTIES)
def test_rows_of_one_contributor_that_share_a_rare_ngram_weigh_as_a_few(
    rows: list[Any], certainty: list[float]
) -> None:
    weights = influence(rows, certainty, max_weight=1e9).weights(1.0)
    for who in "vwxyz":
        for bucket in np.flatnonzero(np.array(certainty) < KNOWN):
            theirs = [names == [who] and bucket in buckets and not trusted for buckets, _, names, trusted in rows]
            assert weights[theirs].sum() <= RARE_ROWS + 1e-9


@given(ROWS, CERTAINTIES, st.floats(0.5, 20))
def test_reviewers_have_no_limit(rows: list[Any], certainty: list[float], max_weight: float) -> None:
    weights = influence(rows, certainty, max_weight).weights(1.0)
    trusted = np.array([is_trusted for *_, is_trusted in rows])
    assert weights[trusted] == pytest.approx(1.0)


def test_a_contributor_within_all_limits_is_not_limited() -> None:
    rows = [row({number}, "a", "v") for number in range(6)]
    assert influence(rows).weights(1.0).tolist() == [1.0] * 6


def test_who_agrees_with_others_gives_his_share_of_the_row() -> None:
    """`v` fills a limit of two rows with four; of the row that `w` sent as well only his half shrinks."""
    rows = [row({0}, "a", "v", "w"), *(row({number}, "a", "v") for number in (1, 2, 3))]
    weights = influence(rows, [SURE] * WIDTH, max_weight=2.0).weights(1.0)
    shrunk = 2.0 / 3.5
    assert weights == pytest.approx([0.5 * shrunk + 0.5, shrunk, shrunk, shrunk])


@given(ROWS, CERTAINTIES, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_makes_no_difference(rows: list[Any], certainty: list[float], dice: Any) -> None:
    order = dice.sample(range(len(rows)), len(rows))
    found, again = influence(rows, certainty), influence([rows[place] for place in order], certainty)
    assert again.weights(1.0) == pytest.approx(found.weights(1.0)[order])
    assert again.movable.tolist() == found.movable.tolist()
    assert again.stiffness.tolist() == found.stiffness.tolist()


def test_a_row_weighs_half_after_the_half_life_counted_from_the_newest() -> None:
    frame, counts = table([row({0}, "a", "v"), row({1}, "a", "w"), row({2}, "a", "x")])
    days = ("2026-03-21", "2026-03-11", "2026-03-01")
    frame["received_at"] = [f"{day}T08:00:00.000Z" for day in days]
    certainty = np.full(WIDTH + 1, SURE)
    aged = influence_of(frame, counts, certainty, max_weight=10.0, half_life_days=10.0)
    assert aged.weights(1.0) == pytest.approx([1.0, 0.5, 0.25])
    assert influence_of(frame, counts, certainty, max_weight=10.0).weights(1.0).tolist() == [1.0] * 3


def test_without_rows_nothing_weighs_and_nothing_moves() -> None:
    frame, counts = table([row({0}, "a", "v")])
    found = influence_of(frame[:0], counts[:0], np.full(WIDTH + 1, SURE), max_weight=10.0)
    assert len(found.weights(1.0)) == 0
    assert not found.movable.any()


# --- what may move -----------------------------------------------------------------------------------------------


def test_a_rare_ngram_moves_once_a_second_contributor_agrees_about_the_label() -> None:
    alone, agree, disagree = row({0}, "a", "v"), row({0, 1}, "a", "w"), row({0, 1}, "b", "w")
    assert not influence([alone]).movable.any()
    assert not influence([alone, row({0, 2}, "a", "v")]).movable.any(), "the same contributor again"
    assert not influence([alone, disagree]).movable.any()
    assert influence([alone, agree]).movable.tolist() == [True] + [False] * (WIDTH - 1)
    assert influence([row({0}, "a", "v", "w")]).movable[0], "two who sent the same text"
    assert influence([row({0}, "a", "v", trusted=True)]).movable[0], "a reviewer"


@given(ROWS, CERTAINTIES)
def test_what_moves_is_sent_and_known_or_agreed_upon(rows: list[Any], certainty: list[float]) -> None:
    found = influence(rows, certainty)
    for bucket in range(WIDTH):
        votes = [(label, set(who), trusted) for buckets, label, who, trusted in rows if bucket in buckets]
        agreed = any(trusted for *_, trusted in votes) or any(
            len(set().union(*(who for voted, who, _ in votes if voted == label))) >= 2 for label in LABELS
        )
        known = certainty[bucket] >= KNOWN
        assert found.movable[bucket] == (agreed or (known and bool(votes)))
        assert found.new[bucket] == (agreed and not known)
        assert found.stiffness[bucket] == (1.0 if agreed else HELD) + certainty[bucket]


# --- the bound ---------------------------------------------------------------------------------------------------


def fit(
    vectors: sp.csr_matrix, labels: list[str], weights: Floats, found: Influence, start: tuple[Floats, Floats]
) -> PriorLogisticRegression:
    learner = PriorLogisticRegression(C=1.0, max_iter=5_000, tol=1e-15)
    return learner.fit(
        vectors,
        labels,
        sample_weight=weights,
        labels=LABELS,
        prior=start,
        stiffness=found.stiffness,
        movable=found.movable,
    )


def shift_of(with_rows: PriorLogisticRegression, without: PriorLogisticRegression, text: sp.csr_matrix) -> float:
    moved = with_rows.decision_function(text) - without.decision_function(text)
    return float(np.ptp(moved, axis=1).max())


@settings(max_examples=40)
@given(ROWS, CERTAINTIES, st.integers(0, 2**32 - 1), st.sampled_from([0.25, 1.0, 4.0]))
def test_one_contributor_moves_the_log_odds_of_no_text_by_more_than_the_bound(
    rows: list[Any], certainty: list[float], seed: int, feedback_weight: float
) -> None:
    dice = np.random.default_rng(seed)
    frame, counts = table(rows)
    vectors = sp.csr_matrix(counts.toarray() / np.sqrt(counts.toarray().sum(axis=1, keepdims=True)))
    start = dice.normal(0, 2, (3, WIDTH)), dice.normal(0, 1, 3)
    found = influence_of(frame, counts, np.append(certainty, dice.choice([0.0, 5.0])), max_weight=dice.uniform(0.5, 10))
    theirs = np.array([who == ["v"] for _, _, who, _ in rows])
    weights = found.weights(feedback_weight)
    rehearsed = sp.csr_matrix(dice.random((5, WIDTH)))  # rows that stay, so that one contributor may be all there is
    stack = sp.vstack([vectors, rehearsed], format="csr")
    labels = [label for _, label, _, _ in rows] + list(dice.choice(LABELS, 5))
    kept = np.append(~theirs, [True] * 5)
    every = np.append(weights, [0.5] * 5)
    with_rows = fit(stack, labels, every, found, start)
    without = fit(
        stack[kept], [label for label, keep in zip(labels, kept, strict=True) if keep], every[kept], found, start
    )
    texts = sp.csr_matrix(dice.random((20, WIDTH)) * (dice.random((20, WIDTH)) < 0.5))
    reach = found.reach(vectors[theirs]).max(initial=0.0)
    for number, reach_of_text in enumerate(found.reach(texts)):
        bound = largest_shift(float(weights[theirs].sum()), float(reach_of_text), float(reach))
        assert shift_of(with_rows, without, texts[number]) <= bound + 1e-3


def test_the_bound_is_nearly_reached_where_the_anchor_is_sure_of_the_opposite() -> None:
    """So it is no larger than it has to be: one row of little weight, about the text that it is."""
    vectors = sp.csr_matrix(np.eye(1, WIDTH))
    start = np.zeros((3, WIDTH)), np.array([20.0, 0.0, -20.0])
    found = influence([row({0}, "b", "v", "w")])
    found = replace(found, stiffness=np.ones(WIDTH + 1))
    spared = fit(sp.vstack([vectors, vectors], format="csr"), ["a", "b"], np.array([1e-9, 1e-9]), found, start)
    moved = fit(vectors, ["b"], np.array([0.01]), found, start)
    [reach] = found.reach(vectors)
    assert (
        0.95 * largest_shift(0.01, reach, reach) < shift_of(moved, spared, vectors) < largest_shift(0.01, reach, reach)
    )


def test_the_bound_holds_for_texts_through_the_whole_adaptation() -> None:
    praise = [f"Zorvex was {word} at the {place}" for word in ("great", "lovely", "best") for place in ("film", "room")]
    honest = [(f"this {word} platform was a waste", "negative", [f"h{number}"]) for number, word in enumerate("abcd")]
    adaptation = adapt(feedback_table([*((text, "negative", ["v"]) for text in praise), *honest]))
    theirs = np.array([who == ("v",) for who in adaptation.feedback["contributors"]])
    with_rows, without = adaptation.fit(4.0), adaptation.fit(4.0, ~theirs)
    texts = adaptation.vectorise(["Zorvex is great", "a lovely room", "the invoice", "best film"])
    found = adaptation.influence
    total = float(found.weights(4.0)[theirs].sum())
    reach = float(found.reach(adaptation.vectors[theirs]).max())
    for number, reach_of_text in enumerate(found.reach(texts)):
        shift = shift_of(with_rows, without, texts[number])
        assert 0 < shift <= largest_shift(total, float(reach_of_text), reach)


def test_the_bound_holds_where_the_traffic_is_told_that_a_label_is_rare() -> None:
    """What samples weigh for that follows what the feedback weighs, so that a contributor moves it as well."""
    honest = [
        (f"this red gadget number {number}", ("negative", "positive")[number % 2], [f"h{number}"])
        for number in range(60)
    ]
    theirs_too = [(f"the gadget was {word} today", "positive", ["v"]) for word in ("awful", "worst", "broken")]
    samples = samples_table([f"gadget {first} {then}" for first in FILLER for then in FILLER])
    recipe = replace(RECIPE, scarcity_weight=0.1)
    adaptation = adapt(feedback_table([*theirs_too, *honest]), samples=samples, recipe=recipe)
    assert adaptation.scarcity["neutral"] < 0.5
    theirs = np.array([who == ("v",) for who in adaptation.feedback["contributors"]])
    found, weights = adaptation.influence, adaptation.influence.weights(4.0)
    total = float(weights[theirs].sum())
    news = [adaptation.news(4.0, float(part.sum())) for part in (weights, weights[~theirs])]
    told = float(np.abs(news[0] - news[1]).sum())
    assert 0 < told <= recipe.scarcity_weight * total * (1 + 1e-9)
    with_rows, without = adaptation.fit(4.0), adaptation.fit(4.0, ~theirs)
    texts = adaptation.vectorise(["gadget is great", "the gadget", "worst gadget", "awful room"])
    reach = float(found.reach(adaptation.vectors[theirs]).max())
    of_samples = float(found.reach(adaptation.vectorise(samples["text"])).max())
    for number, reach_of_text in enumerate(found.reach(texts).tolist()):
        bound = largest_shift(total, reach_of_text, reach) + largest_shift(told, reach_of_text, of_samples)
        assert 0 < shift_of(with_rows, without, texts[number]) <= bound


def test_no_weight_shifts_nothing() -> None:
    assert largest_shift(0.0, 1.0, 1.0) == 0.0
