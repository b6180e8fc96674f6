"""What tests make things of: small models with random weights, corrections, and texts of any Unicode."""

import os
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from sentiloop import artefact
from sentiloop.artefact import Model
from sentiloop.pointer import Target
from sentiloop.records import Correction, Sample

ROOT = Path(__file__).parents[1]
TEST_DATA = Path(os.environ.get("SENTILOOP_TEST_DATA") or ROOT.parent / "shared" / "data")
LABELS = ("negative", "neutral", "positive")
VERSION = "v-test"
_INT_LIMITS = {"int8": 127, "int16": 32_767}


@dataclass(frozen=True, slots=True)
class BuiltModel:
    """A model with the two files that it was loaded from."""

    model: Model
    manifest: bytes
    weights: bytes

    @property
    def target(self) -> Target:
        """What the pointer would say of it."""
        return Target(self.model.version, sha256(self.manifest).hexdigest())


def make_weights(columns: int, width: int = 1024, seed: int = 0, item_type: str = "int8") -> bytes:
    """Return a table of random integers; the last column holds values, of which some are zero as for unseen terms."""
    dice = random.Random(seed)
    limit = _INT_LIMITS[item_type]
    table = array("b" if item_type == "int8" else "h")
    for _ in range(width):
        table.extend(dice.randint(-limit, limit) for _ in range(columns - 1))
        table.append(dice.choice((0, dice.randint(1, limit), dice.randint(1, limit))))
    return table.tobytes()


def make_manifest(labels: Sequence[str] = LABELS, width: int = 1024, **fields: Any) -> dict[str, Any]:
    """Return what `artefact.dump` needs to know of such weights; `fields` replace and add."""
    return {
        "version": VERSION,
        "labels": list(labels),
        "width": width,
        "scales": [0.01 * (number + 1) for number in range(len(labels))] + [0.02],
        "bias": [0.1 * number for number in range(len(labels))],
        "low_confidence": 0.55,
        **fields,
    }


def make_model(
    labels: Sequence[str] = LABELS, width: int = 1024, seed: int = 0, item_type: str = "int8", **fields: Any
) -> BuiltModel:
    """Return a model with random weights; `fields`, such as version or data, go into its manifest."""
    weights = make_weights(len(labels) + 1, width, seed, item_type)
    manifest = artefact.dump(make_manifest(labels, width, **fields), weights, item_type)
    return BuiltModel(artefact.load(manifest, weights), manifest, weights)


def make_correction(number: int = 0, **fields: Any) -> Correction:
    """Return a valid correction; `number` tells corrections apart by id and time, `fields` replace the rest."""
    hours, minutes = divmod(number // 60, 60)
    moment = f"2026-03-01T{hours:02d}:{minutes:02d}:{number % 60:02d}.000Z"
    given = {
        "id": f"fb-20260301-{number:032x}",
        "received_at": moment,
        "text": f"text number {number}",
        "correct_label": "positive",
        "contributor": "somebody",
        "source": "user",
        **fields,
    }
    return Correction(**given)


def make_sample(number: int = 0, **fields: Any) -> Sample:
    """Return a valid sample of a doubtful prediction; `number` tells samples apart by id, `fields` replace the rest."""
    given = {
        "id": f"pr-{number:024x}",
        "received_at": "2026-03-01T08:00:00.000Z",
        "text": f"text number {number}",
        "label": "neutral",
        "confidence": 0.4,
        "probabilities": {"negative": 0.25, "neutral": 0.4, "positive": 0.35},
        "model_version": VERSION,
        "reason": "low_confidence",
        **fields,
    }
    return Sample(**given)


_NEGATING = ["not", "never", "don't", "DON’T", "can`t", "cannot"]
_CASED = ["good", "Bad", "ﬁne", "STRASSE", "straße", "İstanbul", "é", "e\u0301", "x" * 60, "中文"]
_MARKS = ["!", "?", "!?", "'", "‘", "’", "`", "it's", "_", "1.5", "🎉", "\u200d", "\x02", "\x03", "\n", "\ud800"]
WORDS = st.sampled_from([*_NEGATING, *_CASED, *_MARKS])
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(WORDS, max_size=14).map(" ".join),
    st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=14).map(" ".join),
)
"""Texts of any Unicode, of words that the feature function treats specially, and of both; lone surrogates included."""
