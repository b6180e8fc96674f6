"""Whether the texts of late are those that the served model was trained for: one signal for each thing compared.

A signal becomes a finding if its effect reaches a customary size and chance would hardly make it. Chance is given as
much as `FALSE_ALARMS_A_WEEK` in all looks of a week and all signals together (the union bound), so that it does not
matter how much the looks overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import rel_entr
from sentiloop.settings import Settings

from retrain.measures import Measured
from retrain.reference import SHAPES, Distribution, Reference
from retrain.usual import DIGITS, Usual

Floats = NDArray[np.float64]
FALSE_ALARMS_A_WEEK = 0.05
LOOKS_A_WEEK = 24 * 7
LEVEL = FALSE_ALARMS_A_WEEK / LOOKS_A_WEEK  # of one look, to be shared by all its signals
PSI_BINS = 10
_TWO_SIDED_95 = 1.96
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that was compared.

    Attributes:
        cause: names it, such as `drift-length`.
        value: the size of the effect.
        threshold: the size from which it counts.
        p_value: how probable so large an effect is by chance.
        rows: texts, or other independent things, that it rests on.
        interval: 95 % interval of the value, or None.
        details: further figures.
    """

    cause: str
    value: float
    threshold: float
    p_value: float
    rows: int
    interval: tuple[float, float] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def found(self, level: float) -> bool:
        """Return whether the effect has the size, and chance does not explain it at the level."""
        return self.value >= self.threshold and self.p_value <= level


def compare(reference: Reference, window: Measured, repeated: float, settings: Settings) -> list[Signal]:
    """Return what has changed and by how much, whether it is much or not.

    Args:
        reference: what the model was trained for.
        window: what was measured of recent texts, each of another request.
        repeated: share of them that nearly equal another one.
        settings: the customary sizes.
    """
    signals = [shape_signal(name, reference, getattr(window, name), settings.drift_psi) for name in SHAPES]
    signals.append(labels_signal(reference, window, settings.drift_label_mix))
    signals.append(doubt_signal(reference, window.confidence, settings.drift_confidence_drop))
    signals.append(unseen_signal(reference, window.unseen, settings.drift_unseen))
    if reference.words:
        signals.append(vocabulary_signal(reference, window.words, settings.drift_vocabulary))
    return [*signals, *anomaly_signals(reference.usual, window, repeated, settings.drift_anomalies)]


def shape_signal(name: str, reference: Reference, values: Floats, threshold: float) -> Signal:
    """Compare a distribution: the size is the population stability index, the evidence Kolmogorov and Smirnov's."""
    known, values = reference.distributions[name], values.round(DIGITS)
    edges, expected = reference_bins(known)
    found = np.bincount(np.searchsorted(edges, values), minlength=len(expected)) / len(values)
    index, deviation = map(float, stability_index(expected, found, len(values)))
    distance = ks_distance(known, values)
    details = {
        "ks_distance": distance,
        "mean": float(values.mean()),
        "reference_mean": known.mean,
        "edges": edges.tolist(),
        "shares": found.tolist(),
        "reference_shares": expected.tolist(),
    }
    p_value = ks_p_value(distance, len(values), reference.rows)
    return Signal(f"drift-{name}", index, threshold, p_value, len(values), around(index, deviation), details)


def reference_bins(known: Distribution) -> tuple[Floats, Floats]:
    """Return the upper edges of all but the last of ten quantile bins, and the shares; equal quantiles join bins."""
    cumulative = np.array(known.cumulative)
    at = np.unique(np.searchsorted(cumulative, np.arange(1, PSI_BINS) / PSI_BINS - _TINY))
    at = at[cumulative[at] < 1 - _TINY]
    return np.array(known.points)[at], np.diff(cumulative[at], prepend=0.0, append=1.0)


def stability_index(expected: Floats, found: Floats, rows: int | NDArray[np.int64]) -> tuple[Any, Any]:
    """Return the population stability index of shares found in so many rows, and its standard error.

    Half a row is added to each bin, so that an empty one is no infinite surprise.

    Args:
        expected: shares of B bins in the reference.
        found: those found, B or m x B of them; there is a result for each row of these.
        rows: how many rows they were found in.
    """
    smooth = (found * rows + 0.5) / (rows + 0.5 * len(expected))
    ratio = np.log(smooth / expected)
    slope = ratio + 1 - expected / smooth
    variance = ((smooth * slope**2).sum(axis=-1) - (smooth * slope).sum(axis=-1) ** 2) / rows
    return ((smooth - expected) * ratio).sum(axis=-1), np.sqrt(np.maximum(variance, 0.0))


def ks_distance(known: Distribution, values: Floats) -> float:
    """Return the largest distance of the distribution functions at the points of the reference."""
    up_to = np.searchsorted(np.sort(values), known.points, side="right") / len(values)
    return float(np.abs(up_to - known.cumulative).max())


def ks_p_value(distance: float, rows: int, reference_rows: int) -> float:
    """Return the asymptotic two-sample p-value, which is on the safe side for values that tie."""
    return float(stats.kstwobign.sf(distance * np.sqrt(rows * reference_rows / (rows + reference_rows))))


