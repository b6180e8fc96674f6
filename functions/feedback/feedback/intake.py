"""Storing each correction exactly once, and finding it again.

With an Idempotency-Key the id follows from the contributor and the key, so that a retry meets what the first try
stored. The id holds the day; a retry just after midnight therefore looks at the day before as well, and a merge counts
an id once even if two instances with different clocks stored it on two days.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from sentiloop.errors import (
    IdempotencyConflictError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ReceiptNotFoundError,
    StorageUnavailableError,
    WriteConflictError,
)
from sentiloop.receipts import correction_id, correction_key, day_of, read_outcome
from sentiloop.records import Correction, now, timestamp, to_json
from sentiloop.settings import Secret
from sentiloop.storage import ObjectStore


class Intake:
    """Corrections on their way into the bucket.

    Args:
        store: where `feedback/` and `receipts/` are.
        key: the secret that ids and contributors are hashed with.
        clock: returns the present moment.
    """

    def __init__(self, store: ObjectStore, key: Secret, clock: Callable[[], datetime] = now) -> None:
        self._store = store
        self._key = key
        self._clock = clock

    def store(self, body: Mapping[str, Any], contributor: str, idempotency_key: str | None) -> Correction:
        """Store a correction and return it; for a retry return what is stored already.

        Raises:
            IdempotencyConflictError: the key came before with another body.
            StorageUnavailableError: nothing is known to be stored; the same request may be sent again.
        """
        moment = self._clock()
        digest = self._digest(contributor, idempotency_key)
        correction = Correction(
            id=correction_id(moment.date(), digest),
            received_at=timestamp(moment),
            contributor=contributor,
            source="user",
            request_digest=sha256(to_json(dict(body))).hexdigest(),
            **body,
        )
        if idempotency_key is not None:
            before = self._read(correction_id(_day_before(moment), digest))
            if before:
                return _same_request(before, correction)
        return self._create(correction)

    def find(self, correction: str) -> tuple[Correction | None, dict[str, Any]]:
        """Return a stored correction and what became of it; of an erased one there is the moment of that, and no more.

        Raises:
            ReceiptNotFoundError: nothing is or was stored under that id.
        """
        known = day_of(correction) is not None
        stored = self._read(correction) if known else None
        outcome = read_outcome(self._store, correction) if known else {}
        erased = outcome.pop("erased", "")
        if stored is not None and stored.received_at > erased:
            return stored, outcome
        if not erased:
            raise ReceiptNotFoundError(f"no correction {correction[:60]!r}")
        return None, {"erased": erased}

    def _create(self, correction: Correction) -> Correction:
        try:
            self._store.put(correction_key(correction.id), correction.to_line(), if_absent=True)
        except (PreconditionFailedError, WriteConflictError) as refusal:
            # Either a retry by the caller, or one inside the storage client of a write whose reply was lost.
            stored = self._read(correction.id)
            if stored is None:
                raise StorageUnavailableError("the write met another one and left nothing") from refusal
            return _same_request(stored, correction)
        return correction

    def _read(self, correction: str) -> Correction | None:
        try:
            body = self._store.get(correction_key(correction)).body
        except ObjectNotFoundError:
            return None
        return Correction.from_line(body)

    def _digest(self, contributor: str, idempotency_key: str | None) -> str:
        if idempotency_key is None:
            return secrets.token_hex(16)
        named = json.dumps([contributor, idempotency_key])
        return hmac.new(self._key.reveal(), named.encode(), "sha256").hexdigest()[:32]


def _same_request(stored: Correction, correction: Correction) -> Correction:
    if stored.request_digest != correction.request_digest:
        raise IdempotencyConflictError("this Idempotency-Key was used with another body")
    return stored


def _day_before(moment: datetime) -> date:
    return moment.date() - timedelta(days=1)
