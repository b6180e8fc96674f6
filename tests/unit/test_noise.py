"""How many labels are estimated to be wrong, where it is known."""

import json
import random

import numpy as np
import pandas as pd
import pytest
from retrain.importer import read_path
from retrain.merge import text_key
from retrain.noise import MOST_ROWS, SUSPICIOUS, estimate_noise
from sentiloop.bundled import baseline

from tests.builders import LABELS, TEST_DATA

SAID = {
    "negative": ("awful", "boring", "broken", "terrible", "worst"),
    "neutral": ("monday", "platform", "council", "invoice", "address"),
    "positive": ("lovely", "great", "wonderful", "brilliant", "best"),
}
FILLER = ("the", "a", "this", "film", "phone", "room", "service", "really", "today", "with", "and", "home", "again")


def synthetic(count: int, source: str = "feedback", seed: int = 0) -> pd.DataFrame:
    """Return rows whose words tell the label."""
    dice = random.Random(f"{source} {seed}")
    labels = [dice.choice(LABELS) for _ in range(count)]
    texts = [" ".join([*dice.sample(SAID[label], 2), *dice.sample(FILLER, 6)]) for label in labels]
    return pd.DataFrame({"key": texts, "text": texts, "label": labels, "source": source}).drop_duplicates("key")


def with_wrong_labels(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """Return the rows with that share of the labels changed, evenly to all others."""
    dice = np.random.default_rng(1)
    names = sorted(rows["label"].unique())
    changed = [
        dice.choice([name for name in names if name != label]) if dice.random() < share else label
        for label in rows["label"]
    ]
    return rows.assign(label=changed)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_wrong_labels_are_counted_where_words_tell_the_label(share: float) -> None:
    rows = with_wrong_labels(synthetic(1500), share)
    found = estimate_noise(rows)["sources"]["feedback"]
    assert found["rows"] == len(rows)
    assert found["estimated_share"] == pytest.approx(share, abs=0.03)
    low, high = found["interval"]
    assert low <= found["estimated_share"] <= high


@pytest.mark.skipif(not TEST_DATA.is_dir(), reason="labelled data is not there")
def test_wrong_labels_are_counted_in_real_texts() -> None:
    file = [row for row in read_path(TEST_DATA / "products" / "train.jsonl.gz") if len(row.text) < 300]
    table = pd.DataFrame({"text": [row.text for row in file], "label": [row.label for row in file]})
    rows = table.assign(key=table["text"].map(text_key), source="products").drop_duplicates("key")
    found = estimate_noise(with_wrong_labels(rows, 0.2), baseline())["sources"]["products"]
    assert found["estimated_share"] == pytest.approx(0.2, abs=0.06)  # the texts' own labels are not all right


def test_sources_are_told_apart() -> None:
    rows = pd.concat([with_wrong_labels(synthetic(800), 0.3), synthetic(800, "clean")], ignore_index=True)
    found = estimate_noise(rows)["sources"]
    assert found["feedback"]["estimated_share"] > 0.2
    assert found["clean"]["estimated_share"] < 0.08


def test_the_suspicious_rows_are_those_that_were_changed_and_are_named_without_their_text() -> None:
    rows = synthetic(1000)
    changed = with_wrong_labels(rows, 0.1)
    report = estimate_noise(changed)
    assert len(report["suspicious"]) == SUSPICIOUS
    assert all(entry["given"] != entry["suggested"] for entry in report["suspicious"])
    said = json.dumps(report)
    assert not any(word in said for words in SAID.values() for word in words)


def test_the_order_of_the_rows_makes_no_difference() -> None:
    rows = with_wrong_labels(synthetic(600), 0.2)
    assert estimate_noise(rows) == estimate_noise(rows.sample(frac=1, random_state=3))


def test_of_many_rows_a_sample_is_looked_at_and_feedback_comes_first() -> None:
    rows = pd.concat([synthetic(5000, "base"), synthetic(400)], ignore_index=True)
    found = estimate_noise(rows)["sources"]
    assert found["feedback"]["rows"] == (rows["source"] == "feedback").sum()
    assert found["feedback"]["rows"] + found["base"]["rows"] == MOST_ROWS


def test_a_label_of_a_few_rows_is_left_out() -> None:
    rows = synthetic(300)
    rare = synthetic(4, seed=1).assign(label="odd")
    assert estimate_noise(pd.concat([rows, rare], ignore_index=True)) == estimate_noise(rows)


@pytest.mark.parametrize("rows", [synthetic(0), synthetic(20), synthetic(200).assign(label="positive")])
def test_too_little_says_nothing(rows: pd.DataFrame) -> None:
    assert estimate_noise(rows) == {"sources": {}, "suspicious": []}
