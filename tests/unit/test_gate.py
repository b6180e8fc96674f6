"""The gate: only what is better beyond chance, and worse nowhere that is guarded, may pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sentiloop.gate import Comparison, Verdict, compare, judge, mcnemar

COUNTS = st.integers(0, 400)


def comparison(gained: int, lost: int, rows: int = 1_000, name: str = "all") -> Comparison:
    kept = rows - gained - lost
    return Comparison(name, rows, kept + lost, kept + gained, gained, lost)


def verdict(
    overall: Comparison, *slices: Comparison, level: float = 0.05, min_gain: float = 0.0, slice_drop: float = 0.02
) -> Verdict:
    return judge(overall, slices, level=level, min_gain=min_gain, slice_drop=slice_drop)


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
    assert compare("none", [], []).gain == 0.0
    assert not verdict(compare("none", [], [])).promote


def test_better_beyond_chance_is_promoted_with_its_evidence() -> None:
    passed = verdict(comparison(40, 10))
    assert passed.promote
    assert passed.p_value == mcnemar(40, 10)
    assert passed.reasons == (
        f"better beyond chance at level 0.05: 40 gained, 10 lost of 1000 held-out rows, p = {mcnemar(40, 10):.2g}",
    )


def test_a_gain_that_may_be_chance_is_rejected() -> None:
    failed = verdict(comparison(25, 20))
    assert not failed.promote
    assert failed.reasons[0].startswith("not better beyond chance at level 0.05: 25 gained, 20 lost of 1000")


def test_an_equal_model_is_rejected() -> None:
    assert not verdict(comparison(0, 0)).promote
    assert not verdict(comparison(30, 30)).promote


def test_a_sure_but_small_gain_is_rejected_when_more_is_asked() -> None:
    overall = comparison(40, 10)
    assert verdict(overall, min_gain=0.03).promote
    assert verdict(overall, min_gain=0.031).reasons == ("gain of +0.0300 accuracy is below the least gain of 0.031",)


def test_a_guarded_slice_that_gets_worse_rejects_and_is_named() -> None:
    failed = verdict(comparison(60, 20), comparison(50, 2, 800, "label positive"), comparison(2, 18, 200, "label rare"))
    assert not failed.promote
    assert failed.reasons == ("worse on slice label rare: -0.0800 accuracy on 200 rows",)


def test_a_slice_may_fall_by_what_is_tolerated() -> None:
    part = comparison(2, 18, 200, "label rare")
    assert verdict(comparison(60, 20), part, slice_drop=0.08).promote
    assert not verdict(comparison(60, 20), part, slice_drop=0.079).promote


def test_a_slice_too_small_to_tell_does_not_reject() -> None:
    assert verdict(comparison(60, 20), comparison(0, 2, 20, "label rare")).promote
    assert not verdict(comparison(60, 20), comparison(0, 3, 20, "label rare")).promote


def test_every_objection_is_told() -> None:
    failed = verdict(comparison(10, 30), comparison(0, 20, 100, "a"), comparison(0, 10, 100, "b"), min_gain=0.01)
    assert len(failed.reasons) == 4


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
    if found.promote:
        assert found.p_value <= level
        assert overall.gain >= min_gain


@given(PARTS, st.lists(PARTS, max_size=3), PARTS)
def test_guarding_one_slice_more_never_helps_a_candidate(
    overall: Comparison, slices: list[Comparison], extra: Comparison
) -> None:
    assert verdict(overall, *slices).promote >= verdict(overall, *slices, extra).promote
