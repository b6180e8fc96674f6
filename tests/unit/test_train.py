"""From rows to a model."""

import io
import json
import random
from dataclasses import replace
from functools import cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from retrain.train import (
    FREQUENT_TEXTS,
    Recipe,
    Trained,
    TrainingError,
    fit_temperature,
    frequent_words,
    label_weights,
    possible_labels,
    train,
)
from sentiloop import features
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer, softmax
from sentiloop.scoring import Scorer

from tests.builders import LABELS, TEXTS, make_model

RECIPE = Recipe(width=2**12, max_iter=30)
SAID = {
    "negative": ("awful", "boring", "broken", "terrible", "worst"),
    "neutral": ("monday", "platform", "council", "invoice", "address"),
    "positive": ("lovely", "great", "wonderful", "brilliant", "best"),
}
FILLER = [
    "the",
    "a",
    "this",
    "that",
    "it",
    "film",
    "phone",
    "room",
    "service",
    "really",
    "today",
    "with",
    "and",
    "of",
    "at",
    "home",
    "again",
    "was",
    "is",
]


def make_rows(labels: tuple[str, ...] = LABELS, each: int = 60, seed: int = 0) -> pd.DataFrame:
    """Easy rows: a few words that everybody uses and one that only its label does."""
    dice = random.Random(seed)
    rows = [
        (
            " ".join(
                [*dice.choices(FILLER, k=dice.randint(3, 9)), dice.choice(SAID[label]), *dice.choices(FILLER, k=2)]
            ),
            label,
        )
        for _ in range(each)
        for label in labels
    ]
    return pd.DataFrame(rows, columns=pd.Index(["text", "label"]))


ROWS = make_rows()


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(ROWS, RECIPE)


@pytest.fixture(scope="module")
def model(trained: Trained) -> Model:
    return trained.model("v1")


def test_it_learns_what_the_rows_say(model: Model) -> None:
    for label, words in SAID.items():
        for word in words:
            assert Scorer(model).score(f"it was {word} today").label == label


def test_equal_rows_give_equal_bytes(trained: Trained) -> None:
    again = train(ROWS.copy(), RECIPE)
    assert again.weights == trained.weights
    assert again.manifest("v1", {}) == trained.manifest("v1", {})
    assert again.joblib() == trained.joblib()


def test_other_rows_or_another_recipe_give_another_model(trained: Trained) -> None:
    assert train(make_rows(seed=1), RECIPE).weights != trained.weights
    assert train(ROWS, replace(RECIPE, c=0.1)).weights != trained.weights


def test_the_manifest_describes_the_model(trained: Trained) -> None:
    fields = json.loads(trained.manifest("v7", {"note": "made by a test", "labels": ["overruled"]}))
    assert fields["version"] == "v7"
    assert fields["note"] == "made by a test"
    assert fields["labels"] == sorted(LABELS)
    assert fields["width"] == RECIPE.width
    assert fields["features"] == features.VERSION
    assert fields["temperature"] > 0
    assert fields["low_confidence"] == fields["low_confidence_choice"]["threshold"]


@pytest.mark.parametrize("item_type", ["int8", "int16"])
@given(text=TEXTS)
def test_a_frequent_word_brings_what_its_buckets_bring(item_type: str, text: str) -> None:
    model = _trained_once(item_type).model("v1")
    assert {"it", "was"} <= model.frequent_words.keys()
    without = replace(model, frequent_words={})
    for scored in (text, f"it was {text}", *ROWS["text"][:3]):
        assert Scorer(model).score(scored) == Scorer(without).score(scored)


@cache
def _trained_once(item_type: str) -> Trained:
    return train(ROWS, replace(RECIPE, item_type=item_type))


def test_words_of_few_texts_are_not_written_down() -> None:
    texts = ["everywhere"] * FREQUENT_TEXTS + ["somebody"] * (FREQUENT_TEXTS - 1) + ["twice twice"] * FREQUENT_TEXTS
    assert frequent_words(texts) == ["everywhere", "twice"]


