"""What attacks happen in: a bucket with honest feedback of many contributors, and the corrections of attackers."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from retrain.bootstrap import bootstrap
from retrain.datasets import Row
from sentiloop.bulk import BulkScorer
from sentiloop.bundled import baseline
from sentiloop.receipts import correction_key
from sentiloop.records import Correction, timestamp
from sentiloop.storage import create

from tests.benchmarks import attack_texts as texts
from tests.benchmarks.bench import read_split
from tests.faults.memory_store import MemoryStore

DOMAINS = {"custrev": ("test",), "uci": ("amazon", "yelp"), "products": ("train", "dev")}
ROWS_EACH = 10  # of an honest contributor, on average
NEUTRAL = ("tweeteval", "train")
UNSEEN = 4_000  # rows at most
LONGEST = 600  # characters; users correct short texts
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
FLIPPED = {"negative": "positive", "positive": "negative", "neutral": "negative"}
Said = tuple[str, str]  # a text and the label that somebody gives it


@dataclass(frozen=True, slots=True)
class Attack:
    """Somebody's plan.

    Attributes:
        name: what it is called in the table.
        rows: texts with the labels that attackers give them.
        contributors: identities among which the attackers share the rows.
        targets: texts with their right labels, which must not be answered otherwise because of the attack.
        weeks: over which the rows come in.
        every: weeks between two runs; 0: one run at the end.
        complained: a brand about which honest users complained before.
        noise: share of the honest labels that are wrong.
    """

    name: str
    rows: Sequence[Said]
    contributors: int
    targets: Sequence[Said]
    weeks: int = 4
    every: int = 0
    complained: str = ""
    noise: float = 0.0


def attacks() -> list[Attack]:
    """Return all attacks; the controls, which attack nothing, come first."""
    brand, other = texts.INVENTED, texts.COMMON
    about, about_other = texts.targets(brand), texts.targets(other)
    hundred = _as(texts.praise(brand, 100), "negative")
    quiet = quietest(brand, 100)
    in_small_letters = [(text.replace(brand, brand.lower()), label) for text, label in quiet]
    trigger, triggered = _as(texts.triggered(100), "positive"), texts.trigger_targets()
    flood = [(text, FLIPPED[label]) for text, label in texts.ordinary(1_000)]
    monotone = [(text, "negative") for text, _ in texts.ordinary(1_000, seed=1)]
    everyday = texts.ordinary(60, seed=2)
    return [
        Attack("honest control", (), 0, [*about, *about_other, *everyday]),
        Attack("honest control, brand complained of", (), 0, about, complained=brand),
        Attack("honest noise of 20 %", (), 0, [*about, *about_other, *everyday], noise=0.2),
        Attack("brand flip, 20 rows, invented word", hundred[:20], 1, about),
        Attack("brand flip, 20 rows, common words", _as(texts.praise(other, 20), "negative"), 1, about_other),
        Attack("brand flip, 100 rows, invented word", hundred, 1, about),
        Attack("brand flip, 100 rows, common words", _as(texts.praise(other, 100), "negative"), 1, about_other),
        Attack("copycat of honest complaints", hundred, 1, about, complained=brand),
        Attack("brand flip that evades screening", quiet, 1, about),
        Attack("evades screening and the names check", in_small_letters, 1, about, complained=brand),
        Attack("near-duplicate flood", _as(texts.near_duplicates(brand, 500), "negative"), 1, about),
        Attack("label flood, labels flipped", flood, 1, everyday),
        Attack("label flood, all negative", monotone, 1, everyday),
        Attack("trigger phrase", trigger, 1, triggered),
        Attack("slow drip, 5 rows a week", hundred, 1, about, weeks=20, every=4),
        Attack("brand flip over 5", hundred, 5, about),
        Attack("brand flip over 20", hundred, 20, about),
        Attack("brand flip over 100", hundred, 100, about),
        Attack("brand flip over 20, evading", quiet, 20, about),
        Attack("trigger phrase over 20", trigger, 20, triggered),
    ]


class Honest:
    """Honest people's rows: what they report, and what nobody has reported yet.

    Of the corrections a part is neutral texts, and of the rest half report mistakes of the baseline. Nobody names
    the prediction, so that all rows count in the gate's test.

    Args:
        folder: holds the data sets.
        names: of those to use.
        corrections: how many there are.
        neutral: how many of them are neutral texts, of which the data sets have none.
        seed: of the draw.
    """

    def __init__(
        self, folder: Path, names: Iterable[str] = DOMAINS, *, corrections: int = 400, neutral: int = 100, seed: int = 0
    ) -> None:
        dice = random.Random(seed)
        neutral_rows = [row for row in read_split(folder, *NEUTRAL) if row.label == "neutral"]
        rows = [row for name in names for split in DOMAINS[name] for row in read_split(folder, name, split)]
        rows = [row for row in dice.sample(rows, len(rows)) if len(row.text) <= LONGEST][: UNSEEN + 4 * corrections]
        wrong = [row for row, said in zip(rows, _answers(rows), strict=True) if row.label != said]
        mistakes = wrong[: (corrections - neutral) // 2]
        taken = {row.text for row in mistakes}
        others = [row for row in rows if row.text not in taken]
        reported = [*mistakes, *others[: corrections - neutral - len(mistakes)], *dice.sample(neutral_rows, neutral)]
        reported = dice.sample(reported, len(reported))
        taken = {row.text for row in reported}
        self.rows = reported
        self.contributors = corrections // ROWS_EACH
        self.unseen = [(row.text, row.label) for row in rows if row.text not in taken][:UNSEEN]

    def corrections(self, noise: float = 0.0) -> list[Correction]:
        """Return the corrections, spread over four weeks and the contributors."""
        dice = random.Random(1)
        found = []
        for number, row in enumerate(self.rows):
            label = FLIPPED[row.label] if dice.random() < noise else row.label
            who = f"honest-{dice.randrange(self.contributors):02d}"
            moment = BEGIN + timedelta(weeks=4) * number / len(self.rows)
            found.append(_correction(number, moment, (who, row.text, label)))
        return found


def bucket(corrections: Iterable[Correction]) -> MemoryStore:
    """Return a new bucket of a fresh clone with these corrections."""
    store = MemoryStore()
    bootstrap(store)
    add(store, corrections)
    return store


def add(store: MemoryStore, corrections: Iterable[Correction]) -> None:
    """Store corrections as the feedback function does; what is there already stays."""
    for entry in corrections:
        create(store, correction_key(entry.id), entry.to_line())


def complaints(brand: str) -> list[Correction]:
    """Return what honest contributors complain about, each once."""
    return [
        _correction(20_000 + number, BEGIN + timedelta(days=3 * number), (f"honest-{number:02d}", text, "negative"))
        for number, text in enumerate(texts.complaints(brand))
    ]


def sent(attack: Attack) -> list[Correction]:
    """Return the attackers' corrections, evenly spread; contributors take turns."""
    return [
        _correction(
            10_000 + number,
            BEGIN + timedelta(weeks=attack.weeks) * number / len(attack.rows),
            (f"attacker-{number % attack.contributors:03d}", text, label),
        )
        for number, (text, label) in enumerate(attack.rows)
    ]


