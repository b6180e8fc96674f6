"""Small retrain runs on buckets in memory, of which every state that a crash can leave is known.

A process that ends between two writes leaves the bucket as it was after the first of them, whatever it was reading or
computing. So the states that a bucket has before the writes of one run, and the last, are all that a crash anywhere in
it can leave, and no run has to be repeated for each. Clock and commit ids follow from the bucket, so that equal states
go on equally and a state that is reached in several ways has to be looked at once.

What makes a run long and writes nothing is left out: the estimate of the label noise, the behavioural cases, the screen
and the examination of contributors. The test gives the verdict, says who is excluded, and makes the baseline small.
"""

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from retrain import candidate, certainty, datasets, describe, ledger, memory, task
from retrain import judge as judging
from retrain import run as running
from retrain.contributors import Examined
from retrain.datasets import seed_rows
from retrain.judge import Judged
from retrain.train import Recipe, train
from sentiloop import artefact, bundled, pointer
from sentiloop.bundled import baseline
from sentiloop.errors import SentiloopError
from sentiloop.pointer import Pointer
from sentiloop.receipts import correction_id, correction_key, read_outcome
from sentiloop.records import Correction, timestamp, to_lines
from sentiloop.registry import version_key
from sentiloop.serving import LiveModel
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from tests.builders import make_correction, make_sample
from tests.faults.faulty_store import Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

EPOCH = datetime(2026, 3, 5, 12, tzinfo=UTC)
RECIPE = Recipe(width=2**12, max_iter=20, feedback_weights=(1.0,), rehearsal_rows=100)
SETTINGS = Settings(search_seconds=0)
ALL_ROWS = seed_rows()
SHARE_OF_SEED = 20
SPOILER = "the spoiler"
WORDS = {"positive": "glimmer", "negative": "sorrow", "neutral": "pebble"}
SUBJECTS = ("garden", "lantern", "ticket", "bridge", "soup", "meeting", "keyboard", "window", "parcel", "chair")


@contextmanager
def small_package(folder: Path) -> Iterator[None]:
    """Let a part of the seed corpus be the seed, and a small model, trained in the folder, the bundled baseline."""
    rows = ALL_ROWS[::SHARE_OF_SEED]
    table = pd.DataFrame([(row.text, row.label) for row in rows], columns=pd.Index(["text", "label"]))
    trained = train(table, RECIPE)
    elsewhere = {"data": {"base": [{"name": "elsewhere", "digest": "0" * 64, "rows": len(rows)}]}}
    (folder / artefact.MANIFEST).write_bytes(trained.manifest("baseline-small", elsewhere))
    (folder / artefact.WEIGHTS).write_bytes(trained.weights)
    with (
        patch.object(bundled, "_FOLDER", folder),
        patch.object(datasets, "seed_rows", lambda: rows),
        patch.object(certainty, "bundled", lambda width: np.zeros(width + 1)),
    ):
        baseline.cache_clear()
        yield
    baseline.cache_clear()


@contextmanager
def _small_run(store: MemoryStore, *, promote: bool, excluded: str) -> Iterator[None]:
    def number() -> int:
        """Return another number for each state of the bucket: the pointer is its only object that changes."""
        found = pointer.read(store)
        return len(store.objects) + (found.pointer.generation if found else 0)

    def now() -> datetime:
        return EPOCH + timedelta(seconds=number())

    def judge(*arguments: Any, **options: Any) -> Judged:
        judged = judging.judge(*arguments, **options)
        return replace(judged, verdict=replace(judged.verdict, promote=promote, reasons=("the test says so",)))

    examined = Examined(excluded, rows=1, weight=1.0, changed=0.5, better_without=9, worse_without=0, harmful=True)
    with (
        patch.object(pointer, "now", now),
        patch.object(ledger, "now", now),
        patch.object(memory, "now", now),
        patch.object(describe, "now", now),
        patch.object(secrets, "token_hex", lambda size: f"{number():0{2 * size}x}"),
        patch.object(running, "judge", judge),
        patch.object(running, "estimate_noise", lambda *_: {"sources": {}, "suspicious": []}),
        patch.object(judging, "compare_behaviour", lambda *_: []),
        patch.object(judging, "RESAMPLES", 10),
        patch.object(task, "screen", lambda *_: {}),
        patch.object(candidate, "examine", lambda *_: [examined] if excluded else []),
    ):
        yield