def test_the_most_frequent_words_come_first_and_no_more_than_help(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["b a"] * FREQUENT_TEXTS + ["c"] * (FREQUENT_TEXTS + 1)
    assert frequent_words(texts) == ["c", "a", "b"]
    monkeypatch.setattr("retrain.train.FREQUENT_WORDS", 2)
    assert frequent_words(texts) == ["c", "a"]


@pytest.mark.parametrize("item_type", ["int8", "int16"])
def test_the_pipeline_for_people_is_the_model_that_is_served(item_type: str) -> None:
    trained = train(ROWS, replace(RECIPE, item_type=item_type))
    texts = [*ROWS["text"][:50], "", "unheard of", "not great, really!"]
    pipeline = joblib.load(io.BytesIO(trained.joblib()))
    served = BulkScorer(trained.model("v1")).probabilities(texts)
    np.testing.assert_allclose(pipeline.predict_proba(texts), served, atol=1e-9)
    assert pipeline.predict(["a lovely film"]).tolist() == ["positive"]


def test_two_labels_are_enough() -> None:
    model = train(make_rows(("negative", "positive")), RECIPE).model("v1")
    assert model.labels == ("negative", "positive")
    assert Scorer(model).score("a lovely film").label == "positive"


@pytest.mark.parametrize("rows", [ROWS[ROWS["label"] == "positive"], ROWS[:0]])
def test_fewer_than_two_labels_cannot_be_learned_from(rows: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match="too little to learn from"):
        train(rows, RECIPE)


def test_a_prior_of_another_width_is_an_error() -> None:
    with pytest.raises(TrainingError, match="the prior is 1024 buckets wide, the recipe 4096"):
        train(ROWS, RECIPE, make_model(width=1024).model)


def test_labels_come_from_the_prior_and_rows_with_others_are_passed_over(model: Model) -> None:
    strangers = pd.DataFrame({"text": ["furious film"] * 5, "label": ["furious"] * 5})
    with_strangers = train(pd.concat([ROWS, strangers], ignore_index=True), RECIPE, model)
    assert with_strangers.facts["labels"] == sorted(LABELS)
    assert with_strangers.weights == train(ROWS, RECIPE, model).weights


def test_rows_with_labels_of_the_prior_only_in_part_keep_all_its_labels(model: Model) -> None:
    two = train(make_rows(("negative", "positive"), 20), RECIPE, model)
    assert two.facts["labels"] == sorted(LABELS)


def test_rows_with_no_label_of_the_prior_cannot_be_learned_from(model: Model) -> None:
    with pytest.raises(TrainingError, match="0 rows"):
        train(pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]}), RECIPE, model)


def test_a_prior_with_labels_in_another_order_is_understood(model: Model) -> None:
    order = [2, 0, 1]
    columns = len(model.labels) + 1
    table = np.asarray(model.table).reshape(-1, columns)[:, [*order, 3]]
    turned = replace(
        model,
        labels=tuple(model.labels[number] for number in order),
        bias=tuple(model.bias[number] for number in order),
        scales=(*(model.scales[number] for number in order), model.scales[-1]),
        table=memoryview(table.tobytes()).cast("b"),
    )
    few = ROWS[:30]
    assert train(few, RECIPE, turned).weights == train(few, RECIPE, model).weights


def test_it_learns_from_corrections_alone_on_top_of_a_prior(model: Model) -> None:
    dice = random.Random(4)
    corrections = pd.DataFrame(
        [
            (" ".join([*dice.choices(FILLER, k=5), word]), label)
            for word, label in [("sick", "positive"), ("mid", "negative")] * 20
        ],
        columns=pd.Index(["text", "label"]),
    )
    learned = Scorer(train(corrections, RECIPE, model).model("v2"))
    before = Scorer(model)
    for text, label in (("it was sick", "positive"), ("it was mid", "negative")):
        place = LABELS.index(label)
        assert learned.score(text).probabilities[place] > before.score(text).probabilities[place]
    assert learned.score("it was awful today").label == "negative"
    assert learned.score("it was lovely today").label == "positive"


def test_a_tight_rein_keeps_to_the_prior(model: Model) -> None:
    contrary = ROWS.assign(
        label=ROWS["label"].map({"negative": "positive", "neutral": "neutral", "positive": "negative"})
    )
    kept = Scorer(train(contrary, replace(RECIPE, c=1e-6), model).model("v2"))
    assert kept.score("it was awful today").probabilities[0] > kept.score("it was lovely today").probabilities[0]
    convinced = Scorer(train(contrary, replace(RECIPE, c=100.0), model).model("v2"))
    assert convinced.score("it was awful today").label == "positive"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_corrections_is_enough_on_top_of_a_prior(model: Model, count: int) -> None:
    trained = train(ROWS[:count], RECIPE, model)
    assert Scorer(trained.model("v2")).score("it was lovely today").label == "positive"


