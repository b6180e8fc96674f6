"""A wrapper around any object store that fails at chosen writes and reads, the ways that storage and processes fail."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from enum import Enum

from sentiloop.errors import PreconditionFailedError, SentiloopError, StorageUnavailableError, WriteConflictError
from sentiloop.storage import ObjectStore, StoredObject

from tests.faults.memory_store import MemoryStore


class CrashError(BaseException):
    """Stands for the end of the process: no `except Exception` in the code under test may survive it."""


class Fault(Enum):
    """What happens at a write."""

    CRASH_BEFORE = "the process ends before the write"
    CRASH_AFTER = "the process ends after the write landed"
    REPLY_LOST = "the write landed, its reply did not come"
    RETRY_REFUSED = "the write landed, its reply was lost, and the client's own retry met 412"
    CONFLICT = "409, and nothing was written"
    DOWN = "storage does not answer, and nothing was written"


_RAISED: dict[Fault, Callable[[str], BaseException]] = {
    Fault.CRASH_BEFORE: CrashError,
    Fault.CRASH_AFTER: CrashError,
    Fault.REPLY_LOST: StorageUnavailableError,
    Fault.RETRY_REFUSED: PreconditionFailedError,
    Fault.CONFLICT: WriteConflictError,
    Fault.DOWN: StorageUnavailableError,
}
LANDED = (Fault.CRASH_AFTER, Fault.REPLY_LOST, Fault.RETRY_REFUSED)


class FaultyStore:
    """Passes everything on, but for the writes that have a fault and the reads that are chosen to fail.

    Args:
        store: the real store.
        faults: by the number of the write, the first is 1; `faults` may be changed at any time.
    """

    def __init__(self, store: ObjectStore, faults: dict[int, Fault] | None = None) -> None:
        self._store = store
        self.faults = dict(faults or {})
        self.writes: list[str] = []
        self.before_write: Callable[[str], None] = lambda _key: None
        self.reads: Counter[str] = Counter()
        self.failing_read: tuple[str, int] | None = None  # a key or prefix, and which of its reads fails
        self.reads_fail = False

    def get(self, key: str) -> StoredObject:
        """See `ObjectStore.get`."""
        self._check_reads(key)
        return self._store.get(key)

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        """See `ObjectStore.get_if_changed`."""
        self._check_reads(key)
        return self._store.get_if_changed(key, etag)

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        """See `ObjectStore.put`; a refusal comes before a lost reply, but the process may end after a refusal too."""
        self.writes.append(key)
        self.before_write(key)
        fault = self.faults.get(len(self.writes))
        if fault is None:
            return self._store.put(key, body, if_absent=if_absent, if_match=if_match)
        if fault in LANDED:
            with suppress(SentiloopError) if fault is Fault.CRASH_AFTER else nullcontext():
                self._store.put(key, body, if_absent=if_absent, if_match=if_match)
        raise _RAISED[fault](f"{fault.value}: {key}")

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `ObjectStore.keys`."""
        self._check_reads(prefix)
        return self._store.keys(prefix, after=after)

    def fail_next(self, fault: Fault) -> None:
        """Let the next write meet a fault."""
        self.faults[len(self.writes) + 1] = fault

    def _check_reads(self, key: str) -> None:
        self.reads[key] += 1
        if self.reads_fail or self.failing_read == (key, self.reads[key]):
            raise StorageUnavailableError(f"down: {key}")


def down() -> FaultyStore:
    """Return a store that answers nothing."""
    store = FaultyStore(MemoryStore(), dict.fromkeys(range(1, 100), Fault.DOWN))
    store.reads_fail = True
    return store
