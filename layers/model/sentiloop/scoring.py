"""The scorer that serves: plain Python, one dictionary look-up a word and a pair, no array library."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sentiloop.artefact import Model
from sentiloop.features import END, START, negated, negated_buckets, pair_buckets, tokenise, word_buckets

CACHED_WORDS = 50_000
CACHED_PAIRS = 200_000  # at about 200 bytes each, 40 MB at most

_SHOWN = {START: "⟨start⟩", END: "⟨end⟩"}
Key = TypeVar("Key")
Value = TypeVar("Value")
Sums = tuple[int, ...]  # K sums of weights and the sum of squared values, over the buckets of a word or a pair


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
        self._words: dict[str, Sums] = {}
        self._negated: dict[str, Sums] = {}
        self._pairs: dict[tuple[str, str], Sums] = {}

    def score(self, text: str) -> Prediction:
        """Return the prediction for a text of any length; one without any word gets the prior."""
        return self._prediction(self._logits(*self._total(text)))

    def explain(self, text: str) -> tuple[list[Contribution], tuple[float, ...]]:
        """Return what each term added to the logits, largest effect first, and the logits they add up to."""
        sums, factor = self._total(text)
        words = tokenise(text)
        terms = [Contribution("", "bias", self.model.bias)]
        for word, count in Counter(words).items():
            terms.append(Contribution(word, "word", self._share(self._word(word), count * factor)))
        for word, count in Counter(negated(words)).items():
            terms.append(Contribution(f"not … {word}", "negated", self._share(self._negation(word), count * factor)))
        for pair, count in Counter(_pairs(words)).items():
            shown = " ".join(_SHOWN.get(word, word) for word in pair)
            terms.append(Contribution(shown, "pair", self._share(self._pair(pair), count * factor)))
        terms.sort(key=lambda term: max(term.contributions) - min(term.contributions), reverse=True)
        return terms, self._logits(sums, factor)

    def _total(self, text: str) -> tuple[list[int], float]:
        """Return the sums over all terms, and one over the length norm."""
        words = tokenise(text)
        if not words:
            return [0] * len(self.model.scales), 0.0
        known_words, known_pairs = self._words, self._pairs
        rows = [known_words.get(word) or self._word(word) for word in words]
        rows += [known_pairs.get(pair) or self._pair(pair) for pair in _pairs(words)]
        rows += [self._negation(word) for word in negated(words)]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        return sums, 1.0 / (math.sqrt(sums[-1]) * self.model.scales[-1]) if sums[-1] else 0.0

    def _share(self, sums: Sums, factor: float) -> tuple[float, ...]:
        return tuple(scale * total * factor for scale, total in zip(self.model.scales, sums[:-1], strict=False))

    def _logits(self, sums: list[int], factor: float) -> tuple[float, ...]:
        return tuple(
            bias + scale * total * factor
            for bias, scale, total in zip(self.model.bias, self.model.scales, sums, strict=False)
        )

    def _prediction(self, logits: tuple[float, ...]) -> Prediction:
        probabilities = softmax(logits)
        confidence = max(probabilities)
        return Prediction(self.model.labels[probabilities.index(confidence)], confidence, probabilities)

    def _word(self, word: str) -> Sums:
        return _kept(self._words, CACHED_WORDS, word, lambda: self._sums(word_buckets(word, self.model.width)))

    def _negation(self, word: str) -> Sums:
        return _kept(self._negated, CACHED_WORDS, word, lambda: self._sums(negated_buckets(word, self.model.width)))

    def _pair(self, pair: tuple[str, str]) -> Sums:
        return _kept(self._pairs, CACHED_PAIRS, pair, lambda: self._sums(pair_buckets(*pair, self.model.width)))

    def _sums(self, buckets: list[int]) -> Sums:
        table, columns = self.model.table, len(self.model.scales)
        *weights, values = zip(*(table[bucket * columns : (bucket + 1) * columns] for bucket in buckets), strict=True)
        return (*map(sum, weights), sum(value * value for value in values))


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    return list(zip([START, *words], [*words, END], strict=True)) if words else []


def softmax(logits: tuple[float, ...]) -> tuple[float, ...]:
    """Return the probabilities of logits."""
    highest = max(logits)
    powers = [math.exp(logit - highest) for logit in logits]
    total = sum(powers)
    return tuple(power / total for power in powers)


def _kept(cache: dict[Key, Value], limit: int, key: Key, make: Callable[[], Value]) -> Value:
    if key not in cache:
        if len(cache) >= limit:
            cache.clear()  # rare, and refilled by the next texts; an order of use would cost every look-up
        cache[key] = make()
    return cache[key]
