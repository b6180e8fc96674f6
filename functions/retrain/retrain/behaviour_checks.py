"""Behavioural cases, written for this project: small things that a model should get right whatever it learns.

Cases with a label are right if the model answers it. Cases of several texts differ in a name or a typo only, and are
right if the model gives all of them one label.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from sentiloop import gate
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.gate import Comparison


@dataclass(frozen=True, slots=True)
class Case:
    """Texts that should get one and the same label, and which one, or None if any will do."""

    texts: tuple[str, ...]
    label: str | None = None


def read_cases() -> dict[str, tuple[Case, ...]]:
    """Return the cases by capability."""
    folder = files("retrain") / "behaviour"
    return {
        path.name.removesuffix(".jsonl"): tuple(_case(line) for line in path.read_text("utf-8").splitlines())
        for path in sorted(folder.iterdir(), key=str)
    }


def compare_behaviour(champion: Model, candidate: Model) -> list[Comparison]:
    """Return a comparison a capability, on the cases whose label both models know."""
    labels = set(champion.labels) & set(candidate.labels)
    found = []
    for capability, all_cases in read_cases().items():
        cases = [case for case in all_cases if case.label is None or case.label in labels]
        if cases:
            found.append(gate.compare(capability, passed(champion, cases), passed(candidate, cases)))
    return found


def passed(model: Model, cases: Collection[Case]) -> list[bool]:
    """Return which cases the model passes."""
    texts = [text for case in cases for text in case.texts]
    said = iter(np.array(model.labels)[BulkScorer(model).probabilities(texts).argmax(axis=1)])
    answers = [{next(said) for _ in case.texts} for case in cases]
    return [
        len(given) == 1 and (case.label is None or case.label in given)
        for case, given in zip(cases, answers, strict=True)
    ]


def _case(line: str) -> Case:
    fields = json.loads(line)
    return Case(tuple(fields["texts"])) if "texts" in fields else Case((fields["text"],), fields["label"])
