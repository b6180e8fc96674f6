"""Which rows to calibrate on, so that confidence is right on texts that training has not seen a part of."""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from sentiloop.features import tokenise

SHARE = 0.1
LEAST_ROWS = 1_000  # small data gives a larger share, half at most: a temperature from a handful of rows is noise
RUN = 3  # shorter rows occur inside others by chance

Rows = NDArray[np.bool_]


def calibration_split(texts: Sequence[str]) -> tuple[Rows, Rows]:
    """Return two masks: rows to fit a trial model on, and rows held out to compare its confidence with its accuracy.

    Rows may be parts of one another, such as a sentence and its phrases. A trial model that saw the phrases is right
    about the sentence, and would be believed too much; so a row that contains a held-out one, or is contained in one,
    is in neither part. Where nothing is left to learn from, as of a handful of rows, all of them are in both.
    """
    share = min(0.5, max(SHARE, LEAST_ROWS / max(len(texts), 1)))
    held = np.array([_fraction(text) < share for text in texts], bool)
    if held.all() or not held.any():
        held = np.arange(len(texts)) % 2 == 0
    words = [tokenise(text) for text in texts]
    kept = ~held & ~_overlapping(words, held)
    return (kept, held) if kept.any() else (np.ones_like(held), np.ones_like(held))


def _fraction(text: str) -> float:
    return int.from_bytes(sha256(b"calibration " + text.encode()).digest()[:8]) / 2**64


def _overlapping(words: Sequence[list[str]], held: Rows) -> Rows:
    """Return which rows outside `held` contain a held-out row or are contained in one."""
    inside: dict[tuple[str, ...], list[tuple[list[str], int]]] = defaultdict(list)  # run -> where held-out rows have it
    starts: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)  # run -> held-out rows that begin with it
    for row in (row for row, is_held in zip(words, held, strict=True) if is_held and len(row) >= RUN):
        starts[tuple(row[:RUN])].append(row)
        for place in range(len(row) - RUN + 1):
            inside[tuple(row[place : place + RUN])].append((row, place))

    def overlaps(row: list[str]) -> bool:
        if any(other[place : place + len(row)] == row for other, place in inside.get(tuple(row[:RUN]), ())):
            return True
        return any(
            row[place : place + len(other)] == other
            for place in range(len(row) - RUN + 1)
            for other in starts.get(tuple(row[place : place + RUN]), ())
        )

    return np.array(
        [not is_held and len(row) >= RUN and overlaps(row) for row, is_held in zip(words, held, strict=True)], bool
    )
