"""The pointer as a state machine: any interleaving of promotions, rollbacks and looks, any fault at any request.

Every process stands still before each of its requests to storage, reads and writes alike; rules say who goes on, and
what becomes of the request. What has to hold is guarantees 3 and 4: the pointer names a complete version at every
moment, and the history is a sequence of moves each of which was right after the one before it.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from queue import SimpleQueue
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sentiloop import artefact, pointer, registry, serving
from sentiloop.errors import (
    ArtefactError,
    PointerError,
    PreconditionFailedError,
    SentiloopError,
    StorageUnavailableError,
    WriteConflictError,
)
from sentiloop.history import History
from sentiloop.pointer import CURRENT, Pointer, Target, history_key
from sentiloop.registry import version_key
from sentiloop.serving import LiveModel
from sentiloop.storage import ObjectStore

from tests.builders import make_manifest, make_weights
from tests.faults.faulty_store import CrashError, Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

MOST_AT_ONCE = 4
MOST_SKEW = 20  # seconds that a clock is wrong, either way; a request takes one
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = {version: make_weights(4, width=2, seed=seed) for seed, version in enumerate("abc")}
MANIFESTS = {  # two of each version: a run that is repeated writes another time into its manifest
    version: [artefact.dump(make_manifest(width=2, version=version, attempt=n), weights, "int8") for n in (1, 2)]
    for version, weights in WEIGHTS.items()
}


@dataclass(frozen=True, slots=True)
class Slow:
    """A write that is still on its way when its client is `told` something: 409 upon its own retry, or nothing at all.

    It lands after so many more requests, of whomever, and its condition is judged only then.
    """

    told: type[SentiloopError]
    lands_after: int


Write = Callable[[], object]
Fate = Fault | Slow | None
_CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)


class SteppedStore(FaultyStore):
    """Storage as one process sees it.

    Args:
        store: the real store.
        ask: told before each request whether it is a write, it returns what becomes of it; None: it goes well.
        delay: takes a slow write.
    """

    def __init__(self, store: ObjectStore, ask: Callable[[bool], Fate], delay: Callable[[Write, int], None]) -> None:
        super().__init__(store)
        self._ask = ask
        self._delay = delay

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        fate = self._ask(True)
        if isinstance(fate, Slow):
            write = partial(self._store.put, key, body, if_absent=if_absent, if_match=if_match)
            self._delay(write, fate.lands_after)
            raise fate.told(f"on its way: {key}")
        if fate:
            self.fail_next(fate)
        return super().put(key, body, if_absent=if_absent, if_match=if_match)

    def _check_reads(self, key: str) -> None:
        """A read changes nothing, so there are two faults: the process ends, or no answer comes."""
        if fate := self._ask(False):
            raise CrashError(key) if fate in _CRASHES else StorageUnavailableError(f"no answer: {key}")


class Process(threading.Thread):
    """Runs from one request to the next when it is told to, so that of all processes at most one runs at any time.

    Attributes:
        faults: what it met.
        is_writing: whether the request that it stands before is a write.
        done: whether it ended, with `result` or with `failure`.
    """

    def __init__(
        self, work: Callable[[ObjectStore], object], store: ObjectStore, delay: Callable[[Write, int], None]
    ) -> None:
        super().__init__(daemon=True)
        self.faults: list[Fault | Slow] = []
        self.is_writing = False
        self.done = False
        self.result: object = None
        self.failure: BaseException | None = None
        self._work = work
        self._store = SteppedStore(store, self._ask, delay)
        self._fates: SimpleQueue[Fate] = SimpleQueue()
        self._standing: SimpleQueue[None] = SimpleQueue()

    def begin(self) -> None:
        """Run up to the first request."""
        self.start()
        self._standing.get(timeout=30)

    def go_on(self, fate: Fate) -> None:
        """Make the request, which meets its fate, and run up to the next."""
        if fate:
            self.faults.append(fate)
        self._fates.put(fate)
        self._standing.get(timeout=30)

    def run(self) -> None:
        try:
            self.result = self._work(self._store)
        except BaseException as failure:  # noqa: BLE001 - the state machine judges it
            self.failure = failure
        self.done = True
        self._standing.put(None)

    def _ask(self, is_writing: bool) -> Fate:
        self.is_writing = is_writing
        self._standing.put(None)
        return self._fates.get()


class Witness:
    """Looks at storage after every single request, and holds it to what has to be true at every moment.

    Attributes:
        entries: the history.
        landed_at: the true second of each entry.
        contents: all that the pointer has said.
        generation: what it says now; 0 where there is none.
        restores: how often people have overwritten it.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.entries: list[Pointer] = []
        self.landed_at: list[int] = []
        self.contents: list[bytes] = []
        self.generation = 0
        self.restores = 0
        self.is_left_behind = False  # by people, until a mover repairs it
        self._store = store
        self._immutable: dict[str, bytes] = {}

    def observe(self, second: int) -> None:
        """Check storage."""
        objects = self._store.objects
        assert self._immutable.items() <= objects.items(), "an object was changed that is not the pointer"
        for key in sorted(objects.keys() - self._immutable.keys()):
            if key.startswith("models/history/"):
                assert key == history_key(len(self.entries) + 1)
                self._check_entry(Pointer.from_bytes(objects[key]))
                self.landed_at.append(second)
        self._immutable = {key: body for key, body in objects.items() if key != CURRENT}
        self._check_pointer(objects.get(CURRENT))

    def observe_people(self, second: int) -> None:
        """Check storage after people have overwritten the pointer: for once it may have gone back."""
        self.restores += 1
        self.is_left_behind = True
        self.generation = 0
        self.observe(second)

    def made_by(self, name: str) -> list[Pointer]:
        """Return the moves that somebody signed."""
        return [entry for entry in self.entries if entry.by == name]

    def _check_entry(self, entry: Pointer) -> None:
        """Hold a new entry to its place: it follows the one before it, and serves another version, which is whole.

        As nothing but the pointer is ever changed, a version that was whole once stays so.
        """
        before = self.entries[-1] if self.entries else None
        assert entry.generation == len(self.entries) + 1
        assert entry.parent_commit == (before.commit_id if before else None)
        assert before is None or entry.champion != before.champion
        assert not self.made_by(entry.by), "a move took effect twice"
        if entry.reason == "rollback":
            assert before is not None
            others = [earlier.champion for earlier in self.entries if earlier.champion != before.champion]
            assert entry.champion == others[-1]
        registry.fetch(self._store, entry.champion)
        self.entries.append(entry)

    def _check_pointer(self, body: bytes | None) -> None:
        """Hold the pointer to the history: it is one of its entries, at most one behind, and never goes back."""
        generation = Pointer.from_bytes(body).generation if body else 0
        assert body is None or body == self._store.objects[history_key(generation)]
        assert generation >= self.generation
        self.generation = generation
        self.is_left_behind = self.is_left_behind and generation < len(self.entries)
        assert self.is_left_behind or generation >= len(self.entries) - 1
        if body and body not in self.contents:
            self.contents.append(body)


