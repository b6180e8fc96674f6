"""What champion and challenger did in the same time, side by side: answers, differences, errors, and latency."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentiloop.activity import disagreement_by_slice, percentile

from retrain.sequential import Tally, p_value


@dataclass(frozen=True, slots=True)
class Counts:
    """What both versions did in some time; `versions` of an activity document.

    Attributes:
        champion: counts of the champion; empty if there are none.
        challenger: counts of the challenger.
    """

    champion: Mapping[str, Any]
    challenger: Mapping[str, Any]

    @classmethod
    def of(cls, activity: Mapping[str, Any], champion: str, challenger: str) -> "Counts":
        """Return the counts of two versions."""
        versions = activity["versions"]
        return cls(versions.get(champion, {}), versions.get(challenger, {}))

    @property
    def answered(self) -> float | None:
        """Share of the answers that the challenger gave; None without answers."""
        own, others = _number(self.challenger, "answers"), _number(self.champion, "answers")
        return own / (own + others) if own + others else None

    @property
    def scored(self) -> int:
        """Texts that the challenger scored, answering them or beside the champion, as far as it is known."""
        return max(_number(self.challenger, "answers"), self.scored_by_both)

    @property
    def scored_by_both(self) -> int:
        """Texts that both versions scored."""
        return _number(self._beside, "texts")

    @property
    def flips(self) -> dict[str, int]:
        """How many of these got which two labels, by "champion's>challenger's"."""
        return dict(self._beside.get("flips", {}))

    @property
    def disagreement(self) -> float | None:
        """Share of these that got two labels; None without any."""
        return sum(self.flips.values()) / self.scored_by_both if self.scored_by_both else None

    @property
    def slices(self) -> dict[str, dict[str, float]]:
        """How many of these are in each slice, and the share of them that got two labels."""
        return disagreement_by_slice(self._beside)

    @property
    def confidence_drop(self) -> float | None:
        """Fall of the mean confidence on these, as a part of the champion's; None without any."""
        of_champion = self._beside.get("champion_confidence_sum", 0.0)
        return 1 - self._beside["confidence_sum"] / of_champion if of_champion else None

    @property
    def error_shares(self) -> tuple[float, float]:
        """Shares of the requests that champion and challenger failed on."""
        return _share_of_errors(self.champion), _share_of_errors(self.challenger)

    @property
    def p_of_errors(self) -> float:
        """Anytime-valid p-value of so many errors of the challenger, if each version fails as often as it is asked."""
        own, others = _number(self.challenger, "requests"), _number(self.champion, "requests")
        errors = _number(self.challenger, "errors")
        all_errors = errors + _number(self.champion, "errors")
        return p_value([Tally(own / (own + others), errors, all_errors)]) if own + others else 1.0

    @property
    def p95(self) -> tuple[float | None, float | None]:
        """95th percentile of the latency of champion and challenger, in milliseconds."""
        return percentile(self.champion.get("latency", []), 0.95), percentile(self.challenger.get("latency", []), 0.95)

    @property
    def _beside(self) -> Mapping[str, Any]:
        beside: Mapping[str, Any] = self.challenger.get("beside", {})
        return beside


def _share_of_errors(counts: Mapping[str, Any]) -> float:
    requests = _number(counts, "requests")
    return _number(counts, "errors") / requests if requests else 0.0


def _number(counts: Mapping[str, Any], name: str) -> int:
    return int(counts.get(name, 0))
