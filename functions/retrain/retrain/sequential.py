"""A test that stays valid however often one looks: an e-process over events whose chance the null hypothesis gives.

For one odds ratio, the product of likelihood ratios is a martingale that starts at 1, and so is a mean of such products
over several ratios. By Ville's inequality the chance that it ever reaches 1/level is at most `level`, whenever and
however often somebody looks (Ramdas et al., 2023, "Game-theoretic statistics and safe anytime-valid inference").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ODDS_RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0)  # one near the true one loses little; each further one costs a little


@dataclass(frozen=True, slots=True)
class Tally:
    """Events of one kind.

    Attributes:
        probability: chance that an event is a hit if the null hypothesis holds; a bound from above serves as well.
        hits: how many were hits.
        events: how many there were.
    """

    probability: float
    hits: int
    events: int


def log_e_value(tallies: Sequence[Tally]) -> float:
    """Return the natural logarithm of the evidence that hits are likelier than under the null hypothesis."""
    logarithms = [_log_likelihood_ratio(tallies, ratio) for ratio in ODDS_RATIOS]
    highest = max(logarithms)
    return highest + math.log(math.fsum(math.exp(each - highest) for each in logarithms) / len(ODDS_RATIOS))


def p_value(tallies: Sequence[Tally]) -> float:
    """Return the anytime-valid p-value: the chance that it is ever at most x is at most x under the null hypothesis."""
    return math.exp(-max(0.0, log_e_value(tallies)))


def _log_likelihood_ratio(tallies: Sequence[Tally], ratio: float) -> float:
    """Return how much likelier the events are if the odds of a hit are `ratio` times those of the null hypothesis."""
    return math.fsum(
        tally.hits * math.log(ratio) - tally.events * math.log1p((ratio - 1) * tally.probability) for tally in tallies
    )
