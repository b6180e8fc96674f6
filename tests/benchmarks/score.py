"""`make bench-score`: processor time a text beside other methods, on one core, in one process, on the same rows.

Every method is trained on the same train split, but for VADER, which is trained on nothing. The measurements take
turns, so that a busy neighbour slows all of them, and the median pass counts. Accuracy stands beside the time: whoever
answers faster has to be right as often.
"""

import gc
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib import import_module
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from retrain.datasets import Row
from retrain.train import Recipe, train
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.scoring import Scorer
from threadpoolctl import threadpool_limits
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from tests.benchmarks.accuracy import Method, tfidf, vader
from tests.benchmarks.bench import closing_lines, data_folder, read_split

Measurement = tuple[str, str]  # a method, and how it was called
Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")

ALONE, TOGETHER = "one a call", "all in one call"
SEEN, TRAIN_SEEN, UNSEEN = "words seen", "train rows seen", "nothing seen"
OURS_ALONE, OURS_UNSEEN = ("sentiloop", f"{ALONE}, {SEEN}"), ("sentiloop", f"{ALONE}, {UNSEEN}")
OURS_TOGETHER = ("sentiloop", f"{TOGETHER}, {SEEN}")
TFIDF_ALONE, FASTTEXT_TOGETHER = ("tfidf+lr", ALONE), ("fasttext", TOGETHER)
SETS = {"sst2": ("dev", 15), "tweeteval": ("test", 5)}  # the rows that are timed, and how many passes over them
TOGETHER_AT_LEAST = 10_000  # texts in one call: bulk is many, so rows are repeated


def use_one_core() -> None:
    """Keep this process on one core, and the arithmetic of the libraries in one thread."""
    threadpool_limits(limits=1)
    if hasattr(os, "sched_setaffinity"):  # on Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def seconds_one_by_one(score: Callable[[Item], object], items: Sequence[Item]) -> float:
    """Return the CPU seconds of one call for each item."""
    started = time.process_time()
    for item in items:
        score(item)
    return time.process_time() - started


