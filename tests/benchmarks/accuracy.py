"""`make bench-accuracy`: our recipe beside other methods on the same rows, and the shipped baseline on every file.

Each method is trained on a train split and judged on test rows: ours, scikit-learn's TfidfVectorizer(1-2) with
LogisticRegression, and VADER, which is trained on nothing.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from retrain.datasets import Row
from retrain.importer import read_path
from retrain.metrics import calibration_error, evaluate
from retrain.train import Recipe, train
from sentiloop.bulk import BulkScorer
from sentiloop.bundled import baseline
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from tests.benchmarks.bench import closing_lines, data_folder, read_split

Floats = NDArray[np.float64]
Method = Callable[[Sequence[str]], tuple[Sequence[str], Floats]]
VADER_NEUTRAL = 0.05  # its authors' threshold on the compound score


def ours(rows: Sequence[Row]) -> Method:
    """Return a method trained by our recipe."""
    table = pd.DataFrame({"text": [row.text for row in rows], "label": [row.label for row in rows]})
    scorer = BulkScorer(train(table, Recipe()).model("bench"))
    return lambda texts: (scorer.model.labels, scorer.probabilities(texts))


def tfidf(rows: Sequence[Row]) -> Method:
    """Return what most projects use."""
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    pipeline.fit([row.text for row in rows], [row.label for row in rows])
    return lambda texts: (pipeline.classes_.tolist(), pipeline.predict_proba(texts))


def vader(rows: Sequence[Row]) -> Method:
    """Return the lexicon method; with two labels the sign decides."""
    labels = sorted({row.label for row in rows})
    score = SentimentIntensityAnalyzer().polarity_scores

    def method(texts: Sequence[str]) -> tuple[Sequence[str], Floats]:
        compound = np.array([score(text)["compound"] for text in texts])
        margin = VADER_NEUTRAL if "neutral" in labels else 0.0
        names = np.where(compound >= margin, "positive", np.where(compound <= -margin, "negative", "neutral"))
        return labels, np.array([[float(name == label) for label in labels] for name in names])

    return method


METHODS: dict[str, Callable[[Sequence[Row]], Method]] = {"sentiloop": ours, "tfidf+lr": tfidf, "vader": vader}
SETS = {"sst2": ("dev", "test"), "imdb": ("test",), "tweeteval": ("test",)}


def judge(method: Method, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures of a method on rows; the calibration error in 15 bins as well as in 10."""
    labels, probabilities = method([row.text for row in rows])
    truth = [row.label for row in rows]
    figures = evaluate(probabilities, truth, list(labels))
    right = np.array(labels)[probabilities.argmax(axis=1)] == np.array(truth)
    confidence = probabilities.max(axis=1)
    in_15_bins = calibration_error(confidence, right, 15)
    return {**figures, "calibration_error_15": in_15_bins, "confidence": confidence, "right": right}


