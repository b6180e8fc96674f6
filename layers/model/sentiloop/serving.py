"""The model a warm instance serves: the bundled baseline at once, then whatever the pointer names.

A request never waits for a download it could do without. Within `refresh_seconds` of the last look nothing happens.
Past that, a background thread looks at the pointer with a conditional GET while requests go on. Only an instance that
has not looked for `overdue_seconds` looks before it answers: Lambda freezes an idle instance together with its threads,
and without this it would answer its first request after an hour with an hour-old model.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sentiloop import pointer, registry
from sentiloop.artefact import Model
from sentiloop.bundled import baseline, baseline_target
from sentiloop.errors import ObjectNotFoundError, SentiloopError, StorageUnavailableError
from sentiloop.pointer import Pointer
from sentiloop.scoring import Scorer
from sentiloop.storage import ObjectStore

log = logging.getLogger("sentiloop")
OVERDUE_SECONDS = 8.0  # under the 10 s within which a swap has to be seen everywhere


@dataclass(frozen=True, slots=True)
class Served:
    """What answers a request: one scorer for the whole of it, even when the model is swapped meanwhile."""

    scorer: Scorer
    pointer: Pointer | None
    problem: str | None

    @property
    def model(self) -> Model:
        """The scorer's model."""
        return self.scorer.model


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
        self._target = baseline_target()
        self._served = Served(Scorer(baseline()), None, "the pointer was not read yet")

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
            problem = error.public_message if isinstance(error, StorageUnavailableError) else error.message
            self._served = Served(self._served.scorer, self._served.pointer, problem)
            self._failing = True  # from now on requests do not wait for a storage that does not answer
        finally:
            self._looked_at = self._clock()
            self._looking.release()

    def _look(self) -> Served:
        try:
            changed = self._store.get_if_changed(pointer.CURRENT, self._etag)
        except ObjectNotFoundError:
            self._etag = ""  # the same content may come back
            return Served(self._served.scorer, None, "no model was published yet")
        if changed is None:
            return Served(self._served.scorer, self._served.pointer, None)
        current = pointer.Pointer.from_bytes(changed.body)
        scorer = self._served.scorer
        if current.champion != self._target:
            scorer = Scorer(registry.fetch(self._store, current.champion))
            self._target = current.champion
        self._etag = changed.etag
        return Served(scorer, current, None)
