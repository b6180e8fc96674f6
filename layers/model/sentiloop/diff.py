"""What two versions say differently: their figures, the words whose effect moved most, and texts with another answer.

The table of weights is hashed, so a version does not know its words. Those looked at are the ones that are known in
clear: the frequent words that the manifests name, and the words of the given texts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from operator import sub
from typing import Any

from sentiloop.features import tokenise
from sentiloop.records import Sample
from sentiloop.scoring import Prediction, Scorer

MOST_WORDS = 10_000  # looked at; frequent words come first
ACCURACY = "accuracy"
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of two versions, each measured on the rows that were held out when the version was made.

    Attributes:
        name: such as `accuracy`; `rows` is the number of these rows.
        a: the first version's, or None if it is not known.
        b: the second version's.
        a_interval: 95 % confidence interval of `a`, or None if none is known.
        b_interval: that of `b`.
    """

    name: str
    a: float | None
    b: float | None
    a_interval: Interval | None = None
    b_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Accuracy of two versions on the same held-out rows.

    Attributes:
        name: `all`, or which rows.
        rows: how many.
        a: the first version's accuracy.
        b: the second version's.
        gain: `b` less `a`.
        interval: 95 % confidence interval of the gain, or None if the report has none.
    """

    name: str
    rows: int
    a: float
    b: float
    gain: float
    interval: Interval | None

    def turned(self) -> "Slice":
        """Return the same with the versions in the other order."""
        interval = (-self.interval[1], -self.interval[0]) if self.interval else None
        return Slice(self.name, self.rows, self.b, self.a, -self.gain, interval)


@dataclass(frozen=True, slots=True)
class MovedWord:
    """A word whose effect differs between two versions.

    Attributes:
        word: the word.
        texts: how many of the given texts have it.
        a: what the word as a text by itself adds to each label's log odds in the first version.
        b: the same in the second version.
    """

    word: str
    texts: int
    a: Mapping[str, float]
    b: Mapping[str, float]

    @property
    def distance(self) -> float:
        """The largest change of any label's."""
        return max(abs(self.b[label] - self.a[label]) for label in self.a)


@dataclass(frozen=True, slots=True)
class ChangedAnswer:
    """A text that two versions label differently; `id` and `received_at` are those of the sample it comes from."""

    id: str
    received_at: str
    text: str
    a_label: str
    a_confidence: float
    b_label: str
    b_confidence: float


@dataclass(frozen=True, slots=True)
class Answers:
    """What two versions say of texts.

    Attributes:
        texts: how many were looked at.
        changed: how many of them got another label.
        flips: how often each label turned into which, as `neutral>positive`.
        examples: those with another label, the surest first.
    """

    texts: int
    changed: int
    flips: Mapping[str, int]
    examples: Sequence[ChangedAnswer]


def compare_figures(
    a: Mapping[str, Any], b: Mapping[str, Any], a_interval: Interval | None = None, b_interval: Interval | None = None
) -> list[Figure]:
    """Return the single numbers among the metrics of two manifests, side by side.

    Args:
        a: metrics of the first version.
        b: metrics of the second version.
        a_interval: confidence interval of the first one's accuracy, if known.
        b_interval: that of the second one's.
    """
    numbers = [{name: float(value) for name, value in each.items() if _is_number(value)} for each in (a, b)]
    names = sorted({name for each in numbers for name in each}, key=lambda name: (name != ACCURACY, name))
    intervals = {ACCURACY: (a_interval, b_interval)}
    return [
        Figure(name, numbers[0].get(name), numbers[1].get(name), *intervals.get(name, (None, None))) for name in names
    ]


def read_slices(described: Iterable[Mapping[str, Any]]) -> list[Slice]:
    """Return the slices of a version's report: its parent is `a`, and the version itself `b`."""
    return [
        Slice(
            name=part["name"],
            rows=part["rows"],
            a=part["champion_correct"] / part["rows"],
            b=part["candidate_correct"] / part["rows"],
            gain=part["gain"],
            interval=tuple(part["gain_interval"]) if "gain_interval" in part else None,
        )
        for part in described
        if part["rows"]
    ]


def moved_words(a: Scorer, b: Scorer, texts: Iterable[str], most: int) -> list[MovedWord]:
    """Return the words whose effect on a label that both versions know moved most, the largest change first.

    Args:
        a: of the first version.
        b: of the second version.
        texts: whose words are looked at beside the frequent words of both.
        most: words to return.
    """
    seen = Counter(word for text in texts for word in set(tokenise(text)))
    frequent = dict.fromkeys([*a.model.frequent_words, *b.model.frequent_words])
    words = islice(dict.fromkeys([*frequent, *(word for word, _ in _by_count(seen))]), MOST_WORDS)
    common = [label for label in a.model.labels if label in b.model.labels]
    if not common:
        return []
    moved = (MovedWord(word, seen[word], effect(a, word, common), effect(b, word, common)) for word in words)
    return [word for word in nlargest(most, moved, key=lambda word: word.distance) if word.distance > 0]


def compare_answers(a: Scorer, b: Scorer, samples: Iterable[tuple[str, Sample]], most: int) -> Answers:
    """Score each text with both versions, once however often it was sampled.

    Args:
        a: of the first version.
        b: of the second version.
        samples: each with its id, the newest first.
        most: examples to return.
    """
    newest = {sample.text: (name, sample) for name, sample in reversed(list(samples))}
    changed: list[tuple[Prediction, Prediction, str, Sample]] = []
    for text, (name, sample) in newest.items():
        one, other = a.score(text), b.score(text)
        if one.label != other.label:
            changed.append((one, other, name, sample))
    changed.sort(key=lambda each: each[0].confidence + each[1].confidence, reverse=True)
    flips = Counter(f"{one.label}>{other.label}" for one, other, _, _ in changed)
    examples = [
        ChangedAnswer(name, sample.received_at, sample.text, one.label, one.confidence, other.label, other.confidence)
        for one, other, name, sample in changed[:most]
    ]
    return Answers(len(newest), len(changed), dict(flips.most_common()), examples)


def effect(scorer: Scorer, word: str, labels: Sequence[str]) -> dict[str, float]:
    """Return what a word as a text by itself adds to the logit of each of these labels, less their mean.

    A constant added to all logits changes no probability, so it says nothing; without it versions can be compared.
    """
    _, logits = scorer.explain(word)
    added = dict(zip(scorer.model.labels, map(sub, logits, scorer.model.bias), strict=True))
    mean = sum(added[label] for label in labels) / len(labels)
    return {label: added[label] - mean for label in labels}


def _by_count(seen: "Counter[str]") -> list[tuple[str, int]]:
    return sorted(seen.items(), key=lambda entry: (-entry[1], entry[0]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
