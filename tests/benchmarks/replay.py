"""`make bench-replay`: weeks of traffic from a new domain, users who correct a share of the mistakes, a retrain a week.

The product's own retrain runs are compared with no learning, with naive merging, and with training on all labels. It
prints tables and draws the accuracy per week in docs/images/replay.svg.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context  # type: ignore[import-not-found,unused-ignore]
from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
from retrain.metrics import evaluate
from retrain.snapshot import FEEDBACK_SOURCE
from sentiloop.bulk import BulkScorer

from tests.benchmarks.bench import closing_lines
from tests.benchmarks.replay_arms import Answer, Begin, JointTraining, NaiveMerge, Ours, adapt_to_all, begin, is_right
from tests.benchmarks.replay_traffic import FOLDS, LABELS, REPORTED, WEEKS, read_domains, read_rows, split
from tests.benchmarks.scaling import STYLE
from tests.builders import ROOT
from tests.faults.memory_store import MemoryStore

FIGURE = "docs/images/replay.svg"
SCENARIOS = MISTAKES, CONFIRMED = "mistakes only", "with confirmations"
ANY = "any"  # scenario of what no report changes
NAIVE_WEIGHTS = (1.0, 5.0, 15.0)
NAIVE = {f"naive x{weight:g}": weight for weight in NAIVE_WEIGHTS}
NONE, OURS = "no learning", "ours"
BOUNDS = ADAPTED, JOINT, JOINT_SET = "all labels, adapted", "all labels, joint", "all labels, as a data set"
DOMAIN, POLAR = "domain", "domain, two labels"
BASE_TESTS = {"sst2": "dev", "sst3": "test", "tweeteval": "test"}
BASE_FIGURES = (*BASE_TESTS, "tweeteval recall")
COLOURS = {NONE: "#888888", OURS: "#0072b2", "upper bound": "#009e73"}
COLOURS |= dict(zip(NAIVE, ("#e69f00", "#d55e00", "#882255"), strict=True))


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

    for method, answer in _constant(start, pd.concat(weeks, ignore_index=True), part.domain).items():
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


def _constant(start: Begin, traffic: pd.DataFrame, domain: str) -> dict[str, Answer]:
    """Return the methods that no week changes."""
    return {
        NONE: BulkScorer(start.anchor.model).probabilities,
        ADAPTED: adapt_to_all(start, traffic),
        JOINT: JointTraining(start.rows).fit(traffic, FEEDBACK_SOURCE),
        JOINT_SET: JointTraining(start.rows).fit(traffic, domain),
    }


def _figures(answer: Answer, exams: dict[str, pd.DataFrame]) -> dict[str, float]:
    found = {name: float(is_right(answer, rows).mean()) for name, rows in exams.items()}
    tweets = exams["tweeteval"]
    recall = evaluate(answer(tweets["text"].tolist()), tweets["label"].tolist(), LABELS)["macro_recall"]
    polar = float(is_right(answer, exams[DOMAIN], polar=True).mean())
    return {**found, "tweeteval recall": recall, POLAR: polar, "rows": len(exams[DOMAIN])}


@cache
def _base_tests(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: read_rows(folder / name / f"{split_}.jsonl.gz") for name, split_ in BASE_TESTS.items()}


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


class Results:
    """The figures of one scenario, folds put together, with the upper bound as a method of its own."""

    def __init__(self, lines: pd.DataFrame, scenario: str) -> None:
        self._lines = lines[lines["scenario"].isin([scenario, ANY])]

    @property
    def methods(self) -> list[str]:
        """All methods, the upper bounds last."""
        present = set(self._lines["method"])
        return [name for name in (NONE, *NAIVE, OURS, *BOUNDS) if name in present]

    def by_domain(self, method: str, figure: str = DOMAIN, week: int = WEEKS) -> "pd.Series[float]":
        """Return a figure by domain, over the folds that the method was run on."""
        where = (self._lines["method"] == method) & (self._lines["week"] == week)
        if not where.any():  # of a model that never changes
            where = (self._lines["method"] == method) & (self._lines["week"] == WEEKS)
        part = self._lines[where]
        sums = (part[figure] * part["rows"]).groupby(part["domain"]).sum()
        return sums / part.groupby("domain")["rows"].sum()

    def bound(self) -> "pd.Series[float]":
        """Return the upper bound by domain: the best use of all labels."""
        return pd.concat([self.by_domain(name) for name in BOUNDS], axis=1).max(axis=1)

    def closed(self) -> "pd.Series[float]":
        """Return by domain how much of the gap between no learning and the upper bound ours closes."""
        none = self.by_domain(NONE)
        return (self.by_domain(OURS) - none) / (self.bound() - none)

    def margin(self, method: str) -> float:
        """Return by how much ours ends above another method, on the folds that both were run on."""
        last = self._lines[self._lines["week"] == WEEKS].set_index(["domain", "fold"])
        gap = last.loc[last["method"] == OURS, DOMAIN] - last.loc[last["method"] == method, DOMAIN]
        return float(gap.dropna().groupby("domain").mean().mean())

    def worst_base_change(self) -> "pd.Series[float]":
        """Return for each base figure its lowest change by ours, of all domains, folds and weeks."""
        ours = self._lines[self._lines["method"] == OURS].sort_values("week")
        figures = ours[list(BASE_FIGURES)]
        changes: pd.DataFrame = figures - figures.groupby([ours["domain"], ours["fold"]]).transform("first")
        return changes.min()

    def print(self) -> None:
        """Print the tables."""
        for figure in (DOMAIN, POLAR, *BASE_FIGURES):
            print(f"\n{figure}, after each week, averaged over domains")
            print(f"{'':26}" + "".join(f"{week:>8}" for week in range(WEEKS + 1)))
            for method in self.methods:
                values = [self.by_domain(method, figure, week).mean() for week in range(WEEKS + 1)]
                print(f"{method:26}" + "".join(f"{value:8.4f}" for value in values))
        print("\nat the end, by domain; `closed` is ours between no learning and the upper bound")
        print(
            pd.DataFrame({name: self.by_domain(name) for name in self.methods})
            .assign(closed=self.closed())
            .round(4)
            .to_string()
        )
        print("\nthe same with two labels, neutral not allowed")
        print(pd.DataFrame({name: self.by_domain(name, POLAR) for name in self.methods}).round(4).to_string())
        self._print_runs()

    def _print_runs(self) -> None:
        runs = self._lines[(self._lines["method"] == OURS) & (self._lines["week"] > 0)]
        share = runs["corrected"].sum() / runs["mistakes"].sum()
        print(f"\n{runs['corrected'].sum():.0f} corrections in {len(runs)} weeks, {share:.0%} of the mistakes")
        print(pd.crosstab(runs["week"], runs["outcome"]).to_string())
        print("weights chosen:", dict(sorted(Counter(runs["weight"].dropna()).items())))
        print("left out of training:", dict(sum((Counter(left) for left in runs["left_out"]), Counter[str]())))
        rejected = runs[runs["outcome"] == "rejected"]
        kinds = Counter(reason.partition(":")[0] for reasons in rejected["reasons"] for reason in reasons)
        for reason, times in kinds.most_common():
            print(f"  {times:3} x {reason}")


def draw(results: dict[str, Results]) -> None:
    """Write the figure; equal numbers give equal bytes."""
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        axes = figure.subplots(1, 3)
        titles = {
            MISTAKES: f"{REPORTED} mistakes corrected a week",
            CONFIRMED: f"and {REPORTED} answers confirmed",
        }
        for axis, (scenario, found) in zip(axes, results.items(), strict=False):
            for method, values in _curves(found):
                axis.plot(
                    range(WEEKS + 1),
                    values,
                    "o-" if method in (OURS, *NAIVE) else "--",
                    color=COLOURS[method],
                    label=method,
                )
            axis.set(title=titles[scenario], xlabel="week", ylabel="accuracy on the domain")
        found = results[MISTAKES]
        for method in (OURS, *(name for name in NAIVE if name in found.methods)):
            changes = [_base_change(found, method, week) for week in range(WEEKS + 1)]
            axes[2].plot(range(WEEKS + 1), changes, "o-", color=COLOURS[method])
        axes[2].set(title="Base data, mistakes only", xlabel="week", ylabel="change in accuracy, points")
        axes[0].legend(fontsize=7)
        path = ROOT / FIGURE
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def _curves(found: Results) -> Iterator[tuple[str, list[float]]]:
    for method in (NONE, *NAIVE, OURS):
        if method in found.methods:
            yield method, [float(found.by_domain(method, DOMAIN, week).mean()) for week in range(WEEKS + 1)]
    yield "upper bound", [float(found.bound().mean())] * (WEEKS + 1)


def _base_change(found: Results, method: str, week: int) -> float:
    changes = [(found.by_domain(method, name, week) - found.by_domain(NONE, name)).mean() for name in BASE_TESTS]
    return 100 * float(np.mean(changes))


def _bars(results: dict[str, Results]) -> list[tuple[str, float, str, float, bool]]:
    closed = {name: float(found.closed().mean()) for name, found in results.items()}
    fall = -min(found.worst_base_change().min() for found in results.values())
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
