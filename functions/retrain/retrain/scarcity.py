"""How much rarer a label is in the traffic than in the base data, as far as the reports tell.

A model takes from its base data how often texts are neutral. A new kind of text may hardly have neutral ones, and then
its answers are wrong again and again in the same way: users take "neutral" back, and never ask for it. Each report
teaches that of its own text; what is estimated here teaches it of the texts that nobody reported (`retrain.adapt`).

Reports are a biased sample, so the estimate leans towards the base data twice. It is an upper bound, so that what few
people could have said is not missed; and a label is rare only below a part of its share in the base data. Where an
estimate goes too far all the same, the next week's users ask for the label, and it is taken back.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
VOTES = 5.0  # reports of one contributor that count: who reports much must not stand for all
LEVEL = 0.05  # chance that a label is more frequent among such reports than the bound says
BIAS = 2.0  # by so much a label may be rarer among reports than in the traffic, because it is seldom a mistake


def scarcity(votes: Floats, base: Floats) -> Floats:
    """Return by what each label's share shrinks from the base data to the traffic: K numbers, 1 where it does not.

    Args:
        votes: how often reports gave each label, K numbers, from `votes_of`.
        base: the share of each label in the base data, K numbers.
    """
    others = votes.sum() - votes
    # Clopper and Pearson's upper bound of a share; where all votes are for one label, it may be all there is
    most = np.where(others > 0, stats.beta.ppf(1 - LEVEL, votes + 1, np.maximum(others, 1e-9)), 1.0)
    return np.asarray(np.minimum(1.0, BIAS * most / np.maximum(base, 1e-9)))


def votes_of(shares: pd.DataFrame, labels: NDArray[np.intp], count: int) -> Floats:
    """Return how often reports gave each label, `count` numbers; one contributor has at most `VOTES`, reviewers more.

    Args:
        shares: a line for each contributor of each report: row, who and trusted, as in `retrain.influence`.
        labels: the number of each report's label.
        count: how many labels there are.
    """
    who = shares["who"].to_numpy()
    each = np.minimum(1.0, VOTES / np.maximum(np.bincount(who), 1))[who]
    given = np.where(shares["trusted"].to_numpy(bool), 1.0, each)
    return np.asarray(np.bincount(labels[shares["row"].to_numpy()], given, minlength=count), float)


def told(answers: Floats, rarer: Floats) -> Floats:
    """Return answers, n x K probabilities, as they are where labels are so much rarer (Saerens et al., 2002)."""
    shrunk = answers * rarer
    return np.asarray(shrunk / shrunk.sum(axis=1, keepdims=True))