@dataclass(frozen=True, slots=True)
class Start:
    """What was true when a process started.

    Attributes:
        name: signs its move.
        skew: seconds that its clock is ahead.
        entries: moves in the history.
        generation: what the pointer said.
        restores: how often people had overwritten it.
    """

    name: str
    skew: int
    entries: int
    generation: int
    restores: int


@dataclass(frozen=True, slots=True)
class Job:
    """A process at work; `judge` holds it to what it had to do once it has ended."""

    process: Process
    start: Start
    judge: "Callable[[Job], None]"


VERSIONS = st.sampled_from(sorted(WEIGHTS))
ATTEMPTS = st.sampled_from((0, 1))
SKEWS = st.integers(-MOST_SKEW, MOST_SKEW)
NUMBERS = st.integers(0, MOST_AT_ONCE - 1)
SLOW = st.builds(Slow, st.sampled_from((WriteConflictError, StorageUnavailableError)), st.integers(1, 12))
FATES = st.sampled_from(Fault) | SLOW
there_is_room = precondition(lambda machine: len(machine.jobs) < MOST_AT_ONCE)
somebody_is_at_work = precondition(lambda machine: machine.jobs)


class Movers(RuleBasedStateMachine):
    """Processes that publish, promote and roll back, an instance that serves, and people who overwrite the pointer."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.witness = Witness(self.store)
        self.on_their_way: list[tuple[int, Write]] = []
        self.jobs: list[Job] = []
        self.started = 0
        self.second = self.skew = 0
        self.patches = ExitStack()
        self.patches.enter_context(patch.object(pointer, "now", self.clock))
        self.patches.enter_context(patch.object(serving, "log"))  # every failed look writes a line
        self.live = LiveModel(self.store, 0)
        self.last_look = (0, 0)  # the last that met no fault: generation, and restores when it began

    # Who starts.

    @initialize(versions=st.sampled_from(("", "a", "ab", "aba", "abc", "abcb")))
    def begin_with_some_moves(self, versions: str) -> None:
        for version in versions:
            self.release(version, 0, 0)
            self.finish(0)

    @there_is_room
    @rule(version=VERSIONS, attempt=ATTEMPTS, skew=SKEWS)
    def release(self, version: str, attempt: int, skew: int) -> None:
        """Publish and promote, as a retrain run does."""

        def work(store: ObjectStore, name: str) -> Pointer:
            files = {artefact.WEIGHTS: WEIGHTS[version]}
            target = registry.publish(store, version, MANIFESTS[version][attempt], files)
            return registry.promote(store, target, by=name, reason="promotion")

        self.start_mover(work, version, skew)

    @there_is_room
    @rule(version=VERSIONS, skew=SKEWS)
    def promote_by_name(self, version: str, skew: int) -> None:
        def work(store: ObjectStore, name: str) -> Pointer:
            return registry.promote(store, registry.find(store, version), by=name, reason="promotion")

        is_published = version_key(version, artefact.MANIFEST) in self.store.objects
        self.start_mover(work, version, skew, None if is_published else PointerError)

    @there_is_room
    @rule(version=VERSIONS, attempt=ATTEMPTS, skew=SKEWS)
    def promote_what_may_not_be_whole(self, version: str, attempt: int, skew: int) -> None:
        manifest = MANIFESTS[version][attempt]
        target = Target(version, sha256(manifest).hexdigest())

        def work(store: ObjectStore, name: str) -> Pointer:
            return registry.promote(store, target, by=name, reason="promotion")

        is_whole = self.store.objects.get(version_key(version, artefact.MANIFEST)) == manifest
        self.start_mover(work, version, skew, None if is_whole else ArtefactError)

    @there_is_room
    @rule(skew=SKEWS)
    def roll_back(self, skew: int) -> None:
        def work(store: ObjectStore, name: str) -> Pointer:
            return registry.rollback(store, by=name, reason="rollback")

        is_possible = len({entry.champion for entry in self.witness.entries}) > 1
        self.start_mover(work, None, skew, None if is_possible else PointerError)

    @precondition(lambda machine: len(machine.jobs) < MOST_AT_ONCE and not machine.is_looking())
    @rule()
    def look(self) -> None:
        """Let the instance look at the pointer, as it does every few seconds."""

        def work(store: ObjectStore, _name: str) -> None:
            self.live._store = store
            self.live.refresh()

        self.start(work, 0, self.judge_look)

    # Who goes on, and what becomes of the request.

    @somebody_is_at_work
    @rule(number=NUMBERS, requests=st.integers(1, 6))
    def go_on(self, number: int, requests: int) -> None:
        job = self.jobs[number % len(self.jobs)]
        for _ in range(requests):
            self.step(job)

    @somebody_is_at_work
    @rule(number=NUMBERS)
    def finish(self, number: int) -> None:
        job = self.jobs[number % len(self.jobs)]
        while not job.process.done:
            self.step(job)

    @somebody_is_at_work
    @rule(number=NUMBERS)
    def go_on_to_the_next_write(self, number: int) -> None:
        self.step_to_the_next_write(self.jobs[number % len(self.jobs)])

    @somebody_is_at_work
    @rule(number=NUMBERS, fate=FATES)
    def fail(self, number: int, fate: Fault | Slow) -> None:
        self.step(self.jobs[number % len(self.jobs)], fate)

    @somebody_is_at_work
    @rule(number=NUMBERS, writes=st.integers(0, 3), fate=FATES)
    def fail_at_a_write(self, number: int, writes: int, fate: Fault | Slow) -> None:
        """Go on, let so many writes pass, and fail at the one after them."""
        job = self.jobs[number % len(self.jobs)]
        for met in (*[None] * writes, fate):
            self.step_to_the_next_write(job)
            self.step(job, met)

    # What people do to the pointer.

    @precondition(lambda machine: machine.witness.contents)
    @rule(number=st.integers(0, 9))
    def restore(self, number: int) -> None:
        """Put an older content back, and its ETag with it."""
        etag = self.store.get(CURRENT).etag if CURRENT in self.store.objects else None
        content = self.witness.contents[number % len(self.witness.contents)]
        self.store.put(CURRENT, content, if_match=etag, if_absent=etag is None)
        self.witness.observe_people(self.second)

    @precondition(lambda machine: CURRENT in machine.store.objects)
    @rule()
    def delete(self) -> None:
        del self.store.objects[CURRENT]
        self.witness.observe_people(self.second)

    # How a process is run and judged.

    def clock(self) -> datetime:
        """What the process that is running takes for the time."""
        return EPOCH + timedelta(seconds=self.second + self.skew)

    def start_mover(
        self,
        work: Callable[[ObjectStore, str], Pointer],
        champion: str | None,
        skew: int,
        excuse: type[SentiloopError] | None = None,
    ) -> None:
        """Start a process that serves `champion`, None being a rollback; the bucket is an excuse for that error."""
        self.start(work, skew, partial(self.judge_mover, champion=champion, excuse=excuse))

    def start(self, work: Callable[[ObjectStore, str], object], skew: int, judge: Callable[[Job], None]) -> None:
        self.started += 1
        seen = self.witness
        start = Start(f"process {self.started}", skew, len(seen.entries), seen.generation, seen.restores)
        process = Process(lambda store: work(store, start.name), self.store, self.delay)
        process.begin()
        self.jobs.append(Job(process, start, judge))

    def step_to_the_next_write(self, job: Job) -> None:
        while not job.process.done and not job.process.is_writing:
            self.step(job)

    def step(self, job: Job, fate: Fate = None) -> None:
        if job.process.done:
            return
        self.second += 1
        self.land()
        self.skew = job.start.skew
        job.process.go_on(fate)
        self.witness.observe(self.second)
        if job.process.done:
            self.jobs.remove(job)
            job.judge(job)

    def delay(self, write: Write, requests: int) -> None:
        self.on_their_way.append((self.second + requests, write))

    def land(self) -> None:
        """Let the slow writes arrive whose time has come."""
        due = [write for second, write in self.on_their_way if second < self.second]
        self.on_their_way = [(second, write) for second, write in self.on_their_way if second >= self.second]
        for write in due:
            with suppress(SentiloopError):
                write()
            self.witness.observe(self.second)

    def judge_mover(self, job: Job, champion: str | None, excuse: type[SentiloopError] | None) -> None:
        process, start, seen = job.process, job.start, self.witness
        made = seen.made_by(start.name)
        assert all(entry.generation > start.entries for entry in made), "it came before what had happened already"
        assert champion is None or all(entry.champion.version == champion for entry in made)
        if process.failure:
            by_faults = (StorageUnavailableError, WriteConflictError, CrashError) if process.faults else ()
            if not isinstance(process.failure, (*by_faults, *((excuse,) if excuse else ()))):
                raise process.failure
            return
        result = process.result
        assert isinstance(result, Pointer)
        assert result in seen.entries
        assert result.generation >= start.entries
        assert made in ([result], [] if champion else [result])
        assert champion in (None, result.champion.version)
        assert start.restores != seen.restores or seen.generation >= result.generation

    def judge_look(self, job: Job) -> None:
        """Hold the instance to serving whole versions, the pointer's unless storage fails, and to never going back."""
        process, start, seen = job.process, job.start, self.witness
        assert process.failure is None or isinstance(process.failure, CrashError)
        served = self.live._served
        if served.pointer is None:
            assert process.faults or start.generation == 0 or start.restores < seen.restores or served.problem
            return
        assert served.model.version == served.pointer.champion.version
        assert artefact.weights_of(served.model) == WEIGHTS[served.model.version]
        generation, restores = self.last_look
        assert served.pointer.generation >= generation or restores < seen.restores
        if process.faults:
            return
        assert served.problem is None
        assert start.restores < seen.restores or served.pointer.generation >= start.generation
        self.last_look = (served.pointer.generation, start.restores)

    def is_looking(self) -> bool:
        return any(job.judge == self.judge_look for job in self.jobs)

    def teardown(self) -> None:
        """End everybody, lose what is on its way, and let one more mover come."""
        try:
            for job in list(self.jobs):
                self.step(job, Fault.CRASH_BEFORE)
            moved = pointer.move(self.store, lambda _current: None)
            self.witness.observe(self.second)
            entries = self.witness.entries
            assert moved == (entries[-1] if entries else None), "the next mover finishes what is left to finish"
            assert self.witness.generation == len(entries)
            self.check_served_at()
        finally:
            self.patches.close()

    def check_served_at(self) -> None:
        """What served when is known to within the error of the clocks, and the one move that was under way then."""
        landed_at, recorded = self.witness.landed_at, History(self.store)
        for second in {landed + error for landed in landed_at for error in (-MOST_SKEW, 0, MOST_SKEW)}:
            served = recorded.served_at(EPOCH + timedelta(seconds=second))
            generation = served.generation if served else 0
            least = bisect_right(landed_at, second - MOST_SKEW)
            assert least <= generation <= bisect_right(landed_at, second + MOST_SKEW) + 1