def test_corrections_that_are_parts_of_each_other_are_enough_on_top_of_a_prior(model: Model) -> None:
    texts = ["a really lovely film" + " and that is all" * number for number in range(4)]
    trained = train(pd.DataFrame({"text": texts, "label": ["positive"] * 4}), RECIPE, model)
    assert Scorer(trained.model("v2")).score("it was lovely today").label == "positive"


def test_a_row_that_weighs_more_counts_more() -> None:
    doubted = pd.DataFrame({"text": ["quite a film today"] * 2, "label": ["positive", "negative"]})
    rows = pd.concat([ROWS, doubted], ignore_index=True)
    place = LABELS.index("positive")
    shares = []
    for heavy in ("positive", "negative"):
        weight = [1.0] * len(ROWS) + [20.0 if label == heavy else 1.0 for label in doubted["label"]]
        model = train(rows.assign(weight=weight), RECIPE).model("v1")
        shares.append(Scorer(model).score("quite a film today").probabilities[place])
    assert shares[0] > shares[1]


def labelled(labels: str, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"label": list(labels), **columns})


def test_balance_gives_a_rare_label_more_weight() -> None:
    rows = labelled("aaaaaaaaab")
    assert label_weights(rows, 0.0).tolist() == [1.0] * 10
    whole = label_weights(rows, 1.0)
    assert whole[:9].sum() == pytest.approx(whole[9:].sum())
    half = label_weights(rows, 0.5)
    assert half[9] / half[0] == pytest.approx(3.0)


def test_balance_counts_weights_and_not_rows() -> None:
    assert label_weights(labelled("abb", weight=[2.0, 1.0, 1.0]), 1.0) == pytest.approx([2.0, 1.0, 1.0])


def test_balance_keeps_a_large_source_from_drowning_a_small_one() -> None:
    rows = labelled("aaaaaab", source=["films"] * 6 + ["phones"])
    balanced = label_weights(rows, 1.0)
    assert balanced[:6].sum() == pytest.approx(balanced[6])


def test_feedback_is_balanced_by_itself() -> None:
    rows = labelled("aaaaaaab", source=["films"] * 6 + ["feedback"] * 2)
    assert label_weights(rows, 1.0) == pytest.approx([1.0] * 8)


def test_a_source_says_nothing_of_labels_that_it_never_uses() -> None:
    rows = labelled("abac", source=["films", "films", "phones", "phones"])
    assert possible_labels(rows, ["a", "b", "c"]).tolist() == [[True, True, False]] * 2 + [[True, False, True]] * 2
    assert possible_labels(labelled("ab"), ["a", "b", "c"]).all()


def test_balance_helps_a_rare_label_to_be_predicted() -> None:
    rows = pd.concat([make_rows(("negative",), 200), make_rows(("positive",), 12)], ignore_index=True)
    place = 1
    shares = [
        Scorer(train(rows, replace(RECIPE, balance=balance)).model("v1")).score("it was today").probabilities[place]
        for balance in (0.0, 1.0)
    ]
    assert shares[1] > shares[0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature: float) -> None:
    dice = np.random.default_rng(0)
    logits = dice.normal(scale=3, size=(5_000, 3))
    shares = softmax(logits / temperature)
    truth = (shares.cumsum(axis=1) > dice.random((5_000, 1))).argmax(axis=1)
    assert fit_temperature(logits, truth, np.ones(5_000)) == pytest.approx(temperature, rel=0.1)


def test_a_temperature_is_bounded_even_where_every_answer_is_right() -> None:
    logits = np.array([[9.0, 0.0], [0.0, 9.0]])
    assert 0 < fit_temperature(logits, np.array([0, 1]), np.ones(2)) < 30
    assert 0 < fit_temperature(logits, np.array([1, 0]), np.ones(2)) < 30


def test_feedback_could_have_had_any_label_whatever_came_so_far() -> None:
    rows = labelled("abbb", source=["films", "films", "feedback", "feedback"])
    assert possible_labels(rows, ["a", "b", "c"]).tolist() == [[True, True, False]] * 2 + [[True, True, True]] * 2


def test_feedback_of_one_label_alone_teaches() -> None:
    prior = train(make_rows(tuple(SAID), 60), RECIPE).model("prior")
    praise = pd.DataFrame({"text": ["a zorp day"] * 5, "label": "positive", "source": "feedback"})
    learned = train(praise, RECIPE, prior).model("v1")
    place = learned.labels.index("positive")
    text = "a zorp day"
    assert Scorer(learned).score(text).probabilities[place] > Scorer(prior).score(text).probabilities[place] + 0.1
