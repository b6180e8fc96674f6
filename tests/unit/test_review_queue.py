"""The order of the review queue: doubt first, near-equals once, unlike texts beside each other, some by chance."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.records import Sample
from sentiloop.review_queue import (
    CHANCE_EVERY,
    LONGEST,
    NEAR_EQUAL,
    Candidate,
    margin,
    questions,
    shingles,
    similarity,
)

from tests.builders import TEXTS, make_sample


def doubtful(number: int, text: str, gap: float = 0.1, *, decided: bool = False, **fields: Any) -> Candidate:
    """A candidate whose two best labels are `gap` apart."""
    probabilities = {"negative": 0.4 + gap / 2, "positive": 0.4 - gap / 2, "neutral": 0.2}
    return Candidate(f"{number:04d}", make_sample(number, text=text, probabilities=probabilities, **fields), decided)


def by_chance(number: int, text: str, **fields: Any) -> Candidate:
    return doubtful(number, text, 0.55, reason="random", **fields)


def asked(candidates: list[Candidate], limit: int = 100) -> list[str]:
    return [question.id for question in questions(candidates, limit)[0]]


SUBJECTS = ["the soup", "my tram", "this novel", "her speech", "the router", "our landlord", "a museum", "that jacket"]
VERDICTS = ["grew on me", "left early", "cost too much for what it is", "was as they said", "surprised us", "broke"]
UNLIKE = [f"{subject} {verdict}" for subject, verdict in zip(SUBJECTS, VERDICTS * 2, strict=False)]


def test_the_least_margin_comes_first() -> None:
    candidates = [doubtful(number, UNLIKE[number], gap) for number, gap in enumerate((0.3, 0.0, 0.2, 0.1))]
    assert asked(candidates) == ["0001", "0003", "0002", "0000"]


def test_a_text_on_which_two_versions_disagree_is_fully_doubtful_and_names_both_labels_in_one_order() -> None:
    labels = ("positive", "negative")
    for label, others in (labels, labels[::-1]):
        disputed = doubtful(1, UNLIKE[1], 0.5, label=label, other={"version": "v2", "label": others})
        [first, _], _ = questions([doubtful(0, UNLIKE[0], 0.1), disputed], 2)
        assert (first.id, first.why) == ("0001", "Two versions disagree: negative or positive?")


def test_the_margin_is_between_the_two_highest_however_many_there_are() -> None:
    def with_probabilities(*values: float) -> Sample:
        return make_sample(probabilities=dict(zip("abcd", values, strict=False)))

    assert margin(with_probabilities(0.1, 0.5, 0.4)) == pytest.approx(0.1)
    assert margin(with_probabilities(0.4, 0.4, 0.2)) == 0
    assert margin(with_probabilities(1.0)) == 1


def test_doubt_about_a_label_that_is_not_in_question_counts_for_nothing() -> None:
    """By entropy the first of these would come first."""
    flat = make_sample(1, text=UNLIKE[1], probabilities={"a": 0.44, "b": 0.28, "c": 0.28})
    close = make_sample(2, text=UNLIKE[2], probabilities={"a": 0.49, "b": 0.48, "c": 0.03})
    assert asked([Candidate("flat", flat), Candidate("close", close)]) == ["close", "flat"]


def test_fifty_near_equal_texts_are_asked_once_and_the_question_says_for_how_many_it_stands() -> None:
    variants = [doubtful(n, f"Order {n + 1000} came late and the box was torn open, thanks {n}") for n in range(50)]
    [only], left = questions(variants, 20)
    assert (only.similar, left) == (49, 1)
    found, left = questions([*variants, doubtful(99, "nothing like it")], 20)
    assert ([question.similar for question in found], left) == ([49, 0], 2)


def test_case_width_and_marks_make_no_other_text() -> None:
    texts = ["It's OK, I guess...", "it’s ok I guess", "ＩＴ'S OK I GUESS"]
    assert len(asked([doubtful(number, text) for number, text in enumerate(texts)])) == 1


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("the room was clean and the bed was soft", "the room was clean and the bed was hard", True),
        ("the room was fine", "the room was not fine", False),
        ("good", "bad", False),
        ("good", "good good", False),
        ("🎉🎉", "🙄", False),
        ("🎉🎉", " 🎉🎉 ", True),
        ("call me at 555 1234", "call me at 999 8", True),
    ],
)
def test_what_counts_as_near_equal(one: str, other: str, near: bool) -> None:
    assert len(asked([doubtful(1, one), doubtful(2, other)])) == 2 - near


def test_a_group_is_asked_about_by_its_most_doubtful_text() -> None:
    text = "the parcel number {} has arrived here at last"
    candidates = [doubtful(number, text.format(number), gap) for number, gap in enumerate((0.3, 0.1, 0.2))]
    assert asked(candidates) == ["0001"]


def test_near_equals_of_a_decided_sample_are_not_asked_about() -> None:
    text = "the parcel number {} has arrived here at last"
    decided = doubtful(1, text.format(1), 0.4, decided=True)
    found, left = questions([decided, doubtful(2, text.format(2), 0.0), doubtful(3, "something else")], 20)
    assert ([question.id for question in found], left) == (["0003"], 1)


def test_variants_that_are_not_near_equal_do_not_fill_a_page() -> None:
    same_kind = ["the {} at this hotel was {} for me", "was the {} at this hotel {} for others"]
    words = ["pool", "bar", "gym", "lift"]
    variants = [doubtful(n, same_kind[n % 2].format(words[n % 4], words[n // 4]), 0.0) for n in range(8)]
    others = [doubtful(100 + number, text, 0.02) for number, text in enumerate(UNLIKE[:4])]
    page = asked([*variants, *others], 5)
    assert len(set(page) & {other.id for other in others}) == 4, "less doubtful, but unlike"


def test_every_fifth_question_is_about_a_sample_kept_by_chance_in_the_order_of_their_random_ids() -> None:
    words = ["ox", "fig", "tar", "gem", "nut", "rye", "sod", "hob", "jay", "elk", "cob", "vat"]
    uncertain = [doubtful(number, f"{word} uno") for number, word in enumerate(words)]
    chance = [by_chance(number, f"{word} due") for number, word in zip((77, 50, 91), words, strict=False)]
    page = asked([*uncertain, *chance], 15)
    assert page[CHANCE_EVERY - 1 :: CHANCE_EVERY] == ["0050", "0077", "0091"]
    assert len(page) == 15
    assert asked(chance) == ["0050", "0077", "0091"], "without doubtful ones they take all places"


def test_the_reason_is_told() -> None:
    found, _ = questions([doubtful(1, "a", 0.1), by_chance(2, "b")], 2)
    assert found[0].why == "Doubtful: negative and positive are 0.10 apart."
    assert found[1].why == "Kept by chance, to see how good the answers are."


def test_a_page_holds_at_most_the_limit_and_nothing_waits_in_an_empty_bucket() -> None:
    candidates = [doubtful(number, text) for number, text in enumerate(UNLIKE)]
    found, left = questions(candidates, 3)
    assert (len(found), left) == (3, len(UNLIKE))
    assert questions([], 20) == ([], 0)


SIMILAR_TEXTS = st.one_of(TEXTS, st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join))


@given(st.lists(st.tuples(SIMILAR_TEXTS, st.booleans(), st.booleans()), max_size=25), st.randoms())
def test_every_sample_is_asked_about_or_stood_for_whatever_the_order_they_come_in(
    rows: list[tuple[str, bool, bool]], dice: random.Random
) -> None:
    candidates = [
        doubtful(number, text, decided=decided, reason="random" if chance else "low_confidence")
        for number, (text, decided, chance) in enumerate(rows)
    ]
    found, left = questions(candidates, len(candidates))
    assert len(found) == left
    assert len({question.id for question in found}) == left
    answers = [shingles(candidate.sample.text) for candidate in candidates if candidate.decided]
    asked_about = [shingles(question.sample.text) for question in found]
    for candidate in candidates:
        own = shingles(candidate.sample.text)
        assert any(near(own, other) for other in [*answers, *asked_about]), candidate
    for one in asked_about:
        assert not any(near(one, other) for other in answers)
        assert sum(near(one, other) for other in asked_about) == 1, "only itself"
    dice.shuffle(candidates)
    assert questions(candidates, len(candidates)) == (found, left)


def near(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) * NEAR_EQUAL[1] >= len(one | other) * NEAR_EQUAL[0]


@given(TEXTS, TEXTS)
def test_similarity_is_a_share_and_symmetric(one: str, other: str) -> None:
    first, second = shingles(one), shingles(other)
    assert 0 <= similarity(first, second) == similarity(second, first) <= 1
    assert similarity(first, first) == 1


def test_the_work_a_text_makes_is_bounded() -> None:
    words = [chr(ord("a") + number % 26) * (1 + number // 26) for number in range(500)]
    assert len(shingles(" ".join(words))) < 2 * LONGEST
