"""`make bench-gate`: how often the gate promotes candidates without a true gain, and finds those with one.

Champion and candidate read the same signal of each row, and each adds noise of its own; a candidate whose signal is as
strong as the champion's has no true gain. The rows, the answers of both and what users report are drawn anew for each
promotion, and judged by the checks that a run judges by.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from retrain.behaviour_checks import compare_behaviour
from retrain.checks import FALL_LEVEL, behaviour_check, gain_checks, slice_checks
from retrain.judge import Answers, compare_calibration
from scipy.stats import binom
from sentiloop import gate
from sentiloop.bulk import softmax
from sentiloop.bundled import baseline
from sentiloop.gate import Comparison, Selected, mcnemar
from sentiloop.settings import Settings

from tests.benchmarks.bench import closing_lines

Flags = NDArray[np.bool_]
PROMOTIONS = 500
LEVEL = Settings().gate_level
DROP = Settings().gate_slice_drop
TRUE_GAIN = 0.02
CLASSES = 3
STRENGTH = 1.5  # of the signal: both models are right on some 70 % of the rows
OWN_NOISE = 0.25  # beside a shared noise of 1: of a tenth of the rows one is right and the other is not
STANDARD_ERRORS = 3  # by which a simulated power may differ from the predicted one


@dataclass(frozen=True, slots=True)
class Rows:
    """Simulated rows: the true classes, and whether champion and candidate are right or gave different answers."""

    truth: NDArray[np.int64]
    old: Flags
    new: Flags
    differ: Flags

    def compare(self, name: str, where: Flags | slice = slice(None)) -> Comparison:
        """Return the comparison on some of the rows."""
        return gate.compare(name, self.old[where].tolist(), self.new[where].tolist())


def draw(dice: np.random.Generator, count: int, strength: float = STRENGTH) -> Rows:
    """Draw rows; `strength` is that of the candidate's signal."""
    truth = dice.integers(0, CLASSES, count)
    shared = dice.normal(size=(count, CLASSES))
    champion, candidate = (
        (shared + dice.normal(0, OWN_NOISE, (count, CLASSES)) + own * np.eye(CLASSES)[truth]).argmax(axis=1)
        for own in (STRENGTH, strength)
    )
    return Rows(truth, champion == truth, candidate == truth, champion != candidate)


def draw_selected(dice: np.random.Generator, mistakes: int, confirmations: int, strength: float) -> Selected:
    """Draw what users report: rows that are there because the champion is wrong or right on them."""
    stream = draw(dice, 10 * (mistakes + confirmations), strength)
    wrong, right = np.flatnonzero(~stream.old)[:mistakes], np.flatnonzero(stream.old)[:confirmations]
    return Selected(
        wrong=len(wrong),
        fixed=int(stream.new[wrong].sum()),
        turned=int((~stream.new & stream.differ)[wrong].sum()),
        right=len(right),
        broken=int((~stream.new)[right].sum()),
    )


def strength_for(gain: float) -> float:
    """Return the strength of a signal whose true gain is this, found on a million rows."""
    low, high = STRENGTH, STRENGTH + 1
    for _ in range(12):
        middle = (low + high) / 2
        rows = draw(np.random.default_rng(1), 1_000_000, middle)
        low, high = (middle, high) if rows.new.mean() - rows.old.mean() < gain else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class Simulated:
    """Shares of simulated promotions.

    Attributes:
        found: the gain is beyond chance.
        found_by_plain_test: the same by McNemar's test on all rows, the reported ones among them.
        promoted: by the whole: gain and slices.
        fell: a slice rejects.
        fell_at_fall_level: a slice would reject if each had `FALL_LEVEL` for itself.
        predicted: power of the test, as `gate.power` predicts it.
    """

    found: float
    found_by_plain_test: float
    promoted: float
    fell: float
    fell_at_fall_level: float
    predicted: float


