"""The gate's arithmetic: tests and intervals against scipy and simulation, and what selected rows may count for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom, binomtest
from sentiloop import gate
from sentiloop.gate import Check, Comparison, Selected, compare, mcnemar, p_value

COUNTS = st.integers(0, 400)


def comparison(gained: int, lost: int, rows: int = 1_000, wrong: int = 0, name: str = "all") -> Comparison:
    """Return a comparison; the champion gets wrong what is gained and `wrong` rows more."""
    right = rows - gained - wrong
    return Comparison(name, rows, right, right + gained - lost, gained, lost)


@given(COUNTS, COUNTS)
def test_the_p_value_is_that_of_the_exact_binomial_test(gained: int, lost: int) -> None:
    if gained + lost == 0:
        assert mcnemar(0, 0) == 1.0
        return
    expected = binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("gained", "lost"), [(20_000, 19_800), (50_500, 50_000), (3_000, 0), (0, 3_000)])
def test_the_p_value_holds_for_many_rows(gained: int, lost: int) -> None:
    expected = binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_the_p_value_of_a_textbook_example() -> None:
    assert mcnemar(9, 1) == pytest.approx(11 / 1024)
    assert mcnemar(5, 0) == pytest.approx(1 / 32)


@given(COUNTS, COUNTS)
def test_more_gains_are_more_evidence_and_more_losses_less(gained: int, lost: int) -> None:
    assert mcnemar(gained + 1, lost) <= mcnemar(gained, lost) + 1e-12
    assert mcnemar(gained, lost + 1) >= mcnemar(gained, lost) - 1e-12


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_a_comparison_counts_who_is_right_where(pairs: list[tuple[bool, bool]]) -> None:
    champion, candidate = [old for old, _ in pairs], [new for _, new in pairs]
    found = compare("all", champion, candidate)
    assert found.rows == len(pairs)
    assert found.champion_correct == sum(champion)
    assert found.candidate_correct == sum(candidate)
    assert found.candidate_correct - found.champion_correct == found.gained - found.lost
    assert found.gain * max(found.rows, 1) == pytest.approx(found.gained - found.lost)


def test_a_comparison_needs_the_same_rows() -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare("all", [True, False], [True])


def test_a_comparison_of_nothing_gains_nothing() -> None:
    nothing = compare("none", [], [])
    assert nothing.gain == 0.0
    assert p_value(nothing, Selected()) == 1.0
    assert gate.gain(nothing, Selected()) == 0.0


FAIR = st.builds(comparison, st.integers(0, 30), st.integers(0, 30), st.integers(120, 300), st.integers(0, 60))
SELECTED = st.builds(
    lambda fixed, turned, other, right, broken: Selected(fixed + turned + other, fixed, turned, right + broken, broken),
    *[st.integers(0, 30)] * 5,
)


@given(FAIR)
def test_without_selected_rows_the_test_is_mcnemars(fair: Comparison) -> None:
    assert p_value(fair, Selected()) == pytest.approx(mcnemar(fair.gained, fair.lost), rel=1e-9)
    assert gate.gain(fair, Selected()) == pytest.approx(fair.gain)


@given(FAIR, SELECTED)
def test_what_comes_for_nothing_is_a_convolution(fair: Comparison, selected: Selected) -> None:
    errors, half = fair.rows - fair.champion_correct, fair.discordant / 2
    share = betabinom(selected.wrong, half + 0.5, max(errors - half, 0) + 0.5)
    free = selected.right * (half + 0.5) / (half + 0.5 + max(fair.champion_correct - half, 0) + 0.5)
    net = fair.gained - fair.lost + selected.fixed - selected.turned - max(0, math.ceil(selected.broken - free))
    expected = sum(
        binom.pmf(gained, fair.discordant, 0.5) * share.sf(net - (2 * gained - fair.discordant) - 1)
        for gained in range(fair.discordant + 1)
    )
    assert p_value(fair, selected) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert gate.expected_fixes(fair, selected) == pytest.approx(share.mean())
    assert gate.expected_breaks(fair, selected) == pytest.approx(free)


@given(FAIR, SELECTED)
def test_a_selected_row_lost_never_helps(fair: Comparison, found: Selected) -> None:
    if found.fixed:
        turned = Selected(found.wrong, found.fixed - 1, found.turned + 1, found.right, found.broken)
        assert p_value(fair, turned) >= p_value(fair, found)
    broken = Selected(found.wrong, found.fixed, found.turned, found.right + 1, found.broken + 1)
    kept = Selected(found.wrong, found.fixed, found.turned, found.right + 1, found.broken)
    assert p_value(fair, broken) >= p_value(fair, kept)


def test_fixing_what_any_other_model_fixes_is_no_evidence() -> None:
    fair = comparison(15, 15, 300, wrong=75)  # a no better model fixes a sixth of the errors
    assert mcnemar(15 + 20, 15) < 0.01
    assert p_value(fair, Selected(wrong=120, fixed=20)) > 0.3


def test_fixing_far_more_than_that_is_evidence() -> None:
    fair = comparison(3, 4, 330, wrong=97)
    assert p_value(fair, Selected(wrong=40, fixed=15)) < 0.001
    assert p_value(fair, Selected(wrong=40, fixed=15, turned=3)) < 0.01


def test_changing_answers_without_aim_is_no_evidence() -> None:
    assert p_value(comparison(3, 4, 330, wrong=97), Selected(wrong=40, fixed=12, turned=12)) > 0.4


def test_reported_mistakes_alone_prove_nothing() -> None:
    assert p_value(compare("fair", [], []), Selected(wrong=40, fixed=30)) > 0.2


def test_no_more_candidates_without_a_gain_pass_than_the_level_says() -> None:
    dice = np.random.default_rng(0)
    passed = 0
    for _ in range(400):
        discordant = int(dice.binomial(300, 0.1))
        gained = int(dice.binomial(discordant, 0.5))
        fair = comparison(gained, discordant - gained, 300, wrong=90 - gained)
        passed += p_value(fair, Selected(wrong=60, fixed=int(dice.binomial(60, 15 / 90)))) <= 0.05
    assert passed / 400 <= 0.05
    assert passed > 0


@pytest.mark.parametrize(("rows", "share", "gain"), [(1000, 0.1, 0.02), (2000, 0.1, 0.02), (400, 0.2, 0.06)])
def test_the_power_is_what_a_simulation_finds(rows: int, share: float, gain: float) -> None:
    dice = np.random.default_rng(1)
    discordant = dice.binomial(rows, share, 1000)
    gained = dice.binomial(discordant, (1 + gain / share) / 2)
    found = [mcnemar(int(up), int(all_) - int(up)) <= 0.05 for up, all_ in zip(gained, discordant, strict=True)]
    assert np.mean(found) == pytest.approx(gate.power(rows, round(rows * share), gain, 0.05), abs=0.05)


@given(st.integers(5, 300), st.integers(0, 700), st.sampled_from([0.01, 0.05, 0.2]))
def test_the_detectable_gain_is_where_the_power_reaches_four_fifths(discordant: int, kept: int, level: float) -> None:
    rows = discordant + kept
    found = gate.detectable_gain(rows, discordant, level)
    if found is None:
        assert mcnemar(discordant, 0) > level
        return
    assert gate.power(rows, discordant, found, level) >= 0.8
    assert gate.power(rows, discordant, found * 0.999, level) < 0.8


def test_too_few_discordant_rows_can_show_no_gain() -> None:
    assert gate.detectable_gain(1000, 4, 0.05) is None
    assert gate.power(1000, 4, 0.004, 0.05) == 0.0
    assert gate.detectable_gain(1000, 5, 0.05) is not None
    assert gate.detectable_gain(0, 0, 0.05) is None


@given(st.integers(1, 500), st.data())
def test_the_interval_of_an_accuracy_is_wilsons(rows: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, rows))
    expected = binomtest(correct, rows).proportion_ci(0.95, "wilson")
    assert gate.accuracy_interval(correct, rows) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_of_no_rows_is_everything() -> None:
    assert gate.accuracy_interval(0, 0) == (0.0, 1.0)
    low, high = gate.gain_interval(compare("none", [], []))
    assert low < -0.9
    assert high > 0.9


@pytest.mark.parametrize(("rows", "share", "gain"), [(100, 0.1, 0.0), (300, 0.1, 0.04), (50, 0.3, 0.1)])
def test_the_interval_of_the_gain_covers_it_as_often_as_it_says(rows: int, share: float, gain: float) -> None:
    dice = np.random.default_rng(2)
    drawn = dice.multinomial(rows, [(share + gain) / 2, (share - gain) / 2, 1 - share], 2000)
    intervals = [gate.gain_interval(comparison(int(up), int(down), rows)) for up, down, _ in drawn]
    assert np.mean([low <= gain <= high for low, high in intervals]) >= 0.94


@given(FAIR)
def test_the_interval_holds_the_gain_and_turns_around_with_the_models(fair: Comparison) -> None:
    low, high = gate.gain_interval(fair)
    assert -1 <= low < high <= 1
    back = Comparison("back", fair.rows, fair.candidate_correct, fair.champion_correct, fair.lost, fair.gained)
    assert gate.gain_interval(back) == pytest.approx((-high, -low))
    described = gate.described(fair)
    assert described["gained"] == fair.gained
    assert described["gain_interval"] == (low, high)


@given(st.lists(st.booleans(), min_size=1))
def test_all_checks_have_to_pass(passes: list[bool]) -> None:
    checks = [Check(str(number), ok, f"finding {number}", {}) for number, ok in enumerate(passes)]
    verdict = gate.decide(0.01, checks)
    assert verdict.promote == all(passes)
    assert verdict.checks == tuple(checks)
    objections = tuple(check.finding for check in checks if not check.ok)
    assert verdict.reasons == (objections or ("finding 0", f"all {len(passes)} checks passed"))
