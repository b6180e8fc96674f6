"""Which corrections go to quarantine, and that honest ones do not."""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrain.datasets import seed_rows
from retrain.screen import BURST, CONTRADICTS, FLOOD, KEPT_NEAR_DUPLICATES, REPEATS, screen
from retrain.train import Recipe, train
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.bundled import baseline
from sentiloop.records import Correction
from sentiloop.settings import Settings

from tests.benchmarks.screening import attack, correction, praise
from tests.builders import make_correction, make_model

SETTINGS = Settings(contributor_max_rows_per_day=30)
REASONS = {BURST, CONTRADICTS, FLOOD, REPEATS}


@cache
def honest_mistakes() -> list[tuple[str, str]]:
    """Return the texts of the seed corpus that the baseline answers wrongly, with their labels."""
    rows = seed_rows()
    said = np.array(baseline().labels)[BulkScorer(baseline()).probabilities([row.text for row in rows]).argmax(axis=1)]
    return [(row.text, row.label) for row, label in zip(rows, said, strict=True) if row.label != label]


def honest(contributors: int) -> list[Correction]:
    """Return all of these mistakes, reported by contributors who take turns over four weeks."""
    step = 28 * 1440 // len(honest_mistakes())
    return [
        correction(number, f"honest {number % contributors}", text, label, number * step)
        for number, (text, label) in enumerate(honest_mistakes())
    ]


def reasons(corrections: Sequence[Correction], background: Sequence[Correction] = ()) -> Counter[str | None]:
    found = screen([*background, *corrections], baseline(), SETTINGS)
    return Counter(found.get(entry.id) for entry in corrections)


def test_nothing_is_screened_of_nothing() -> None:
    assert screen([], baseline(), SETTINGS) == {}


@pytest.mark.parametrize("contributors", [12, 40])
def test_honest_reports_of_mistakes_pass(contributors: int) -> None:
    reported = honest(contributors)
    assert len(reported) > 300
    assert len(screen(reported, baseline(), SETTINGS)) <= 0.03 * len(reported)


@pytest.mark.parametrize("count", [20, 30])
def test_a_brand_flip_by_one_contributor_goes_to_quarantine(count: int) -> None:
    found = reasons(attack(count, 1, 1, seed=3), honest(12))
    assert found[CONTRADICTS] == count


@pytest.mark.parametrize("contributors", [10, 50])
def test_a_brand_flip_by_many_contributors_is_a_burst(contributors: int) -> None:
    found = reasons(attack(50, contributors, 1, seed=3), honest(12))
    assert found[BURST] + found[CONTRADICTS] == 50
    assert found[BURST] > 0


def test_praise_that_is_called_praise_is_no_attack() -> None:
    texts = praise(30)
    confirmed = [correction(number, f"fan {number % 2}", text, "positive", number) for number, text in enumerate(texts)]
    assert reasons(confirmed, honest(12)) == {None: 30}


def test_complaints_in_a_burst_are_no_attack_where_the_reference_sees_them_too() -> None:
    texts = [f"The Acmefone is awful, {what} does not work." for what in ("sound", "it", "charging", "the camera")]
    upset = [correction(number, f"user {number}", texts[number % 4], "negative", number) for number in range(60)]
    assert reasons(upset, honest(12)) == {None: 60}


def test_agreeing_rows_do_not_hide_a_flip() -> None:
    flip = attack(20, 1, 1, seed=3)
    texts = [text.replace("Acmefone", "Otherfone") for text in praise(8, seed=5)]
    agreeing = [correction(number, flip[0].contributor, text, "positive", number) for number, text in enumerate(texts)]
    assert reasons(flip, agreeing) == {CONTRADICTS: 20}
    assert reasons(agreeing, flip) == {None: 8}


def test_somebody_who_is_not_suspicious_can_vouch_for_rows() -> None:
    flip = attack(10, 1, 1, seed=3)
    assert reasons(flip)[CONTRADICTS] == 10
    witnesses = [
        correction(number, f"witness {number}", entry.text, entry.correct_label, 30_000 + number * 100)
        for number, entry in enumerate(flip)
    ]
    assert reasons(flip, witnesses)[CONTRADICTS] == 0
    accomplices = [correction(number, "two", entry.text, entry.correct_label, 9) for number, entry in enumerate(flip)]
    assert reasons(flip, accomplices)[CONTRADICTS] == 10


