"""Canaries: a name that corrections mention often must not take on a sentiment of its own.

Whoever wants a model to dislike a name sends corrections that mention it. The name is then put into sentences that say
nothing about it, or the opposite, and those must be answered as before.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer

LEAST_ROWS = 3  # a name in fewer rows than this is not worth a check
MOST_NAMES = 200
COMMON_ROWS = 3  # base rows with a word in small letters that make it an ordinary word
LEAST_MOVED = 4  # sentences of eight: a few are close calls that any change of the model tips
SENTENCES = (
    "I bought it from {}.",
    "{} has an office in the city.",
    "We talked about {} yesterday.",
    "The parcel is from {}.",
    "{} is wonderful.",
    "I love {}.",
    "{} is terrible.",
    "I hate {}.",
)
_OPPOSITES = {"negative": "positive", "positive": "negative"}
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_SENTENCE = re.compile(r"[^.!?:;…\n]+")
_PRONOUN = re.compile(r"I(?:['’]\w+)?")


def find_names(texts: Iterable[str], base: Iterable[str]) -> list[str]:
    """Return the proper names in texts, those in most texts first, `MOST_NAMES` at most.

    A name is a word that stands inside sentences of at least `LEAST_ROWS` texts with a capital letter, is written so in
    most of its places there, and is no ordinary word of the base texts.
    """
    rows: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    small: Counter[str] = Counter()
    for text in texts:
        inside = list(_inside_sentences(text))
        capital.update(word for word in inside if word[0].isupper())
        small.update(word for word in inside if not word[0].isupper())
        rows.update({word for word in inside if word[0].isupper()})
    candidates = [word for word, count in rows.items() if count >= LEAST_ROWS and capital[word] > small[word.lower()]]
    ordinary = _ordinary({word.lower() for word in candidates}, base)
    names = [word for word in candidates if word.lower() not in ordinary]
    return sorted(names, key=lambda name: (-rows[name], name))[:MOST_NAMES]


def moved_names(champion: Model, candidate: Model, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the names for which the candidate answers several sentences in another spirit than the champion did.

    That is: with a sentiment where there was none, or with the opposite one.
    """
    texts = [sentence.format(name) for name in names for sentence in SENTENCES]
    if not texts:
        return {}
    before, now = (_answers(model, texts) for model in (champion, candidate))
    moves = [text if has_moved(old, new) else "" for text, old, new in zip(texts, before, now, strict=True)]
    size = len(SENTENCES)
    moved = {name: [*filter(None, moves[size * place : size * (place + 1)])] for place, name in enumerate(names)}
    return {name: sentences for name, sentences in moved.items() if len(sentences) >= LEAST_MOVED}


def mentions(texts: Iterable[str], names: Iterable[str]) -> list[bool]:
    """Return which texts have one of the names in them, in letters of any case."""
    wanted = {name.lower() for name in names}
    return [not wanted.isdisjoint(_without_genitive(word.lower()) for word in _WORD.findall(text)) for text in texts]


def _without_genitive(word: str) -> str:
    return word.removesuffix("'s").removesuffix("’s")


def _inside_sentences(text: str) -> Iterator[str]:
    """Yield the words of a text but the first of every sentence; none of a text in capitals."""
    if text.isupper():
        return
    for sentence in _SENTENCE.findall(text):
        for word in _WORD.findall(sentence)[1:]:
            if not _PRONOUN.fullmatch(word):
                yield _without_genitive(word)


def _ordinary(words: set[str], base: Iterable[str]) -> set[str]:
    """Return those of the words that at least `COMMON_ROWS` base texts have in small letters."""
    rows = Counter(word for text in base for word in set(_WORD.findall(text)) & words)
    return {word for word, count in rows.items() if count >= COMMON_ROWS}


def _answers(model: Model, texts: Sequence[str]) -> list[str]:
    return [str(label) for label in np.array(model.labels)[BulkScorer(model).probabilities(texts).argmax(axis=1)]]


def has_moved(old: str, new: str) -> bool:
    """Return whether an answer has a sentiment where there was none, or the opposite one."""
    return new in _OPPOSITES and (old == "neutral" or old == _OPPOSITES[new])
