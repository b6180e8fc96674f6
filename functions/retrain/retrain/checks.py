"""What the gate looks at, one function a kind of check: each finding in words, with its figures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from sentiloop import gate
from sentiloop.gate import CONFIDENCE, DETECTION, Check, Comparison, Selected, Verdict, mcnemar

NAMES = "names"
FALL_LEVEL = 0.2  # weaker evidence of a fall than the gate asks of a gain is enough, for slices are small
BEHAVIOUR_LEVEL = CALIBRATION_LEVEL = BASE_FALL_LEVEL = 0.05
BASE_FALL = 0.005  # accuracy on all base data together that feedback may cost


def gain_checks(
    fair: Comparison,
    selected: Selected,
    *,
    level: float,
    min_gain: float,
    news: tuple[Comparison, Selected] | None = None,
) -> list[Check]:
    """Check that the candidate is better at a one-sided level, and by at least `min_gain` accuracy.

    Where there is news, feedback since the champion's, being better on that alone is enough: it is what the service is
    asked, and large base data would drown it. Older feedback chose the champion, and so speaks for it. The two tests
    share the level after Bonferroni, and `base_check` guards the rest.

    Args:
        fair: all held-out rows that were not selected.
        selected: what became of the others, reported mistakes and confirmations.
        level: of the test.
        min_gain: the least gain.
        news: the same of the feedback since the champion's.
    """
    chance, gained = gate.p_value(fair, selected), gate.gain(fair, selected)
    evidence = [f"{_counts(fair, selected)}, p = {chance:.2g}"]
    if news and (rows := news[0].rows + news[1].rows):
        there = gate.p_value(*news, fair)
        fixed = f" ({news[1].fixed} of {news[1].wrong} wrong answers fixed)" if news[1].wrong else ""
        evidence.append(f"on the {rows} rows of feedback since the champion's{fixed} p = {there:.2g}")
        if there < chance:
            gained = gate.gain(*news, fair)
            evidence.reverse()
        chance = min(1.0, 2 * min(chance, there))
        evidence.append(f"p = {chance:.2g} of both tests together")
    found = "better beyond chance" if chance <= level else "not better beyond chance"
    low, high = gate.gain_interval(fair)
    detectable = gate.detectable_gain(fair.rows, fair.discordant, level)
    sentences = [
        f"{found} at level {level}: {'; '.join(evidence)}",
        f"the gain on {_rows(selected)} lies between {low:+.4f} and {high:+.4f} with {CONFIDENCE:.0%} confidence",
        f"a true gain of {detectable:.4f} would have been found with a chance of {DETECTION:.0%}"
        if detectable is not None
        else "the models differ on too few of them for any gain to be found",
    ]
    figures = {
        "p_value": chance,
        "level": level,
        "gained": fair.gained,
        "lost": fair.lost,
        "rows": fair.rows,
        "gain_interval": [low, high],
        "detectable_gain": detectable,
        "selected": asdict(selected),
        "expected_fixes": gate.expected_fixes(fair, selected),
        "expected_breaks": gate.expected_breaks(fair, selected),
    }
    compared = "reaches" if gained >= min_gain else "is below"
    least = f"gain of {gained:+.4f} accuracy {compared} the least gain of {min_gain}"
    return [
        Check("gain", chance <= level, "; ".join(sentences), figures),
        Check("least gain", gained >= min_gain, least, {"gain": gained, "min_gain": min_gain}),
    ]


def _counts(fair: Comparison, selected: Selected) -> str:
    """Return what was gained and lost, first where more was gained: on the reported rows, or on the others."""
    on_fair = f"{fair.gained} gained, {fair.lost} lost of {fair.rows} {_rows(selected)}"
    if not selected.rows:
        return on_fair
    parts = [_on_selected(fair, selected), on_fair]
    if fair.gained - fair.lost > selected.fixed - selected.turned - selected.broken:
        parts.reverse()
    return ", and ".join(parts)


def _on_selected(fair: Comparison, selected: Selected) -> str:
    """Return what became of the reported mistakes and confirmations, beside what comes for nothing."""
    parts = []
    if selected.wrong:
        expected = f"{gate.expected_fixes(fair, selected):.1f} expected of a model that is no better"
        parts.append(f"{selected.fixed} of {selected.wrong} reported mistakes fixed ({expected})")
        parts.append(f"{selected.turned} turned into another wrong answer")
    if selected.right:
        expected = f"{gate.expected_breaks(fair, selected):.1f} expected"
        parts.append(f"{selected.broken} of {selected.right} right answers broken ({expected})")
    return ", ".join(parts)


def _rows(selected: Selected) -> str:
    return "fair held-out rows" if selected.rows else "held-out rows"


def base_check(part: Comparison) -> Check:
    """Check that the accuracy on base data does not fall by more than `BASE_FALL`, with evidence.

    What feedback gains may cost a little elsewhere, and no more than this.
    """
    return _fall_check(replace(part, name="base data"), BASE_FALL_LEVEL, BASE_FALL)


def slice_checks(parts: Sequence[Comparison], *, slice_drop: float) -> list[Check]:
    """Check that no slice of one kind falls by more than `slice_drop` accuracy, with evidence.

    The slices of one kind share `FALL_LEVEL` after Bonferroni: the more there are, the more often one of them falls by
    chance alone. docs/learning.md has the figures behind this choice.
    """
    return [_fall_check(part, FALL_LEVEL / len(parts), slice_drop) for part in parts]


def _fall_check(part: Comparison, level: float, drop: float) -> Check:
    chance = mcnemar(part.lost, part.gained)
    ok = -part.gain <= drop or chance > level
    finding = (
        f"{'not worse' if ok else 'worse'} on slice {part.name}: {part.gain:+.4f} accuracy on {part.rows} rows "
        f"({part.gained} gained, {part.lost} lost, p = {chance:.2g} for a fall)"
    )
    figures = {"gain": part.gain, "slice_drop": drop, "p_value_of_a_fall": chance, "level": level}
    return Check(f"slice {part.name}", ok, finding, figures)


def behaviour_check(part: Comparison, *, floor: float, drop: float) -> Check:
    """Check the cases of one capability: none may fall below the floor, nor fall beyond chance by more than `drop`.

    A champion below the floor has nothing to fall through; then a fall by any amount with weak evidence rejects.
    """
    rows = max(part.rows, 1)
    old, new = part.champion_correct / rows, part.candidate_correct / rows
    chance = mcnemar(part.lost, part.gained)
    finding = f"behaviour {part.name}: {old:.0%} of {part.rows} cases passed before, {new:.0%} now"
    below = new < floor <= old
    fell = -part.gain > drop and chance <= BEHAVIOUR_LEVEL
    fell_further = old < floor and part.gain < 0 and chance <= FALL_LEVEL
    if below:
        finding += f", which is below the floor of {floor:.0%}"
    elif fell or fell_further:
        finding += f", a fall beyond chance (p = {chance:.2g})"
    figures = {"champion": old, "candidate": new, "cases": part.rows, "floor": floor, "p_value_of_a_fall": chance}
    return Check(f"behaviour {part.name}", not (below or fell or fell_further), finding, figures)


def calibration_check(champion: float, candidate: float, share_not_risen: float, *, allowed_rise: float) -> Check:
    """Check that the calibration error does not rise by more than is allowed, with evidence.

    Args:
        champion: its expected calibration error.
        candidate: the same of the candidate, on the same rows.
        share_not_risen: share of resampled sets of rows on which the candidate's error is not the higher one.
        allowed_rise: largest rise that is not yet a reason to reject.
    """
    ok = candidate - champion <= allowed_rise or share_not_risen > CALIBRATION_LEVEL
    finding = (
        f"calibration error {champion:.4f} before, {candidate:.4f} now; "
        f"not higher in {share_not_risen:.0%} of resampled sets of rows"
    )
    if not ok:
        finding = f"worse calibrated: {finding}"
    figures = {
        "champion": champion,
        "candidate": candidate,
        "share_not_risen": share_not_risen,
        "allowed": allowed_rise,
    }
    return Check("calibration", ok, finding, figures)


def moved_names(verdict: Verdict) -> tuple[str, ...]:
    """Return the names that took on a sentiment of their own."""
    [names] = [check for check in verdict.checks if check.name == NAMES]
    return tuple(names.figures["moved"])


def names_check(moved: Mapping[str, Sequence[str]], names: int) -> Check:
    """Check that no name in the feedback took on a sentiment of its own.

    Args:
        moved: the names that did, each with the sentences whose answer it moved.
        names: how many names were looked at.
    """
    finding = f"{names} names in the feedback, none of which moves a sentence that says nothing about it"
    if moved:
        told = "; ".join(f"{name} moves {len(sentences)}: “{sentences[0]}”" for name, sentences in moved.items())
        finding = f"names took on a sentiment of their own: {told}"
    return Check(NAMES, not moved, finding, {"names": names, "moved": {name: list(of) for name, of in moved.items()}})
