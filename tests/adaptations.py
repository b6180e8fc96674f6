"""Small anchors, feedback and adaptations that the tests of learning share."""

import random
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pandas as pd
from retrain import certainty
from retrain.adapt import Adaptation, Limits
from retrain.anchor import Anchor
from retrain.merge import text_key
from retrain.snapshot import FEEDBACK_SOURCE
from retrain.splits import TRAIN
from retrain.train import Recipe, label_weights, train
from sentiloop.pointer import Target

from tests.builders import LABELS

RECIPE = Recipe(width=2**12, max_iter=200, rehearsal_rows=60)
SAID = {
    "negative": ("awful", "boring", "broken", "terrible", "worst"),
    "neutral": ("monday", "platform", "council", "invoice", "address"),
    "positive": ("lovely", "great", "wonderful", "brilliant", "best"),
}
FILLER = ("the", "a", "this", "that", "it", "film", "phone", "room", "today", "with", "and", "at", "home", "was", "is")
WRONG = 0.15  # share of labels drawn anew, so that the anchor is not sure of everything
SELDOM = "quixotic"  # a word of a single base row
NOW = "2026-03-01T08:00:00.000Z"


def base_table(each: int = 60, seed: int = 0, source: str = "base") -> pd.DataFrame:
    """Return the training side of base data: words that everybody uses, one that its label uses, a few wrong labels."""
    dice = random.Random(seed)
    texts = [
        (
            " ".join([*dice.choices(FILLER, k=dice.randint(3, 8)), dice.choice(SAID[label]), dice.choice(FILLER)]),
            dice.choice(LABELS) if dice.random() < WRONG else label,
        )
        for _ in range(each)
        for label in LABELS
    ]
    table = pd.DataFrame(texts, columns=pd.Index(["text", "label"])).drop_duplicates("text", ignore_index=True)
    about: dict[str, Any] = {"contributors": [()] * len(table), "trusted": False, "received_at": "", "selection": ""}
    return table.assign(key=table["text"].map(text_key), source=source, side=TRAIN, **about)


def feedback_table(said: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return rows of feedback: of each text, label and contributors; and then, if given, whether it is trusted."""
    rows = [
        {
            "key": text_key(text),
            "text": text,
            "label": label,
            "source": FEEDBACK_SOURCE,
            "side": TRAIN,
            "contributors": tuple(contributors),
            "trusted": bool(trusted),
            "received_at": NOW,
            "selection": "label",
        }
        for text, label, contributors, *trusted in said
    ]
    return pd.DataFrame(rows, columns=pd.Index(base_table().columns)).astype({"trusted": bool})


def no_samples() -> pd.DataFrame:
    """Return a table of samples that has none."""
    return samples_table([])


def samples_table(texts: Iterable[str], reason: str = "low_confidence") -> pd.DataFrame:
    """Return samples of the traffic."""
    rows = [(text_key(text), text, reason) for text in texts]
    return pd.DataFrame(rows, columns=pd.Index(["key", "text", "reason"]), dtype="object")


@cache
def small_anchor() -> Anchor:
    """Return an anchor that was trained on the base data and a row with a word seen once; it is made once."""
    rows = pd.concat([base_table(), base_table().head(1).assign(text=f"{SELDOM} film")], ignore_index=True)
    model = train(rows, RECIPE).model("anchor")
    found = certainty.certainty_of(model, rows["text"].tolist(), RECIPE.c * label_weights(rows, RECIPE.balance))
    return Anchor(Target("anchor", "0" * 64), model, found)


def adapt(
    feedback: pd.DataFrame,
    *,
    base: pd.DataFrame | None = None,
    samples: pd.DataFrame | None = None,
    recipe: Recipe = RECIPE,
    max_weight: float = 10.0,
    half_life_days: float | None = None,
) -> Adaptation:
    """Return the adaptation of the small anchor to feedback."""
    rows = pd.concat([base_table() if base is None else base, feedback], ignore_index=True)
    limits = Limits(max_weight, half_life_days)
    return Adaptation(small_anchor(), rows, no_samples() if samples is None else samples, recipe, limits)