Movers.TestCase.settings = settings(max_examples=1_000, stateful_step_count=40, deadline=None)
TestMovers = Movers.TestCase


@pytest.mark.parametrize("told", [WriteConflictError, StorageUnavailableError])
@pytest.mark.parametrize("requests", range(9))
def test_a_rollback_whose_first_try_lands_late_takes_effect_once(told: type[SentiloopError], requests: int) -> None:
    """Found by the machine: taken for somebody else's, it would be rolled back in turn."""
    store = MemoryStore()
    for version in "ab":
        target = registry.publish(store, version, MANIFESTS[version][0], {artefact.WEIGHTS: WEIGHTS[version]})
        registry.promote(store, target, by="test", reason="promotion")
    late: list[Write] = []
    process = Process(
        lambda steps: registry.rollback(steps, by="test", reason="rollback"), store, lambda write, _: late.append(write)
    )
    process.begin()
    while not process.is_writing:
        process.go_on(None)
    process.go_on(Slow(told, requests))
    for _ in range(requests):
        if not process.done:
            process.go_on(None)
    with suppress(PreconditionFailedError):
        late[0]()
    while not process.done:
        process.go_on(None)
    if process.failure:
        assert isinstance(process.failure, told)
        process.result = pointer.move(store, lambda _current: None)
    found = pointer.read(store)
    assert found is not None
    assert (found.pointer.generation, found.pointer.champion.version) == (3, "a")
    assert process.result == found.pointer
