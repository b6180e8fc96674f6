"""The vectorised twin of features and scoring, for bulk scoring and training. Needs numpy; no HTTP function loads it.

Texts repeat their words. So words and pairs are looked up once each (they are `Units`), and texts are sums over units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

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
CHUNK_TEXTS = 4_096  # texts scored at once: enough to share words, little enough to bound memory


@dataclass(frozen=True, slots=True)
class Units:
    """Texts as sequences of units (words, negated words and pairs), and units as sequences of buckets.

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
    tokens = [tokenise(text) for text in texts]
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    numbers: dict[str, int] = {START: 0, END: 1}
    number_of = numbers.setdefault
    words = np.fromiter((number_of(word, len(numbers)) for word in chain.from_iterable(tokens)), np.int64)
    vocabulary = list(numbers)
    hashes = np.array([hash_word(word) for word in vocabulary], np.uint64)
    is_text = np.repeat(np.arange(len(tokens)), lengths)

    own = [word_buckets(word, width) for word in vocabulary]
    own_lengths = np.fromiter(map(len, own), np.int64, len(own))
    places = _negated_places(words, is_text, np.array([is_negation(word) for word in vocabulary]))
    negated, negated_of = np.unique(words[places], return_inverse=True)
    lefts, rights, pair_text = _neighbours(words, is_text, lengths)
    pairs, pair_of = np.unique(lefts * len(vocabulary) + rights, return_inverse=True)
    twice = [
        np.repeat(_mix(hashes[negated], np.zeros(len(negated), np.uint64), NEGATED_SALT), 2),
        np.repeat(_mix(hashes[pairs // len(vocabulary)], hashes[pairs % len(vocabulary)], 0), 2),
    ]
    units = np.concatenate([words, len(own) + negated_of, len(own) + len(negated) + pair_of])
    text_of = np.concatenate([is_text, is_text[places], pair_text])
    mask = np.uint64(width - 1)
    return Units(
        units=units[np.argsort(text_of, kind="stable")],
        texts=_offsets(np.bincount(text_of, minlength=len(tokens))),
        buckets=np.concatenate(
            [np.fromiter(chain.from_iterable(own), np.int64), *((part & mask).astype(np.int64) for part in twice)]
        ),
        offsets=_offsets(np.concatenate([own_lengths, np.full(len(negated) + len(pairs), 2)])),
    )


class BulkScorer:
    """Scores many texts with one model; agrees with `Scorer` on every one.

    Args:
        model: the model; its table is viewed, not copied.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._table = np.asarray(model.table).reshape(model.width, len(model.scales))

    def logits(self, texts: Sequence[str]) -> Floats:
        """Return the logits, n x K."""
        units = extract(texts, self.model.width)
        rows = self._table[units.buckets].astype(np.int64)
        rows[:, -1] **= 2
        unit_sums = _segment_sums(rows, units.offsets)
        sums = _segment_sums(unit_sums[units.units], units.texts)
        scales = np.array(self.model.scales)
        norms = np.sqrt(sums[:, -1]) * scales[-1]
        factors = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0)
        return np.asarray(np.array(self.model.bias) + scales[:-1] * sums[:, :-1] * factors[:, None])

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Return the probabilities, n x K, in chunks of bounded memory."""
        chunks = [softmax(self.logits(chunk)) for chunk in _chunks(texts)]
        return np.concatenate(chunks) if chunks else np.zeros((0, len(self.model.labels)))


def softmax(logits: Floats) -> Floats:
    """Return the probabilities of logits, row by row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), CHUNK_TEXTS):
        yield texts[start : start + CHUNK_TEXTS]


def _negated_places(words: Ints, text_of: Ints, is_negation: NDArray[np.bool_]) -> Ints:
    """Return the places of words within reach behind a negation of the same text."""
    negations = is_negation[words]
    reached = np.zeros(len(words), bool)
    for distance in range(1, NEGATION_REACH + 1):
        reached[distance:] |= negations[:-distance] & (text_of[distance:] == text_of[:-distance])
    return np.flatnonzero(reached)


def _neighbours(words: Ints, text_of: Ints, lengths: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the left word, the right word and the text of every pair; texts without words have none."""
    filled = np.flatnonzero(lengths)
    ends = np.cumsum(lengths)[filled]
    starts = ends - lengths[filled]
    return np.insert(words, starts, 0), np.insert(words, ends, 1), np.insert(text_of, starts, filled)


def _mix(left: NDArray[np.uint64], right: NDArray[np.uint64], salt: int) -> NDArray[np.uint64]:
    """See `features.mix`; sums wrap at 2**64, which leaves their low 32 bits right."""
    mixed = (left * np.uint64(LEFT_FACTOR) + right * np.uint64(RIGHT_FACTOR) + np.uint64(salt)) & np.uint64(0xFFFFFFFF)
    return mixed ^ (mixed >> np.uint64(15))


def _offsets(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)])


def _segment_sums(rows: Ints, offsets: Ints) -> Ints:
    """Return the sum of each segment of rows; an empty segment sums to zero."""
    running = np.concatenate([np.zeros((1, rows.shape[1]), np.int64), np.cumsum(rows, axis=0)])
    return np.asarray(running[offsets[1:]] - running[offsets[:-1]])
