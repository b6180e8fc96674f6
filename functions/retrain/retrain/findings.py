"""What is done about each cause, and what is said of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from retrain.drift import LEVEL, Signal

Action = Literal["retrain", "alert", "both"]
CLEAR_BELOW = 0.8  # part of the threshold below which a cause is over; in between it stays what it was
BROKEN = "champion-broken"  # the one cause that is no matter of figures
LOOK = "the newest checks/…/report.html in the bucket; docs/operations.md says what to do"
NO_EVIDENCE = 0.05  # or the p-value above which there is nothing to see


class Cause(NamedTuple):
    """What is done about it, a title, and a sentence with places for the figures of the signal."""

    action: Action
    title: str
    sentence: str


CAUSES = {
    "stale-accuracy": Cause(
        "both",
        "The model has become less accurate",
        "Of {rows} texts kept by chance that reviewers labelled, {accuracy:.1%} are answered right; on its held-out "
        "rows it was {reference_accuracy:.1%}.",
    ),
    "stale-macro-f1": Cause(
        "both",
        "The macro F1 is low",
        "On {rows} texts kept by chance that reviewers labelled, the macro F1 is {macro_f1:.3f}; on its held-out rows "
        "it was {reference_macro_f1:.3f}.",
    ),
    "stale-reports": Cause(
        "both",
        "More people report mistakes",
        "{people} people reported mistakes among {answers} answers, and {first_people} among {first_answers} in the "
        "version's first days. If people are as ready to report as they were, the accuracy fell by {value:.1%}.",
    ),
    "drift-doubt": Cause(
        "both",
        "The model has become less sure",
        "The mean confidence is {mean:.3f}, and {reference_mean:.3f} in the reference: a fall of {value:.1%}.",
    ),
    "drift-unseen": Cause(
        "both",
        "Texts have words that the model never saw",
        "Of a text's words {mean:.1%} are unknown, and {reference_mean:.1%} in the reference.",
    ),
    "drift-vocabulary": Cause(
        "both",
        "The words of the texts have changed",
        "The Jensen-Shannon distance of the most frequent words' shares is {value:.3f} (limit {threshold:g}).",
    ),
    "drift-length": Cause(
        "alert",
        "The length of the texts has changed",
        "A text has {mean:.1f} words, and {reference_mean:.1f} in the reference; the population stability index is "
        "{value:.2f} (limit {threshold:g}).",
    ),
    "drift-confidence": Cause(
        "alert",
        "The distribution of the confidence has changed",
        "The population stability index is {value:.2f} (limit {threshold:g}); the mean is {mean:.3f}, and "
        "{reference_mean:.3f} in the reference.",
    ),
    "drift-score": Cause(
        "alert",
        "The distribution of the score has changed",
        "The population stability index is {value:.2f} (limit {threshold:g}); the mean is {mean:.3f}, and "
        "{reference_mean:.3f} in the reference.",
    ),
    "drift-labels": Cause(
        "alert",
        "The mix of the answers has changed",
        "The share of {label} changed by {value:.1%} of all answers (limit {threshold:.0%}).",
    ),
    "anomaly-length": Cause(
        "alert",
        "Many texts are abnormally long",
        "{share:.1%} of the texts are longer than 99 % of the reference.",
    ),
    "anomaly-alphabet": Cause(
        "alert",
        "Many texts are in another alphabet",
        "{share:.1%} of the texts are in an alphabet that the model hardly knows; it was {reference_share:.1%}.",
    ),
    "anomaly-repetition": Cause(
        "alert",
        "Many texts are nearly the same",
        "{share:.1%} of the texts nearly equal another one; in the reference it is {reference_share:.1%}.",
    ),
    "errors": Cause(
        "alert",
        "Requests fail",
        "{count} of {rows} requests of the last hours failed on the service's side: {value:.1%} "
        "(limit {threshold:.0%}).",
    ),
    "latency": Cause(
        "alert",
        "Answers are slow",
        "The 95th percentile of {rows} predictions of the last hours is {value:.0f} ms (limit {threshold:.0f} ms).",
    ),
    "quarantine": Cause(
        "alert",
        "The quarantine fills up",
        "{count} of {rows} new corrections went to quarantine: {value:.1%} (limit {threshold:.0%}).",
    ),
}
SHARE_OF_LEVEL = LEVEL / len(CAUSES)  # what chance is given in one signal of one look


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        cause: names it; the same as long as it is.
        action: what it is cause for.
        title: what happened, in a line.
        sentence: the same with the figures that matter.
        figures: all figures.
        command: what to type, or where to look closer.
    """

    cause: str
    action: Action
    title: str
    sentence: str
    figures: dict[str, Any]
    command: str = LOOK


def findings_of(signals: Iterable[Signal]) -> list[Finding]:
    """Return the findings among signals."""
    return [_finding(signal) for signal in signals if signal.found(SHARE_OF_LEVEL)]


def broken_champion(version: str, why: str) -> Finding:
    """Return the finding that the files of the served version are gone, or not what they were."""
    return Finding(
        BROKEN,
        "alert",
        f"The files of {version}, which is served, cannot be read",
        f"{why}. Running instances still answer with it; new ones cannot load it, nor can a retrain start from it. "
        "Restore the files, or go back to the version before.",
        {},
        f"./sentiloop models rollback --from {version}",
    )


def is_settled(signal: Signal) -> bool:
    """Return whether a signal says that its cause is there or is over; near the threshold it says neither.

    Otherwise a figure that lies near its threshold would open and close an alert every other hour.
    """
    over = signal.value < CLEAR_BELOW * signal.threshold or signal.p_value > NO_EVIDENCE
    return over or signal.found(SHARE_OF_LEVEL)


def figures_of(signal: Signal) -> dict[str, Any]:
    """Return what JSON says of a signal."""
    interval = {"interval": list(signal.interval)} if signal.interval else {}
    figures = {name: getattr(signal, name) for name in ("value", "threshold", "p_value", "rows")}
    return {**figures, **interval, **signal.details}


def _finding(signal: Signal) -> Finding:
    cause, figures = CAUSES[signal.cause], figures_of(signal)
    return Finding(signal.cause, cause.action, cause.title, cause.sentence.format(**figures), figures)
