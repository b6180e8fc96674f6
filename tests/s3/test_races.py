"""The pointer's promises under real concurrency: several processes, several threads in each, and S3 over HTTP."""

import random
import signal
import threading
import time
from pathlib import Path

import pytest
from sentiloop import artefact, pointer, registry
from sentiloop.errors import PreconditionFailedError, WriteConflictError
from sentiloop.s3 import S3Store
from sentiloop.serving import LiveModel

from tests.faults.test_pointer_faults import VERSIONS, check, current, history, promote
from tests.s3 import movers
from tests.s3.movers import Attempt, Bucket
from tests.s3.processes import CONTEXT, PATIENCE_SECONDS, PROCESSES, Server, race

ROUNDS = 16
TURNS = 3
KILLS = 10
EVERY_SERVER = pytest.mark.parametrize("server", ["moto", "moto-conflicts", "localstack"], indirect=True)
TARGETS = [built.target for built in VERSIONS.values()]


@pytest.fixture
def library(store: S3Store) -> S3Store:
    """A store with three published versions, of which two were served."""
    for version, built in VERSIONS.items():
        registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
    promote(store, "a")
    promote(store, "b")
    return store


def rounds_of(bucket: Bucket, *, swap: bool, rounds: int = ROUNDS) -> list[list[Attempt]]:
    """Let all writers race and return their attempts by round."""
    by_writer = [attempts for process in race(movers.write_one_key, bucket, swap, rounds) for attempts in process]
    assert len(by_writer) == PROCESSES * movers.THREADS
    return [list(attempts) for attempts in zip(*by_writer, strict=True)]


def winners(attempts: list[Attempt]) -> list[bytes]:
    return [attempt.body for attempt in attempts if attempt.refusal is None]


@EVERY_SERVER
@pytest.mark.parametrize("swap", [False, True], ids=["create", "compare-and-swap"])
def test_of_writers_of_one_key_exactly_one_wins_each_round(
    swap: bool, server: Server, bucket: Bucket, store: S3Store
) -> None:
    store.put("swapped", b"at first")
    refusals = set()
    for attempts in rounds_of(bucket, swap=swap):
        assert len(winners(attempts)) == 1
        assert {attempt.found for attempt in attempts} == set(winners(attempts)), "what is there is the winner's"
        refusals |= {attempt.refusal for attempt in attempts if attempt.refusal}
    if server.name == "moto-conflicts":
        assert WriteConflictError in refusals
        refusals -= {WriteConflictError}
    assert refusals <= {PreconditionFailedError}


@pytest.mark.parametrize("server", ["moto-unlocked"], indirect=True)
def test_the_race_shows_two_winners_where_storage_lets_two_win(bucket: Bucket) -> None:
    """Otherwise the test above would prove nothing."""
    assert any(len(winners(attempts)) > 1 for attempts in rounds_of(bucket, swap=False, rounds=5))


@EVERY_SERVER
def test_concurrent_moves_take_effect_one_after_another(bucket: Bucket, library: S3Store) -> None:
    before = len(history(library))
    done = [
        told for process in race(movers.move_pointer, bucket, TARGETS, TURNS) for mover in process for told in mover
    ]
    assert len(done) == PROCESSES * movers.THREADS * TURNS
    check(library)
    entries = history(library)
    assert current(library) == entries[-1]
    own = [told.moved for told in done if (told.moved.by, told.moved.reason) == (told.by, told.reason)]
    assert sorted(own, key=lambda commit: commit.generation) == entries[before:], "none is lost, none is doubled"
    for told in done:
        assert told.moved in entries
        assert told.wanted is None or told.moved.champion == told.wanted
        if told.moved not in own:
            assert told.wanted is not None, "a roll-back always moves"


def test_a_mover_that_is_killed_between_its_writes_is_finished_by_the_next(bucket: Bucket, library: S3Store) -> None:
    for number in range(KILLS):
        before = current(library)
        process = CONTEXT.Process(target=movers.die_between_the_writes, args=(bucket, TARGETS[0], str(number)))
        process.start()
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == -signal.SIGKILL
        assert current(library) == before
        finished = pointer.move(library, lambda _current: None)
        assert finished == current(library) == history(library)[-1]
        assert (finished.generation, finished.by) == (before.generation + 1, str(number))
    check(library)


def test_movers_that_are_killed_at_any_moment_lose_nothing_they_were_told(
    bucket: Bucket, library: S3Store, tmp_path: Path
) -> None:
    dice = random.Random(4)
    for number in range(KILLS):
        told = [tmp_path / f"{number}-{mover}" for mover in range(2)]
        processes = [
            CONTEXT.Process(target=movers.move_until_killed, args=(bucket, TARGETS, path.name, path)) for path in told
        ]
        for process in processes:
            process.start()
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not all(path.exists() and path.stat().st_size for path in told):
                assert time.monotonic() < deadline
                assert all(process.is_alive() for process in processes)
                time.sleep(0.005)
            time.sleep(dice.uniform(0, 0.03))
        finally:
            for process in processes:
                process.kill()
                process.join(PATIENCE_SECONDS)
    last = promote(library, "c")
    check(library)
    entries = history(library)
    assert last == current(library) == entries[-1]
    commits = [commit for path in tmp_path.iterdir() for commit in path.read_text().split()]
    assert len(set(commits)) == len(commits)
    assert set(commits) <= {entry.commit_id for entry in entries}


def test_who_reads_meanwhile_finds_complete_versions_and_never_goes_back(bucket: Bucket, library: S3Store) -> None:
    over = threading.Event()
    troubles: list[str] = []
    seen: set[str] = set()

    def read() -> None:
        live = LiveModel(bucket.connect(), refresh_seconds=3_600)
        highest = 0
        while not over.is_set():
            live.refresh()
            served = live.current()
            found = served.pointer
            if served.problem or not found or found.champion.version != served.model.version:
                troubles.append(f"{served.model.version}, {served.problem}: {found}")
            elif found.generation < highest:
                troubles.append(f"{highest} was seen before {found.generation}")
            else:
                highest = found.generation
            seen.add(served.model.version)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        race(movers.publish_and_promote, bucket, 5)
    finally:
        over.set()
        for reader in readers:
            reader.join(PATIENCE_SECONDS)
    assert troubles == []
    assert len(seen) > 1, "the model was swapped while they looked"
    check(library)
