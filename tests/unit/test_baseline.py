"""The trained baseline that is part of the layer, so that a fresh clone predicts at once."""

from dataclasses import replace
from importlib.resources import files

import pytest
from sentiloop import features
from sentiloop.artefact import MANIFEST, WEIGHTS
from sentiloop.bundled import baseline
from sentiloop.scoring import Scorer

MOST_BYTES = 3 * 2**20


def test_it_loads() -> None:
    assert baseline().version
    assert set(baseline().labels) == {"negative", "neutral", "positive"}


def test_it_takes_at_most_three_megabytes() -> None:
    folder = files("sentiloop") / "baseline"
    assert sum(len((folder / name).read_bytes()) for name in (MANIFEST, WEIGHTS)) <= MOST_BYTES


def test_it_was_trained_with_the_feature_function_that_serves() -> None:
    assert baseline().manifest["features"] == features.VERSION


def test_its_manifest_tells_its_data_and_its_metrics() -> None:
    assert baseline().manifest["data"]["base"]
    assert baseline().manifest["metrics"]


def test_its_frequent_words_bring_what_its_buckets_bring() -> None:
    without = replace(baseline(), frequent_words={})
    assert len(baseline().frequent_words) == 2_000
    for word in baseline().frequent_words:
        assert Scorer(baseline()).score(word) == Scorer(without).score(word)


def test_its_threshold_for_doubt_is_a_useful_one() -> None:
    assert 1 / 3 < baseline().low_confidence < 1


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this film, it is wonderful!", "positive"),
        ("What a fantastic day, thank you so much!", "positive"),
        ("An excellent, moving and beautifully acted drama.", "positive"),
        ("This is the worst film I have ever seen.", "negative"),
        ("Terrible, boring and a complete waste of time.", "negative"),
        ("I hate this awful phone.", "negative"),
        ("It is not good.", "negative"),
        ("The meeting is on Tuesday at the town hall.", "neutral"),
        ("The council meets on Monday to discuss the parking plan.", "neutral"),
    ],
)
def test_it_is_right_about_the_obvious(text: str, label: str) -> None:
    assert Scorer(baseline()).score(text).label == label