def run(
    store: MemoryStore,
    through: ObjectStore | None = None,
    *,
    promote: bool = True,
    excluded: str = SPOILER,
    release: str = "at_once",
) -> dict[str, Any]:
    """Run once; `through` is the store with faults that the run sees."""
    with _small_run(store, promote=promote, excluded=excluded):
        return running.retrain(through or store, replace(SETTINGS, release=release), RECIPE, by="test")


class Reader:
    """A warm instance of the service; each look asserts that it serves a complete version, and that of the pointer.

    Args:
        store: what the instance reads.
        truth: the bucket itself, where the store may fail.
    """

    def __init__(self, store: ObjectStore, truth: ObjectStore | None = None) -> None:
        self._truth = truth or store
        self._live = LiveModel(store, 0)
        self._generation = 0
        self.look()

    def look(self) -> str:
        """Look at the pointer and return the version that is served."""
        self._live.refresh()
        served = self._live._served
        current = pointer.read(self._truth)
        if current is None:
            assert served.pointer is None
            assert served.model is baseline()
            return served.model.version
        assert (served.problem, served.pointer) == (None, current.pointer)
        return self._check_whole()

    def endure(self) -> str:
        """Look while storage does not answer and return the version that is still served."""
        self._live.refresh()
        assert self._live._served.problem
        return self._check_whole() if self._live._served.pointer else self._live._served.model.version

    def _check_whole(self) -> str:
        served = self._live._served
        assert served.pointer is not None
        version = served.model.version
        assert version == served.pointer.champion.version
        assert artefact.weights_of(served.model) == self._truth.get(version_key(version, artefact.WEIGHTS)).body
        assert served.pointer.generation >= self._generation
        self._generation = served.pointer.generation
        return version


State = frozenset[tuple[str, bytes]]


def state_of(store: MemoryStore) -> State:
    """Return what a bucket holds, to compare by."""
    return frozenset(store.objects.items())


def states_of_a_run(start: MemoryStore, **options: Any) -> list[MemoryStore]:
    """Run on a copy and return all states that the bucket has, the first to the last, each once.

    Between any two of them two instances look: one that looks each time, and one that looked before the run only.
    """
    store = start.copy()
    faulty = FaultyStore(store)
    warm = Reader(store)
    states = [store.copy()]

    def observe(_key: str) -> None:
        if store.objects != states[-1].objects:
            states.append(store.copy())
        warm.look()

    faulty.before_write = observe
    idle = Reader(store)
    run(store, faulty, **options)
    observe("")
    idle.look()
    return states


def writes_of_a_run(start: MemoryStore, **options: Any) -> list[str]:
    """Return the keys that a run writes, in order."""
    store = start.copy()
    faulty = FaultyStore(store)
    run(store, faulty, **options)
    return faulty.writes


def reads_of_a_run(start: MemoryStore, **options: Any) -> list[tuple[str, int]]:
    """Return what a run reads: each key or prefix with the number of its read, the first is 1."""
    store = start.copy()
    faulty = FaultyStore(store)
    run(store, faulty, **options)
    return [(key, number) for key, times in sorted(faulty.reads.items()) for number in range(1, times + 1)]


def run_with_fault(start: MemoryStore, write: int, fault: Fault, **options: Any) -> MemoryStore:
    """Return the bucket after a run of which one write met a fault, whether the run got over it or not."""
    store = start.copy()
    faulty = FaultyStore(store, {write: fault})
    warm = Reader(store)

    def look(_key: str) -> None:
        warm.look()

    faulty.before_write = look
    with suppress(SentiloopError):
        run(store, faulty, **options)
    assert len(faulty.writes) >= write
    warm.look()
    return store


def run_into_an_outage(start: MemoryStore, write: int, **options: Any) -> MemoryStore:
    """Return the bucket after a run for which storage answered nothing any more from a write on."""
    store = start.copy()
    faulty = FaultyStore(store, dict.fromkeys(range(write, write + 100), Fault.DOWN))
    warm = Reader(faulty, store)

    def go_down(_key: str) -> None:
        faulty.reads_fail = len(faulty.writes) >= write

    faulty.before_write = go_down
    served = warm.look()
    with suppress(SentiloopError):
        run(store, faulty, **options)
    assert faulty.reads_fail
    assert warm.endure() == served
    return store


