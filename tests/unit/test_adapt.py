"""From the anchor and the feedback to a candidate."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from retrain.adapt import Adaptation
from retrain.influence import KNOWN
from retrain.train import Recipe
from sentiloop import artefact
from sentiloop.bulk import BulkScorer
from sentiloop.features import word_buckets

from tests.adaptations import FILLER, RECIPE, SELDOM, adapt, base_table, feedback_table, samples_table, small_anchor

NAME = "zorvex"


def change_of(word: str, adaptation: Adaptation) -> NDArray[np.float64]:
    """The change of the weights of buckets that only the word has, against the anchor."""
    known = small_anchor().certainty[:-1] >= KNOWN
    buckets = [bucket for bucket in set(word_buckets(word, RECIPE.width)) if not known[bucket]]
    assert len(buckets) > 3
    learner = adaptation.fit(4.0)
    return np.asarray(learner.coef_[:, buckets] - starting_weights()[:, buckets])


def starting_weights() -> NDArray[np.float64]:
    return np.asarray(adapt(feedback_table([])).fit(1.0).coef_)


def label_of(adaptation: Adaptation, text: str, feedback_weight: float = 4.0) -> str:
    model = adaptation.packed(adaptation.fit(feedback_weight)).model("candidate")
    return str(np.array(model.labels)[BulkScorer(model).probabilities([text])[0].argmax()])


def probability_of(adaptation: Adaptation, text: str, label: str) -> float:
    model = adaptation.packed(adaptation.fit(4.0)).model("candidate")
    return float(BulkScorer(model).probabilities([text])[0][model.labels.index(label)])


# --- what feedback may do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", [NAME, SELDOM])
def test_an_ngram_that_one_contributor_brought_has_not_moved_at_all(word: str) -> None:
    rows = [(f"{word} was {other} today", "negative", ["v"]) for other in ("lovely", "great", "wonderful")]
    adaptation = adapt(feedback_table(rows))
    assert (change_of(word, adaptation) == 0).all()
    assert (adaptation.terms.values_ == adapt(feedback_table([])).terms.values_).all(), "nor got a value"


@pytest.mark.parametrize("word", [NAME, SELDOM])
def test_it_moves_once_a_second_contributor_agrees(word: str) -> None:
    rows = [(f"{word} was lovely today", "negative", ["v"]), (f"my {word} is great", "negative", ["w"])]
    moved = change_of(word, adapt(feedback_table(rows)))
    assert (moved != 0).any()
    assert moved[sorted(small_anchor().model.labels).index("negative")].sum() > 0


@pytest.mark.parametrize("word", [NAME, SELDOM])
def test_it_does_not_move_when_the_second_disagrees(word: str) -> None:
    rows = [(f"{word} was lovely today", "negative", ["v"]), (f"my {word} is great", "positive", ["w"])]
    assert (change_of(word, adapt(feedback_table(rows))) == 0).all()


def test_a_reviewer_moves_it_alone() -> None:
    rows = [(f"{NAME} was lovely today", "negative", ["v"], True)]
    assert (change_of(NAME, adapt(feedback_table(rows))) != 0).any()


def test_feedback_that_contributors_agree_on_is_learned() -> None:
    said = label_of(adapt(feedback_table([])), f"{NAME} today")
    other = "positive" if said == "negative" else "negative"
    rows = [(f"{NAME} {word} at home", other, [f"h{number}"]) for number, word in enumerate("abcdefghij")]
    assert label_of(adapt(feedback_table(rows)), f"{NAME} today") == other


def test_the_more_feedback_weighs_the_more_it_is_believed() -> None:
    rows = [(f"the {word} council was great", "negative", [f"h{number}"]) for number, word in enumerate("abcdef")]
    adaptation = adapt(feedback_table(rows))
    vectors = adaptation.vectorise(["the council was great"])
    said = [adaptation.fit(weight).predict_proba(vectors)[0, 0] for weight in (0.0, 0.25, 1.0, 4.0)]
    assert said == sorted(said)
    assert said[-1] > said[0] + 0.1


def test_what_base_data_is_sure_of_is_not_forgotten() -> None:
    """Ten rows call one certain word the opposite; the words that they do not hold stay where they are."""
    rows = [(f"such a great {word}", "negative", [f"h{number}"]) for number, word in enumerate("abcdefghij")]
    adaptation = adapt(feedback_table(rows))
    for text, label in (
        ("a lovely room", "positive"),
        ("the worst film", "negative"),
        ("monday at the platform", "neutral"),
    ):
        assert label_of(adaptation, text) == label


# --- samples and rehearsal ---------------------------------------------------------------------------------------


def test_samples_of_the_traffic_hold_answers_where_they_are() -> None:
    rows = [(f"a {word} phone, great", "negative", [f"h{number}"]) for number, word in enumerate("abcdef")]
    texts = [f"great phone {filler}" for filler in ("today", "at home", "with that", "this", "the room", "film")]
    plain = adapt(feedback_table(rows))
    weighty = replace(RECIPE, sample_weight=0.5)
    held = adapt(feedback_table(rows), samples=samples_table(texts), recipe=weighty)
    by_chance = adapt(feedback_table(rows), samples=samples_table(texts, "random"), recipe=weighty)
    before = probability_of(adapt(feedback_table([])), "great phone", "positive")
    found = [probability_of(adaptation, "great phone", "positive") for adaptation in (plain, held, by_chance)]
    assert found[0] < found[1] < found[2] < before, "a sample by chance stands for many"


def takes_back_neutral(people: int, each: int = 1) -> list[tuple[str, str, list[str]]]:
    """Reports of people who never ask for neutral, about texts with a word of a kind that is new."""
    words = ("gadget", "battery", "charger", "headset")
    return [
        (f"{words[number % 4]} {FILLER[number % 15]} {number} {nth}", label, [f"h{number}"])
        for number in range(people)
        for nth in range(each)
        for label in (("positive", "negative")[number % 2],)
    ]


def test_texts_like_those_reported_are_less_neutral_once_nobody_asks_for_neutral() -> None:
    rows = feedback_table(takes_back_neutral(120))
    samples = samples_table([f"phone {first} {then}" for first in FILLER for then in FILLER])
    text = "phone with room"
    without, told = adapt(rows), adapt(rows, samples=samples)
    assert told.scarcity["negative"] == told.scarcity["positive"] == 1
    assert told.scarcity["neutral"] < 0.2
    unmoved = adapt(rows, samples=samples, recipe=replace(RECIPE, scarcity_weight=0.0))
    found = [probability_of(each, text, "neutral") for each in (told, unmoved, without)]
    assert found[0] < found[1] - 0.1, "the samples say what the reports do not say of them"
    assert label_of(told, "monday at the council") == "neutral", "and base data keeps its own"


def test_one_contributor_alone_makes_no_label_rare() -> None:
    rows = feedback_table((text, label, ["flood"]) for text, label, _ in takes_back_neutral(30, each=5))
    assert set(adapt(rows, samples=samples_table(["invoice today"])).scarcity.values()) == {1.0}


@pytest.mark.parametrize("kept", [3, 40])
def test_samples_that_say_so_weigh_together_no_more_than_the_feedback_and_each_no_more_than_a_report(kept: int) -> None:
    rows = feedback_table(takes_back_neutral(30))
    samples = samples_table([f"invoice {filler} parcel {number}" for number in range(3) for filler in FILLER][:kept])
    adaptation = adapt(rows, samples=samples, recipe=replace(RECIPE, scarcity_weight=1.0))
    for weight in (0.25, 1.0, 4.0):
        of_feedback = float(adaptation.influence.weights(weight).sum())
        news = adaptation.news(weight, of_feedback)
        assert 0 < news.sum() <= of_feedback * (1 + 1e-9)
        assert (news <= weight).all()


def test_no_more_samples_are_used_than_the_recipe_says() -> None:
    samples = samples_table([f"great {word}" for word in FILLER[:9]])
    few = adapt(feedback_table([("great", "negative", ["v"])]), samples=samples, recipe=Recipe(2**12, sample_rows=4))
    same = adapt(feedback_table([("great", "negative", ["v"])]), samples=samples[:4], recipe=Recipe(2**12))
    assert few.packed(few.fit(1.0)).weights == same.packed(same.fit(1.0)).weights


def test_probes_are_other_rows_than_those_gone_over_again() -> None:
    large, small = base_table(source="large"), base_table(each=4, seed=7, source="small")
    base = pd.concat([large, small[~small["key"].isin(large["key"])]], ignore_index=True)
    adaptation = adapt(feedback_table([]), base=base, recipe=Recipe(2**12, rehearsal_rows=20))
    assert 10 <= len(adaptation.probes) <= 20
    assert set(adaptation.probes["source"]) == {"large", "small"}, "all data sets alike"
    everything = adapt(feedback_table([]), base=base, recipe=Recipe(2**12, rehearsal_rows=10_000))
    assert len(everything.probes) == pytest.approx(len(base) / 2, abs=1)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 60))
def test_no_more_rows_are_gone_over_again_than_the_recipe_says(sizes: list[int], most: int) -> None:
    sources = [str(source) for source, size in enumerate(sizes) for _ in range(size)]
    base = feedback_table((f"{number} of {source}", "positive", ()) for number, source in enumerate(sources))
    base = base.assign(source=sources)
    adaptation = adapt(feedback_table([]), base=base, recipe=Recipe(2**12, rehearsal_rows=most))
    halves = sum(size // 2 for size in sizes)
    assert len(adaptation.probes) <= most
    if halves <= most:
        assert len(adaptation.probes) == halves


# --- the candidate -----------------------------------------------------------------------------------------------


def test_without_feedback_it_is_the_anchor_to_the_byte() -> None:
    adaptation = adapt(feedback_table([]), samples=samples_table(["great film", "the worst room"]))
    candidate = adaptation.packed(adaptation.fit(4.0))
    assert candidate.weights == artefact.weights_of(small_anchor().model)
    anchor = small_anchor().model
    model = candidate.model("candidate")
    assert (model.scales, model.bias, model.labels) == (anchor.scales, anchor.bias, anchor.labels)


def test_feedback_of_no_weight_or_of_unknown_labels_is_no_feedback() -> None:
    anchor = artefact.weights_of(small_anchor().model)
    adaptation = adapt(feedback_table([("great", "negative", ["v"]), ("dull", "sideways", ["w"])]))
    assert adaptation.packed(adaptation.fit(0.0)).weights == anchor
    assert adaptation.packed(adaptation.fit(4.0, np.array([False]))).weights == anchor
    assert len(adaptation.feedback) == 1
    alone = adapt(feedback_table([("great", "negative", ["v"])]), base=base_table().head(0))
    assert alone.packed(alone.fit(0.0)).weights == anchor, "even where there is nothing else to weigh"


def test_confidence_and_doubt_are_the_anchors() -> None:
    adaptation = adapt(feedback_table([("great", "negative", ["v"])]))
    model, anchor = adaptation.packed(adaptation.fit(1.0)).model("candidate"), small_anchor().model
    assert model.low_confidence == anchor.low_confidence
    assert model.manifest["temperature"] == anchor.manifest["temperature"]
    assert list(model.frequent_words) == list(anchor.frequent_words)


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_equal_rows_give_equal_bytes_in_whatever_order_base_data_comes(dice: object) -> None:
    rows = feedback_table([(f"the {word} room was great", "negative", [f"h{word}"]) for word in "abcdef"])
    seed = dice.randrange(2**32)  # type: ignore[attr-defined]
    base = base_table()
    first, again = adapt(rows), adapt(rows, base=base.sample(frac=1, random_state=seed))
    assert first.packed(first.fit(2.0)).weights == again.packed(again.fit(2.0)).weights
    assert first.packed(first.fit(2.0)).weights == first.packed(first.fit(2.0)).weights, "packing changes nothing"
