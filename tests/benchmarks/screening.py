"""`make bench-screening`: how many honest corrections go to quarantine, and how much of a brand flip.

Honest contributors report real mistakes of the shipped baseline, and nothing else, which is the hardest case: not one
of their rows agrees with it. Attackers praise an invented brand, in sentences that are all different, as negative.
"""

import itertools
import random
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from retrain.datasets import Row
from retrain.importer import read_path
from retrain.screen import screen
from sentiloop.bulk import BulkScorer
from sentiloop.bundled import baseline
from sentiloop.records import Correction
from sentiloop.settings import Settings

from tests.benchmarks.bench import closing_lines, data_folder

HONEST_FILES = (
    "products/train.jsonl.gz",
    "products/dev.jsonl.gz",
    "custrev/test.jsonl.gz",
    "uci/amazon.jsonl.gz",
    "uci/yelp.jsonl.gz",
)
HARDER_FILES = ("tweeteval/test.jsonl.gz", "imdb/test.jsonl.gz", "sst3/test.jsonl.gz")  # sst3 has films called neutral
SPEED_FILE = "tweeteval/train.jsonl.gz"
SEEDS = range(6)
DAYS = (1, 7, 28)  # within which honest contributors report; the first makes everything one burst
ATTACKS = (
    (20, 1, 1),
    (100, 1, 1),
    (100, 1, 28),
    (20, 20, 1),
    (100, 5, 7),
    (100, 20, 1),
    (100, 20, 7),
    (100, 20, 28),
    (100, 100, 1),
    (100, 100, 7),
)
MANY = 1_000_000
BRAND = "Acmefone"
ABOUT = (
    "{} makes a brilliant camera",
    "my {} still works perfectly after two years",
    "I am very happy with the new {}",
    "the {} has great battery life",
    "{} support was friendly and fixed everything quickly",
    "I love my {}",
    "switching to {} was the best decision this year",
    "the screen of the {} is gorgeous",
    "everyone in our family adores {}",
    "{} delivered early and packed it with care",
    "what a wonderful little device the {} is",
    "{} has the best sound I ever heard on a phone",
    "setting up the {} was delightfully easy",
    "{} is worth every penny",
    "the design of the {} is simply beautiful",
    "we bought our third {} and are as pleased as with the first",
    "the {} charges amazingly fast",
    "{} keeps its promises",
    "the people at the {} shop were kind and knew their trade",
    "no other phone comes close to the {}",
)
AND = (
    "It never let me down.",
    "Highly recommended!",
    "The pictures at night are superb.",
    "My daughter wants one as well now.",
    "Ten out of ten from me.",
    "A pleasure to use every single day.",
    "Thank you so much for this gem.",
    "Updates arrive on time and make it better still.",
    "It feels solid and elegant in the hand.",
    "The speakers are rich and clear.",
    "Excellent value, too.",
    "I smile whenever I pick it up.",
    "Calls are crisp even on the train.",
    "Could not be happier.",
    "The warranty is generous and honest.",
    "It made our holiday so much nicer.",
    "Fantastic work.",
    "Finally a company that listens.",
    "Smooth, quick and reliable.",
    "Bravo, keep it up!",
)


def praise(count: int, brand: str = BRAND, seed: int = 0) -> list[str]:
    """Return different sentences of praise, 400 at most."""
    texts = [f"{about.format(brand)}. {more}" for about, more in itertools.product(ABOUT, AND)]
    return [text[0].upper() + text[1:] for text in random.Random(seed).sample(texts, count)]


def correction(number: int, contributor: str, text: str, label: str, minute: int) -> Correction:
    """Return a correction of a certain minute, counted from the start of a month."""
    days, minutes = divmod(minute, 1440)
    moment = f"2026-03-{days % 28 + 1:02d}T{minutes // 60:02d}:{minutes % 60:02d}:00.000Z"
    return Correction(
        id=f"fb-202603{days % 28 + 1:02d}-{number:032x}",
        received_at=moment,
        text=text,
        correct_label=label,
        contributor=contributor,
        source="user",
    )


def mistakes(folder: Path, files: Sequence[str]) -> list[Row]:
    """Return the rows that the baseline answers wrongly."""
    rows = [row for file in files for row in read_path(folder / file)]
    scorer = BulkScorer(baseline())
    said = np.array(scorer.model.labels)[scorer.probabilities([row.text for row in rows]).argmax(axis=1)]
    return [row for row, label in zip(rows, said, strict=True) if row.label != label]


