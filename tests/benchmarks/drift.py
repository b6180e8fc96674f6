"""`make bench-drift DATA=folder`: how often the hourly look raises a false alarm, and how soon it sees drift.

Streams have one text a request and are looked at every hour. Half of the held-out rows that the bundled baseline's
reference is made of make the reference here, and the other half the streams, so that nothing drifts in them. For
drift, a share of a stream is replaced from one moment on: by texts of another domain, by film reviews alone, by
machine-written spam, or by complaints alone. Looks at which no effect has its size are passed over; all others compare
in full. At a busy rate the watch spreads what it looks at over a day; here it is the newest, which differs more from
look to look.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from retrain.drift import compare, reference_bins, stability_index
from retrain.findings import findings_of
from retrain.measures import measure, near_duplicates
from retrain.reference import SHAPES, Reference, bundled, confusion_of, describe
from retrain.splits import HOLDOUT
from retrain.usual import DIGITS
from retrain.watch import MOST_REQUESTS
from scipy.special import rel_entr
from sentiloop.bundled import baseline
from sentiloop.settings import Settings

from infra.baseline import rows_of_reference
from tests.benchmarks.bench import closing_lines, data_folder, read_split

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SETTINGS = Settings()
RUNS = 200
WEEK = 24 * 7
WEEKS = 4
RATES = (2, 6, 60)  # samples by chance an hour: a hundredth of 4,800, 14,400 and 144,000 requests a day
RATE = 6  # in the streams with drift
SHARES = (0.1, 0.25, 0.5, 1.0)
LONGEST = 6 * MOST_REQUESTS  # samples behind the beginning of a drift that are looked at
MOST_ALARMS = 1 / 20  # a week
MOST_MISSED = 0.05


@dataclass(frozen=True, slots=True)
class Streams:
    """Texts that streams are drawn from, by their numbers.

    Attributes:
        home: those that the reference describes.
        drifted: by kind of drift, those that come instead.
    """

    home: Ints
    drifted: dict[str, Ints]


class Watcher:
    """Looks at windows of texts as `retrain.watch` does at those of samples; measures every text once."""

    def __init__(self, reference: Reference, texts: list[str]) -> None:
        self._reference = reference
        self._measured = measure(baseline(), texts, reference.seen, list(reference.words))
        self._groups = near_duplicates(texts)
        self._bins = [reference_bins(reference.distributions[name]) for name in SHAPES]
        values = [getattr(self._measured, name).round(DIGITS) for name in SHAPES]
        shapes = [
            np.eye(len(expected))[np.searchsorted(edges, each)]
            for each, (edges, expected) in zip(values, self._bins, strict=True)
        ]
        labels = np.eye(len(reference.labels))[self._measured.said]
        others = [
            self._measured.confidence,
            self._measured.unseen,
            np.bincount(self._groups)[self._groups] > 1,
            self._measured.length > reference.usual.longest,
            ~np.isin(self._measured.alphabet, list(reference.usual.alphabets)),
        ]
        parts = [*shapes, labels, np.stack(others, axis=1), self._measured.words]
        self._ends = np.cumsum([part.shape[1] for part in parts])[:-1]
        self._numbers = np.concatenate(parts, axis=1)

    def findings(self, stream: Ints, ends: Ints, longest: int) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each look that finds something, and the causes.

        Args:
            stream: numbers of texts.
            ends: where the windows of the looks end in it.
            longest: most texts in a window.
        """
        starts = np.maximum(ends - longest, 0)
        sums = np.cumsum(self._numbers[stream], axis=0, dtype=np.float64)
        sums = np.concatenate([np.zeros((1, sums.shape[1])), sums])
        means = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
        for look in np.flatnonzero(self._may_find(means, ends - starts)):
            window = stream[starts[look] : ends[look]]
            groups = self._groups[np.unique(window)]  # texts come again only because there are no more of them
            repeated = float((np.bincount(groups)[groups] > 1).mean())
            signals = compare(self._reference, self._measured.take(window), repeated, SETTINGS)
            if found := findings_of(signals):
                yield int(look), [finding.cause for finding in found]

    def _may_find(self, means: Floats, rows: Ints) -> NDArray[np.bool_]:
        """Return at which looks some effect has its size, or may have."""
        known = self._reference.distributions
        *shapes, labels, others, words = np.split(means, self._ends, axis=1)
        may = np.abs(labels - list(self._reference.labels.values())).max(axis=1) >= SETTINGS.drift_label_mix
        for found, (_, expected) in zip(shapes, self._bins, strict=True):
            may |= stability_index(expected, found, rows[:, None])[0] >= SETTINGS.drift_psi
        confidence, unseen, *anomalies = others.T
        may |= confidence <= known["confidence"].mean * (1 - SETTINGS.drift_confidence_drop)
        may |= unseen - known["unseen"].mean >= SETTINGS.drift_unseen
        may |= np.max(anomalies, axis=0) >= SETTINGS.drift_anomalies
        shares = np.array([mean for mean, _ in self._reference.words.values()])
        variance = np.array([deviation**2 for _, deviation in self._reference.words.values()])
        middle = (shares + words) / 2
        by_chance = (variance / np.maximum(middle, 1e-9)).sum(axis=1) * (1 / rows + 1 / self._reference.rows) / 8
        rest, rests = 1 - shares.sum(), 1 - words.sum(axis=1)
        divergence = (rel_entr(shares, middle) + rel_entr(words, middle)).sum(axis=1)
        divergence += rel_entr(rest, (rest + rests) / 2) + rel_entr(rests, (rest + rests) / 2)
        return np.asarray(may | ((divergence / 2 - by_chance) / np.log(2) >= SETTINGS.drift_vocabulary**2))


