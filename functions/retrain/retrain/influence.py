"""How much each row of feedback weighs, and which weights of the model feedback may move: no one may do much alone.

Three bounds hold at once. The rows of one contributor that share a rare n-gram weigh together as one. All rows
of one contributor weigh together at most `contributor_max_weight`. And a rare n-gram moves nothing before two
contributors have sent it with the same label. Rare is what the base data is not certain of. A known n-gram may be moved
by one contributor alone, but is held harder. Reviewers are trusted.

What follows from the second bound: let w be the total weight of a contributor's rows, and rho of a text the sum of
x^2 / stiffness over what may move, with x = 1 for the intercept. The objective is as convex as its penalty, so adding
or removing these rows moves its minimum by at most w * sqrt(2 rho of the rows), measured by the penalty, and with it
the log odds between two labels of a text by at most 2 * w * sqrt(rho of the text * largest rho of the rows).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
KNOWN = 0.05  # a certainty from here on makes an n-gram known; of the buckets of the baseline that is one in ten
RARE_ROWS = 1.0  # what the rows of one contributor that share a rare n-gram weigh together, in rows
AGREEING = 2  # contributors who have to send an n-gram with the same label
HELD = 10.0  # stiffness of what only one contributor wants to move


@dataclass(frozen=True, slots=True)
class Influence:
    """What feedback may do.

    Attributes:
        weights: one a row, between 0 and 1.
        movable: one a bucket, whether its weights may move; what nobody sent stays where it is.
        new: one a bucket, whether it is movable though the base data does not know it.
        stiffness: one a bucket, how hard its weights are held; and last of the intercepts.
        rows: how many they are.
    """

    shares: pd.DataFrame
    max_weight: float
    movable: Flags
    new: Flags
    stiffness: Floats
    rows: int

    def weights(self, feedback_weight: float) -> Floats:
        """Return what each row weighs, n numbers, if a row weighs `feedback_weight` by itself.

        All rows of one contributor together weigh `max_weight` at most, whatever a row weighs.
        """
        given = feedback_weight * self.shares["given"].to_numpy()
        who = self.shares["who"].to_numpy()
        totals = np.bincount(who, given)
        factors = np.minimum(1.0, self.max_weight / np.maximum(totals, self.max_weight))[who]
        given = np.where(self.shares["trusted"].to_numpy(), given, given * factors)
        return np.asarray(np.bincount(self.shares["row"].to_numpy(), given, minlength=self.rows), float)

    def reach(self, rows: sp.csr_matrix) -> Floats:
        """Return rho of each row: n numbers; `rows` are weighted and normalised, n x width."""
        return np.asarray(rows.power(2) @ (self.movable / self.stiffness[:-1]) + 1 / self.stiffness[-1], float)


def largest_shift(weight: float, reach_of_text: float, reach_of_rows: float) -> float:
    """Return the most by which rows of this total weight move the log odds between two labels of a text."""
    return 2 * weight * float(np.sqrt(reach_of_text * reach_of_rows))


def influence_of(
    rows: pd.DataFrame,
    counts: sp.csr_matrix,
    certainty: Floats,
    *,
    max_weight: float,
    half_life_days: float | None = None,
) -> Influence:
    """Return the weights of rows and the buckets that they may move.

    Args:
        rows: columns label, contributors, trusted, received_at; n rows of feedback.
        counts: n x width, their bucket counts.
        certainty: width + 1, the anchor's.
        max_weight: what all rows of one contributor may weigh together, where a row of base data weighs about 1.
        half_life_days: age, against the newest row, at which a row weighs half; None: rows do not age.
    """
    known = certainty[:-1] >= KNOWN
    sent = sp.csr_matrix((np.ones(counts.nnz), counts.indices, counts.indptr), shape=counts.shape)
    shares = _shares(rows)
    agreed = _agreed(rows, sent, shares)
    rare = sent.copy()
    rare.data[known[rare.indices]] = 0
    rare.eliminate_zeros()
    recency = _recency(rows["received_at"], half_life_days)
    return Influence(
        shares=shares.assign(given=_given(rare, shares, recency)),
        max_weight=max_weight,
        movable=agreed | (known & (np.bincount(counts.indices, minlength=len(known)) > 0)),
        new=agreed & ~known,
        stiffness=np.append(np.where(agreed, 1.0, HELD), 1.0) + certainty,
        rows=len(rows),
    )


def _shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each contributor of each row: the row's number, the contributor's, and whether to trust it."""
    shares = pd.DataFrame({"row": np.arange(len(rows)), "who": rows["contributors"].to_numpy()}).explode("who")
    shares["who"] = pd.factorize(shares["who"], sort=True)[0]
    shares["trusted"] = rows["trusted"].to_numpy(bool)[shares["row"].to_numpy(int)]
    return shares.astype({"row": int})


def _agreed(rows: pd.DataFrame, sent: sp.csr_matrix, shares: pd.DataFrame) -> Flags:
    """Return the buckets that two contributors, or a reviewer, sent with the same label."""
    agreed = np.zeros(sent.shape[1], bool)
    labels = rows["label"].to_numpy()
    for label in np.unique(labels):
        of_label = shares[labels[shares["row"]] == label]
        theirs = sent[of_label["row"].to_numpy()]
        who = np.repeat(of_label["who"].to_numpy(), np.diff(theirs.indptr))
        pairs = sp.csr_matrix(
            (np.ones(theirs.nnz), (who, theirs.indices)), shape=(shares["who"].max() + 1, len(agreed))
        )
        pairs.sum_duplicates()
        agreed |= np.bincount(pairs.indices, minlength=len(agreed)) >= AGREEING
        agreed[theirs[of_label["trusted"].to_numpy()].indices] = True
    return agreed


def _recency(received_at: "pd.Series[str]", half_life_days: float | None) -> Floats:
    """Return 2 ** -(age / half life); age counts from the newest row, so that equal rows weigh the same any day."""
    if half_life_days is None or received_at.empty:
        return np.ones(len(received_at))
    moments = pd.to_datetime(received_at, utc=True)
    days = (moments.max() - moments).dt.total_seconds().to_numpy() / 86_400
    return np.asarray(0.5 ** (days / half_life_days))


def _given(rare: sp.csr_matrix, shares: pd.DataFrame, recency: Floats) -> Floats:
    """Return what each contributor gives to each row: a part of the row, less for its age and for rare n-grams."""
    contributors = np.bincount(shares["row"], minlength=len(recency))
    given = recency[shares["row"]] / contributors[shares["row"]]
    trusted, who = shares["trusted"].to_numpy(), shares["who"].to_numpy()
    order = np.argsort(who, kind="stable")
    ends = np.flatnonzero(np.diff(who[order], append=-1)) + 1
    for everything in np.split(order, ends[:-1]):
        mine = everything[~trusted[everything]]
        if len(mine) > RARE_ROWS:
            given[mine] *= _rare_factors(rare[shares["row"].to_numpy()[mine]], given[mine])
    return given


def _rare_factors(rare: sp.csr_matrix, given: Floats) -> Floats:
    """Return by what one contributor's rows shrink, so that those that share an n-gram weigh `RARE_ROWS` at most."""
    together = np.bincount(rare.indices, np.repeat(given, np.diff(rare.indptr)))
    factors = np.ones(len(given))
    filled = np.flatnonzero(np.diff(rare.indptr))
    if len(filled):
        most = np.maximum.reduceat(together[rare.indices], rare.indptr[filled])
        factors[filled] = np.minimum(1.0, RARE_ROWS / np.maximum(most, RARE_ROWS))
    return factors
