"""`make bench-replay`: weeks of traffic from a new domain, users who correct a share of the mistakes, a retrain a week.

The product's own retrain runs are compared with no learning, with naive merging, and with training on all labels. It
prints tables and draws the accuracy per week in docs/images/replay.svg.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from retrain.metrics import evaluate
from sentiloop.bulk import BulkScorer

from tests.benchmarks.bench import closing_lines
from tests.benchmarks.replay_arms import Answer, Begin, JointTraining, NaiveMerge, Ours, adapt_to_all, begin, is_right
from tests.benchmarks.replay_results import (
    ADAPTED,
    ANY,
    BASE_TESTS,
    CONFIRMED,
    DOMAIN,
    FIGURE,
    JOINT,
    MISTAKES,
    NAIVE,
    NONE,
    OURS,
    POLAR,
    RECALL,
    SCENARIOS,
    Results,
    draw,
)
from tests.benchmarks.replay_traffic import FOLDS, LABELS, WEEKS, read_domains, read_rows, split
from tests.faults.memory_store import MemoryStore


@dataclass(frozen=True, slots=True)
class Part:
    """What one process replays: a domain's fold, and whether naive merging is part of it."""

    domain: str
    fold: int
    naive: bool


def replay(start: Begin, folder: Path, part: Part) -> pd.DataFrame:
    """Return the figures of every method after every week; week 0 is before the first."""
    weeks, test = split(read_domains(folder)[part.domain], part.domain, part.fold)
    exams = {DOMAIN: test, **_base_tests(folder)}
    lines: list[dict[str, Any]] = []

    def note(scenario: str, method: str, week: int, answer: Answer, **found: Any) -> None:
        where = {"domain": part.domain, "fold": part.fold, "scenario": scenario, "method": method, "week": week}
        lines.append({**where, **_figures(answer, exams), **found})

    for method, answer in _constant(start, pd.concat(weeks, ignore_index=True)).items():
        note(ANY, method, WEEKS, answer)
    for scenario in SCENARIOS:
        confirmations = scenario == CONFIRMED
        ours = Ours(start, confirmations=confirmations)
        note(scenario, OURS, 0, ours.answer)
        for number, week in enumerate(weeks, 1):
            found = ours.live(week)
            note(scenario, OURS, number, ours.answer, **found)
            accuracy = lines[-1][DOMAIN]
            print(f"{part.domain} {part.fold} {scenario} {number}: {found['outcome']}, {accuracy:.4f}", flush=True)
        for method, weight in NAIVE.items() if part.naive else ():
            naive = NaiveMerge(start, weight, confirmations=confirmations)
            note(scenario, method, 0, naive.answer)
            for number, week in enumerate(weeks, 1):
                naive.live(week)
                note(scenario, method, number, naive.answer)
    return pd.DataFrame(lines)


def _constant(start: Begin, traffic: pd.DataFrame) -> dict[str, Answer]:
    """Return the methods that no week changes."""
    return {
        NONE: BulkScorer(start.anchor.model).probabilities,
        ADAPTED: adapt_to_all(start, traffic),
        JOINT: JointTraining(start.rows).fit(traffic, weight=1.0),
    }


def _figures(answer: Answer, exams: dict[str, pd.DataFrame]) -> dict[str, float]:
    found = {name: float(is_right(answer, rows).mean()) for name, rows in exams.items()}
    tweets = exams["tweeteval"]
    recall = evaluate(answer(tweets["text"].tolist()), tweets["label"].tolist(), LABELS)["macro_recall"]
    polar = float(is_right(answer, exams[DOMAIN], polar=True).mean())
    return {**found, RECALL: recall, POLAR: polar, "rows": len(exams[DOMAIN])}


@cache
def _base_tests(folder: Path) -> dict[str, pd.DataFrame]:
    return {
        name: pd.concat([read_rows(folder / name / f"{each}.jsonl.gz") for each in splits], ignore_index=True)
        for name, splits in BASE_TESTS.items()
    }


