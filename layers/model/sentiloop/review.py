"""A reviewer's answers about samples: each is stored once, as feedback, and its sample is not asked about again.

A sample that was answered has a history under `reviews/`, of immutable entries 1, 2, 3 …: an answer, its undo, the next
answer. Creation is conditional, so of two answers at once one wins. The entry is written first, and the correction that
follows from it second; the same answer again finishes what was cut short.

The correction's id holds the day of the answer, not the sample's: a retrain reads feedback by day, from the newest on.
"""

import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sentiloop.errors import InvalidRequestError, SentiloopError, StorageUnavailableError, WriteConflictError
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import Correction, Sample, now, timestamp, to_json
from sentiloop.review_queue import Question, questions
from sentiloop.review_samples import KeptSamples, history_prefix
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, create

Action = Literal["accept", "correct", "skip", "undo"]

REVIEWER = "reviewer"  # who answers, where nobody gives a name
ATTEMPTS = 5


class ReviewConflictError(SentiloopError):
    """Raise when an answer does not fit what was answered before."""

    code = "review_conflict"
    status = 409
    hint = 'Send {"action": "undo"} first, then the other answer.'


@dataclass(frozen=True, slots=True)
class Label:
    """A label that a reviewer gave: the correction that holds it, and that correction's contributor."""

    value: str
    correction: str
    contributor: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a sample's history.

    Attributes:
        action: what the reviewer did.
        at: when, written as in a record.
        reviewer: keyed hash of the reviewer's name.
        label: what accept and correct say; None for a skip and an undo.
    """

    action: Action
    at: str
    reviewer: str
    label: Label | None = None

    @classmethod
    def from_bytes(cls, body: bytes) -> "Entry":
        """Read an entry."""
        values = json.loads(body)["entry"]
        label = values.pop("label")
        return cls(label=Label(**label) if label else None, **values)

    def to_bytes(self) -> bytes:
        """Write the entry as JSON."""
        return to_json({"schema": "review/1", "entry": asdict(self)})


class Review:
    """Asks about samples and stores the answers.

    Args:
        store: where `samples/`, `reviews/` and `feedback/` are.
        settings: how many samples to choose from, and the key that reviewers' names are hashed with.
        labels: what an answer may say.
        clock: returns the present moment.
    """

    def __init__(
        self, store: ObjectStore, settings: Settings, labels: Sequence[str], clock: Callable[[], datetime] = now
    ) -> None:
        self.labels = tuple(labels)
        self._store = store
        self._samples = KeptSamples(store, settings.review_max_samples, clock)
        self._key = settings.contributor_key
        self._clock = clock

    def queue(self, limit: int) -> tuple[list[Question], int]:
        """Return the next questions, at most `limit`, and how many samples wait; near-equal ones count once."""
        return questions(self._samples.newest(), limit)

    def answer(
        self, sample_id: str, action: Action, correct_label: str | None = None, reviewer: str = REVIEWER
    ) -> Entry:
        """Store an answer and return it; for the same answer again return what is stored.

        After an undo the sample is asked about again. Until it is answered anew, the label that was given counts.

        Args:
            sample_id: as in a question.
            action: accept the predicted label, correct it, skip the sample, or undo the answer.
            correct_label: for `correct` only.
            reviewer: who answers.

        Raises:
            SampleNotFoundError: there is no such sample, or it has expired.
            InvalidRequestError: action and label do not go together, or there is no such label.
            ReviewConflictError: the sample was answered in another way, or there is nothing to undo.
            StorageUnavailableError: nothing is known to be stored; the same answer may be sent again.
        """
        sample = self._samples.find(sample_id)
        label = self._label(sample, action, correct_label)
        for _ in range(ATTEMPTS):
            history = self._history(sample_id)
            entry = _repeated(history, action, label)
            if entry is None:
                entry = self._next(sample_id, history, action, label, reviewer)
                key = f"{history_prefix(sample_id)}{len(history) + 1:04d}.json"
                if not self._create(key, entry.to_bytes()):
                    continue  # the history tells whose came first, which may be this one's: its reply can be lost
            if entry.label is None or self._store_correction(sample, entry.label, entry.at):
                return entry
        raise StorageUnavailableError("storage could not order this answer and others to the same sample")

    def _label(self, sample: Sample, action: Action, correct_label: str | None) -> str | None:
        if (correct_label is not None) != (action == "correct"):
            raise InvalidRequestError(
                "correct_label: goes with the action correct, and with that alone", "Send both or neither."
            )
        label = sample.label if action == "accept" else correct_label
        if label is not None and label not in self.labels:
            raise InvalidRequestError(
                f"correct_label: not one of {', '.join(self.labels)}", "GET /v1/model_info lists the labels."
            )
        return label

    def _history(self, sample_id: str) -> list[Entry]:
        keys = self._store.keys(history_prefix(sample_id))
        return [Entry.from_bytes(self._store.get(key).body) for key in keys]

    def _next(
        self, sample_id: str, history: Sequence[Entry], action: Action, label: str | None, reviewer: str
    ) -> Entry:
        moment, who = self._clock(), self._hash(f"reviewer:{reviewer}")
        if label is None:
            return Entry(action, timestamp(moment), who)
        correction = correction_id(moment.date(), self._hash(f"review:{sample_id}:{len(history) + 1}"))
        # Of one contributor's labels of a text the latest counts: under the first one's contributor this replaces it.
        contributor = next((entry.label.contributor for entry in history if entry.label), who)
        return Entry(action, timestamp(moment), who, Label(label, correction, contributor))

    def _hash(self, value: str) -> str:
        return hmac.new(self._key.reveal(), value.encode(), "sha256").hexdigest()[:32]

    def _store_correction(self, sample: Sample, label: Label, at: str) -> bool:
        """Return whether the correction is stored, now or before."""
        correction = Correction(
            id=label.correction,
            received_at=at,
            text=sample.text,
            correct_label=label.value,
            contributor=label.contributor,
            source="reviewer",
            predicted_label=sample.label,
            confidence=sample.confidence,
            model_version=sample.model_version,
            prediction_id=sample.id,
        )
        return self._create(correction_key(correction.id), correction.to_line()) is not None

    def _create(self, key: str, body: bytes) -> bool | None:
        """Return whether the object was written, or None if storage could not tell."""
        try:
            return create(self._store, key, body)
        except WriteConflictError:
            return None


def _repeated(history: Sequence[Entry], action: Action, label: str | None) -> Entry | None:
    """Return the entry that says the same already, or None if there is something to write.

    Raises:
        ReviewConflictError: the answer does not fit what was answered before.
    """
    last = history[-1] if history else None
    decided = last is not None and last.action != "undo"
    if action == "undo":
        if last is None:
            raise ReviewConflictError("there is no answer to undo", "Answer it first.")
        return None if decided else last
    if last is not None and decided:
        before = last.label.value if last.label else None
        if before != label:
            raise ReviewConflictError(f"the answer was: {before or last.action}")
        return last
    if action == "skip" and any(entry.label for entry in history):
        message = "it was given a label, which can be replaced but not taken back"
        raise ReviewConflictError(message, "Accept the predicted label or correct it.")
    return None