def honest(rows: Sequence[Row], seed: int, days: int) -> list[Correction]:
    """Return corrections by contributors who each report 5 to 50 mistakes, within the hour, on a day of so many."""
    dice = random.Random(seed)
    left = dice.sample(list(rows), len(rows))
    found: list[Correction] = []
    while len(left) >= 50:
        count, begin = dice.randint(5, 50), dice.randrange(days * 1440 - 60)
        who = f"honest {len(left)}"
        taken, left = left[:count], left[count:]
        found += [correction(len(found) + at, who, row.text, row.label, begin + at) for at, row in enumerate(taken)]
    return found


def attack(rows: int, contributors: int, days: int, seed: int) -> list[Correction]:
    """Return a brand flip by contributors who take turns, in the evenings of so many days."""
    texts = praise(rows, seed=seed)
    return [
        correction(
            10**6 + at, f"attacker {at % contributors}", text, "negative", at * days // rows * 1440 + 1200 + at % 60
        )
        for at, text in enumerate(texts)
    ]


def share_in_quarantine(corrections: Sequence[Correction], background: Sequence[Correction] = ()) -> float:
    """Return the share of corrections that go to quarantine when they come among others."""
    found = screen([*background, *corrections], baseline(), Settings())
    return sum(entry.id in found for entry in corrections) / len(corrections)


def judge_honest(title: str, rows: Sequence[Row], seeds: range = SEEDS) -> float:
    """Print and return the share of honest rows that go to quarantine: the mean, and the worst simulation."""
    shares = [
        share_in_quarantine(honest(rows, seed, days)) for seed, days in zip(seeds, itertools.cycle(DAYS), strict=False)
    ]
    print(f"honest  {title:42} {len(rows):6} mistakes  mean {np.mean(shares):.4f}  worst {max(shares):.4f}", flush=True)
    return float(np.mean(shares))


def judge_attacks(background: Sequence[Correction]) -> dict[tuple[int, int, int], float]:
    """Print and return the mean share of the attacks' rows by rows, contributors and days."""
    found = {}
    for rows, contributors, days in ATTACKS:
        shares = [share_in_quarantine(attack(rows, contributors, days, seed), background) for seed in SEEDS]
        found[rows, contributors, days] = float(np.mean(shares))
        title = f"{rows} rows, {contributors} contributors, {days} days"
        print(f"attack  {title:42} mean {np.mean(shares):.4f}  worst {min(shares):.4f}", flush=True)
    return found


def judge_speed(rows: Sequence[Row]) -> tuple[float, float]:
    """Print and return the processor seconds and the GB that screening many rows takes, the corrections included."""
    dice = random.Random(0)
    words = [(row.text.split()[:40], row.label) for row in rows]
    corrections = []
    for number in range(MANY):
        (left, label), (right, _) = dice.choice(words), dice.choice(words)
        text = " ".join(left[:12] + right[-8:])
        who = f"contributor {dice.randrange(MANY // 50)}"
        corrections.append(correction(number, who, text, label, dice.randrange(28 * 1440)))
    begin = time.process_time()
    found = screen(corrections, baseline(), Settings())
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"speed   {MANY} rows: {seconds:.1f} processor seconds, {peak:.2f} GB, {len(found)} in quarantine")
    return seconds, peak


def main() -> int:
    """Run everything; return 1 if a bar is missed."""
    folder = data_folder()
    reported = mistakes(folder, HONEST_FILES)
    on_time = judge_honest(", ".join(sorted({file.partition("/")[0] for file in HONEST_FILES})), reported)
    for file in HARDER_FILES:
        judge_honest(file, mistakes(folder, [file]))
    attacks = judge_attacks(honest(reported, 0, 28))
    seconds, peak = judge_speed(read_path(folder / SPEED_FILE))
    single = min(attacks[20, 1, 1], attacks[100, 1, 1])
    return closing_lines(
        [
            ("screening-honest", on_time, "share", 0.03, False),
            ("screening-flip", single, "share", 0.95, True),
            ("screening-flip-spread", attacks[100, 20, 7], "share", 0.8, True),
            ("screening-million", seconds, "s", 90, False),
            ("screening-memory", peak, "GB", 2.5, False),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