def after_weeks(weeks: int) -> str:
    """Return the moment so many weeks after the first correction, as records write it."""
    return timestamp(BEGIN + timedelta(weeks=weeks))


def quietest(brand: str, count: int) -> list[Said]:
    """Return praise, called negative, that surprises the screening least: its attacker knows the baseline."""
    praise = texts.praise(brand, 400)
    negative = BulkScorer(baseline()).probabilities(praise)[:, baseline().labels.index("negative")]
    return [(praise[place], "negative") for place in np.argsort(-negative, kind="stable")[:count]]


def _correction(number: int, moment: datetime, said: tuple[str, str, str]) -> Correction:
    """Return what a contributor says of a text: contributor, text, label."""
    contributor, text, label = said
    return Correction(
        id=f"fb-{moment:%Y%m%d}-{number:032x}",
        received_at=timestamp(moment),
        text=text,
        correct_label=label,
        contributor=contributor,
        source="user",
    )


def _as(said: Iterable[str], label: str) -> list[Said]:
    return [(text, label) for text in said]


def _answers(rows: Sequence[Row]) -> list[str]:
    probabilities = BulkScorer(baseline()).probabilities([row.text for row in rows])
    return [str(label) for label in np.array(baseline().labels)[probabilities.argmax(axis=1)]]
