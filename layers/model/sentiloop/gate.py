"""The gate's arithmetic: is the candidate better than the champion beyond chance, and worse nowhere that is guarded?

Whatever is looked at becomes a `Check`: a sentence for people and its figures for programs, passed or not. A candidate
is promoted if it passes all of them. What is looked at, `retrain.checks` says.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Any

DETECTION = 0.8  # the power at which a detectable gain is reported
CONFIDENCE = 0.95
NEGLIGIBLE = 1e-18  # part of a sum, where terms fall faster and faster
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

Interval = tuple[float, float]


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

    @property
    def discordant(self) -> int:
        """Rows that one of the two gets right and the other does not."""
        return self.gained + self.lost


@dataclass(frozen=True, slots=True)
class Selected:
    """Held-out rows that are there because a model was wrong or right on them: reported mistakes and confirmations.

    Attributes:
        wrong: rows that the champion gets wrong.
        fixed: of these, rows that the candidate gets right.
        turned: of these, rows where the candidate's answer is another than the champion's, and wrong as well.
        right: rows that the champion gets right.
        broken: of these, rows that the candidate gets wrong.
    """

    wrong: int = 0
    fixed: int = 0
    turned: int = 0
    right: int = 0
    broken: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.wrong + self.right


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the gate looked at: its name, whether it passed, the finding in words, and the figures."""

    name: str
    ok: bool
    finding: str
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or not, why in words, and every check."""

    promote: bool
    p_value: float
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]


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
    return _binomial_tail(gained, gained + lost)


def p_value(fair: Comparison, selected: Selected, background: Comparison | None = None) -> float:
    """Return the chance of so large a net gain if the candidate were no better than the champion; one-sided.

    Without selected rows this is McNemar's exact test. Selected rows are no fair sample: where the champion is wrong,
    the candidate can win and cannot lose, and any model that is merely different gets some of them right. So they count
    only for what goes beyond that. On the fair rows a candidate that is no better wins half of the discordant rows;
    that is a share of the champion's errors, and the same share of the reported mistakes comes for nothing. The share
    is an estimate, so the number that comes for nothing has a beta-binomial distribution. A wrong answer turned into
    another wrong one counts as a loss: it shows a change without aim. In the same way, broken rows count as losses only
    beyond what a candidate that is no better breaks.

    Args:
        fair: the comparison on the held-out rows that were not selected.
        selected: what became of the others.
        background: the fair rows that tell how much comes for nothing; None: the same.
    """
    background = background or fair
    net = _net(fair, selected, background)
    at_least = _beta_binomial_tails(selected.wrong, *_share_of_fixes(background))
    discordant = fair.discordant

    def tail(least: int) -> float:
        return 1.0 if least <= 0 else at_least[least] if least <= selected.wrong else 0.0

    chances = (_binomial(gained, discordant) * tail(net - 2 * gained + discordant) for gained in range(discordant + 1))
    return min(1.0, math.fsum(chances))


def gain(fair: Comparison, selected: Selected, background: Comparison | None = None) -> float:
    """Return the gain in accuracy on fair and selected rows, less the fixes that come for nothing; see `p_value`."""
    rows, background = fair.rows + selected.rows, background or fair
    return (_net(fair, selected, background) - expected_fixes(background, selected)) / rows if rows else 0.0


def expected_fixes(fair: Comparison, selected: Selected) -> float:
    """Return how many of the selected rows a candidate that is no better would fix; see `p_value`."""
    fixes, leaves = _share_of_fixes(fair)
    return selected.wrong * fixes / (fixes + leaves)


def expected_breaks(fair: Comparison, selected: Selected) -> float:
    """Return how many of the selected rows a candidate that is no better would break; see `p_value`."""
    breaks, leaves = _beta(fair.discordant / 2, fair.champion_correct)
    return selected.right * breaks / (breaks + leaves)


def power(rows: int, discordant: int, gain: float, level: float) -> float:
    """Return the chance that McNemar's exact test finds a true gain.

    Args:
        rows: held-out rows.
        discordant: those that one model gets right and the other does not, of which at least `gain * rows` there are.
        gain: true difference in accuracy.
        level: of the test.
    """
    critical = _critical(discordant, level)
    if critical is None:
        return 0.0
    share = (1 + gain * rows / discordant) / 2 if discordant else 0.5
    return _binomial_tail(critical, discordant, min(share, 1.0))


def detectable_gain(rows: int, discordant: int, level: float) -> float | None:
    """Return the smallest true gain that the test finds with a chance of `DETECTION`; None if it can find none."""
    if _critical(discordant, level) is None:
        return None
    low, high = 0.0, discordant / max(rows, 1)
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if power(rows, discordant, middle, level) >= DETECTION else (middle, high)
    return high


def accuracy_interval(correct: int, rows: int) -> Interval:
    """Return Wilson's score interval (1927) of an accuracy."""
    if not rows:
        return 0.0, 1.0
    share, squared = correct / rows, _Z * _Z / rows
    centre = (share + squared / 2) / (1 + squared)
    half = _Z * math.sqrt(share * (1 - share) / rows + squared / (4 * rows)) / (1 + squared)
    return max(0.0, centre - half), min(1.0, centre + half)


