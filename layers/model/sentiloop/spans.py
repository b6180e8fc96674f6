"""Where in a text the words of an explanation stand, so that a page can colour the text that its reader wrote.

Normalising changes lengths: a ligature becomes two letters, a letter and its accent become one, a fraction becomes
three characters. So the text is cut into pieces whose normal forms, one after the other, are the normal form of the
text, and a token stands where the pieces stand that it is made of. Places count Unicode code points of the text as it
came; ends are exclusive.
"""

import math
import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple

from sentiloop.features import normalise, token_places
from sentiloop.scoring import Scorer

_BLANKS_OR_NOT = re.compile(r"\s+|\S+")


class Place(NamedTuple):
    """A token and where it stands."""

    token: str
    start: int
    end: int


class Span(NamedTuple):
    """A stretch of the text, and what the tokens that stand in it added to each label's logit."""

    start: int
    end: int
    contributions: tuple[float, ...]


def places(text: str) -> list[Place]:
    """Return the tokens of a text, as `tokenise` does, with their places; tokens of one piece share its place.

    The text is normalised three times at most, as a whole and in parts, however many pieces there are.
    """
    normal = normalise(text)
    if text.isascii():  # characters stay where they are
        return [Place(normal[start:end], start, end) for start, end in token_places(normal)]
    starts: list[int] = []  # of the piece that each character of the normal form comes from
    ends: list[int] = []
    at = 0
    for piece, form in _pieces(text, normal):
        starts += [at] * len(form)
        at += len(piece)
        ends += [at] * len(form)
    return [Place(normal[start:end], starts[start], ends[end - 1]) for start, end in token_places(normal)]


def spans(scorer: Scorer, text: str) -> list[Span]:
    """Return what each part of a text added to the logits, in order; tokens that share a piece are one span.

    The contributions of all spans and the bias, which belongs to none, add up to the logits.
    """
    found = places(text)
    added = scorer.explain_words([place.token for place in found])
    bounds: list[tuple[int, int]] = []
    parts: list[list[tuple[float, ...]]] = []
    for (_, start, end), contributions in zip(found, added, strict=True):
        if bounds and start < bounds[-1][1]:
            bounds[-1] = (bounds[-1][0], end)
            parts[-1].append(contributions)
        else:
            bounds.append((start, end))
            parts.append([contributions])
    sums = [tuple(map(math.fsum, zip(*shares, strict=True))) for shares in parts]
    return [Span(start, end, contributions) for (start, end), contributions in zip(bounds, sums, strict=True)]


class _Forms(dict[str, str]):
    """The normal forms of pieces, each made once."""

    def __missing__(self, piece: str) -> str:
        form = self[piece] = normalise(piece)
        return form


def _pieces(text: str, normal: str) -> list[tuple[str, str]]:
    """Cut a text into pieces, each with its normal form; these forms joined are the normal form of the text.

    A piece is a character with its marks. Should their forms not add up to that of a word, as may be with characters
    that a later Unicode brings, then the word is one piece, and should words not add up to the text, the text is.
    """
    forms = _Forms({text: normal})
    marks = set(filter(_joins, set(text)))
    pieces: list[str] = []
    for word in _BLANKS_OR_NOT.findall(text):
        clusters = _clusters(word, marks)
        pieces += clusters if _joined(clusters, forms) == forms[word] else [word]
    if _joined(pieces, forms) != normal:
        pieces = [text]
    return [(piece, forms[piece]) for piece in pieces]


def _joined(pieces: list[str], forms: _Forms) -> str:
    return "".join([forms[piece] for piece in pieces])


def _clusters(word: str, marks: set[str]) -> list[str]:
    """Return the characters of a word, each with the marks behind it."""
    starts = [place for place, character in enumerate(word) if not place or character not in marks]
    return [word[start:end] for start, end in pairwise([*starts, len(word)])]


def _joins(character: str) -> bool:
    """Return whether a character may become one with what stands before it: a mark, or a vowel or end of Hangul."""
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.category(first).startswith("M") or "\u1160" <= first <= "\u11ff"
