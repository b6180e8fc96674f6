"""The figures of `make bench-replay`: by domain and week, as tables and as docs/images/replay.svg."""

import re
from collections import Counter

import numpy as np
import pandas as pd
from matplotlib import rc_context  # type: ignore[import-not-found,unused-ignore]
from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]

from tests.benchmarks.replay_traffic import REPORTED, WEEKS
from tests.benchmarks.scaling import STYLE
from tests.builders import ROOT

FIGURE = "docs/images/replay.svg"
SCENARIOS = MISTAKES, CONFIRMED = "mistakes only", "with confirmations"
ANY = "any"  # scenario of what no report changes
NAIVE_WEIGHTS = (1.0, 5.0, 15.0)
NAIVE = {f"naive x{weight:g}": weight for weight in NAIVE_WEIGHTS}
NONE, OURS, BOUND = "no learning", "ours", "upper bound"
BOUNDS = ADAPTED, JOINT = "all labels, adapted", "all labels, joint"
DOMAIN, POLAR = "new domain", "new domain, two labels"
BASE_TESTS = {"sst2": ("dev", "test"), "sst3": ("test",), "tweeteval": ("test",)}
RECALL = "tweeteval, macro recall"
BASE_FIGURES = (*BASE_TESTS, RECALL)
COLOURS = {NONE: "#888888", OURS: "#0072b2", BOUND: "#009e73"}
COLOURS |= dict(zip(NAIVE, ("#e69f00", "#d55e00", "#882255"), strict=True))
TITLES = {MISTAKES: f"{REPORTED} mistakes corrected a week", CONFIRMED: f"and {REPORTED} answers confirmed"}


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
        findings = (reason.partition(":")[0] for reasons in rejected["reasons"] for reason in reasons)
        kinds = Counter(re.sub(r"-?\d+(\.\d+)?", "…", finding) for finding in findings)
        for reason, times in kinds.most_common():
            print(f"  {times:3} x {reason}")


def draw(results: dict[str, Results]) -> None:
    """Write the figure; equal numbers give equal bytes."""
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        *of_scenarios, base = figure.subplots(1, 3)
        for axis, (scenario, found) in zip(of_scenarios, results.items(), strict=True):
            for method, values in _curves(found).items():
                line = "--" if method in (NONE, BOUND) else "o-"
                axis.plot(range(WEEKS + 1), values, line, color=COLOURS[method], label=method)
            axis.set(title=TITLES[scenario], xlabel="week", ylabel="accuracy on the new domain")
        found = results[MISTAKES]
        for method in (name for name in (*NAIVE, OURS) if name in found.methods):
            changes = [_base_change(found, method, week) for week in range(WEEKS + 1)]
            base.plot(range(WEEKS + 1), changes, "o-", color=COLOURS[method])
        base.set(title="Base data, mistakes only", xlabel="week", ylabel="change in accuracy, points")
        of_scenarios[0].legend(fontsize=7)
        path = ROOT / FIGURE
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def _curves(found: Results) -> dict[str, list[float]]:
    """Return by method the accuracy on the domains after each week."""
    changing = [name for name in (NONE, *NAIVE, OURS) if name in found.methods]
    curves = {name: [float(found.by_domain(name, week=week).mean()) for week in range(WEEKS + 1)] for name in changing}
    return {**curves, BOUND: [float(found.bound().mean())] * (WEEKS + 1)}


def _base_change(found: Results, method: str, week: int) -> float:
    changes = [(found.by_domain(method, name, week) - found.by_domain(NONE, name)).mean() for name in BASE_TESTS]
    return 100 * float(np.mean(changes))