def seconds_together(score: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Return the CPU seconds of one call for all texts."""
    started = time.process_time()
    score(texts)
    return time.process_time() - started


def seconds_unseen(model: Model, texts: Sequence[str]) -> float:
    """Return the CPU seconds of one call for each text, each by a scorer that has seen nothing; making it is free."""
    return sum(seconds_one_by_one(Scorer(model).score, [text]) for text in texts)


def take_turns(passes: Mapping[Key, Callable[[], float]], rounds: int) -> dict[Key, list[float]]:
    """Run all passes in turn, once for nothing and then `rounds` times; return the seconds that each reported."""
    seconds: dict[Key, list[float]] = {key: [] for key in passes}
    for counts in (False, *[True] * rounds):
        for key, run in passes.items():
            gc.collect()
            gc.freeze()  # as the functions do when they have started: what stays is not looked at again and again
            took = run()
            if counts:
                seconds[key].append(took)
    return seconds


class FastText:
    """The supervised fastText classifier with word pairs, otherwise with its defaults.

    The calls below its Python layer are used: that layer fails with numpy 2, and would only add time.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "train.txt"
            lines = self.lines([row.text for row in rows])
            labelled = (f"__label__{row.label} {line}" for row, line in zip(rows, lines, strict=True))
            file.write_text("".join(labelled), "utf-8")
            trained = _fasttext().train_supervised(str(file), wordNgrams=2, thread=1, verbose=0)
        self._binding = trained.f

    @staticmethod
    def lines(texts: Sequence[str]) -> list[str]:
        """Return texts as it reads them; this is not timed."""
        return [" ".join(text.split()) + "\n" for text in texts]

    def alone(self, line: str) -> object:
        """Score one line."""
        return self._binding.predict(line, 1, 0.0, "strict")

    def together(self, lines: Sequence[str]) -> Any:
        """Score many lines."""
        return self._binding.multilinePredict(lines, 1, 0.0, "strict")

    def labels(self, texts: Sequence[str]) -> list[str]:
        """Return the labels of texts."""
        found, _ = self.together(self.lines(texts))
        return [best.removeprefix("__label__") for (best,) in found]


def _fasttext() -> Any:
    try:
        return import_module("fasttext")
    except ImportError:
        sys.exit(
            "fastText is not installed. It has wheels for Python 3.11 and 3.12 only, and this is Python "
            f"{platform.python_version()}: install requirements/bench.txt with one of those."
        )


def measure(folder: Path, name: str, split: str, rounds: int) -> tuple[dict[Measurement, float], dict[str, float]]:
    """Train on a set's train split, time its `split`, and print the table.

    Returns:
        The median microseconds a text of each measurement, and the accuracy of each method.
    """
    train_rows, rows = read_split(folder, name, "train"), read_split(folder, name, split)
    seen_texts, texts = [row.text for row in train_rows], [row.text for row in rows]
    table = pd.DataFrame({"text": seen_texts, "label": [row.label for row in train_rows]})
    model = train(table, Recipe()).model("bench")
    scorer, bulk_scorer = Scorer(model), BulkScorer(model)
    pipeline = tfidf(train_rows)
    vader_score = SentimentIntensityAnalyzer().polarity_scores
    fasttext = FastText(train_rows)
    lines = fasttext.lines(texts)
    repeat = ceil(TOGETHER_AT_LEAST / len(texts))

    def together(score: Callable[[Sequence[str]], object], rows: Sequence[str]) -> Callable[[], float]:
        return lambda: seconds_together(score, list(rows) * repeat) / repeat

    def after_train_rows() -> float:
        fresh = Scorer(model)
        for text in seen_texts:
            fresh.score(text)
        return seconds_one_by_one(fresh.score, texts)

    passes: dict[Measurement, Callable[[], float]] = {
        OURS_ALONE: lambda: seconds_one_by_one(scorer.score, texts),
        ("sentiloop", f"{ALONE}, {TRAIN_SEEN}"): after_train_rows,
        OURS_UNSEEN: lambda: seconds_unseen(model, texts),
        TFIDF_ALONE: lambda: seconds_one_by_one(lambda text: pipeline([text]), texts),
        ("vader", ALONE): lambda: seconds_one_by_one(vader_score, texts),
        ("fasttext", ALONE): lambda: seconds_one_by_one(fasttext.alone, lines),
        OURS_TOGETHER: together(bulk_scorer.probabilities, texts),
        ("sentiloop", f"{TOGETHER}, {UNSEEN}"): lambda: seconds_together(BulkScorer(model).probabilities, texts),
        ("tfidf+lr", TOGETHER): together(pipeline, texts),
        FASTTEXT_TOGETHER: together(fasttext.together, lines),
    }
    accuracy = {
        "sentiloop": share_right([scorer.score(text).label for text in texts], rows),
        "tfidf+lr": share_right(labels(pipeline, texts), rows),
        "vader": share_right(labels(vader(train_rows), texts), rows),
        "fasttext": share_right(fasttext.labels(texts), rows),
    }
    seconds = take_turns(passes, rounds)
    print(
        f"\n{name}: trained on {len(train_rows):,} rows, timed on the {len(rows):,} of {split}, {rounds} passes; "
        f"our table: {model.width:,} x {len(model.scales)} {model.manifest['weights']['item_type']}"
    )
    microseconds = {key: [1e6 * took / len(texts) for took in each] for key, each in seconds.items()}
    print_table(microseconds, accuracy)
    return {key: median(each) for key, each in microseconds.items()}, accuracy


def labels(method: Method, texts: Sequence[str]) -> list[str]:
    """Return what a method of the accuracy benchmark says of texts."""
    names, probabilities = method(texts)
    return [names[best] for best in probabilities.argmax(axis=1)]


def share_right(said: Sequence[str], rows: Sequence[Row]) -> float:
    """Return the accuracy of labels."""
    return float(np.mean([label == row.label for label, row in zip(said, rows, strict=True)]))


def print_table(microseconds: Mapping[Measurement, Sequence[float]], accuracy: Mapping[str, float]) -> None:
    """Print the median, the fastest and the slowest pass of each measurement."""
    print(f"{'method':10} {'called':32} {'us a text':>9} {'fastest':>9} {'slowest':>9} {'texts/s':>9} {'accuracy':>9}")
    for (method, called), each in microseconds.items():
        middle = median(each)
        print(
            f"{method:10} {called:32} {middle:9.2f} {min(each):9.2f} {max(each):9.2f} {1e6 / middle:9,.0f} "
            f"{accuracy[method]:9.4f}",
            flush=True,
        )


def main() -> int:
    """Measure both sets; return 1 if a bar is missed."""
    folder = data_folder()
    _fasttext()  # so that its absence shows at once
    use_one_core()
    print(f"CPU time on one core, Python {platform.python_version()}, {platform.machine()}")
    times, accuracies = {}, {}
    for name, (split, rounds) in SETS.items():
        times[name], accuracies[name] = measure(folder, name, split, rounds)
    took = times["sst2"]
    print()
    return closing_lines(
        [
            ("score-seen", took[OURS_ALONE], "us", 20, False),
            ("score-unseen", took[OURS_UNSEEN], "us", 100, False),
            ("score-beside-tfidf", took[TFIDF_ALONE] / took[OURS_ALONE], "x", 20, True),
            ("score-bulk", 1e3 / took[OURS_TOGETHER], "thousand-texts/s", 200, True),
            ("score-bulk-beside-fasttext", took[FASTTEXT_TOGETHER] / took[OURS_TOGETHER], "x", 1.5, True),
            *(
                (f"score-accuracy-{name}", found["sentiloop"], "accuracy", found["tfidf+lr"], True)
                for name, found in accuracies.items()
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
