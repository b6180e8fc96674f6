"""What a candidate is made without, though the snapshot has it, and why: what turned out to harm it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from sentiloop.records import Correction

from retrain.canaries import mentions

HARMS = "without its contributor the model is better on base data"
MOVES = "mentions a name that would have taken on a sentiment of its own"


@dataclass(frozen=True, slots=True)
class Without:
    """Rows that are left out.

    Attributes:
        contributors: rows that only these sent.
        names: rows that mention one of these.
    """

    contributors: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self:
        """Return what a version was made without, as its manifest has it."""
        return cls.from_fields(manifest.get("parameters", {}).get("without", {}))

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `asdict` took apart."""
        return cls(*(tuple(fields.get(name, ())) for name in cls.__slots__))

    def left_out(self, corrections: Iterable[Correction], left_out: Mapping[str, str]) -> dict[str, str]:
        """Return by id why corrections are not learned from; `left_out` has the reasons of the snapshot."""
        reasons = ((entry.id, self._reason(entry)) for entry in corrections)
        return {correction: reason for correction, reason in reasons if reason} | dict(left_out)

    def _reason(self, correction: Correction) -> str | None:
        if correction.contributor in self.contributors:
            return HARMS
        return MOVES if self.names and mentions([correction.text], self.names)[0] else None
