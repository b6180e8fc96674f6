"""Whether the served model is as good as it was: on labels that are a fair sample, and by what its users report.

People report mistakes, so the share of right answers among corrections says nothing. Fair are a reviewer's labels of
samples kept by chance; they give accuracy and macro F1. Where these are few, the number of people who report a mistake,
for each answer of the model, is held against that of its first days: if people are as ready to report as they were, its
rise is that of the mistakes. People are counted and not reports, so a few that are angry count as few.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sentiloop.artefact import Model
from sentiloop.records import REVIEWER, Correction, Sample
from sentiloop.settings import Settings

from retrain.drift import Signal, around
from retrain.reference import Reference, confusion_of

Ints = NDArray[np.int64]
RESAMPLES = 1_000
_INTERVAL = 0.95


@dataclass(frozen=True, slots=True)
class Reports:
    """Mistakes that users reported of a version's answers in some days.

    Attributes:
        reports: how many.
        people: how many contributors sent them.
        answers: texts that the version answered in these days.
    """

    reports: int
    people: int
    answers: int


def fair_labels(samples: Sequence[Sample], corrections: Sequence[Correction], model: Model) -> dict[str, str]:
    """Return true labels by text: the latest that reviewers gave to samples by chance, less what the model learned."""
    by_chance = {sample.id: sample.text for sample in samples}
    learned_until = model.manifest.get("data", {}).get("feedback", {}).get("newest", "")
    return {
        by_chance[entry.prediction_id]: entry.correct_label
        for entry in sorted(corrections, key=lambda entry: entry.received_at)
        if entry.source == REVIEWER
        and entry.prediction_id in by_chance
        and entry.correct_label in model.labels
        and entry.received_at > learned_until
    }


def fair_signals(model: Model, reference: Reference, truth: Mapping[str, str], settings: Settings) -> Iterator[Signal]:
    """Yield the fall of accuracy, and the lack of macro F1, on fair labels by text.

    A model whose macro F1 never was `stale_macro_f1` is held against its own: to be poor is not to be stale.
    """
    if not truth or not reference.confusion.sum():
        return
    found, known = confusion_of(model, list(truth), list(truth.values())), reference.confusion
    fall, deviation = _accuracy(known) - _accuracy(found), _spread(_accuracy, found, known)
    yield Signal(
        cause="stale-accuracy",
        value=fall,
        threshold=settings.stale_accuracy_drop,
        p_value=float(stats.norm.sf(fall / deviation)),
        rows=len(truth),
        interval=around(fall, deviation),
        details={"accuracy": _accuracy(found), "reference_accuracy": _accuracy(known)},
    )
    lack, most = 1 - macro_f1(found), 1 - min(settings.stale_macro_f1, macro_f1(known))
    deviation = _spread(macro_f1, found, known)
    yield Signal(
        cause="stale-macro-f1",
        value=lack,
        threshold=most,
        p_value=float(stats.norm.sf((lack - most) / deviation)),
        rows=len(truth),
        interval=around(lack, deviation),
        details={"macro_f1": macro_f1(found), "reference_macro_f1": macro_f1(known)},
    )


def count_reports(corrections: Sequence[Correction], version: str, answers: int) -> Reports:
    """Return the mistakes that users report of a version's answers."""
    mistakes = [
        entry
        for entry in corrections
        if entry.model_version == version
        and entry.source != REVIEWER
        and entry.predicted_label not in (None, entry.correct_label)
    ]
    return Reports(len(mistakes), len({entry.contributor for entry in mistakes}), answers)


def reports_signals(now: Reports, first: Reports, reference: Reference, threshold: float) -> Iterator[Signal]:
    """Yield the fall of accuracy that a rise of the reports since the first days comes to; nothing without answers.

    The test is the exact conditional one of two Poisson rates.
    """
    if not now.answers or not first.answers or not reference.confusion.sum():
        return
    people, error = now.people + first.people, 1 - _accuracy(reference.confusion)
    expected = now.answers / (now.answers + first.answers)
    low, high = stats.binomtest(now.people, people).proportion_ci(_INTERVAL, "exact") if people else (0.0, 1.0)

    def fall(share: float) -> float:
        """Translate the share of the people who reported lately into a fall of accuracy."""
        ratio = share / max(1 - share, 0.5 / (people + 1)) * first.answers / now.answers
        return float(min(error * (ratio - 1), 1.0))

    yield Signal(
        cause="stale-reports",
        value=fall(now.people / people) if people else 0.0,
        threshold=threshold,
        p_value=float(stats.binom.sf(now.people - 1, people, expected)),
        rows=now.reports,
        interval=(fall(low), fall(high)),
        details={
            "people": now.people,
            "answers": now.answers,
            "first_people": first.people,
            "first_answers": first.answers,
            "reference_accuracy": 1 - error,
        },
    )


def macro_f1(confusion: NDArray[Any]) -> float:
    """Return the mean F1 of the labels that occur, of K x K counts of true by given labels."""
    right, true, said = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    present = true > 0
    return float((2 * right[present] / (true + said)[present]).mean())


def _accuracy(confusion: NDArray[Any]) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _spread(figure: Callable[[NDArray[Any]], float], *confusions: Ints) -> float:
    """Return the standard deviation of the difference of a figure of resampled rows, by the bootstrap."""
    dice = np.random.default_rng(0)
    variance = 0.0
    for confusion in confusions:
        rows = int(confusion.sum())
        occurs = confusion.sum(axis=1, keepdims=True) > 0
        smooth = (confusion + occurs / confusion.size).ravel()  # where no error was seen, some are possible
        drawn = dice.multinomial(rows, smooth / smooth.sum(), RESAMPLES).reshape(-1, *confusion.shape)
        variance += float(np.var([figure(each) for each in drawn]))
    return float(np.sqrt(variance))