def run_with_failing_read(start: MemoryStore, read: tuple[str, int], **options: Any) -> MemoryStore:
    """Return the bucket after a run of which one read was not answered."""
    store = start.copy()
    faulty = FaultyStore(store)
    faulty.failing_read = read
    with suppress(SentiloopError):
        run(store, faulty, **options)
    assert faulty.reads[read[0]] >= read[1]
    return store


def corrections(count: int, begin: int = 0) -> list[Correction]:
    """Corrections about invented words by six contributors, of two days, of which two contradict each other."""
    found = []
    for number in range(begin, begin + count):
        label = list(WORDS)[number % 3]
        moment = EPOCH - timedelta(days=number % 2, minutes=60 - number)
        found.append(
            make_correction(
                number,
                id=correction_id(moment.date(), f"{number:032x}"),
                received_at=timestamp(moment),
                text=f"the {SUBJECTS[number % 10]} {number} and the {SUBJECTS[(number * 3 + 1) % 10]}: {WORDS[label]}",
                correct_label=label,
                contributor=SPOILER if number % 7 in {0, 3} else f"somebody {number % 7}",
            )
        )
    found[1] = replace(found[1], text=found[2].text)  # by another contributor, with another label: a tie
    return found


def put(store: MemoryStore, entries: Sequence[Correction], name: str) -> None:
    """Store three corrections as the service does, an object with the others and a broken line, and a few samples."""
    for entry in entries[:3]:
        store.put(correction_key(entry.id), entry.to_line())
    others = b"".join(entry.to_line() for entry in entries[3:])
    store.put(f"feedback/dt={EPOCH:%Y-%m-%d}/{name}.jsonl", others + b"{broken " + name.encode() + b"\n")
    samples = [
        make_sample(number, text=f"the {name} {subject}", received_at=timestamp(EPOCH - timedelta(days=2)))
        for number, subject in enumerate(SUBJECTS[:3])
    ]
    store.put(f"samples/dt={EPOCH - timedelta(days=2):%Y-%m-%d}/{name}.jsonl", to_lines(samples))


def import_rows(store: MemoryStore, name: str, begin: int) -> None:
    """Import base data: a part of the seed corpus that the small seed does not have."""
    rows = ALL_ROWS[begin::SHARE_OF_SEED]
    datasets.store_dataset(store, name, rows, source="written for Sentiloop", licence="Apache-2.0")


def records(store: ObjectStore) -> list[dict[str, Any]]:
    """Return the records of all runs that decided something."""
    found = [json.loads(store.get(key).body) for key in store.keys("runs/")]
    return [record for record in found if record["outcome"] != "skipped"]


def promotions(store: ObjectStore) -> list[str]:
    """Return the versions that runs promoted, in order; people move the pointer too."""
    moves = [Pointer.from_bytes(store.get(key).body) for key in store.keys("models/history/")]
    return [move.champion.version for move in moves if move.by == "test"]


def quarantined(store: ObjectStore) -> list[tuple[str, str]]:
    """Return all rows of the quarantine, each an id and a reason."""
    rows = [json.loads(line) for key in store.keys("quarantine/") for line in store.get(key).body.splitlines()]
    return sorted((row["id"], row["reason"]) for row in rows)


def remembered(store: ObjectStore) -> list[str]:
    """Return the ids that the next run starts from."""
    return sorted(entry.id for part in memory.recall(store).parts for entry in part.corrections())


def account(store: MemoryStore, entries: Sequence[Correction]) -> dict[str, Any]:
    """Return everything that corrections and promotions are counted in, and what is served."""
    version = Reader(store).look()
    return {
        "served": version,
        "weights": sha256(store.get(version_key(version, artefact.WEIGHTS)).body).hexdigest(),
        "promoted": promotions(store),
        "decided": sorted((record["outcome"], record["snapshot"], record.get("version")) for record in records(store)),
        "told": {entry.id: read_outcome(store, entry.id) for entry in entries},
        "quarantined": quarantined(store),
        "remembered": remembered(store),
    }
