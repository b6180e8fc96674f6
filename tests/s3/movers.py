"""What races in processes of its own: writers of one key, movers of the pointer, publishers, and movers that die."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import NamedTuple, TypeVar

from sentiloop import artefact, pointer, registry
from sentiloop.errors import PointerError, SentiloopError
from sentiloop.pointer import CURRENT, Move, Pointer, Target
from sentiloop.s3 import S3Store

from tests.builders import make_model
from tests.faults.faulty_store import FaultyStore

THREADS = 2
WAIT_SECONDS = 30.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and the environment variables that lead to it."""

    name: str
    environment: dict[str, str]

    def connect(self) -> S3Store:
        """Return a store with connections of its own, that is patient and sends no request twice."""
        os.environ.update(self.environment)
        return S3Store(self.name, read_timeout=WAIT_SECONDS, attempts=1)


class _Meeting:
    barrier: Barrier


def meet_at(barrier: Barrier) -> None:
    """Say where this process meets the others; a barrier can be handed over only as a process starts."""
    _Meeting.barrier = barrier


def _meet() -> None:
    _Meeting.barrier.wait(WAIT_SECONDS)


def _in_threads(work: Callable[[int], T], process: int) -> list[T]:
    def run(racer: int) -> T:
        try:
            return work(racer)
        except BaseException:
            _Meeting.barrier.abort()  # or the others would wait for this one
            raise

    with ThreadPoolExecutor(THREADS) as pool:
        return results([pool.submit(run, process * THREADS + thread) for thread in range(THREADS)])


def results(runs: list[Future[T]]) -> list[T]:
    """Return what came of all runs, or raise the error of the one that others only missed at the barrier."""
    errors = [error for run in runs if (error := run.exception())]
    if errors:
        raise next((error for error in errors if not isinstance(error, BrokenBarrierError)), errors[0])
    return [run.result() for run in runs]


class Attempt(NamedTuple):
    """One writer's part in one round: what it wrote, why that was refused if it was, what the key held afterwards."""

    body: bytes
    refusal: type[SentiloopError] | None
    found: bytes


def write_one_key(bucket: Bucket, swap: bool, rounds: int, process: int) -> list[list[Attempt]]:
    """Race to write one key a round; return each thread's attempts.

    Args:
        bucket: where.
        swap: replace what the key held as the round began; otherwise create it.
        rounds: how many; all writers begin each together.
        process: tells processes apart.
    """

    def work(writer: int) -> list[Attempt]:
        store = bucket.connect()
        etag = store.get("swapped").etag if swap else None
        attempts = []
        for number in range(rounds):
            key, body = "swapped" if swap else f"created/{number}", f"writer {writer} round {number}".encode()
            _meet()
            refusal: type[SentiloopError] | None = None
            try:
                store.put(key, body, if_absent=not swap, if_match=etag)
            except SentiloopError as error:
                refusal = type(error)
            _meet()
            found = store.get(key)
            etag = found.etag if swap else None
            attempts.append(Attempt(body, refusal, found.body))
        return attempts

    return _in_threads(work, process)


class Done(NamedTuple):
    """What a mover asked for and what it was told."""

    by: str
    reason: str
    wanted: Target | None
    moved: Pointer


def move_pointer(bucket: Bucket, targets: list[Target], turns: int, process: int) -> list[list[Done]]:
    """Promote, roll back and move unconditionally, in turn, as fast as it goes; return what each thread was told."""

    def work(mover: int) -> list[Done]:
        store = bucket.connect()
        done = []
        _meet()
        for turn in range(mover, mover + turns):
            target = targets[turn % len(targets)]
            done.append(_repeated(lambda: _act(store, turn % 3, target, f"mover {mover}", f"turn {turn}")))  # noqa: B023
        return done

    return _in_threads(work, process)


def _act(store: S3Store, kind: int, target: Target, by: str, reason: str) -> Done:
    if kind == 0:
        return Done(by, reason, target, registry.promote(store, target, by=by, reason=reason))
    if kind == 1:
        return Done(by, reason, None, registry.rollback(store, by=by, reason=reason))
    moved = pointer.move(store, lambda _current: Move(target, by, reason))
    assert moved is not None
    return Done(by, reason, target, moved)


def _repeated(act: Callable[[], T]) -> T:
    """Repeat what the others were always quicker than; that is what the error tells people to do."""
    while True:
        try:
            return act()
        except PointerError as error:
            if "moves of others came first" not in error.message:
                raise


def publish_and_promote(bucket: Bucket, versions: int, process: int) -> None:
    """Publish and promote new versions, one after another."""
    store = bucket.connect()
    for number in range(versions):
        built = make_model(version=f"v{process}-{number}", seed=number, width=16)
        target = registry.publish(store, built.model.version, built.manifest, {artefact.WEIGHTS: built.weights})
        _repeated(lambda: registry.promote(store, target, by=f"process {process}", reason="new"))  # noqa: B023


def die_between_the_writes(bucket: Bucket, target: Target, by: str) -> None:
    """Record a move in the history and be killed before the pointer says so."""
    store = FaultyStore(bucket.connect())

    def die(key: str) -> None:
        if key == CURRENT:
            os.kill(os.getpid(), signal.SIGKILL)

    store.before_write = die
    pointer.move(store, lambda _current: Move(target, by, "killed"))


def move_until_killed(bucket: Bucket, targets: list[Target], by: str, told: Path) -> None:
    """Move the pointer without an end, and note the commit of each move that is done."""
    store = bucket.connect()
    with told.open("ab", buffering=0) as notes:
        for number in count():
            move = Move(targets[number % len(targets)], by, str(number))
            moved = _repeated(lambda: pointer.move(store, lambda _current: move))  # noqa: B023
            assert moved is not None
            notes.write(f"{moved.commit_id}\n".encode())
