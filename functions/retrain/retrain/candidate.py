"""Step 4 as a whole: what a candidate is made with, chosen once and kept, and the candidate made with it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sentiloop.errors import ObjectNotFoundError
from sentiloop.records import to_json
from sentiloop.storage import ObjectStore, create

from retrain.adapt import Adaptation
from retrain.canaries import mentions
from retrain.contributors import examine, rows_without
from retrain.search import choose, out_of_fold
from retrain.train import Trained
from retrain.without import Without


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen on the training rows.

    Attributes:
        feedback_weight: what a row of feedback weighs.
        without: what is left out.
        found: how it was chosen, for the run record.
    """

    feedback_weight: float
    without: Without
    found: Mapping[str, Any]


def choice_for(store: ObjectStore, key: str, adaptation: Adaptation, seconds: float) -> Choice:
    """Return what was chosen under this key before, or choose now and keep it.

    How far a search comes in its seconds is up to the machine. A run that is repeated has to make the same candidate,
    so the first choice stands.
    """
    try:
        body = store.get(key).body
    except ObjectNotFoundError:
        create(store, key, to_json(asdict(_choose(adaptation, seconds))))
        body = store.get(key).body
    fields = json.loads(body)
    return Choice(fields["feedback_weight"], Without.from_fields(fields["without"]), fields["found"])


def make_candidate(adaptation: Adaptation, feedback_weight: float, without: Without) -> Trained:
    """Return the candidate; equal arguments give equal bytes."""
    keep = rows_without(adaptation, without.contributors)
    if without.names:
        keep &= ~np.array(mentions(adaptation.feedback["text"], without.names), bool)
    return adaptation.packed(adaptation.fit(feedback_weight, keep))


def cross_fitted(adaptation: Adaptation, feedback_weight: float) -> dict[str, str]:
    """Return, by key, how models label feedback that learned like the candidate, but not from these rows."""
    probabilities = out_of_fold(adaptation, feedback_weight)
    held = ~np.isnan(probabilities[:, 0])
    said = np.array(adaptation.labels)[probabilities[held].argmax(axis=1)]
    return dict(zip(adaptation.feedback["key"][held], said.tolist(), strict=True))


def _choose(adaptation: Adaptation, seconds: float) -> Choice:
    chosen = choose(adaptation, adaptation.recipe.feedback_weights, seconds)
    examined = examine(adaptation, chosen.learner, chosen.feedback_weight)
    return Choice(
        chosen.feedback_weight,
        Without(contributors=tuple(sorted(entry.contributor for entry in examined if entry.harmful))),
        {"weights": list(chosen.tried), "contributors": [asdict(entry) for entry in examined]},
    )
