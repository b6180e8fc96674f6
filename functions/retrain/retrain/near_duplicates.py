"""Texts that say the same with small changes, found by MinHash and locality-sensitive hashing (Broder, 1997).

All texts at once and in numpy: a library that hashes text by text takes minutes for a million.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sentiloop.bulk import Vocabulary
from sentiloop.features import hash_word

Ints = NDArray[np.int64]
Signatures = NDArray[np.uint32]
BANDS = 12
ROWS_PER_BAND = 3  # of pairs with Jaccard similarity 0.6, 0.94 share a band; of those with 0.3, 0.28
SIMILAR = 0.65  # least estimated Jaccard similarity of near-duplicates; one word of six changed leaves 0.71
CHUNK_TEXTS = 50_000
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Words:
    """Texts as sequences of word numbers.

    Attributes:
        names: the words in the order of their numbers.
        numbers: the words of all texts in turn.
        lengths: n numbers of words.
    """

    names: list[str]
    numbers: NDArray[np.int32]
    lengths: Ints


def read_words(texts: Sequence[str]) -> Words:
    """Return the words of n texts."""
    known: dict[str, int] = {}
    numbers, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for start in range(0, len(texts), CHUNK_TEXTS):
        vocabulary = Vocabulary()  # a new one every time: it remembers all that ever stood between two blanks
        tokens = vocabulary.read(texts[start : start + CHUNK_TEXTS])
        renumbered = np.array([known.setdefault(word, len(known)) for word in vocabulary.words], np.int32)
        numbers.append(renumbered[tokens.words])
        lengths.append(tokens.lengths)
    return Words(list(known), np.concatenate(numbers), np.concatenate(lengths))


def near_duplicate_groups(words: Words, scopes: Ints) -> Ints:
    """Return n group numbers: texts of one scope that are near-duplicates, directly or through others, share theirs.

    Word order, case, and which digits a number has make no difference.

    Args:
        words: n texts.
        scopes: n numbers; only texts with the same one are compared, such as those of one contributor.
    """
    signatures = minhash(words)
    pairs = [_similar_pairs(signatures, scopes, band) for band in range(BANDS)]
    left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    links = sp.coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(len(scopes), len(scopes)))
    _, groups = connected_components(links, directed=False)
    return np.asarray(groups, np.int64)


def minhash(words: Words) -> Signatures:
    """Return MinHash signatures, n x 36. The share of columns where two agree estimates their Jaccard similarity."""
    hashes = np.fromiter((hash_word(_DIGITS.sub("0", word)) for word in words.names), np.uint64, len(words.names))
    filled = words.lengths > 0
    starts = (np.cumsum(words.lengths) - words.lengths)[filled]
    signatures = np.zeros((len(words.lengths), BANDS * ROWS_PER_BAND), np.uint32)
    if len(starts):
        for column, (factor, shift) in enumerate(_hash_functions()):
            hashed = ((hashes * factor + shift) >> np.uint64(32)).astype(np.uint32)  # multiply-shift, modulo 2**64
            signatures[filled, column] = np.minimum.reduceat(hashed[words.numbers], starts)
    return signatures


def _hash_functions() -> Iterator[tuple[np.uint64, np.uint64]]:
    drawn = np.random.default_rng(0).integers(0, 2**64, (BANDS * ROWS_PER_BAND, 2), np.uint64)
    yield from ((factor | np.uint64(1), shift) for factor, shift in drawn)


def _similar_pairs(signatures: Signatures, scopes: Ints, band: int) -> tuple[Ints, Ints]:
    """Return the texts that are similar to the first of their scope with the same band, and that first."""
    keys = scopes.astype(np.uint64)
    for column in signatures[:, band * ROWS_PER_BAND : (band + 1) * ROWS_PER_BAND].T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(32)
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    earlier = first[number]
    later = np.flatnonzero((earlier != np.arange(len(keys))) & (scopes[earlier] == scopes))
    earlier = earlier[later]
    similar = (signatures[later] == signatures[earlier]).mean(axis=1) >= SIMILAR
    return later[similar], earlier[similar]
