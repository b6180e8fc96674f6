"""What was erased, as the runs see it: tombstones, which nothing is ever learned from again, and marks on models.

A tombstone is immutable and holds no text. `retrain.erase` writes it before it deletes anything, so a correction stays
out of training even if its object comes back, out of a backup for example.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256

from sentiloop.records import Correction, to_json
from sentiloop.registry import MARK, version_key
from sentiloop.storage import ObjectStore, create

ERASURES = "erasures/"
ERASED = "learned from corrections that were erased since"  # why a champion has to go


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request to erase corrections.

    Attributes:
        at: the moment; what is received later is not meant. Written as in a record.
        by: who ran the command.
        reason: why.
        contributor: whose corrections, as the hash in them; None: those of `ids` alone.
        ids: of the corrections.
        predictions: ids of the predictions that they are about, whose samples go too.
    """

    at: str
    by: str
    reason: str
    contributor: str | None = None
    ids: frozenset[str] = frozenset()
    predictions: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Names the erasure; it follows from what it says."""
        return f"{self.at[:10]}-{sha256(self.to_bytes()).hexdigest()[:16]}"

    @property
    def key(self) -> str:
        """Key of the tombstone."""
        return f"{ERASURES}{self.id}.json"

    def covers(self, entry: Correction) -> bool:
        """Return whether a correction is to go."""
        return entry.received_at <= self.at and (entry.id in self.ids or entry.contributor == self.contributor)

    @classmethod
    def from_bytes(cls, body: bytes) -> "Erasure":
        """Read a tombstone."""
        fields = json.loads(body)
        del fields["schema"]
        return cls(ids=frozenset(fields.pop("ids")), predictions=frozenset(fields.pop("predictions")), **fields)

    def to_bytes(self) -> bytes:
        """Write the tombstone as JSON."""
        sets = {"ids": sorted(self.ids), "predictions": sorted(self.predictions)}
        return to_json({"schema": "erasure/1", **asdict(self), **sets})


@dataclass(frozen=True, slots=True)
class Erased:
    """All that was erased: the moments up to which corrections of an id or a contributor are."""

    ids: Mapping[str, str]
    contributors: Mapping[str, str]

    def covers(self, entry: Correction) -> bool:
        """Return whether a correction was erased."""
        return entry.received_at <= max(self.ids.get(entry.id, ""), self.contributors.get(entry.contributor, ""))


def read_erasures(store: ObjectStore) -> list[Erasure]:
    """Return all erasures, oldest first."""
    found = [Erasure.from_bytes(store.get(key).body) for key in store.keys(ERASURES)]
    return sorted(found, key=lambda erasure: erasure.at)


def read_erased(store: ObjectStore) -> Erased:
    """Return what may not be learned from."""
    ids: dict[str, str] = {}
    contributors: dict[str, str] = {}
    for erasure in read_erasures(store):
        ids |= dict.fromkeys(erasure.ids, erasure.at)
        if erasure.contributor:
            contributors[erasure.contributor] = erasure.at
    return Erased(ids, contributors)


def mark(store: ObjectStore, versions: Iterable[str], erasure: Erasure) -> None:
    """Say of versions that they learned from corrections that were erased since; the first such erasure is named."""
    for version in versions:
        body = to_json({"schema": "erased/1", "erasure": erasure.id, "at": erasure.at})
        create(store, version_key(version, MARK), body)
