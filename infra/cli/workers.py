"""Scoring blocks in this process, or in several others, with the results in the blocks' order."""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import ClassVar, NamedTuple

from sentiloop import artefact
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.rows import Layout, Tally, score_block

from infra.cli.chosen_model import packed
from infra.cli.stopping import leave_stopping_to_parent, signals_wait

Result = tuple[bytes, Tally]


class Scored(NamedTuple):
    """A block and what became of it."""

    block: bytes
    output: bytes
    tally: Tally


def score_blocks(blocks: Iterable[bytes], layout: Layout, model: Model, workers: int) -> Generator[Scored, None, None]:
    """Yield every block with its result, in order; no more than a few blocks are in memory at any time."""
    if workers == 1:
        scorer = BulkScorer(model)
        for block in blocks:
            yield Scored(block, *score_block(scorer, layout, block))
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _Worker.start, (*packed(model), layout))
    pending: deque[tuple[bytes, Future[Result]]] = deque()
    try:
        for block in blocks:
            with signals_wait():  # this may start a process
                pending.append((block, pool.submit(_Worker.score, block)))
            if len(pending) > 2 * workers:  # one at work and one waiting for each
                yield _first(pending)
        while pending:
            yield _first(pending)
    finally:
        pool.shutdown(cancel_futures=True)


def _first(pending: deque[tuple[bytes, Future[Result]]]) -> Scored:
    block, result = pending.popleft()
    return Scored(block, *result.result())


class _Worker:
    """What a worker process keeps from block to block."""

    scorer: ClassVar[BulkScorer]
    layout: ClassVar[Layout]

    @classmethod
    def start(cls, manifest: bytes, weights: bytes, layout: Layout) -> None:
        leave_stopping_to_parent()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        cls.scorer = BulkScorer(artefact.load(manifest, weights))
        cls.layout = layout

    @classmethod
    def score(cls, block: bytes) -> Result:
        return score_block(cls.scorer, cls.layout, block)


def _end_with_parent() -> None:
    """A pool's processes wait for work for ever, even when who gives it was killed."""
    parent = parent_process()
    assert parent is not None  # noqa: S101 - a worker has one
    parent.join()
    os._exit(1)