class _Process:
    """What a process keeps from one part to the next."""

    start: Begin
    folder: Path


def _set_up(objects: dict[str, bytes], folder: Path) -> None:
    _Process.start, _Process.folder = begin(MemoryStore(objects), folder), folder


def _replay(part: Part) -> pd.DataFrame:
    return replay(_Process.start, _Process.folder, part)


def replay_all(folder: Path, parts: Sequence[Part], workers: int) -> pd.DataFrame:
    """Return the figures of all parts."""
    store = MemoryStore()
    start = begin(store, folder)
    print(f"base data: {len(start.rows):,} training rows; champion {start.anchor.target.version}", flush=True)
    with ProcessPoolExecutor(workers, initializer=_set_up, initargs=(store.objects, folder)) as pool:
        running = {pool.submit(_replay, part): part for part in parts}
        found = []
        for done in as_completed(running):
            found.append(done.result())
            print(f"{running[done].domain}, fold {running[done].fold}: done", flush=True)
    return pd.concat(found).sort_values(["domain", "fold", "scenario", "method", "week"], ignore_index=True)


def _bars(results: dict[str, Results]) -> list[tuple[str, float, str, float, bool]]:
    closed = {name: float(found.closed().mean()) for name, found in results.items()}
    fall = 0.0 - min(found.worst_base_change().min() for found in results.values())
    worst = min((found.by_domain(OURS) - found.by_domain(NONE)).min() for found in results.values())
    margins = [found.margin(name) for found in results.values() for name in NAIVE if name in found.methods]
    return [
        ("replay-mistakes", closed[MISTAKES], "of-the-gap", 0.40, True),
        ("replay-confirmed", closed[CONFIRMED], "of-the-gap", 0.55, True),
        ("replay-base-fall", fall, "accuracy", 0.005, False),
        ("replay-worst-domain", worst, "accuracy", 0, True),
        *([("replay-beats-naive", min(margins), "accuracy", 0, True)] if margins else []),
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="holds a folder for each data set")
    parser.add_argument("--domains", help="comma-separated; without it all")
    parser.add_argument("--folds", type=int, default=2, help=f"how many of the {FOLDS} folds of each domain")
    parser.add_argument("--naive-folds", type=int, default=1, help="on how many of these naive merging runs as well")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, help="file for every figure, as CSV")
    options = parser.parse_args()
    if not options.folder.is_dir():
        sys.exit(f"{options.folder} is no folder. Say where the data is: make bench-… DATA=folder")
    return options


def main() -> int:
    """Replay, print, draw; return 1 if a bar is missed."""
    options = _options()
    every = list(read_domains(options.folder))
    domains = options.domains.split(",") if options.domains else every
    if unknown := set(domains) - set(every):
        sys.exit(f"no domain {', '.join(sorted(unknown))}: there are {', '.join(every)}")
    parts = [Part(name, fold, fold < options.naive_folds) for fold in range(options.folds) for name in domains]
    lines = replay_all(options.folder, parts, options.workers)
    if options.keep:
        lines.to_csv(options.keep, index=False)
    results = {scenario: Results(lines, scenario) for scenario in SCENARIOS}
    for scenario, found in results.items():
        print(f"\n== {scenario} ==")
        found.print()
        closed = found.bound().mean() - found.by_domain(NONE).mean()
        gain = found.by_domain(OURS).mean() - found.by_domain(NONE).mean()
        print(f"mean gain {gain:.4f} of a mean gap of {closed:.4f}: {gain / closed:.3f}")
        print("lowest change of base figures:", found.worst_base_change().round(4).to_dict())
    if domains == every:
        draw(results)
        print(f"\nwrote {FIGURE}")
    return closing_lines(_bars(results))


if __name__ == "__main__":
    sys.exit(main())