def gain_interval(part: Comparison) -> Interval:
    """Return the interval of the paired difference by Agresti and Min (2005): Wald's with half a row added to each of
    the four cells.
    """
    rows, net = part.rows + 2, part.gained - part.lost
    half = _Z * math.sqrt(part.discordant + 1 - net * net / rows) / rows
    return max(-1.0, net / rows - half), min(1.0, net / rows + half)


def described(part: Comparison) -> dict[str, Any]:
    """Return a comparison with its gain and the confidence intervals, for the run record."""
    return {
        **asdict(part),
        "gain": part.gain,
        "gain_interval": gain_interval(part),
        "champion_interval": accuracy_interval(part.champion_correct, part.rows),
        "candidate_interval": accuracy_interval(part.candidate_correct, part.rows),
    }


def decide(chance: float, checks: Sequence[Check]) -> Verdict:
    """Promote if all checks passed. The reasons are the findings of those that failed, or else that of the first."""
    objections = tuple(check.finding for check in checks if not check.ok)
    reasons = objections or (checks[0].finding, f"all {len(checks)} checks passed")
    return Verdict(not objections, chance, reasons, tuple(checks))


def _net(fair: Comparison, selected: Selected, background: Comparison) -> int:
    broken = max(0, math.ceil(selected.broken - expected_breaks(background, selected)))
    return fair.gained - fair.lost + selected.fixed - selected.turned - broken


def _share_of_fixes(fair: Comparison) -> tuple[float, float]:
    return _beta(fair.discordant / 2, fair.rows - fair.champion_correct)


def _beta(successes: float, trials: int) -> tuple[float, float]:
    """Return the parameters of the distribution of a share, after Jeffreys."""
    return successes + 0.5, max(trials - successes, 0.0) + 0.5


def _critical(discordant: int, level: float) -> int | None:
    """Return the fewest gains among discordant rows that are significant."""
    if mcnemar(discordant, 0) > level:
        return None
    low, high = 0, discordant
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if mcnemar(middle, discordant - middle) <= level else (middle + 1, high)
    return low


def _binomial(successes: int, trials: int, share: float = 0.5) -> float:
    if share >= 1.0:
        return float(successes == trials)
    return math.exp(
        _log_choose(trials, successes) + successes * math.log(share) + (trials - successes) * math.log1p(-share)
    )


def _binomial_tail(at_least: int, trials: int, share: float = 0.5) -> float:
    if at_least <= 0:
        return 1.0
    total = 0.0
    for successes in range(at_least, trials + 1):
        chance = _binomial(successes, trials, share)
        total += chance
        if successes > share * trials and chance <= total * NEGLIGIBLE:
            break
    return min(1.0, total)


def _beta_binomial_tails(trials: int, fixes: float, leaves: float) -> list[float]:
    """Return the chance of at least 0, 1, … successes when their share is drawn from a beta distribution."""
    whole = _log_beta(fixes, leaves)
    chances = [
        math.exp(_log_choose(trials, count) + _log_beta(count + fixes, trials - count + leaves) - whole)
        for count in range(trials + 1)
    ]
    return list(accumulate(reversed(chances)))[::-1]


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)


def _log_choose(trials: int, successes: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
