"""The vectorised twin of features and scoring, for bulk scoring and training. Needs numpy; no HTTP function loads it.

Texts repeat their words, so what depends on a word alone is worked out once and looked up by the word's number. What
pairs and negated words bring is arithmetic on their words' hashes, many at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from sentiloop.artefact import Model
from sentiloop.features import (
    END,
    LEFT_FACTOR,
    NEGATED_SALT,
    NEGATION_REACH,
    RIGHT_FACTOR,
    START,
    hash_word,
    is_negation,
    tokenise,
    word_buckets,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
CHUNK_TEXTS = 4_096  # texts scored at once: enough for vector arithmetic, little enough to bound memory
KEPT_WORDS = 500_000  # words a scorer remembers, about 100 MB, before it starts anew


@dataclass(frozen=True, slots=True)
class Tokens:
    """Texts as sequences of word numbers.

    Attributes:
        words: the numbers, all texts in turn.
        lengths: n numbers of words.
        text_of: the text of each word.
    """

    words: Ints
    lengths: Ints
    text_of: Ints


class Vocabulary:
    """Numbers words as they come, and knows of each what pairs and negated words are made of.

    Attributes:
        words: the words in the order of their numbers; the first two stand for the start and the end of a text.
        hashes: their 32-bit hashes.
        negations: which of them negate what follows.
    """

    def __init__(self) -> None:
        self._numbers = _Numbers({START: 0, END: 1})
        self.words: list[str] = []
        self.hashes = np.zeros(0, np.uint64)
        self.negations = np.zeros(0, bool)

    def read(self, texts: Sequence[str]) -> Tokens:
        """Return the tokens of texts, with numbers for words that are new."""
        tokens = [tokenise(text) for text in texts]
        lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
        flat = chain.from_iterable(tokens)
        words = np.fromiter(map(self._numbers.__getitem__, flat), np.int64, int(lengths.sum()))
        new = list(islice(self._numbers, len(self.words), None))
        self.words += new
        self.hashes = np.concatenate([self.hashes, np.fromiter(map(hash_word, new), np.uint64, len(new))])
        self.negations = np.concatenate([self.negations, np.fromiter(map(is_negation, new), bool, len(new))])
        return Tokens(words, lengths, np.repeat(np.arange(len(tokens)), lengths))

    def pairs(self, tokens: Tokens, width: int) -> tuple[Ints, Ints]:
        """Return the bucket of every pair and the number of pairs of each text; a text without words has none."""
        filled = np.flatnonzero(tokens.lengths)
        ends = np.cumsum(tokens.lengths)[filled]
        lefts = np.insert(tokens.words, ends - tokens.lengths[filled], 0)
        rights = np.insert(tokens.words, ends, 1)
        buckets = _mix(self.hashes[lefts], self.hashes[rights], 0) & np.uint64(width - 1)
        return buckets.astype(np.int64), tokens.lengths + (tokens.lengths > 0)

    def negated(self, tokens: Tokens, width: int) -> tuple[Ints, Ints]:
        """Return the bucket of every negated word and the number of negated words of each text."""
        negations = self.negations[tokens.words]
        reached = np.zeros(len(tokens.words), bool)
        for distance in range(1, NEGATION_REACH + 1):
            same_text = tokens.text_of[distance:] == tokens.text_of[:-distance]
            reached[distance:] |= negations[:-distance] & same_text
        hashes = self.hashes[tokens.words[reached]]
        buckets = _mix(hashes, np.zeros_like(hashes), NEGATED_SALT) & np.uint64(width - 1)
        return buckets.astype(np.int64), np.bincount(tokens.text_of[reached], minlength=len(tokens.lengths))


class _Numbers(dict[str, int]):
    """Gives every new word the next number."""

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self)
        return number


@dataclass(frozen=True, slots=True)
class Units:
    """Texts as sequences of units, and units as sequences of buckets. A unit is a word, a negated word or a pair.

    Attributes:
        units: unit numbers, all texts in turn, in no particular order within a text.
        texts: n + 1 offsets: text i is made of units[texts[i]:texts[i + 1]].
        buckets: bucket numbers, all units in turn.
        offsets: u + 1 offsets: unit j names buckets[offsets[j]:offsets[j + 1]].
    """

    units: Ints
    texts: Ints
    buckets: Ints
    offsets: Ints


def extract(texts: Sequence[str], width: int) -> Units:
    """Return the units of texts and the buckets of the units: the same buckets that `features` gives."""
    vocabulary = Vocabulary()
    tokens = vocabulary.read(texts)
    own = [word_buckets(word, width) for word in vocabulary.words]
    # The same bucket is the same unit, whatever named it.
    others, counts = zip(vocabulary.negated(tokens, width), vocabulary.pairs(tokens, width), strict=True)
    distinct, other_of = np.unique(np.concatenate(others), return_inverse=True)
    text_numbers = np.arange(len(tokens.lengths))
    text_of = np.concatenate([tokens.text_of, *(np.repeat(text_numbers, count) for count in counts)])
    units = np.concatenate([tokens.words, len(own) + other_of])
    own_lengths = np.fromiter(map(len, own), np.int64, len(own))
    return Units(
        units=units[np.argsort(text_of, kind="stable")],
        texts=_offsets(np.bincount(text_of, minlength=len(text_numbers))),
        buckets=np.concatenate([np.fromiter(chain.from_iterable(own), np.int64), np.repeat(distinct, 2)]),
        offsets=_offsets(np.concatenate([own_lengths, np.full(len(distinct), 2)])),
    )


class BulkScorer:
    """Scores many texts with one model; agrees with `Scorer` on every one.

    Args:
        model: the model; its table is viewed, not copied.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._table = np.asarray(model.table).reshape(model.width, len(model.scales))
        self._forget()

    def logits(self, texts: Sequence[str]) -> Floats:
        """Return the logits, n x K."""
        if len(self._vocabulary.words) > KEPT_WORDS:
            self._forget()
        tokens = self._vocabulary.read(texts)
        self._learn_new_words()
        sums = _segment_sums(self._word_sums[tokens.words], tokens.lengths)
        for kind in (self._vocabulary.pairs, self._vocabulary.negated):
            buckets, counts = kind(tokens, self.model.width)
            sums += 2 * _segment_sums(self._rows(buckets), counts)  # `features` counts them twice
        scales = np.array(self.model.scales)
        norms = np.sqrt(sums[:, -1]) * scales[-1]
        factors = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)
        return np.asarray(np.array(self.model.bias) + scales[:-1] * sums[:, :-1] * factors[:, None])

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Return the probabilities, n x K, in chunks of bounded memory."""
        chunks = [softmax(self.logits(chunk)) for chunk in _chunks(texts)]
        return np.concatenate(chunks) if chunks else np.zeros((0, len(self.model.labels)))

    def _forget(self) -> None:
        self._vocabulary = Vocabulary()
        self._word_sums = np.zeros((0, len(self.model.scales)), np.int64)

    def _learn_new_words(self) -> None:
        new = [word_buckets(word, self.model.width) for word in self._vocabulary.words[len(self._word_sums) :]]
        lengths = np.fromiter(map(len, new), np.int64, len(new))
        buckets = np.fromiter(chain.from_iterable(new), np.int64)
        self._word_sums = np.concatenate([self._word_sums, _segment_sums(self._rows(buckets), lengths)])

    def _rows(self, buckets: Ints) -> Ints:
        """Return the table's rows with the value squared."""
        rows = self._table[buckets].astype(np.int64)
        rows[:, -1] **= 2
        return rows


def softmax(logits: Floats) -> Floats:
    """Return the probabilities of logits, row by row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), CHUNK_TEXTS):
        yield texts[start : start + CHUNK_TEXTS]


def _mix(left: NDArray[np.uint64], right: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """See `features.mix`; sums wrap at 2**64, which leaves their low 32 bits right."""
    mixed = (left * np.uint64(LEFT_FACTOR) + right * np.uint64(RIGHT_FACTOR) + np.uint64(salt)) & np.uint64(0xFFFFFFFF)
    return mixed ^ (mixed >> np.uint64(15))


def _offsets(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)])


def _segment_sums(rows: Ints, lengths: Ints) -> Ints:
    """Return the sum of each segment of rows; an empty segment sums to zero."""
    running = np.zeros((len(rows) + 1, rows.shape[1]), np.int64)
    np.cumsum(rows, axis=0, out=running[1:])
    ends = np.cumsum(lengths)
    return np.asarray(running[ends] - running[ends - lengths])
