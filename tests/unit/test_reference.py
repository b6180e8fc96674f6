"""What a version was trained for: what is measured, what is kept of it, and which rows it is made of."""

import gzip
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.measures import alphabet_of, measure, near_duplicates, new_words, repeated_share, seen_words
from retrain.reference import (
    LEAST_SAMPLES,
    SHAPES,
    Distribution,
    Reference,
    bundled,
    make_reference,
    one_a_request,
)
from retrain.usual import Usual
from sentiloop.bundled import baseline
from sentiloop.records import Sample
from sentiloop.scoring import Scorer

from tests.builders import TEXTS, make_model, make_sample

GOOD = "The nurses were kind and the rooms were quiet all night"
BAD = "We waited for two hours and nobody told us why"


def table(rows: Sequence[tuple[str, str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=pd.Index(["text", "label", "side", "selection"]))


def by_chance(count: int) -> list[Sample]:
    moments = [f"2026-03-01T{number // 60:02d}:{number % 60:02d}:00.000Z" for number in range(count)]
    return [
        make_sample(number, text=f"a text from the traffic, number {number}", reason="random", received_at=moment)
        for number, moment in enumerate(moments)
    ]


class TestWhatIsMeasured:
    @given(st.lists(TEXTS, min_size=1, max_size=6))
    def test_any_texts_are_measured_as_the_scorer_sees_them(self, texts: list[str]) -> None:
        model, scorer = baseline(), Scorer(baseline())
        found = measure(model, texts, bundled().seen, list(bundled().words))
        assert len(found) == len(texts)
        for at, text in enumerate(texts):
            said = scorer.score(text)
            assert model.labels[found.said[at]] == said.label
            assert found.confidence[at] == pytest.approx(said.confidence)
            assert found.score[at] == pytest.approx(said.probabilities[2] - said.probabilities[0])
        assert ((found.unseen >= 0) & (found.unseen <= 1)).all()
        assert (found.words.sum(axis=1) <= 1 + 1e-6).all()

    def test_unseen_is_the_share_of_words_that_too_few_training_texts_have(self) -> None:
        seen = seen_words(["the room was clean", "The room was loud", "room"])
        found = measure(baseline(), ["the room was clean", "zxqv zxqv", "!?"], seen, ["the", "room"])
        assert found.unseen.tolist() == [0.25, 1.0, 1.0]
        assert found.words.tolist() == [[0.25, 0.25], [0, 0], [0, 0]]
        assert found.length.tolist() == [4, 2, 2]

    @pytest.mark.parametrize(
        ("text", "alphabet"),
        [
            ("Good", "LATIN"),
            ("très bien", "LATIN"),
            ("Хорошо, ok", "CYRILLIC"),
            ("很好", "CJK"),
            ("5/5 🎉", ""),
            ("", ""),
        ],
    )
    def test_the_alphabet_is_that_of_most_letters(self, text: str, alphabet: str) -> None:
        assert alphabet_of(text) == alphabet

    def test_repeated_texts_are_near_duplicates_of_some_length(self) -> None:
        assert repeated_share([f"{GOOD} {number}" for number in range(3)] + [BAD]) == 0.75
        assert repeated_share(["ok", "OK", "ok!", BAD]) == 0
        assert repeated_share([]) == 0
        assert len(set(near_duplicates(["ok", "ok", GOOD, GOOD]).tolist())) == 3

    def test_texts_of_one_request_count_as_one_and_only_those_kept_by_chance(self) -> None:
        first = [make_sample(number, reason="random") for number in range(3)]
        doubtful = make_sample(4, received_at="2026-03-01T08:00:00.001Z")
        later = make_sample(5, reason="random", received_at="2026-03-01T09:00:00.000Z")
        assert one_a_request([later, doubtful, *reversed(first)]) == [first[0], later]


class TestADistribution:
    @given(st.lists(st.floats(-1, 1), min_size=1, max_size=300))
    def test_its_points_rise_to_all_of_the_values(self, values: list[float]) -> None:
        found = Distribution.of(np.array(values))
        assert list(found.points) == sorted(set(found.points))
        assert list(found.cumulative) == sorted(found.cumulative)
        assert found.cumulative[-1] == 1
        for point, share in zip(found.points, found.cumulative, strict=True):
            assert share == pytest.approx(np.mean(np.round(values, 6) <= point), abs=1e-6)


class TestAVersionsReference:
    ROWS = table(
        [
            (GOOD, "positive", "holdout", ""),
            (BAD, "negative", "holdout", ""),
            ("An unlucky confession that secretword stays", "negative", "train", "mistake"),
            ("The same secretword again", "negative", "train", ""),
            ("Reported as wrong", "positive", "holdout", "mistake"),
            ("Of a label that the model lacks", "sarcastic", "holdout", ""),
        ]
    )

    def test_few_samples_leave_it_to_the_held_out_rows_that_are_a_fair_sample(self) -> None:
        found = make_reference(baseline(), self.ROWS, by_chance(LEAST_SAMPLES - 1))
        assert (found.of, found.rows, found.confusion.sum()) == ("held-out rows", 2, 2)
        assert found.confusion.trace() == sum(
            Scorer(baseline()).score(text).label == label for text, label in ((GOOD, "positive"), (BAD, "negative"))
        )

    def test_enough_samples_are_the_better_picture_of_the_traffic(self) -> None:
        found = make_reference(baseline(), self.ROWS, by_chance(LEAST_SAMPLES))
        assert (found.of, found.rows, found.confusion.sum()) == ("samples of the traffic", LEAST_SAMPLES, 2)

    def test_of_what_odd_texts_are_held_against_no_sample_and_no_correction_is_a_part(self) -> None:
        spam = [(f"{GOOD} {number}", "positive", "holdout", "") for number in range(50)]
        base, fed = self.ROWS.assign(source="films"), table(spam).assign(source="feedback")
        rows = pd.concat([base, fed], ignore_index=True)
        of_base = make_reference(baseline(), base).usual
        assert (of_base.rows, of_base.longest, of_base.longer, of_base.repeated) == (2, 11, 0, 0)
        for samples in ([], by_chance(LEAST_SAMPLES)):
            assert make_reference(baseline(), rows, samples).usual == of_base
            assert make_reference(baseline(), rows, samples, bundled()).usual == bundled().usual

    def test_a_prior_lends_its_picture_but_not_its_accuracy_and_knows_words_of_its_own(self) -> None:
        found = make_reference(baseline(), self.ROWS, prior=bundled())
        assert (found.of, found.rows) == (f"{bundled().version}'s", bundled().rows)
        assert found.distributions == bundled().distributions
        assert found.confusion.sum() == 2
        assert found.seen.sum() > bundled().seen.sum()
        assert not (bundled().seen & ~found.seen).any()

    @pytest.mark.parametrize("count", [0, LEAST_SAMPLES])
    def test_it_is_read_as_it_was_written_and_equal_ones_have_equal_bytes(self, count: int) -> None:
        rows = self.ROWS if count else self.ROWS[:0]
        body = make_reference(baseline(), rows, by_chance(count)).dump()
        assert body == make_reference(baseline(), rows, by_chance(count)).dump()
        assert Reference.load(body).dump() == body

    def test_it_names_no_word_but_the_frequent_ones_of_the_manifest(self) -> None:
        text = gzip.decompress(make_reference(baseline(), self.ROWS, by_chance(LEAST_SAMPLES)).dump()).decode()
        assert {word for word, _, _ in json.loads(text)["words"]} <= set(baseline().frequent_words)
        assert "secretword" not in text
        assert "waited" not in text

    def test_a_model_of_other_labels_has_the_last_and_the_first_as_poles(self) -> None:
        model = make_model(labels=("dull", "so-so", "bright")).model
        found, said = measure(model, [GOOD], seen_words([]), []), Scorer(model).score(GOOD)
        assert found.words.shape == (1, 0)
        assert found.score[0] == pytest.approx(said.probabilities[2] - said.probabilities[0])


def test_an_alphabet_is_known_if_a_hundredth_of_the_base_data_is_in_it() -> None:
    usual = Usual.of(["fine"] * 97 + ["Хорошо", "Плохо", "很好"])
    assert [usual.knows(alphabet) for alphabet in ("LATIN", "CYRILLIC", "CJK", "GREEK", "")] == [True] * 3 + [
        False,
        True,
    ]
    assert Usual.of(["fine"] * 199 + ["很好"]).strange_share() == 0.005
    assert Usual.of([]).rows == 0


def test_new_words_are_those_that_enough_texts_have_and_that_are_not_known_as_frequent() -> None:
    texts = [f"The invoice, the invoice of {name}!" for name in ("Ada", "Bob", "Ada", "Eve", "Ada", "Ada")]
    assert new_words(texts, {"the"}) == {"invoice": 6, "of": 6}
    assert new_words(texts[:4], {"the"}) == {}
    many = [" ".join(f"word{number}" for number in range(20))] * 5
    assert len(new_words(many, ())) == 10


def test_the_bundled_reference_is_that_of_the_bundled_baseline() -> None:
    found = bundled()
    assert found.version == baseline().version
    assert tuple(found.labels) == baseline().labels
    assert set(found.distributions) == {*SHAPES, "unseen"}
    assert set(found.words) <= set(baseline().frequent_words)
    assert found.rows > 10_000
    assert found.dump() == Reference.load(found.dump()).dump()