def main() -> int:
    """Run all streams, print what was found, and return the exit status."""
    watcher, streams = prepare()
    print(f"\nWithout drift: {RUNS} runs of {WEEKS} weeks, an hourly look at up to {MOST_REQUESTS} samples")
    rates = {rate: false_alarms(watcher, streams.home, rate) for rate in RATES}
    print(f"\nWith drift: {RUNS} runs each, {RATE} samples an hour, in a window that is full of texts without drift")
    print(f"{'drift':16} {'share':>6} {'detected':>9} {'samples: median':>16} {'90 %':>6}  first causes")
    missed = [
        detection(watcher, streams.home, kind, texts, share)
        for kind, texts in streams.drifted.items()
        for share in SHARES
    ]
    whole = [each for each, share in zip(missed, SHARES * len(streams.drifted), strict=True) if share == 1]
    return closing_lines(
        [
            ("drift-false-alarms", max(rates.values()), "alarms/week", MOST_ALARMS, False),
            ("drift-missed", max(whole), "share", MOST_MISSED, False),
        ]
    )


def prepare() -> tuple[Watcher, Streams]:
    """Read the data, and return a watcher with a reference of one half of the home rows, and streams of all others."""
    folder = data_folder()
    rows = rows_of_reference(folder)
    held = rows[rows["side"] == HOLDOUT].drop_duplicates("text").sample(frac=1, random_state=0)
    half, home = held.iloc[: len(held) // 2], held.iloc[len(held) // 2 :]
    texts, truth = half["text"].tolist(), half["label"].tolist()
    confusion = confusion_of(baseline(), texts, truth)
    reference = describe(baseline(), texts, "half of the held-out rows", confusion, bundled().seen)
    dice = np.random.default_rng(0)
    domain = [row.text for row in read_split(folder, "custrev", "test")]
    advertisements = [spam(dice) for _ in range(LONGEST)]
    numbers = np.arange(len(home) + len(domain) + len(advertisements))
    own, others, spams = np.split(numbers, np.cumsum([len(home), len(domain)]))
    drifted = {
        "another domain": others,
        "film reviews": own[(home["source"] == "imdb").to_numpy()],
        "spam": spams,
        "complaints": own[(home["label"] == "negative").to_numpy()],
    }
    for name, part in {"home": own, **drifted}.items():
        print(f"{name:16} {len(part):6} texts")
    return Watcher(reference, [*home["text"], *domain, *advertisements]), Streams(own, drifted)


def spam(dice: np.random.Generator) -> str:
    """Return an advertisement as a machine fills it in."""
    things = ("watches", "loans", "pills", "followers", "tickets", "courses")
    offers = ("lowest price ever", "only today", "free shipping", "no questions asked")
    code, percent = "".join(dice.choice(list("ABCDEFGHJKLMNPQRSTUVWXYZ23456789"), 8)), dice.integers(40, 95)
    return (
        f"Get {dice.choice(things)} now, {dice.choice(offers)}! Save {percent}% with code {code} at our new web shop."
    )


def draw(dice: np.random.Generator, texts: Ints, count: int) -> Ints:
    """Draw texts in shuffled rounds, so that a text does not come again soon."""
    rounds = -(-count // len(texts))
    return np.concatenate([dice.permutation(texts) for _ in range(rounds)])[:count]


def false_alarms(watcher: Watcher, home: Ints, rate: int) -> float:
    """Return alarms a week without drift: looks that find something an hour after a look that did not."""
    dice, alarms, causes = np.random.default_rng(0), 0, set[str]()
    hours = np.arange(-(-SETTINGS.watch_min_samples // rate), (WEEKS + 1) * WEEK)
    for _ in range(RUNS):
        before = -2
        stream = draw(dice, home, rate * int(hours[-1]))
        longest = min(MOST_REQUESTS, round(rate * 24 * SETTINGS.watch_days))
        for look, found in watcher.findings(stream, rate * hours, longest):
            alarms += look > before + 1
            before = look
            causes.update(found)
    weeks = RUNS * len(hours) / WEEK
    print(
        f"{rate:4} samples an hour: {alarms} alarms in {weeks:.0f} weeks, {alarms / weeks:.4f} a week {sorted(causes)}",
        flush=True,
    )
    return alarms / weeks


def detection(watcher: Watcher, home: Ints, kind: str, texts: Ints, share: float) -> float:
    """Print how many samples a drift takes to be found, and return the share of runs that do not find it."""
    dice, samples, causes = np.random.default_rng(0), [], dict[str, int]()
    ends = np.arange(MOST_REQUESTS + RATE, MOST_REQUESTS + LONGEST, RATE)
    for _ in range(RUNS):
        stream = draw(dice, home, MOST_REQUESTS + LONGEST)
        replaced = MOST_REQUESTS + np.flatnonzero(dice.random(LONGEST) < share)
        stream[replaced] = draw(dice, texts, len(replaced))
        look, found = next(watcher.findings(stream, ends, MOST_REQUESTS), (None, []))
        samples.append(np.inf if look is None else float(ends[look] - MOST_REQUESTS))
        for cause in found:
            causes[cause] = causes.get(cause, 0) + 1
    detected = float(np.isfinite(samples).mean())
    usual = sorted(causes, key=lambda cause: -causes[cause])[:3]
    late = float(np.quantile(samples, 0.9, method="higher"))
    print(f"{kind:16} {share:6.0%} {detected:9.3f} {median(samples):16.0f} {late:6.0f}  {', '.join(usual)}", flush=True)
    return 1 - detected


if __name__ == "__main__":
    sys.exit(main())
