"""The scorer that serves: plain Python, one dictionary look-up a word, no array library.

What a word brings by itself is kept: the sums of its weights and of its squared values, and the numbers that its pairs
and its negation are made of. The pairs of a text are looked up in the table all at once. Sums are exact, of integers.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter, mul, xor
from typing import NamedTuple

from sentiloop.artefact import Model
from sentiloop.features import (
    END,
    START,
    is_negation,
    negated,
    negated_buckets,
    negated_places,
    pair_buckets,
    roles,
    tokenise,
    word_buckets,
)

KEPT_WORDS = 50_000  # at about 400 bytes each, 20 MB at most

_SHOWN = {START: "⟨start⟩", END: "⟨end⟩"}
_Word = tuple[int, ...]  # negates?, left, right and negated role, then the sums of the table's columns


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
    """Scores texts with one model. What a word brings is kept once it was looked up, within a bound."""

    def __init__(self, model: Model) -> None:
        self.model = model
        columns = len(model.scales)
        self._columns = [model.table[column::columns] for column in range(columns)]
        self._start, self._end = roles(START, model.width)[0], roles(END, model.width)[1]
        self._words = _Kept(KEPT_WORDS, self._look_up)

    def score(self, text: str) -> Prediction:
        """Return the prediction for a text of any length; one without any word gets the prior."""
        probabilities = softmax(self._logits(*self._total(tokenise(text))))
        confidence = max(probabilities)
        return Prediction(self.model.labels[probabilities.index(confidence)], confidence, probabilities)

    def explain(self, text: str) -> tuple[list[Contribution], tuple[float, ...]]:
        """Return what each term added to the logits, largest effect first, and the logits they add up to."""
        words, width = tokenise(text), self.model.width
        sums, factor = self._total(words)
        pairs = pairwise([START, *words, END]) if words else ()

        def term(shown: str, kind: str, buckets: list[int], count: int) -> Contribution:
            weights = zip(self.model.scales, self._sums(buckets), strict=True)
            shares = [scale * weight * count * factor for scale, weight in weights]
            return Contribution(shown, kind, tuple(shares[:-1]))

        terms = [Contribution("", "bias", self.model.bias)]
        for word, count in Counter(words).items():
            terms.append(term(word, "word", word_buckets(word, width), count))
        for word, count in Counter(negated(words)).items():
            terms.append(term(f"not … {word}", "negated", negated_buckets(word, width), count))
        for pair, count in Counter(pairs).items():
            shown = " ".join(_SHOWN.get(word, word) for word in pair)
            terms.append(term(shown, "pair", pair_buckets(*pair, width), count))
        terms.sort(key=lambda term: max(term.contributions) - min(term.contributions), reverse=True)
        return terms, self._logits(sums, factor)

    def explain_words(self, words: list[str]) -> list[tuple[float, ...]]:
        """Return what each token of a text added to each label's logit, place by place.

        That is the word itself, once more as a negated word where it is one, and half of each pair that it is part of;
        a pair with the start or the end of the text is its own. All of them and the bias add up to the logits.

        Args:
            words: all tokens of the text, in order.
        """
        if not words:
            return []
        _, factor = self._total(words)
        _negates, lefts, rights, turned, *sums = zip(*map(self._words.__getitem__, words), strict=True)
        pairs = list(map(xor, (self._start, *lefts), (*rights, self._end)))
        behind = negated_places(words)
        labels = []
        for column, scale, own in zip(self._columns[:-1], self.model.scales[:-1], sums[:-1], strict=True):
            halves = [column[bucket] for bucket in pairs]  # a pair counts twice, once for each of its words
            halves[0] *= 2
            halves[-1] *= 2
            totals = list(map(sum, zip(own, halves, halves[1:], strict=False)))
            for place in behind:
                totals[place] += 2 * column[turned[place]]
            labels.append([scale * total * factor for total in totals])
        return list(zip(*labels, strict=True))

    def _total(self, words: list[str]) -> tuple[Sequence[int], float]:
        """Return the sums over all terms, and one over the length norm."""
        if not words:
            return (0,) * len(self.model.scales), 0.0
        negates, lefts, rights, _turned, *sums = zip(*map(self._words.__getitem__, words), strict=True)
        # As in `features.pair_buckets` and `negated_buckets`; those name a bucket twice, here the sums are doubled.
        buckets = list(map(xor, (self._start, *lefts), (*rights, self._end)))
        if any(negates):
            buckets += [self._words[word][3] for word in negated(words)]
        totals = [sum(own) + 2 * of_pairs for own, of_pairs in zip(sums, self._sums(buckets), strict=True)]
        return totals, 1.0 / (math.sqrt(totals[-1]) * self.model.scales[-1]) if totals[-1] else 0.0

    def _logits(self, sums: Sequence[int], factor: float) -> tuple[float, ...]:
        return tuple(
            [
                bias + scale * total * factor
                for bias, scale, total in zip(self.model.bias, self.model.scales, sums, strict=False)
            ]
        )

    def _look_up(self, word: str) -> _Word:
        model, columns = self.model, len(self._columns)
        number = model.frequent_words.get(word)
        if number is None:
            sums = self._sums(word_buckets(word, model.width))
        else:
            sums = model.frequent_sums[number * columns : (number + 1) * columns].tolist()
        return is_negation(word), *roles(word, model.width), *sums

    def _sums(self, buckets: list[int]) -> list[int]:
        """Return the sums over two buckets or more: of each label's weights, and of the squared values."""
        *weights, values = map(itemgetter(*buckets), self._columns)
        return [*map(sum, weights), sum(map(mul, values, values))]


class _Kept(dict[str, _Word]):
    """A cache that makes what it lacks. When it is full it starts anew: an order of use would cost every look-up."""

    def __init__(self, limit: int, make: Callable[[str], _Word]) -> None:
        super().__init__()
        self._limit = limit
        self._make = make

    def __missing__(self, word: str) -> _Word:
        if len(self) >= self._limit:
            self.clear()
        row = self[word] = self._make(word)
        return row


def softmax(logits: tuple[float, ...]) -> tuple[float, ...]:
    """Return the probabilities of logits."""
    highest = max(logits)
    powers = [math.exp(logit - highest) for logit in logits]
    total = sum(powers)
    return tuple([power / total for power in powers])