def simulate(rows: int, strength: float = STRENGTH, mistakes: int = 0, confirmations: int = 0) -> Simulated:
    """Judge `PROMOTIONS` candidates, print and return what became of them."""
    dice = np.random.default_rng(0)
    gain = 0.0 if strength == STRENGTH else TRUE_GAIN
    outcomes = []
    for _ in range(PROMOTIONS):
        drawn = draw(dice, rows, strength)
        fair = drawn.compare("fair")
        selected = draw_selected(dice, mistakes, confirmations, strength)
        kinds = slices(dice, drawn)
        news = (kinds[2][0], selected) if selected.rows else None
        checks = gain_checks(fair, selected, level=LEVEL, min_gain=0.0, news=news)
        found = all(check.ok for check in checks)
        kept = all(check.ok for parts in kinds for check in slice_checks(parts, slice_drop=DROP))
        kept_each = not any(falls(part, FALL_LEVEL) for parts in kinds for part in parts)
        plain = mcnemar(fair.gained + selected.fixed, fair.lost + selected.broken) <= LEVEL
        predicted = gate.power(rows, fair.discordant, gain, LEVEL) if gain else LEVEL
        outcomes.append((found, plain, found and kept, not kept, not kept_each, predicted))
    shares = Simulated(*(fmean(column) for column in zip(*outcomes, strict=True)))
    print(
        f"{rows:6} {mistakes:9} {confirmations:14} {gain:6.2f} {shares.found:8.3f} {shares.found_by_plain_test:8.3f} "
        f"{shares.fell:8.3f} {shares.fell_at_fall_level:8.3f} {shares.promoted:9.3f}",
        flush=True,
    )
    return shares


def slices(dice: np.random.Generator, rows: Rows) -> list[list[Comparison]]:
    """Return slices as a run has them: a label each, two data sets, a feedback of a fifth of the rows."""
    source = dice.choice(3, len(rows.truth), p=(0.4, 0.4, 0.2))
    return [
        [rows.compare(f"label {label}", rows.truth == label) for label in range(CLASSES)],
        [rows.compare(f"source {number}", source == number) for number in (0, 1)],
        [rows.compare("feedback", source == 2)],
    ]


def falls(part: Comparison, level: float) -> bool:
    """Return whether a slice rejects at a level of its own."""
    return -part.gain > DROP and mcnemar(part.lost, part.gained) <= level


def chance_of_rejection(rows: int, discordance: float, fall: float, level: float) -> float:
    """Return the exact chance that a slice rejects a candidate whose accuracy truly falls there."""
    total = 0.0
    for discordant in range(1, rows + 1):
        weight = float(binom.pmf(discordant, rows, discordance))
        if weight > 1e-9:
            least = next(
                (lost for lost in range(discordant + 1) if _rejects(rows, discordant, lost, level)), discordant + 1
            )
            total += weight * float(binom.sf(least - 1, discordant, (1 + fall / discordance) / 2))
    return total


def _rejects(rows: int, discordant: int, lost: int, level: float) -> bool:
    return (2 * lost - discordant) / rows > DROP and mcnemar(lost, discordant - lost) <= level


def print_slice_power(levels: Sequence[float], falls: Iterable[float] = (0.0, 0.02, 0.04, 0.06)) -> None:
    """Print how often a slice rejects, by its size, its true fall, and the level that is its share."""
    falls = tuple(falls)
    print("\nOne slice: chance that it rejects, a tenth of its rows discordant, by true fall in accuracy")
    print(f"{'rows':>6} {'level':>7} " + " ".join(f"{fall:8.2f}" for fall in falls))
    for rows in (50, 100, 200, 400, 1000):
        for level in levels:
            shares = [chance_of_rejection(rows, 0.1, fall, level) for fall in falls]
            print(f"{rows:6} {level:7.3f} " + " ".join(f"{share:8.3f}" for share in shares), flush=True)


def print_calibration(sizes: Sequence[int], factors: Sequence[float]) -> None:
    """Print how often the check of the calibration rejects a candidate whose logits are multiplied by a factor."""
    print("\nCalibration: share rejected, by how much too sure the candidate is (logits times a factor)")
    print(f"{'rows':>6} " + " ".join(f"{factor:8.2f}" for factor in factors))
    for rows in sizes:
        shares = [_share_rejected_by_calibration(rows, factor) for factor in factors]
        print(f"{rows:6} " + " ".join(f"{share:8.3f}" for share in shares), flush=True)


