"""One model, three ways to score: the scorer that serves, its vectorised twin, and the scikit-learn pipeline."""

import gzip
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.datasets import seed_rows
from retrain.train import Recipe, Trained, train
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.scoring import Scorer

from tests.builders import TEST_DATA, TEXTS

TOLERANCE = 1e-6
SEED_TEXTS = [row.text for row in seed_rows()]
SST2 = TEST_DATA / "sst2"
needs_data = pytest.mark.skipif(
    not SST2.is_dir(), reason="no SST-2 here: set SENTILOOP_TEST_DATA to a folder that holds sst2/*.jsonl.gz"
)


def sst2_texts(split: str) -> list[str]:
    with gzip.open(SST2 / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


@pytest.fixture(scope="module")
def trained() -> Trained:
    rows = pd.DataFrame([(row.text, row.label) for row in seed_rows()], columns=pd.Index(["text", "label"]))
    return train(rows, Recipe(width=2**14, max_iter=20))


@pytest.fixture(scope="module")
def model(trained: Trained) -> Model:
    return trained.model("v1")


def scored_one_by_one(model: Model, texts: Sequence[str]) -> np.ndarray:
    scorer = Scorer(model)
    return np.array([scorer.score(text).probabilities for text in texts]).reshape(-1, len(model.labels))


def check(trained: Trained, model: Model, texts: Sequence[str]) -> None:
    served = scored_one_by_one(model, texts)
    np.testing.assert_allclose(BulkScorer(model).probabilities(texts), served, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(trained.pipeline.predict_proba(texts), served, rtol=0, atol=TOLERANCE)


def test_they_agree_on_every_text_of_the_seed_corpus(trained: Trained, model: Model) -> None:
    check(trained, model, SEED_TEXTS)


def test_they_agree_on_texts_without_words_and_on_words_never_seen(trained: Trained, model: Model) -> None:
    check(trained, model, ["", " ", "...", "🎉", "zzyzx qwrtz", "!" * 1_000, "not " * 500, "x" * 10_000])


@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_they_agree_on_any_unicode(trained: Trained, model: Model, texts: list[str]) -> None:
    check(trained, model, texts)


def test_the_model_that_they_agree_on_has_learned_something(model: Model) -> None:
    chosen = np.array(model.labels)[BulkScorer(model).probabilities(SEED_TEXTS).argmax(axis=1)]
    assert (chosen == np.array([row.label for row in seed_rows()])).mean() > 0.9


@needs_data
@pytest.mark.parametrize("split", ["dev", "test", "train"])
def test_they_agree_on_every_text_of_sst2(trained: Trained, model: Model, split: str) -> None:
    check(trained, model, sst2_texts(split))
