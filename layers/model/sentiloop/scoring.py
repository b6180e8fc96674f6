"""The scorer that serves: plain Python, one dictionary look-up a word and a pair, no array library.

What a word or a pair brings is a row of integers: K sums of weights and the sum of squared values. A row is kept packed
into one Python integer, a lane of bits a column, so that adding up a text is one `sum` over integers.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sentiloop.artefact import Model
from sentiloop.features import END, START, negated, negated_buckets, pair_buckets, tokenise, word_buckets

CACHED_WORDS = 50_000
CACHED_PAIRS = 200_000  # at about 200 bytes each, 40 MB at most
LANE_BITS = 64  # a squared 16-bit value is below 2**30: room for 2**33 occurrences in a text

_LANE = 1 << LANE_BITS
_HALF = _LANE >> 1
_SHOWN = {START: "⟨start⟩", END: "⟨end⟩"}
Key = TypeVar("Key")


class Prediction(NamedTuple):
    """A label, its probability, and the probabilities of all labels in the model's order."""

    label: str
    confidence: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one term added to each label's logit; `kind` is word, negated, pair or bias."""

    term: str
    kind: str
    contributions: tuple[float, ...]


class Scorer:
    """Scores texts with one model. What a word or a pair brings is kept once it was looked up, within a bound."""

    def __init__(self, model: Model) -> None:
        self.model = model
        width = model.width
        self._words = _Kept[str](CACHED_WORDS, lambda word: self._row(word_buckets(word, width)))
        self._negated = _Kept[str](CACHED_WORDS, lambda word: self._row(negated_buckets(word, width)))
        self._pairs = _Kept[tuple[str, str]](CACHED_PAIRS, lambda pair: self._row(pair_buckets(*pair, width)))

    def score(self, text: str) -> Prediction:
        """Return the prediction for a text of any length; one without any word gets the prior."""
        probabilities = softmax(self._logits(*self._total(tokenise(text))))
        confidence = max(probabilities)
        return Prediction(self.model.labels[probabilities.index(confidence)], confidence, probabilities)

    def explain(self, text: str) -> tuple[list[Contribution], tuple[float, ...]]:
        """Return what each term added to the logits, largest effect first, and the logits they add up to."""
        words = tokenise(text)
        sums, factor = self._total(words)

        def share(packed: int, count: int) -> tuple[float, ...]:
            *weights, _ = unpack(packed, len(self.model.scales))
            return tuple(
                scale * weight * count * factor for scale, weight in zip(self.model.scales, weights, strict=False)
            )

        terms = [Contribution("", "bias", self.model.bias)]
        for word, count in Counter(words).items():
            terms.append(Contribution(word, "word", share(self._words[word], count)))
        for word, count in Counter(negated(words)).items():
            terms.append(Contribution(f"not … {word}", "negated", share(self._negated[word], count)))
        for pair, count in Counter(_pairs(words)).items():
            shown = " ".join(_SHOWN.get(word, word) for word in pair)
            terms.append(Contribution(shown, "pair", share(self._pairs[pair], count)))
        terms.sort(key=lambda term: max(term.contributions) - min(term.contributions), reverse=True)
        return terms, self._logits(sums, factor)

    def _total(self, words: list[str]) -> tuple[list[int], float]:
        """Return the sums over all terms, and one over the length norm."""
        packed = sum(map(self._words.__getitem__, words)) + sum(map(self._pairs.__getitem__, _pairs(words)))
        packed += sum(map(self._negated.__getitem__, negated(words)))
        sums = unpack(packed, len(self.model.scales))
        return sums, 1.0 / (math.sqrt(sums[-1]) * self.model.scales[-1]) if sums[-1] else 0.0

    def _logits(self, sums: list[int], factor: float) -> tuple[float, ...]:
        return tuple(
            bias + scale * total * factor
            for bias, scale, total in zip(self.model.bias, self.model.scales, sums, strict=False)
        )

    def _row(self, buckets: list[int]) -> int:
        """Return the packed sums over buckets: of each label's weights, and of the squared values."""
        table, columns = self.model.table, len(self.model.scales)
        *weights, values = zip(*(table[bucket * columns : (bucket + 1) * columns] for bucket in buckets), strict=True)
        return pack([*map(sum, weights), sum(value * value for value in values)])


class _Kept(dict[Key, int]):
    """A cache that makes what it lacks. When it is full it starts anew: an order of use would cost every look-up."""

    def __init__(self, limit: int, make: Callable[[Key], int]) -> None:
        super().__init__()
        self._limit = limit
        self._make = make

    def __missing__(self, key: Key) -> int:
        if len(self) >= self._limit:
            self.clear()
        row = self[key] = self._make(key)
        return row


def pack(row: Iterable[int]) -> int:
    """Return the integers of a row in one; packed rows add up like rows."""
    return sum(number << (LANE_BITS * lane) for lane, number in enumerate(row))


def unpack(packed: int, lanes: int) -> list[int]:
    """Return the row that was packed, or the sum of the rows whose packed sum it is."""
    row = []
    for _ in range(lanes):
        number = ((packed + _HALF) & (_LANE - 1)) - _HALF  # a lane below zero has borrowed from the next
        row.append(number)
        packed = (packed - number) >> LANE_BITS
    return row


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    return zip([START, *words], [*words, END], strict=True) if words else iter(())


def softmax(logits: tuple[float, ...]) -> tuple[float, ...]:
    """Return the probabilities of logits."""
    highest = max(logits)
    powers = [math.exp(logit - highest) for logit in logits]
    total = sum(powers)
    return tuple(power / total for power in powers)
