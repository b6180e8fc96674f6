"""What is said of two versions: figures, slices, words whose effect moved, and texts with another answer."""

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import artefact, gate
from sentiloop.diff import Slice, compare_answers, compare_figures, effect, moved_words, read_slices
from sentiloop.features import word_buckets
from sentiloop.scoring import Scorer

from tests.builders import LABELS, TEXTS, make_manifest, make_model, make_sample, make_weights

WIDTH = 1024
COLUMNS = len(LABELS) + 1
ONE, OTHER = Scorer(make_model(seed=1).model), Scorer(make_model(seed=2).model)
SHARES = st.floats(min_value=-1, max_value=1)


def changed(word: str, label: str, weight: int) -> Scorer:
    """A version like another but for a word's own weight."""
    table = array("b", make_weights(COLUMNS, WIDTH))
    table[word_buckets(word, WIDTH)[0] * COLUMNS + LABELS.index(label)] = weight
    weights = table.tobytes()
    return Scorer(artefact.load(artefact.dump(make_manifest(), weights, "int8"), weights))


class TestWords:
    @given(word=st.sampled_from(["good", "don't", "!", "中文", "unheard-of"]))
    def test_an_effect_says_nothing_of_what_all_labels_share(self, word: str) -> None:
        assert sum(effect(ONE, word, LABELS).values()) == pytest.approx(0, abs=1e-9)

    def test_an_effect_is_what_the_word_changes_of_the_log_odds_between_two_labels(self) -> None:
        terms, logits = ONE.explain("good")
        bias = next(term for term in terms if term.kind == "bias").contributions
        found = effect(ONE, "good", LABELS)
        assert found["positive"] - found["negative"] == pytest.approx((logits[2] - logits[0]) - (bias[2] - bias[0]))

    def test_the_word_whose_weight_moved_comes_first_and_says_how(self) -> None:
        texts = ["a splendid evening", "the splendid one", "nothing of the kind"]
        [first, *_] = moved_words(
            changed("splendid", "positive", -127), changed("splendid", "positive", 127), texts, most=10
        )
        assert (first.word, first.texts) == ("splendid", 2)
        assert first.b["positive"] > first.a["positive"]
        assert first.b["negative"] < first.a["negative"]

    def test_the_same_version_moved_no_word(self) -> None:
        assert moved_words(ONE, ONE, ["good and bad"], most=10) == []

    @given(texts=st.lists(TEXTS, max_size=5))
    def test_the_other_way_round_the_same_words_moved_as_far(self, texts: list[str]) -> None:
        there, back = moved_words(ONE, OTHER, texts, most=1_000), moved_words(OTHER, ONE, texts, most=1_000)
        assert {(word.word, word.distance) for word in there} == {(word.word, word.distance) for word in back}
        assert all(this.distance >= following.distance for this, following in pairwise(there))

    def test_labels_that_one_of_them_lacks_are_left_out(self) -> None:
        two = Scorer(make_model(labels=("negative", "positive")).model)
        assert all(word.a.keys() == {"negative", "positive"} for word in moved_words(ONE, two, ["good"], most=10))
        assert moved_words(ONE, Scorer(make_model(labels=("yes", "no")).model), ["good"], most=10) == []

    def test_words_that_the_manifests_name_are_looked_at_without_any_text(self) -> None:
        words = ["good", "bad"]
        weights = make_weights(COLUMNS, WIDTH) + bytes(8 * COLUMNS * len(words))  # sums that say: no effect
        model = artefact.load(artefact.dump(make_manifest(frequent_words=words), weights, "int8"), weights)
        assert {word.word for word in moved_words(Scorer(model), OTHER, [], most=10)} == set(words)


class TestAnswers:
    @given(texts=st.lists(TEXTS, max_size=8))
    def test_those_that_changed_are_those_whose_labels_differ(self, texts: list[str]) -> None:
        found = compare_answers(ONE, OTHER, [(str(n), make_sample(n, text=text)) for n, text in enumerate(texts)], 100)
        differ = {text for text in texts if ONE.score(text).label != OTHER.score(text).label}
        assert {example.text for example in found.examples} == differ
        assert found.texts == len(set(texts))
        assert found.changed == sum(found.flips.values()) == len(differ)
        for example in found.examples:
            assert (example.a_label, example.a_confidence) == ONE.score(example.text)[:2]
            assert (example.b_label, example.b_confidence) == OTHER.score(example.text)[:2]

    def test_a_text_that_was_sampled_often_is_named_once_by_its_newest_sample(self) -> None:
        text = next(text for text in map(str, range(99)) if ONE.score(text).label != OTHER.score(text).label)
        samples = [("newest", make_sample(1, text=text)), ("oldest", make_sample(2, text=text))]
        [example] = compare_answers(ONE, OTHER, samples, 5).examples
        assert example.id == "newest"

    def test_the_surest_come_first_and_the_rest_is_counted(self) -> None:
        samples = [(str(number), make_sample(number)) for number in range(100)]
        every, some = compare_answers(ONE, OTHER, samples, 100), compare_answers(ONE, OTHER, samples, 3)
        sure = [example.a_confidence + example.b_confidence for example in every.examples]
        assert sure == sorted(sure, reverse=True)
        assert (some.examples, some.changed) == (every.examples[:3], every.changed)
        assert some.changed > 3


class TestFigures:
    def test_numbers_stand_side_by_side_and_accuracy_first(self) -> None:
        a = {"accuracy": 0.5, "rows": 10, "confusion": [[1]], "by_set": {}, "old": 1.0}
        b = {"accuracy": 0.75, "rows": 20, "macro_f1": 0.7}
        found = compare_figures(a, b, None, (0.7, 0.8))
        assert [(figure.name, figure.a, figure.b) for figure in found] == [
            ("accuracy", 0.5, 0.75),
            ("macro_f1", None, 0.7),
            ("old", 1.0, None),
            ("rows", 10, 20),
        ]
        assert [(figure.a_interval, figure.b_interval) for figure in found if figure.name == "accuracy"] == [
            (None, (0.7, 0.8))
        ]

    def test_slices_are_read_as_the_report_writes_them(self) -> None:
        part = gate.compare("label positive", [True, False, False, True], [True, True, True, True])
        [read] = read_slices([gate.described(part), gate.described(gate.compare("none", [], []))])
        assert (read.name, read.rows, read.a, read.b, read.gain) == ("label positive", 4, 0.5, 1.0, 0.5)
        assert read.interval == gate.gain_interval(part)

    @given(a=SHARES, b=SHARES, ends=st.tuples(SHARES, SHARES).map(sorted))
    def test_a_slice_turned_twice_is_the_same(self, a: float, b: float, ends: list[float]) -> None:
        part = Slice("all", 10, a, b, b - a, (ends[0], ends[1]))
        turned = part.turned()
        assert turned.turned() == part
        assert turned.interval is not None
        assert turned.interval[0] <= turned.interval[1]
        assert (turned.a, turned.gain) == (b, -part.gain)
