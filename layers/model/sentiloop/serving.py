"""The model a warm instance serves: the bundled baseline at once, then whatever the pointer names.

A request never waits for a download it could do without. Within `refresh_seconds` of the last look nothing happens.
Past that, a background thread looks at the pointer with a conditional GET while requests go on. Only an instance that
has not looked for `overdue_seconds` looks before it answers: Lambda freezes an idle instance together with its threads,
and without this it would answer its first request after an hour with an hour-old model.

A challenger is loaded beside the champion. Trouble with it costs no answer, as the champion gives all of them; it is
told apart from trouble with what is served, and every look tries again until the challenger is there.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sentiloop import pointer, registry, trial
from sentiloop.artefact import Model
from sentiloop.bundled import baseline, baseline_target
from sentiloop.errors import ObjectNotFoundError, SentiloopError, StorageUnavailableError
from sentiloop.pointer import Challenger, Pointer, Target
from sentiloop.scoring import Scorer
from sentiloop.storage import ObjectStore

log = logging.getLogger("sentiloop")
OVERDUE_SECONDS = 8.0  # under the 10 s within which a swap has to be seen everywhere


@dataclass(frozen=True, slots=True)
class Served:
    """What answers a request, for the whole of it, even when a model is swapped meanwhile.

    Attributes:
        scorer: the champion's.
        pointer: what was read last; None while nothing was.
        problem: why what is served is not what it should be, or None.
        challenger: the scorer of the version on trial, if there is one and it could be loaded.
        challenger_problem: why there is no challenger although the pointer names one, or None.
    """

    scorer: Scorer
    pointer: Pointer | None
    problem: str | None
    challenger: Scorer | None = None
    challenger_problem: str | None = None

    @property
    def model(self) -> Model:
        """The champion."""
        return self.scorer.model

    @property
    def on_trial(self) -> Challenger | None:
        """What the pointer says of the challenger, whether it is loaded or not."""
        return self.pointer.challenger if self.pointer else None

    def scorer_for(self, client: str) -> Scorer:
        """Return what answers a client: the champion, or a challenger that is tried on this client."""
        if self.challenger and self.on_trial and trial.answers(self.on_trial, client):
            return self.challenger
        return self.scorer


class LiveModel:
    """Keeps `Served` up to date with the pointer.

    Args:
        store: where the pointer and the versions are.
        refresh_seconds: least time between two looks at the pointer.
        clock: seconds from a monotonic clock.
    """

    def __init__(self, store: ObjectStore, refresh_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._overdue_seconds = max(OVERDUE_SECONDS, refresh_seconds)
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_at = float("-inf")
        self._failing = False
        self._etag = ""
        self._loaded = {baseline_target(): Scorer(baseline())}
        self._served = Served(self._loaded[baseline_target()], None, "the pointer was not read yet")

    def current(self) -> Served:
        """Return what to answer with, looking at the pointer when it is time."""
        age = self._clock() - self._looked_at
        if age >= self._overdue_seconds and not self._failing:
            self.refresh()
        elif age >= self._refresh_seconds and not self._looking.locked():
            threading.Thread(target=self.refresh, name="refresh", daemon=True).start()
        return self._served

    def refresh(self) -> None:
        """Look at the pointer once and load what it names; on any trouble keep what is served and say so."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._served = self._look()
            self._failing = False
        except SentiloopError as error:
            log.warning("the model was not refreshed: %s", error.message)
            self._served = replace(self._served, problem=_told(error))
            self._failing = True  # from now on requests do not wait for a storage that does not answer
        finally:
            self._looked_at = self._clock()
            self._looking.release()

    def _look(self) -> Served:
        try:
            changed = self._store.get_if_changed(pointer.CURRENT, self._etag)
        except ObjectNotFoundError:
            self._etag = ""  # the same content may come back
            return Served(self._served.scorer, None, self._why_none())
        if changed is None:
            return replace(self._served, problem=None)
        current = pointer.Pointer.from_bytes(changed.body)
        scorer = self._scorer(current.champion)
        challenger, problem = self._challenger(current)
        self._loaded = {each: self._loaded[each] for each in _named_by(current) if each in self._loaded}
        self._etag = "" if problem else changed.etag  # without it the next look tries again
        return Served(scorer, current, None, challenger, problem)

    def _why_none(self) -> str:
        """Return why there is no pointer: the first move is on record for good, whoever deleted the pointer since."""
        was_there = pointer.read_history(self._store, 1) is not None
        return f"{pointer.CURRENT} is gone" if was_there else "no model was published yet"

    def _scorer(self, target: Target) -> Scorer:
        """Return the scorer of a version; what is loaded already stays, with all that it has looked up."""
        if target not in self._loaded:
            self._loaded[target] = Scorer(registry.fetch(self._store, target))
        return self._loaded[target]

    def _challenger(self, current: Pointer) -> tuple[Scorer | None, str | None]:
        """Return the challenger's scorer, if there is to be one, or why it is missing."""
        if current.challenger is None:
            return None, None
        target = current.challenger.target
        try:
            return self._scorer(target), None
        except SentiloopError as error:
            log.warning("the challenger %s was not loaded: %s", target.version, error.message)
            return None, _told(error)


def _named_by(current: Pointer) -> tuple[Target, ...]:
    return (current.champion, current.challenger.target) if current.challenger else (current.champion,)


def _told(error: SentiloopError) -> str:
    """Return what everybody may read of an error."""
    return error.public_message if isinstance(error, StorageUnavailableError) else error.message
