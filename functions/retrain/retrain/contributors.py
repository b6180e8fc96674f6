"""Would the candidate be better without one of its largest contributors? Each is left out in turn, and compared.

The comparison is made on probes: base rows that neither trained the candidate nor judge it. Who harms them beyond
chance is left out, whatever the reason, and the run record says so.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sentiloop import gate

from retrain.adapt import Adaptation
from retrain.pipeline import PriorLogisticRegression

Flags = NDArray[np.bool_]
LARGEST = 3  # contributors whose rows weigh most
LEVEL = 0.05  # of the test, shared among them


@dataclass(frozen=True, slots=True)
class Examined:
    """What one contributor changes.

    Attributes:
        contributor: who.
        rows: of the training side that only this contributor sent.
        weight: of them together.
        changed: share of the probes that the candidate answers otherwise without them.
        better_without: probes that only the candidate without them gets right.
        worse_without: probes that only the candidate with them gets right.
        harmful: whether the candidate is better without them, beyond chance.
    """

    contributor: str
    rows: int
    weight: float
    changed: float
    better_without: int
    worse_without: int
    harmful: bool


def examine(adaptation: Adaptation, learner: PriorLogisticRegression, feedback_weight: float) -> list[Examined]:
    """Return what the largest contributors change; reviewers are not examined."""
    probes = adaptation.probes
    names = [names[0] if len(names) == 1 else "" for names in adaptation.feedback["contributors"]]
    alone = adaptation.feedback.assign(name=names, weight=adaptation.influence.weights(feedback_weight))
    alone = alone[(alone["name"] != "") & ~alone["trusted"].astype(bool)]
    weights = alone.groupby("name")["weight"].sum().sort_values(ascending=False, kind="stable")
    if probes.empty or len(set(names)) < 2:  # noqa: PLR2004 - without the only contributor nothing is left to compare
        return []
    vectors = adaptation.vectorise(probes["text"])
    truth = np.searchsorted(adaptation.labels, probes["label"])
    said = learner.decision_function(vectors).argmax(axis=1)
    found = []
    for name, weight in weights[:LARGEST].items():
        without = adaptation.fit(feedback_weight, rows_without(adaptation, [str(name)]))
        then = without.decision_function(vectors).argmax(axis=1)
        better, worse = int(((then == truth) & (said != truth)).sum()), int(((then != truth) & (said == truth)).sum())
        harmful = gate.mcnemar(better, worse) <= LEVEL / LARGEST
        rows = int((alone["name"] == name).sum())
        found.append(
            Examined(str(name), rows, float(weight), float((then != said).mean()), better, worse, bool(harmful))
        )
    return found


def rows_without(adaptation: Adaptation, excluded: Collection[str]) -> Flags:
    """Return which rows of the feedback somebody else than the excluded contributors sent as well."""
    return np.array([bool(set(names) - set(excluded)) for names in adaptation.feedback["contributors"]], bool)