def labels_signal(reference: Reference, window: Measured, threshold: float) -> Signal:
    """Compare the model's answers: the size is the largest change of a label's share."""
    known = np.array(list(reference.labels.values()))
    found = np.bincount(window.said, minlength=len(known)) / len(window)
    change = np.abs(found - known)
    most = int(change.argmax())
    deviation = _share_deviation(found[most], len(window), known[most], reference.rows)
    p_values = _share_p_values(change, found, len(window), known, reference.rows)
    p_value = min(1.0, len(known) * 2 * float(p_values.min()))
    details = {
        "label": list(reference.labels)[most],
        "shares": dict(zip(reference.labels, found.tolist(), strict=True)),
        "reference_shares": dict(reference.labels),
    }
    interval = around(change[most], deviation)
    return Signal("drift-labels", float(change[most]), threshold, p_value, len(window), interval, details)


def doubt_signal(reference: Reference, confidence: Floats, threshold: float) -> Signal:
    """Compare the mean confidence: the size is its fall, as a part of the reference's."""
    known = reference.distributions["confidence"]
    fall, deviation = known.mean - float(confidence.mean()), _mean_deviation(known, confidence, reference.rows)
    details = {"mean": float(confidence.mean()), "reference_mean": known.mean}
    interval = around(fall / known.mean, deviation / known.mean)
    p_value = float(stats.norm.sf(fall / deviation))
    return Signal("drift-doubt", fall / known.mean, threshold, p_value, len(confidence), interval, details)


def unseen_signal(reference: Reference, unseen: Floats, threshold: float) -> Signal:
    """Compare the share of words that are not known from the training data, as a mean over texts."""
    known = reference.distributions["unseen"]
    rise, deviation = float(unseen.mean()) - known.mean, _mean_deviation(known, unseen, reference.rows)
    details = {"mean": float(unseen.mean()), "reference_mean": known.mean}
    p_value = float(stats.norm.sf(rise / deviation))
    return Signal("drift-unseen", rise, threshold, p_value, len(unseen), around(rise, deviation), details)


def vocabulary_signal(reference: Reference, words: NDArray[np.float32], threshold: float) -> Signal:
    """Compare the shares of the most frequent words.

    The size is the Jensen-Shannon distance, less what chance brings to it; the evidence is that of the word that
    changed most beyond chance, times the number of words. Every text counts alike, however long it is.
    """
    known, known_deviation = np.array(list(reference.words.values())).T
    found = words.mean(axis=0, dtype=np.float64)
    own = np.maximum(words.var(axis=0, dtype=np.float64), known_deviation**2)  # a word that did not come up varies, too
    variance = own / len(words) + known_deviation**2 / reference.rows
    with_rest = [np.append(shares, max(1 - shares.sum(), 0.0)) for shares in (known, found)]
    middle = (with_rest[0] + with_rest[1]) / 2
    divergence = sum(float(rel_entr(shares, middle).sum()) for shares in with_rest) / 2 / np.log(2)
    by_chance = float((variance / np.maximum(middle[:-1], _TINY)).sum()) / (8 * np.log(2))
    scores = (found - known) / np.sqrt(np.maximum(variance, _TINY / len(words)))
    names = list(reference.words)
    moved = [
        {"word": names[at], "share": float(found[at]), "reference_share": float(known[at])}
        for at in np.argsort(-np.abs(scores), kind="stable")[:10]
    ]
    p_value = min(1.0, len(known) * 2 * float(stats.norm.sf(np.abs(scores).max())))
    distance = float(np.sqrt(max(divergence - by_chance, 0.0)))
    return Signal("drift-vocabulary", distance, threshold, p_value, len(words), details={"words": moved})


def anomaly_signals(usual: Usual, window: Measured, repeated: float, threshold: float) -> Iterator[Signal]:
    """Yield the shares of texts that are abnormally long, in another alphabet, or alike, less what is usual."""
    if not usual.rows:
        return
    strange = [not usual.knows(alphabet) for alphabet in window.alphabet.tolist()]
    for cause, share, known in (
        ("anomaly-length", float((window.length > usual.longest).mean()), usual.longer),
        ("anomaly-alphabet", float(np.mean(strange)), usual.strange_share()),
        ("anomaly-repetition", repeated, usual.repeated),
    ):
        rise, deviation = share - known, _share_deviation(share, len(window), known, usual.rows)
        p_value = float(_share_p_values(np.array([rise]), np.array([share]), len(window), known, usual.rows)[0])
        details = {"share": share, "reference_share": known}
        yield Signal(cause, rise, threshold, p_value, len(window), around(rise, deviation), details)


def _share_p_values(rise: Floats, share: Any, rows: int, known: Any, reference_rows: int) -> Floats:
    """Return one-sided p-values of the two-sample test of proportions."""
    pooled = (share * rows + known * reference_rows) / (rows + reference_rows)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / reference_rows))
    return np.asarray(stats.norm.sf(rise / np.maximum(deviation, _TINY)))


def _share_deviation(share: float, rows: int, known: float, reference_rows: int) -> float:
    return float(np.sqrt(share * (1 - share) / rows + known * (1 - known) / reference_rows))


def _mean_deviation(known: Distribution, values: Floats, reference_rows: int) -> float:
    variance = max(float(values.var()), known.deviation**2) / len(values) + known.deviation**2 / reference_rows
    return max(float(np.sqrt(variance)), _TINY)


def around(value: float, deviation: float) -> tuple[float, float]:
    """Return the 95 % interval of an estimate, given its standard error."""
    return float(value - _TWO_SIDED_95 * deviation), float(value + _TWO_SIDED_95 * deviation)
