"""What is measured of texts, with what a model says of them: what the watch compares."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import name as unicode_name

import numpy as np
from numpy.typing import NDArray
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer, Vocabulary
from sentiloop.features import hash_word

from retrain.near_duplicates import near_duplicate_groups, read_words

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
REPEATED_WORDS = 5  # of shorter texts many are alike without anybody's doing
WORDS = 200  # most frequent words whose shares are compared
NEW_WORDS, NEW_IN_TEXTS = 10, 5  # words that are named as new at most, and texts that have to have one
SEEN_BITS = 2**20  # a twentieth of them is set by the bundled baseline's 55,000 words
SEEN_TEXTS = 2  # training texts that make a word a known one
SAID_BY_LETTERS = 200  # characters that tell a text's alphabet


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of n texts, with what a model says of them.

    Attributes:
        length: n numbers of words.
        confidence: n probabilities of the chosen labels.
        score: n differences of the probabilities of the best and the worst label, -1 to 1.
        unseen: n shares of the words that are not known from the training data.
        said: n numbers of the chosen labels.
        alphabet: n names, such as LATIN; empty where there is no letter.
        words: n x V shares of a text's words that are the model's most frequent words.
    """

    length: Floats
    confidence: Floats
    score: Floats
    unseen: Floats
    said: NDArray[np.int64]
    alphabet: NDArray[np.str_]
    words: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.said)

    def take(self, rows: NDArray[np.int64]) -> "Measured":
        """Return what was measured of some of the texts."""
        return Measured(*(getattr(self, name).take(rows, axis=0) for name in self.__slots__))


def measure(model: Model, texts: Sequence[str], seen: Flags, frequent: Sequence[str]) -> Measured:
    """Measure texts.

    Args:
        model: says something of them.
        texts: what to measure.
        seen: which hashes known words have.
        frequent: V words whose shares are measured.
    """
    probabilities = BulkScorer(model).probabilities(texts)
    best = model.labels.index("positive") if "positive" in model.labels else len(model.labels) - 1
    worst = model.labels.index("negative") if "negative" in model.labels else 0
    vocabulary = Vocabulary()
    tokens = vocabulary.read(texts)
    known = np.array([seen[hash_word(word) % SEEN_BITS] for word in vocabulary.words], bool)
    count = np.maximum(tokens.lengths, 1)
    return Measured(
        length=tokens.lengths.astype(np.float64),
        confidence=probabilities.max(axis=1, initial=0.0),
        score=probabilities[:, best] - probabilities[:, worst],
        unseen=np.bincount(tokens.text_of, ~known[tokens.words], len(texts)) / count,
        said=probabilities.argmax(axis=1).astype(np.int64),
        alphabet=np.array([alphabet_of(text) for text in texts], np.str_),
        words=_shares(vocabulary.words, tokens.words, tokens.text_of, frequent, count),
    )


def seen_words(texts: Sequence[str]) -> Flags:
    """Return which hashes the words of at least `SEEN_TEXTS` of the texts have."""
    names, counts = _texts_with(texts)
    seen = np.zeros(SEEN_BITS, bool)
    seen[[hash_word(names[number]) % SEEN_BITS for number in np.flatnonzero(counts >= SEEN_TEXTS)]] = True
    return seen


def new_words(texts: Sequence[str], frequent: Container[str]) -> dict[str, int]:
    """Return the words in most of the texts that are not known to be frequent, with the number of texts, most first.

    A word that fewer than `NEW_IN_TEXTS` texts have is not named: it may be what somebody said of somebody.
    """
    names, counts = _texts_with(texts)
    new = [
        (name, int(count))
        for name, count in zip(names, counts, strict=True)
        if count >= NEW_IN_TEXTS and name not in frequent and any(map(str.isalnum, name))
    ]
    return dict(sorted(new, key=lambda each: (-each[1], each[0]))[:NEW_WORDS])


def _texts_with(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return all words, and how many of the texts have each."""
    words = read_words(texts)
    of_text = np.repeat(np.arange(len(texts), dtype=np.int64), words.lengths)
    once = np.unique(of_text * max(len(words.names), 1) + words.numbers) % max(len(words.names), 1)
    return words.names, np.bincount(once, minlength=len(words.names))


def repeated_share(texts: Sequence[str]) -> float:
    """Return the share of texts that nearly equal another one."""
    groups = near_duplicates(texts)
    return float((np.bincount(groups)[groups] > 1).mean()) if len(texts) else 0.0


def near_duplicates(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return n group numbers, shared by texts that nearly equal each other; short texts are like no other."""
    words = read_words(texts)
    alone = np.arange(1, len(texts) + 1)
    return near_duplicate_groups(words, np.where(words.lengths < REPEATED_WORDS, alone, 0))


def frequent_words(model: Model) -> list[str]:
    """Return the most frequent words of the model's training data, as the manifest names them."""
    return list(model.frequent_words)[:WORDS]


def alphabet_of(text: str) -> str:
    """Return the alphabet that most letters near the start of a text belong to; empty if it has none."""
    start = text[:SAID_BY_LETTERS]
    if start.isascii():
        return "LATIN" if any(map(str.isalpha, start)) else ""
    names = Counter(unicode_name(letter, "OTHER").partition(" ")[0] for letter in start if letter.isalpha())
    return min(names, key=lambda name: (-names[name], name), default="")


def _shares(
    names: Sequence[str], words: NDArray[np.int64], text_of: NDArray[np.int64], frequent: Sequence[str], count: Any
) -> NDArray[np.float32]:
    places = {word: place for place, word in enumerate(frequent)}
    place_of = np.array([places.get(name, -1) for name in names], np.int64)[words]
    at = place_of >= 0
    cells = np.bincount(text_of[at] * len(frequent) + place_of[at], minlength=len(count) * len(frequent))
    return np.asarray(cells.reshape(len(count), len(frequent)) / count[:, None], np.float32)