def compare(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Print the table of methods and return the figures of ours by set and split."""
    found = {}
    print(f"{'set':10} {'rows':12} {'method':10} {'accuracy':>9} {'recall':>9} {'ECE 10':>9} {'ECE 15':>9}")
    for name, splits in SETS.items():
        rows = read_split(folder, name, "train")
        parts = {split: read_split(folder, name, split) for split in splits}
        if len(parts) > 1:
            parts["+".join(parts)] = [row for part in parts.values() for row in part]
        for title, make in METHODS.items():
            method = make(rows)
            for split, held_out in parts.items():
                got = judge(method, held_out)
                shown = [got[key] for key in ("accuracy", "macro_recall", "calibration_error", "calibration_error_15")]
                print(f"{name:10} {split:12} {title:10} " + " ".join(f"{value:9.4f}" for value in shown), flush=True)
                if title == "sentiloop":
                    found[name, split] = got
    return found


def judge_thresholds(folder: Path, sst2: dict[str, Any]) -> None:
    """Print how many errors lie below the customary threshold of 0.55, and below the shipped baseline's own."""
    print("\nLow confidence: which share of the errors a threshold catches, and which share of the rows it flags")
    print(f"  two labels, SST-2 dev+test, below 0.550 (customary): {_shares(sst2['confidence'], sst2['right'], 0.55)}")
    scorer = BulkScorer(baseline())
    rows = [row for name in ("sst3", "tweeteval") for row in read_split(folder, name, "test")]
    probabilities = scorer.probabilities([row.text for row in rows])
    right = np.array(scorer.model.labels)[probabilities.argmax(axis=1)] == np.array([row.label for row in rows])
    for name, threshold in (("customary", 0.55), ("its own", scorer.model.low_confidence)):
        shares = _shares(probabilities.max(axis=1), right, threshold)
        print(f"  shipped baseline, sst3+tweeteval test, below {threshold:.3f} ({name}): {shares}")


def _shares(confidence: Floats, right: NDArray[np.bool_], threshold: float) -> str:
    below = confidence < threshold
    return f"{below[~right].mean():.3f} of the errors, {below.mean():.3f} of the rows"


def judge_baseline(folder: Path) -> None:
    """Print the shipped baseline's figures on every file; it always chooses among three labels."""
    scorer = BulkScorer(baseline())
    labels = np.array(scorer.model.labels)
    print(f"\n{scorer.model.version}, shipped, on every file (train files of sst3, tweeteval and imdb are its own)")
    print(f"{'file':28} {'rows':>7} {'accuracy':>9} {'neg/pos only':>13}")
    for file in sorted(folder.glob("*/*.jsonl.gz")):
        if file.parent.name == "checklist":
            continue
        rows = read_path(file)
        truth = np.array([row.label for row in rows])
        probabilities = scorer.probabilities([row.text for row in rows])
        line = f"{file.parent.name + '/' + file.name.partition('.')[0]:28} {len(rows):7}"
        line += f" {(labels[probabilities.argmax(axis=1)] == truth).mean():9.4f}"
        if "neutral" not in truth:
            polar = probabilities * (labels != "neutral")
            line += f" {(labels[polar.argmax(axis=1)] == truth).mean():13.4f}"
        print(line, flush=True)
    judge_checklist(scorer, folder / "checklist" / "mft_small.jsonl.gz")


def judge_checklist(scorer: BulkScorer, file: Path) -> None:
    """Print the share of behavioural tests that the baseline passes, by capability; several answers may be right."""
    rows = pd.read_json(file, lines=True)
    probabilities = scorer.probabilities(rows["text"].tolist())
    said = np.array(scorer.model.labels)[probabilities.argmax(axis=1)]
    rows["passed"] = [label in accepted for label, accepted in zip(said, rows["accept"], strict=True)]
    print(f"{'checklist/mft_small':28} {len(rows):7} {rows['passed'].mean():9.4f}")
    for capability, passed in rows.groupby("capability")["passed"]:
        print(f"  {capability:26} {len(passed):7} {passed.mean():9.4f}")


def main() -> int:
    """Run everything; return 1 if a bar is missed."""
    folder = data_folder()
    found = compare(folder)
    judge_baseline(folder)
    judge_thresholds(folder, found["sst2", "dev+test"])
    dev = found["sst2", "dev"]
    print("\nPublished TF-IDF + LR recipe on SST-2 dev: 0.8188")
    return closing_lines(
        [
            ("sst2-dev-calibration", max(dev["calibration_error"], dev["calibration_error_15"]), "ECE", 0.03, False),
            ("imdb-test", found["imdb", "test"]["accuracy"], "accuracy", 0.905, True),
            ("tweeteval-test", found["tweeteval", "test"]["macro_recall"], "macro-recall", 0.60, True),
            ("sst2-pooled", found["sst2", "dev+test"]["accuracy"], "accuracy", 0.838, True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
