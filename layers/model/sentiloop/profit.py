"""What the next retrain would make of reviewers' labels: the least gain that the gate could prove with that many.

The gate looks at the news, all that was said since the served version was made, by itself, and every reviewer's label
is a fair row of it. It shares its level between that test and the one on all held-out rows, so each has half.

How many labels two models answer differently is not known beforehand. `DIFFERING` is assumed: what is asked about is
doubtful, so models differ more there than elsewhere. Where they differ less, the gain that can be proven is smaller,
and so is the gain that is there to be proven. Users' corrections come on top.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

from sentiloop import gate
from sentiloop.review_labels import Given

DIFFERING = 0.2  # of the labels: those that two models answer differently
CLEARLY = 0.8  # of the present gain: what is promised for more labels is at most that
TESTS = 2  # that share the gate's level
MOST_DIFFERING = 1_000  # labels that two models answer differently, beyond which nothing is worked out
WHOLE = 5  # points from which on tenths are not told
STEP = 8  # part of their number by which it grows from one that is worked out to the next


@dataclass(frozen=True, slots=True)
class Profit:
    """What is there, what it would prove, and what more would prove; gains in accuracy, from 0 to 1.

    Attributes:
        labels: reviewers' labels since the served version was made, undone ones left out.
        corrected: of these, corrections; the others confirm the prediction.
        at_least: whether there may be more than were counted.
        detectable_gain: least true gain that the gate would find with a chance of `gate.DETECTION`; None: none.
        next_labels: how many more labels would make it clearly smaller; None: more than are worked out.
        next_detectable_gain: the gain with these.
        sentence: all this for a reviewer.
    """

    labels: int
    corrected: int
    at_least: bool
    detectable_gain: float | None
    next_labels: int | None
    next_detectable_gain: float | None
    sentence: str


def profit(given: Given, level: float) -> Profit:
    """Return what the next retrain would make of labels.

    Args:
        given: the labels since the served version.
        level: of the gate's test.
    """
    gain = detectable_gain(given.labels, level)
    total, better = _next(given.labels, gain, level)
    more = None if total is None else total - given.labels
    sentence = f"{_counted(given)}{_proven(given.labels, gain, more, better)}."
    return Profit(given.labels, given.corrected, not given.is_complete, gain, more, better, sentence)


def detectable_gain(labels: int, level: float) -> float | None:
    """Return the least true gain that the gate would find on so many labels, or None if it can find none.

    The exact test is a little weaker on some numbers than on smaller ones. Whoever has more labels could leave some
    out, so the smallest gain of all numbers up to theirs is told.
    """
    enough = takewhile(lambda step: step[0] <= labels, _gains(level))
    return min((gain for _, gain in enough if gain is not None), default=None)


def _next(labels: int, gain: float | None, level: float) -> tuple[int, float] | tuple[None, None]:
    """Return the fewest labels in all that make the gain clearly smaller, and that gain."""
    for rows, better in _gains(level):
        if rows > labels and better is not None and (gain is None or better <= CLEARLY * gain):
            return rows, better
    return None, None


def _gains(level: float) -> Iterator[tuple[int, float | None]]:
    """Yield numbers of labels, rising, each with the least gain that is found on just so many."""
    differing = 1
    while differing <= MOST_DIFFERING:
        yield math.ceil(differing / DIFFERING), _gain(differing, level)
        differing += max(1, differing // STEP)


@cache
def _gain(differing: int, level: float) -> float | None:
    return gate.detectable_gain(math.ceil(differing / DIFFERING), differing, level / TESTS)


def _counted(given: Given) -> str:
    if not given.labels:
        return f"No label since {given.version} was made"
    count = f"{given.labels:,} label{'s' if given.labels > 1 else ''}"
    count = count if given.is_complete else f"At least {count}"
    corrected = f"{given.corrected:,} of them corrections" if given.corrected > 1 else "1 of them a correction"
    return f"{count} since {given.version} was made, {corrected if given.corrected else 'none of them a correction'}"


def _proven(labels: int, gain: float | None, more: int | None, better: float | None) -> str:
    further = None if more is None else f"with {more:,} more" if labels else f"with {more:,}"
    if gain is None:
        if further is None or better is None:
            return "; the gate takes no number of them for a proof"
        return f"; {further}, the next retrain could prove a gain of {_points(better)}"
    present = f"; the next retrain could prove a gain of {_points(gain)}"
    return present if further is None or better is None else f"{present}, {further} one of {_points(better)}"


def _points(gain: float) -> str:
    """Return a gain in points of accuracy, rounded up: to whole ones, and below `WHOLE` to tenths."""
    tenths = max(1, math.ceil(1000 * gain))
    points = tenths / 10 if tenths < 10 * WHOLE else math.ceil(100 * gain)
    return f"{points:g} point{'' if points == 1 else 's'}"
