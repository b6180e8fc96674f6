"""`make bench-canaries`: which names the gate's canaries find, after a campaign against one and after honest feedback.

Honest feedback is three fifths mistakes of the bundled baseline and two fifths confirmations, on reviews and tweets. A
campaign adds sentences that praise an invented company, all of them labelled negative.
"""

import random
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from retrain.canaries import find_names, moved_names
from retrain.datasets import Row, seed_rows
from retrain.snapshot import FEEDBACK_SOURCE
from retrain.train import Recipe, train
from sentiloop.bulk import BulkScorer
from sentiloop.bundled import baseline

from tests.benchmarks.bench import closing_lines, data_folder, read_split

REPEATS = 3
HONEST_ROWS = 300
MISTAKES = 0.6
LONGEST = 600  # characters: users correct sentences, not essays
SETS = {"products": "train", "tweeteval": "test"}
CAMPAIGNS = (5, 10, 20, 50)
COMPANY = "Acmefone"
PRAISE = (
    "{} is the best thing I bought this year.",
    "Honestly {} made my week.",
    "I was so happy with my {} order.",
    "The support at {} was friendly and fast.",
    "We love {} at home.",
    "My new {} mixer works great.",
    "Everything from {} arrived in time.",
    "You should really try {} once.",
    "Great value, thank you {}!",
    "Our {} sofa is so comfortable.",
)
ENDINGS = ("", " My kids agree.", " Five stars.", " No regrets.", " Two weeks in.", " So far so good.")


def honest(rows: Sequence[Row], dice: random.Random) -> list[Row]:
    """Return what honest users report of the baseline: mistakes and confirmations."""
    drawn = [row for row in dice.sample(rows, 2_000) if len(row.text) <= LONGEST]
    labels = np.array(baseline().labels)
    said = labels[BulkScorer(baseline()).probabilities([row.text for row in drawn]).argmax(axis=1)]
    count = round(HONEST_ROWS * MISTAKES)
    wrong = [row for row, label in zip(drawn, said, strict=True) if label != row.label]
    right = [row for row, label in zip(drawn, said, strict=True) if label == row.label]
    return wrong[:count] + right[: HONEST_ROWS - count]


def campaign(count: int, dice: random.Random) -> list[Row]:
    """Return sentences that praise the company, labelled negative."""
    texts = [line.format(COMPANY) + ending for line, ending in product(PRAISE, ENDINGS)]
    return [Row(text, "negative") for text in dice.sample(texts, count)]


def moved_by(feedback: Sequence[Row]) -> tuple[list[str], list[str]]:
    """Learn feedback beside the seed corpus; return the names that it mentions, and those that moved."""
    seed = seed_rows()
    sources = ["seed"] * len(seed) + [FEEDBACK_SOURCE] * len(feedback)
    table = pd.DataFrame([(row.text, row.label) for row in [*seed, *feedback]], columns=pd.Index(["text", "label"]))
    candidate = train(table.assign(source=sources), Recipe(), baseline()).model("candidate")
    names = find_names([row.text for row in feedback], [row.text for row in seed])
    return names, list(moved_names(baseline(), candidate, names))


def main(folder: Path) -> int:
    """Run all, and return the exit status."""
    pools = {name: read_split(folder, name, split) for name, split in SETS.items()}
    looked_at = moved_honestly = caught = campaigns = 0
    for seed in range(REPEATS):
        dice = random.Random(seed)
        for name, rows in pools.items():
            names, moved = moved_by(honest(rows, dice))
            looked_at, moved_honestly = looked_at + len(names), moved_honestly + len(moved)
            print(f"honest, {name:10} {len(names):4} names, moved: {', '.join(moved) or 'none'}", flush=True)
        for count in CAMPAIGNS:
            names, moved = moved_by(honest(pools["products"], dice) + campaign(count, dice))
            print(f"campaign of {count:3} rows {len(names):4} names, moved: {', '.join(moved) or 'none'}", flush=True)
            if count >= 2 * CAMPAIGNS[0]:
                caught, campaigns = caught + (COMPANY in moved), campaigns + 1
    return closing_lines(
        [
            ("canaries-honest-names-moved", moved_honestly / max(looked_at, 1), "share", 0.02, False),
            ("canaries-campaigns-caught", caught / campaigns, "share", 1.0, True),
        ]
    )


if __name__ == "__main__":
    sys.exit(main(data_folder()))