def _share_rejected_by_calibration(rows: int, factor: float) -> float:
    dice = np.random.default_rng(0)
    rise, rejected = Settings().gate_calibration_rise, 0
    for _ in range(PROMOTIONS // 2):
        truth = dice.integers(0, CLASSES, rows)
        shared = dice.normal(size=(rows, CLASSES)) + STRENGTH * np.eye(CLASSES)[truth]
        champion, candidate = (
            _answers(shared + dice.normal(0, OWN_NOISE, shared.shape), truth, sureness) for sureness in (1.0, factor)
        )
        rejected += not compare_calibration(champion, candidate, rise).ok
    return rejected / (PROMOTIONS // 2)


def _answers(seen: NDArray[np.float64], truth: NDArray[np.int64], sureness: float) -> Answers:
    """Return answers with the posterior probability after what was seen as confidence, calibrated if sureness is 1."""
    probabilities = softmax(sureness * STRENGTH * seen / (1 + OWN_NOISE**2))
    said = probabilities.argmax(axis=1)
    return Answers(said, said == truth, probabilities.max(axis=1))


def print_behaviour(discordant: float = 0.08) -> None:
    """Print how often the behavioural checks reject a candidate that passes as many cases as the baseline, in truth."""
    settings, dice = Settings(), np.random.default_rng(0)
    parts = compare_behaviour(baseline(), baseline())
    rejected = dict.fromkeys((part.name for part in parts), 0)
    any_rejected = 0
    for _ in range(PROMOTIONS):
        failed = []
        for part in parts:
            up, down = (int(dice.binomial(part.rows, discordant / 2)) for _ in range(2))
            drawn = Comparison(part.name, part.rows, part.champion_correct, part.champion_correct + up - down, up, down)
            if not behaviour_check(drawn, floor=settings.gate_behaviour_floor, drop=settings.gate_slice_drop).ok:
                failed.append(part.name)
                rejected[part.name] += 1
        any_rejected += bool(failed)
    print(f"\nBehaviour of {baseline().version}, and equal candidates rejected, {discordant:.0%} of cases discordant")
    for part in parts:
        passed, share = part.champion_correct / part.rows, rejected[part.name] / PROMOTIONS
        print(f"{part.name:12} {passed:6.3f} of {part.rows} cases passed, {share:6.3f} rejected")
    print(f"{'any of them':12} {any_rejected / PROMOTIONS:37.3f} rejected")


def main() -> int:
    """Run all simulations, and return the exit status."""
    print(f"{PROMOTIONS} candidates each; shares that pass the test of the gain, that would by McNemar's on all rows,")
    print(f"that slices reject, that slices would at {FALL_LEVEL} each, and that are promoted")
    print("  rows  mistakes  confirmations   gain    found    plain     fell     each  promoted")
    plain = [simulate(300), simulate(1000), simulate(5000)]
    reported = [simulate(300, mistakes=40), simulate(300, mistakes=200), simulate(1000, mistakes=1000)]
    mixed = simulate(1000, mistakes=200, confirmations=200)
    better = strength_for(TRUE_GAIN)
    powers = [simulate(rows, better) for rows in (1000, 2000, 5000)]
    simulate(300, better, mistakes=40)
    print_slice_power((FALL_LEVEL, FALL_LEVEL / 2, FALL_LEVEL / 3, FALL_LEVEL / 10))
    print_calibration((300, 1000), (1.0, 1.1, 1.25, 1.5))
    print_behaviour()
    worst = max(
        abs(share.found - share.predicted) / (share.predicted * (1 - share.predicted) / PROMOTIONS) ** 0.5
        for share in powers
    )
    print("\npredicted power: " + ", ".join(f"{share.predicted:.3f}, found {share.found:.3f}" for share in powers))
    return closing_lines(
        [
            ("gate-no-gain-promoted", max(share.promoted for share in plain), "share", LEVEL, False),
            (
                "gate-no-gain-reported-promoted",
                max(s.promoted for s in [*reported, mixed]),
                "share",
                LEVEL,
                False,
            ),
            ("gate-no-gain-found", max(s.found for s in [*plain, *reported, mixed]), "share", LEVEL, False),
            ("gate-power-off-prediction", worst, "standard-errors", STANDARD_ERRORS, False),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
