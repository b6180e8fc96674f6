"""The records of the hourly checks: under which keys they lie, which of them show a time, and what they tell.

A record is an immutable object, `checks/<time>.json`, beside the page `checks/<time>/report.html`; so the order of the
keys is that of the times.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Generic, TypeVar

from sentiloop.documents import Documents
from sentiloop.records import timestamp
from sentiloop.storage import ObjectStore

CHECKS = "checks/"
SCHEMA = "check/1"
UNITS = {"latency": "ms"}  # of the figures that are no shares
KEPT = 400  # records of which is kept what they tell
_KEY = re.compile(rf"{CHECKS}[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}\.[0-9]{{3}}Z\.json")
_FIGURES = ("value", "threshold", "interval", "p_value", "rows")  # that every signal may have
_OF_TRIAL = (
    *("version", "champion", "action", "reason", "mode", "share", "next_share"),
    *("began_at", "disagreement", "figures"),
)

Item = TypeVar("Item")


def check_name(moment: datetime) -> str:
    """Return what the keys of a check begin with."""
    return f"{CHECKS}{timestamp(moment)}"


def summary_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list says of a check: the size of every signal, and what was found and done."""
    watched, trial = record["watched"], record["trial"]
    return {
        "at": record["at"],
        "champion": watched["champion"],
        "signals": {
            cause: {**{name: signal.get(name) for name in _FIGURES}, "unit": UNITS.get(cause)}
            for cause, signal in watched["signals"].items()
        },
        "findings": [{"cause": cause, **found} for cause, found in watched["findings"].items()],
        "cause": record["cause"],
        "run": record["run"],
        "trial": {name: trial.get(name) for name in _OF_TRIAL} if trial else None,
    }


def details_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is drawn of a check: each signal's further figures, such as both distributions, and new words."""
    watched = record["watched"]
    return {
        "at": record["at"],
        "reference": watched["reference"],
        "signals": {
            cause: {name: value for name, value in signal.items() if name not in _FIGURES}
            for cause, signal in watched["signals"].items()
        },
        "new_words": watched["new_words"],
    }


@dataclass(frozen=True, slots=True)
class CheckPage(Generic[Item]):
    """Some checks of a time.

    Attributes:
        items: the oldest first.
        checks: how many there were in that time.
        unreadable: records of those chosen that could not be read.
    """

    items: Sequence[Item]
    checks: int
    unreadable: int


class Checks(Generic[Item]):
    """The checks of one bucket.

    Args:
        store: the bucket.
        tell: makes an item of a record.
    """

    def __init__(self, store: ObjectStore, tell: Callable[[Mapping[str, Any]], Item]) -> None:
        self._store = store
        self._records = Documents(store, SCHEMA, tell, KEPT)

    def between(self, since: datetime, until: datetime, most: int) -> CheckPage[Item]:
        """Return checks of a time, at most so many, spread evenly over those there are, with the newest; only these
        are read.
        """
        listed = self._store.keys(CHECKS, after=check_name(since))
        within = takewhile(lambda key: key <= f"{check_name(until)}.json", listed)
        keys = [key for key in within if _KEY.fullmatch(key)]
        told = self._records.read(spread(keys, most))
        items = [item for item in told if item is not None]
        return CheckPage(items, len(keys), len(told) - len(items))


def spread(keys: Sequence[str], most: int) -> list[str]:
    """Return at most so many of the keys, in their order and as evenly spaced as can be, the last one included."""
    count, last = min(most, len(keys)), len(keys) - 1
    return [keys[last - number * last // max(count - 1, 1)] for number in reversed(range(count))]
