"""Would the candidate be better without one of its largest contributors? Each is left out in turn, and compared.

The comparison is made on probes, base rows that neither trained the candidate nor judge it, and on canaries: sentences
about the words that a contributor dwells on. Who harms the probes beyond chance, or decides by himself how such a
sentence is answered, is left out, whatever the reason, and the run record says so.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sentiloop import gate
from sentiloop.features import tokenise

from retrain.adapt import Adaptation
from retrain.canaries import SENTENCES, has_moved
from retrain.pipeline import PriorLogisticRegression

Flags = NDArray[np.bool_]
LARGEST = 5  # contributors with most rows, whatever their limits leave of the weight
DWELLING = 5  # rows of one contributor with a word that is not frequent
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
        harmful: whether the candidate is better without them, beyond chance, or words are turned.
        turned: words that this contributor dwells on, and gives a sentiment that they have not without him.
    """

    contributor: str
    rows: int
    weight: float
    changed: float
    better_without: int
    worse_without: int
    harmful: bool
    turned: tuple[str, ...] = ()


def examine(adaptation: Adaptation, learner: PriorLogisticRegression, feedback_weight: float) -> list[Examined]:
    """Return what the largest contributors change; reviewers are not examined."""
    probes = adaptation.probes
    names = [names[0] if len(names) == 1 else "" for names in adaptation.feedback["contributors"]]
    alone = adaptation.feedback.assign(name=names, weight=adaptation.influence.weights(feedback_weight))
    alone = alone[(alone["name"] != "") & ~alone["trusted"].astype(bool)]
    sizes = alone.groupby("name")["weight"].agg(["sum", "size"]).round(6)
    weights = sizes.sort_values(["size", "sum"], ascending=False, kind="stable")["sum"]
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
        turned = _turned(adaptation, alone["text"][alone["name"] == name], without, learner)
        harmful = bool(turned) or gate.mcnemar(better, worse) <= LEVEL / LARGEST
        rows = int((alone["name"] == name).sum())
        changed = float((then != said).mean())
        found.append(Examined(str(name), rows, float(weight), changed, better, worse, bool(harmful), turned))
    return found


def _turned(
    adaptation: Adaptation, texts: Iterable[str], without: PriorLogisticRegression, learner: PriorLogisticRegression
) -> tuple[str, ...]:
    """Return the words that one contributor's texts dwell on and that have another sentiment because of them."""
    rows = Counter(word for text in texts for word in set(tokenise(text)))
    known = adaptation.anchor.model.frequent_words
    words = sorted(
        word for word, count in rows.items() if count >= DWELLING and word[0].isalpha() and word not in known
    )
    if not words:
        return ()
    vectors = adaptation.vectorise([sentence.format(word) for word in words for sentence in SENTENCES])
    labels = np.array(adaptation.labels)
    before, now = (labels[model.decision_function(vectors).argmax(axis=1)] for model in (without, learner))
    moved = np.array([has_moved(str(old), str(new)) for old, new in zip(before, now, strict=True)])
    return tuple(word for word, moves in zip(words, moved.reshape(len(words), -1), strict=True) if moves.any())


def rows_without(adaptation: Adaptation, excluded: Collection[str]) -> Flags:
    """Return which rows of the feedback somebody else than the excluded contributors sent as well."""
    return np.array([bool(set(names) - set(excluded)) for names in adaptation.feedback["contributors"]], bool)