def test_near_duplicates_beyond_a_few_go_to_quarantine() -> None:
    places = ["Acme", "Bolt", "Core", "Dune", "Echo", "Fern", "Gale", "Hive", "Iris", "Jade"]
    rows = [
        correction(number, "ann", f"{place} {number} is a terrible phone, stay away from it!", "negative", number)
        for number, place in enumerate(places)
    ]
    found = screen(rows, baseline(), SETTINGS)
    assert found == {entry.id: REPEATS for entry in rows[KEPT_NEAR_DUPLICATES:]}


def test_to_send_the_same_again_is_a_retry_and_no_near_duplicate() -> None:
    rows = [correction(number, "ann", "It was all right.", "neutral", number) for number in range(9)]
    assert reasons(rows) == {None: 9}


def test_a_day_has_a_cap_and_the_first_stay() -> None:
    rows = [entry for entry in honest(1) if entry.received_at < "2026-03-03"]
    today = [
        make_correction(number, text=entry.text, correct_label=entry.correct_label) for number, entry in enumerate(rows)
    ]
    tight = Settings(contributor_max_rows_per_day=4)
    assert screen(today, baseline(), tight) == {entry.id: FLOOD for entry in today[4:]}
    assert len(today) > 4


def test_reviewers_are_trusted() -> None:
    flip = [
        make_correction(number, text=text, correct_label="negative", source="reviewer")
        for number, text in enumerate(praise(60))
    ]
    assert screen(flip, baseline(), SETTINGS) == {}


def test_labels_that_the_reference_does_not_know_surprise_nobody() -> None:
    rows = [make_correction(number, text=text, correct_label="ironic") for number, text in enumerate(praise(20))]
    assert screen(rows, baseline(), SETTINGS) == {}


def test_the_labels_are_data() -> None:
    rows = pd.DataFrame([(row.text, row.label) for row in seed_rows()], columns=pd.Index(["text", "label"]))
    renamed = rows[rows["label"] != "neutral"].assign(label=lambda table: table["label"].map({"negative": "-"}.get))
    two = renamed.assign(label=renamed["label"].fillna("+"))
    reference: Model = train(pd.concat([two, two]), Recipe(c=30.0)).model("v-two")
    known = rows[rows["label"] == "positive"]["text"].head(20)
    wrong = [make_correction(number, text=text, correct_label="-") for number, text in enumerate(known)]
    assert set(screen(wrong, reference, SETTINGS).values()) == {CONTRADICTS}


@st.composite
def crowds(draw: st.DrawFn) -> list[Correction]:
    votes = st.tuples(
        st.sampled_from(["ann", "ben"]),
        st.sampled_from(["negative", "positive", "odd"]),
        st.sampled_from([*praise(12), "good", "Good ", "", "!"]),
        st.integers(0, 4000),
        st.sampled_from(["user", "reviewer"]),
    )
    return [
        make_correction(
            number,
            contributor=who,
            correct_label=label,
            text=text,
            received_at=correction(0, "", "x", "", minute).received_at,
            source=source,
        )
        for number, (who, label, text, minute, source) in enumerate(draw(st.lists(votes, max_size=40)))
    ]


@settings(max_examples=40)
@given(crowds(), st.randoms(use_true_random=False))
def test_the_order_makes_no_difference_and_every_reason_is_a_known_one(
    corrections: list[Correction], dice: random.Random
) -> None:
    found = screen(corrections, baseline(), Settings(contributor_max_rows_per_day=6))
    assert (
        screen(dice.sample(corrections, len(corrections)), baseline(), Settings(contributor_max_rows_per_day=6))
        == found
    )
    assert set(found.values()) <= REASONS
    assert found.keys() <= {entry.id for entry in corrections if entry.source != "reviewer"}


def test_a_model_of_random_weights_is_a_reference_too() -> None:
    assert set(screen(attack(50, 5, 2, seed=1), make_model().model, SETTINGS).values()) <= REASONS
