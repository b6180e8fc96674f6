"""The moves of the pointer, read for people: what was served when, for how long, by whose act and why.

An entry of the history never changes, so each is read once and kept, and many are read at a time.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sentiloop import pointer
from sentiloop.moves import refusals
from sentiloop.pointer import Pointer
from sentiloop.records import timestamp
from sentiloop.storage import ObjectStore

READERS = 8
BATCH = 200  # entries that are read at a time


@dataclass(frozen=True, slots=True)
class Tenure:
    """When a version was champion, as far as the moves tell that were looked at.

    Attributes:
        since: begin of its latest time as champion.
        until: end of that time, or None while it lasts.
        seconds: of all its times together.
    """

    since: str
    until: str | None
    seconds: float


class History:
    """The moves of one bucket's pointer."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[int, Pointer] = {}

    def newest(self, limit: int, before: int | None = None) -> list[Pointer]:
        """Return moves, the newest first; `before` is a generation, to go on where a list ended."""
        last = self._last_generation()
        first = last if before is None else min(last, before - 1)
        return self._read(range(first, max(first - limit, 0), -1))

    def served_at(self, moment: datetime) -> Pointer | None:
        """Return the move that held at a moment, or None if that was before the first model.

        Every mover stamps its own clock, so a move may bear an earlier time than the one before it. The order is that
        of the generations: a move holds from its own time on, but never before its predecessor does. So the answer is
        as good as the worst clock so far; a move that was cut short counts from when it was recorded.

        Args:
            moment: a time with its zone.
        """
        until, served, last = timestamp(moment), None, self._last_generation()
        for first in range(1, last + 1, BATCH):
            for move in self._read(range(first, min(first + BATCH, last + 1))):
                if move.at > until:
                    return served
                served = move
        return served

    def _last_generation(self) -> int:
        """Return the number of the newest move, one included that was cut short before it reached the pointer."""
        with refusals():
            current = pointer.read(self._store)
            newest = current.pointer if current else pointer.newest(self._store)
        generation = newest.generation if newest else 0
        while self._entry(generation + 1):
            generation += 1
        return generation

    def _read(self, generations: Iterable[int]) -> list[Pointer]:
        wanted = list(generations)
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(self._entry, [each for each in wanted if each not in self._kept]))
        return [self._kept[each] for each in wanted if each in self._kept]

    def _entry(self, generation: int) -> Pointer | None:
        if generation not in self._kept:
            found = pointer.read_history(self._store, generation)
            if found is None:
                return None
            self._kept[generation] = found
        return self._kept[generation]


def next_page(moves: Sequence[Pointer], limit: int) -> int | None:
    """Return the `before` by which a list of at most `limit` moves goes on, or None where it ends."""
    return moves[-1].generation if len(moves) == limit and moves[-1].generation > 1 else None


def named_by(move: Pointer) -> tuple[str, ...]:
    """Return the versions that a move names: the champion, and the challenger if there is one."""
    on_trial = (move.challenger.target.version,) if move.challenger else ()
    return move.champion.version, *on_trial


def tenures(moves: Iterable[Pointer], moment: datetime) -> dict[str, Tenure]:
    """Return when each version was champion.

    Args:
        moves: one after another, the newest first.
        moment: the present one.
    """
    found: dict[str, Tenure] = {}
    until = None
    for version, spell in groupby(moves, key=lambda move: move.champion.version):
        since = [move.at for move in spell][-1]
        end = datetime.fromisoformat(until) if until else moment
        seconds = max(0.0, (end - datetime.fromisoformat(since)).total_seconds())  # clocks of movers may differ
        known = found.get(version)
        found[version] = replace(known, seconds=known.seconds + seconds) if known else Tenure(since, until, seconds)
        until = since
    return found


def described(move: Pointer) -> dict[str, Any]:
    """Return what a move says, for people and programs: versions by their names alone."""
    on_trial = asdict(move.challenger) if move.challenger else None
    if on_trial:
        on_trial = {"version": on_trial.pop("target")["version"], **on_trial}
    told = {name: getattr(move, name) for name in ("generation", "at", "by", "reason", "pinned")}
    return {**told, "champion": move.champion.version, "challenger": on_trial}
