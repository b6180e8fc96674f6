"""What the gate looks at: every kind of check passes and fails where it should, and says why in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.checks import (
    FALL_LEVEL,
    base_check,
    behaviour_check,
    calibration_check,
    gain_checks,
    names_check,
    slice_checks,
)
from sentiloop.gate import Comparison, Selected, Verdict, decide, detectable_gain, mcnemar, p_value


def comparison(gained: int, lost: int, rows: int = 1_000, name: str = "all") -> Comparison:
    kept = rows - gained - lost
    return Comparison(name, rows, kept + lost, kept + gained, gained, lost)


def verdict(
    overall: Comparison,
    *slices: Comparison,
    selected: Selected = Selected(),  # noqa: B008 - frozen
    level: float = 0.05,
    min_gain: float = 0.0,
    slice_drop: float = 0.02,
) -> Verdict:
    checks = gain_checks(overall, selected, level=level, min_gain=min_gain)
    return decide(p_value(overall, selected), [*checks, *slice_checks(slices, slice_drop=slice_drop)])


def test_better_beyond_chance_is_promoted_with_its_evidence() -> None:
    passed = verdict(comparison(40, 10))
    assert passed.promote
    assert passed.p_value == pytest.approx(mcnemar(40, 10))
    assert passed.reasons[0].startswith(
        f"better beyond chance at level 0.05: 40 gained, 10 lost of 1000 held-out rows, p = {mcnemar(40, 10):.2g}; "
    )
    assert passed.reasons[1] == "all 2 checks passed"


def test_the_evidence_has_its_interval_and_its_power() -> None:
    [gain, _] = verdict(comparison(40, 10)).checks
    assert "lies between +0.0161 and +0.0438 with 95% confidence" in gain.finding  # Agresti and Min, by hand
    assert (
        f"a true gain of {detectable_gain(1000, 50, 0.05):.4f} would have been found with a chance of 80%"
        in gain.finding
    )
    [gain, _] = verdict(comparison(2, 1)).checks
    assert "too few of them for any gain to be found" in gain.finding


def test_a_gain_that_may_be_chance_is_rejected() -> None:
    failed = verdict(comparison(25, 20))
    assert not failed.promote
    assert failed.reasons[0].startswith("not better beyond chance at level 0.05: 25 gained, 20 lost of 1000")


def test_an_equal_model_is_rejected() -> None:
    assert not verdict(comparison(0, 0)).promote
    assert not verdict(comparison(30, 30)).promote


def test_what_users_reported_is_told_beside_what_is_expected() -> None:
    found = verdict(comparison(3, 4, 330), selected=Selected(wrong=40, fixed=15, turned=2, right=30, broken=1))
    assert "15 of 40 reported mistakes fixed (" in found.checks[0].finding
    assert "2 turned into another wrong answer, 1 of 30 right answers broken (" in found.checks[0].finding


@pytest.mark.parametrize(
    ("gained", "lost", "selected", "said"),
    [
        (0, 2, Selected(wrong=30, fixed=15), ["15 of 30 reported", ", and 0 gained, 2 lost of 1000 fair"]),
        (40, 5, Selected(wrong=30, fixed=2), ["40 gained, 5 lost of 1000 fair", ", and 2 of 30 reported"]),
        (40, 5, Selected(right=3), ["40 gained, 5 lost of 1000 fair", ", and 0 of 3 right answers broken"]),
    ],
)
def test_what_gained_more_is_said_first(gained: int, lost: int, selected: Selected, said: list[str]) -> None:
    fair = Comparison("all", 1_000, 800, 800 + gained - lost, gained, lost)
    reason = verdict(fair, selected=selected).checks[0].finding
    places = [reason.index(part) for part in said]
    assert places == sorted(places)
    assert reason.startswith(f"better beyond chance at level 0.05: {said[0]}")


@pytest.mark.parametrize(("fixed", "first"), [(30, "on the 30 rows of feedback"), (0, "40 gained, 10 lost of 1000")])
def test_of_two_tests_the_one_that_decides_is_said_first(fixed: int, first: str) -> None:
    fair, news = Comparison("all", 1_000, 800, 830, 40, 10), Comparison("news", 0, 0, 0, 0, 0)
    of_news = (news, Selected(wrong=30, fixed=fixed))
    [gain, _] = gain_checks(fair, Selected(), level=0.05, min_gain=0.0, news=of_news)
    assert gain.finding.startswith(f"better beyond chance at level 0.05: {first}")
    assert f"; p = {gain.figures['p_value']:.2g} of both tests together; " in gain.finding


def test_a_sure_but_small_gain_is_rejected_when_more_is_asked() -> None:
    overall = comparison(40, 10)
    assert verdict(overall, min_gain=0.03).promote
    assert verdict(overall, min_gain=0.031).reasons == ("gain of +0.0300 accuracy is below the least gain of 0.031",)


def test_fixes_that_come_for_nothing_are_no_gain() -> None:
    selected = Selected(wrong=100, fixed=20)
    overall = comparison(40, 10, 200)  # the champion errs on 40, of which 25 come for nothing
    assert not verdict(overall, selected=selected, min_gain=0.0).checks[1].ok


def test_a_guarded_slice_that_gets_worse_rejects_and_is_named() -> None:
    failed = verdict(comparison(60, 20), comparison(50, 2, 800, "label positive"), comparison(2, 18, 200, "label rare"))
    assert not failed.promote
    assert failed.reasons == (
        "worse on slice label rare: -0.0800 accuracy on 200 rows (2 gained, 18 lost, p = 0.0002 for a fall)",
    )


def test_a_slice_may_fall_by_what_is_tolerated() -> None:
    part = comparison(2, 18, 200, "label rare")
    assert verdict(comparison(60, 20), part, slice_drop=0.08).promote
    assert not verdict(comparison(60, 20), part, slice_drop=0.079).promote


def test_a_slice_too_small_to_tell_does_not_reject() -> None:
    assert verdict(comparison(60, 20), comparison(0, 2, 20, "label rare")).promote
    assert not verdict(comparison(60, 20), comparison(0, 3, 20, "label rare")).promote


def test_slices_of_a_kind_share_the_level() -> None:
    fallen, equal = comparison(0, 3, 20, "label rare"), comparison(0, 0, 100, "label other")
    assert FALL_LEVEL / 2 < mcnemar(3, 0) < FALL_LEVEL
    assert not all(check.ok for check in slice_checks([fallen], slice_drop=0.02))
    assert all(check.ok for check in slice_checks([fallen, equal], slice_drop=0.02))
    assert slice_checks([fallen, equal], slice_drop=0.02)[0].figures["level"] == FALL_LEVEL / 2
    assert slice_checks([], slice_drop=0.02) == []


def test_every_objection_is_told() -> None:
    failed = verdict(comparison(10, 30), comparison(0, 20, 100, "a"), comparison(0, 10, 100, "b"), min_gain=0.01)
    assert len(failed.reasons) == 4


@pytest.mark.parametrize(
    ("gained", "lost", "rows", "correct", "ok"),
    [
        (0, 0, 50, 40, True),
        (2, 4, 50, 40, True),  # chance
        (0, 5, 50, 40, False),  # a fall beyond chance
        (0, 1, 50, 25, False),  # through the floor
        (0, 1, 50, 20, True),  # below the floor already, and chance
        (0, 3, 50, 20, False),  # below the floor already, and falling further
        (0, 20, 50, 50, False),
        (30, 0, 50, 10, True),
    ],
)
def test_behaviour_may_not_fall(gained: int, lost: int, rows: int, correct: int, ok: bool) -> None:
    part = Comparison("negation", rows, correct, correct + gained - lost, gained, lost)
    check = behaviour_check(part, floor=0.5, drop=0.02)
    assert check.ok == ok
    assert check.finding.startswith("behaviour negation: ")
    assert (", which is below the floor" in check.finding or "beyond chance" in check.finding) != ok


def test_behaviour_may_fall_by_what_is_tolerated() -> None:
    part = Comparison("negation", 50, 40, 35, 0, 5)
    assert behaviour_check(part, floor=0.5, drop=0.1).ok
    assert not behaviour_check(part, floor=0.5, drop=0.09).ok


def test_calibration_may_not_worsen_with_evidence() -> None:
    assert calibration_check(0.05, 0.06, 0.0, allowed_rise=0.02).ok
    assert calibration_check(0.05, 0.09, 0.06, allowed_rise=0.02).ok
    worse = calibration_check(0.05, 0.09, 0.01, allowed_rise=0.02)
    assert not worse.ok
    assert worse.finding == (
        "worse calibrated: calibration error 0.0500 before, 0.0900 now; not higher in 1% of resampled sets of rows"
    )


def test_a_name_with_a_sentiment_is_told_with_a_sentence() -> None:
    assert names_check({}, 3).ok
    moved = names_check({"Acmefone": ["I bought it from Acmefone.", "I love Acmefone."]}, 3)
    assert not moved.ok
    assert "Acmefone moves 2: “I bought it from Acmefone.”" in moved.finding


PARTS = st.builds(
    lambda gained, lost, kept, name: comparison(gained, lost, gained + lost + kept, name),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(0, 200),
    st.sampled_from("abc"),
)
SHARES = st.floats(0, 0.1)


def swapped(part: Comparison) -> Comparison:
    return Comparison(part.name, part.rows, part.candidate_correct, part.champion_correct, part.lost, part.gained)


@given(PARTS, st.lists(PARTS, max_size=3), st.floats(0, 0.499), SHARES, SHARES)
def test_of_two_models_at_most_one_is_better(
    overall: Comparison, slices: list[Comparison], level: float, min_gain: float, slice_drop: float
) -> None:
    there = verdict(overall, *slices, level=level, min_gain=min_gain, slice_drop=slice_drop)
    back = verdict(swapped(overall), *map(swapped, slices), level=level, min_gain=min_gain, slice_drop=slice_drop)
    assert not (there.promote and back.promote)


@given(PARTS, st.lists(PARTS, max_size=3), st.floats(0, 1), SHARES, SHARES)
def test_a_promotion_is_always_better_beyond_the_level_and_a_verdict_has_reasons(
    overall: Comparison, slices: list[Comparison], level: float, min_gain: float, slice_drop: float
) -> None:
    found = verdict(overall, *slices, level=level, min_gain=min_gain, slice_drop=slice_drop)
    assert found.reasons
    assert all(found.reasons)
    if found.promote:
        assert found.p_value <= level
        assert overall.gain >= min_gain


def test_better_on_new_feedback_alone_is_enough_at_half_the_level() -> None:
    drowned, feedback = comparison(150, 160, 16_000), comparison(20, 4, 100)
    [gain, least] = gain_checks(drowned, Selected(), level=0.05, min_gain=0.0, news=(feedback, Selected()))
    assert gain.ok
    assert least.ok
    assert gain.figures["p_value"] == pytest.approx(2 * mcnemar(20, 4))
    assert f"on the 100 rows of feedback since the champion's p = {mcnemar(20, 4):.2g}" in gain.finding
    [gain, _] = gain_checks(drowned, Selected(), level=0.05, min_gain=0.0)
    assert not gain.ok


def test_fixed_mistakes_show_a_gain_that_base_data_would_drown() -> None:
    drowned, none = Comparison("all", 17_905, 11_000, 10_967, 76, 109), comparison(0, 0, 0)
    selected = Selected(wrong=23, fixed=5)
    assert not gain_checks(drowned, selected, level=0.05, min_gain=0.0)[0].ok
    [gain, least] = gain_checks(drowned, selected, level=0.05, min_gain=0.0, news=(none, selected))
    assert gain.ok
    assert least.ok


def test_what_feedback_gains_may_cost_little_on_base_data() -> None:
    assert base_check(comparison(76, 109, 17_905)).ok, "less than half a point"
    assert base_check(comparison(2, 5, 300)).ok, "more, but no evidence"
    fallen = base_check(comparison(20, 60, 2_000))
    assert not fallen.ok
    assert fallen.finding.startswith("worse on slice base data: -0.0200 accuracy on 2000 rows")
