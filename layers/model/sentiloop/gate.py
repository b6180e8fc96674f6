"""The gate's arithmetic: is the candidate better than the champion beyond chance, and worse nowhere that is guarded?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SLICE_LEVEL = 0.2  # a slice is small: to be safe, weaker evidence of harm than the gate asks of a gain rejects


@dataclass(frozen=True, slots=True)
class Comparison:
    """Champion and candidate on the same rows.

    Attributes:
        name: what the rows have in common.
        rows: how many they are.
        champion_correct: rows that the champion gets right.
        candidate_correct: rows that the candidate gets right.
        gained: rows that only the candidate gets right.
        lost: rows that only the champion gets right.
    """

    name: str
    rows: int
    champion_correct: int
    candidate_correct: int
    gained: int
    lost: int

    @property
    def gain(self) -> float:
        """Difference in accuracy, candidate minus champion."""
        return (self.gained - self.lost) / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or not, and why in words."""

    promote: bool
    p_value: float
    reasons: tuple[str, ...]


def compare(name: str, champion: Sequence[bool], candidate: Sequence[bool]) -> Comparison:
    """Count who is right where; both sequences are about the same rows in the same order."""
    pairs = list(zip(champion, candidate, strict=True))
    return Comparison(
        name=name,
        rows=len(pairs),
        champion_correct=sum(old for old, _ in pairs),
        candidate_correct=sum(new for _, new in pairs),
        gained=sum(new and not old for old, new in pairs),
        lost=sum(old and not new for old, new in pairs),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Return the one-sided exact p-value of McNemar's test (1947): the chance of as many gains if each discordant row
    were a fair coin.
    """
    discordant = gained + lost
    if gained <= 0:
        return 1.0
    log_half_power = -discordant * math.log(2)
    tail = (
        math.exp(
            math.lgamma(discordant + 1) - math.lgamma(heads + 1) - math.lgamma(discordant - heads + 1) + log_half_power
        )
        for heads in range(gained, discordant + 1)
    )
    return min(1.0, math.fsum(tail))


def judge(
    overall: Comparison, slices: Sequence[Comparison], *, level: float, min_gain: float, slice_drop: float
) -> Verdict:
    """Decide on a candidate.

    Args:
        overall: the comparison on all held-out rows.
        slices: guarded parts of them.
        level: the candidate has to be better with a one-sided p-value of at most this.
        min_gain: and by at least this much accuracy.
        slice_drop: a slice may lose this much accuracy; losing more, with evidence at `SLICE_LEVEL`, rejects.
    """
    p_value = mcnemar(overall.gained, overall.lost)
    evidence = f"{overall.gained} gained, {overall.lost} lost of {overall.rows} held-out rows, p = {p_value:.2g}"
    objections = []
    if p_value > level:
        objections.append(f"not better beyond chance at level {level}: {evidence}")
    if overall.gain < min_gain:
        objections.append(f"gain of {overall.gain:+.4f} accuracy is below the least gain of {min_gain}")
    objections += [
        f"worse on slice {part.name}: {part.gain:+.4f} accuracy on {part.rows} rows"
        for part in slices
        if -part.gain > slice_drop and mcnemar(part.lost, part.gained) <= SLICE_LEVEL
    ]
    if objections:
        return Verdict(False, p_value, tuple(objections))
    return Verdict(True, p_value, (f"better beyond chance at level {level}: {evidence}",))
