"""The vectorised twin of features and scoring, for bulk scoring and training. Needs numpy; no HTTP function loads it.

Texts repeat their words, so what depends on a word alone is worked out once and looked up by the word's number. So is
what stands between two blanks, which saves most of the tokenising. Pairs and negated words are arithmetic on numbers of
their words, many at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sentiloop.artefact import Model
from sentiloop.features import END, MAX_WIDTH, NEGATION_REACH, START, is_negation, roles, tokenise, word_buckets

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
CHUNK_TEXTS = 512  # texts scored at once: enough for vector arithmetic, few enough to stay in the processor's cache
KEPT_PARTS = 300_000  # parts of texts, and so words, that a scorer remembers, about 100 MB, before it starts anew


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
        words: the words in the order of their numbers.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self._numbers = _Numbers()
        self._roles = _Rows(3)  # of the words: left, right, negated
        self._negates = _Rows(1)
        self._parts = _Numbers()  # what stands between blanks
        self._part_words = _Rows(1)  # all words of part 0, then those of part 1, and so on
        self._part_ranges = _Rows(2)  # of the parts: where their words begin, and how many they are

    def __len__(self) -> int:
        return len(self._parts)

    def read(self, texts: Sequence[str]) -> Tokens:
        """Return the tokens of texts, with numbers for words that are new."""
        parts_of = [text.split() for text in texts]
        counts = np.fromiter(map(len, parts_of), np.int64, len(parts_of))
        parts = np.fromiter(map(self._parts.__getitem__, chain.from_iterable(parts_of)), np.int64, counts.sum())
        self._learn_new_parts()
        starts, part_lengths = self._part_ranges.get(parts).T
        lengths = _segment_sums(part_lengths, counts)
        words = self._part_words.get(_ranges(starts, part_lengths))[:, 0]
        return Tokens(words, lengths, np.repeat(np.arange(len(lengths)), lengths))

    def pairs(self, tokens: Tokens, width: int) -> tuple[Ints, Ints]:
        """Return the bucket of each word and what follows it, a word or the end, and of the start and each first word.

        There are as many of the second kind as texts that have words.
        """
        lengths = tokens.lengths[tokens.lengths > 0]
        first = _starts(lengths)
        lefts, rights, _ = self._roles.get(tokens.words).T
        following = np.append(rights[1:], 0)
        following[first + lengths - 1] = roles(END, MAX_WIDTH)[1]
        return (lefts ^ following) & (width - 1), (roles(START, MAX_WIDTH)[0] ^ rights[first]) & (width - 1)

    def negated(self, tokens: Tokens, width: int) -> tuple[Ints, Ints]:
        """Return the places of the negated words among all words, in order, and their buckets."""
        negations = np.flatnonzero(self._negates.get(tokens.words))
        ends = np.cumsum(tokens.lengths)[tokens.text_of[negations]]
        reached = (negations[:, None] + np.arange(1, NEGATION_REACH + 1)).ravel()
        places = np.unique(reached[reached < np.repeat(ends, NEGATION_REACH)])
        return places, self._roles.get(tokens.words[places])[:, 2] & (width - 1)

    def _learn_new_parts(self) -> None:
        new = [tokenise(part) for part in self._parts.take_new()]
        lengths = np.fromiter(map(len, new), np.int64, len(new))
        self._part_ranges.extend(np.stack([len(self._part_words) + _starts(lengths), lengths], axis=1))
        self._part_words.extend([self._numbers[word] for word in chain.from_iterable(new)])
        words = self._numbers.take_new()
        self.words += words
        self._roles.extend([roles(word, MAX_WIDTH) for word in words])
        self._negates.extend([is_negation(word) for word in words])


class _Rows:
    """Rows of integers that more are added to; the room doubles, so that adding a few does not copy all."""

    def __init__(self, columns: int) -> None:
        self._room = np.zeros((1024, columns), np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, numbers: Ints) -> Ints:
        """Return the rows of these numbers."""
        return self._room.take(numbers, axis=0)

    def extend(self, rows: Sequence[int] | Sequence[Sequence[int]] | Ints) -> None:
        """Add rows."""
        end = self._count + len(rows)
        if end > len(self._room):
            self._room = np.append(self._room, np.zeros((end, self._room.shape[1]), np.int64), axis=0)
        self._room[self._count : end] = np.asarray(rows, np.int64).reshape(-1, self._room.shape[1])
        self._count = end


class _Numbers(dict[str, int]):
    """Gives every new string the next number, and remembers which are new."""

    def __init__(self) -> None:
        super().__init__()
        self._new: list[str] = []

    def __missing__(self, string: str) -> int:
        number = self[string] = len(self)
        self._new.append(string)
        return number

    def take_new(self) -> list[str]:
        """Return the strings that were numbered since the last call, in order."""
        new, self._new = self._new, []
        return new


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
    places, negated = vocabulary.negated(tokens, width)
    followed, started = vocabulary.pairs(tokens, width)
    # The same bucket is the same unit, whatever named it.
    distinct, other_of = np.unique(np.concatenate([negated, followed, started]), return_inverse=True)
    text_of_others = [tokens.text_of[places], tokens.text_of, np.flatnonzero(tokens.lengths)]
    text_of = np.concatenate([tokens.text_of, *text_of_others])
    units = np.concatenate([tokens.words, len(own) + other_of])
    own_lengths = np.fromiter(map(len, own), np.int64, len(own))
    return Units(
        units=units[np.argsort(text_of, kind="stable")],
        texts=_offsets(np.bincount(text_of, minlength=len(texts))),
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
        if len(self._vocabulary) > KEPT_PARTS:
            self._forget()
        tokens = self._vocabulary.read(texts)
        self._learn_new_words()
        followed, started = self._vocabulary.pairs(tokens, self.model.width)
        places, negated = self._vocabulary.negated(tokens, self.model.width)
        rows = self._word_sums.get(tokens.words)
        rows += 2 * self._rows(followed)  # `features` counts pairs and negated words twice
        rows[places] += 2 * self._rows(negated)
        sums = _segment_sums(rows, tokens.lengths)
        sums[tokens.lengths > 0] += 2 * self._rows(started)
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
        self._word_sums = _Rows(len(self.model.scales))

    def _learn_new_words(self) -> None:
        new = [word_buckets(word, self.model.width) for word in self._vocabulary.words[len(self._word_sums) :]]
        lengths = np.fromiter(map(len, new), np.int64, len(new))
        buckets = np.fromiter(chain.from_iterable(new), np.int64)
        self._word_sums.extend(_segment_sums(self._rows(buckets), lengths))

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


def _offsets(lengths: Ints) -> Ints:
    return np.append(0, np.cumsum(lengths))


def _starts(lengths: Ints) -> Ints:
    return np.cumsum(lengths) - lengths


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """Return starts[0], starts[0] + 1, … lengths[0] of them, then those from starts[1] on, and so forth."""
    return np.repeat(starts - _starts(lengths), lengths) + np.arange(lengths.sum())


def _segment_sums(rows: Ints, lengths: Ints) -> Ints:
    """Return the sum of each segment of rows; an empty segment sums to zero."""
    sums = np.zeros((len(lengths), *rows.shape[1:]), np.int64)
    filled = lengths > 0
    if filled.any():
        sums[filled] = np.add.reduceat(rows, _starts(lengths)[filled])
    return sums
