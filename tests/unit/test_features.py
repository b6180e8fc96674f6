"""What of a text the model sees."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.features import (
    LONGEST_WORD,
    MAX_WIDTH,
    NEGATION_REACH,
    NGRAM_LENGTHS,
    hash_word,
    is_negation,
    negated,
    negated_buckets,
    ngrams,
    normalise,
    pair_buckets,
    roles,
    tokenise,
    word_buckets,
)

from tests.builders import TEXTS

WIDTHS = st.integers(1, 22).map(lambda power: 2**power)
TOKENS = st.one_of(st.text(min_size=1, max_size=50), st.sampled_from(["!", "?", "good", "don't"]))


@pytest.mark.parametrize("text", ["ＦＩＮＥ", "ﬁne", "FINE", "fine", "Fine"])
def test_width_ligatures_and_case_make_no_difference(text: str) -> None:
    assert tokenise(text) == ["fine"]


def test_case_is_folded_and_not_merely_lowered() -> None:
    assert normalise("STRASSE") == normalise("straße") == normalise("Straße")
    assert normalise("ΣΟΦΟΣ") == normalise("σοφος") == normalise("σοφοσ")


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert tokenise("cafe\u0301") == tokenise("caf\u00e9") == ["café"]


@pytest.mark.parametrize("apostrophe", list("'’‘‛ʼʹ`´′＇"))
def test_every_apostrophe_is_the_same_one(apostrophe: str) -> None:
    assert tokenise(f"I don{apostrophe}t") == ["i", "don't"]
    assert is_negation(tokenise(f"isn{apostrophe}t")[0])


def test_quotes_around_a_word_are_not_part_of_it() -> None:
    assert tokenise("'good' ‘good’ “good” \"good\"") == ["good"] * 4


def test_exclamation_and_question_marks_are_tokens_one_by_one() -> None:
    assert tokenise("What?! No!!") == ["what", "?", "!", "no", "!", "!"]
    assert tokenise("Ｗhat？！") == ["what", "?", "!"]


def test_other_punctuation_and_symbols_are_not_seen() -> None:
    assert tokenise("well ... (maybe), 5/10; 🎉 -- ok.") == ["well", "maybe", "5", "10", "ok"]


@pytest.mark.parametrize("text", ["", " \n\t", "...", "🎉🎉", "'", "\u200d", "\x02\x03"])
def test_a_text_may_hold_no_token_at_all(text: str) -> None:
    assert tokenise(text) == []


def test_an_ascii_part_reads_the_same_beside_other_letters() -> None:
    assert tokenise("It`s GOOD, isn't it?! 中") == [*tokenise("It`s GOOD, isn't it?!"), "中"]


@given(TEXTS)
def test_blanks_part_a_text_before_it_is_normalised_as_well_as_after(text: str) -> None:
    assert [word for part in text.split() for word in tokenise(part)] == tokenise(text)


@given(
    st.text(st.sampled_from([" ", "\u00a0", "\u3000", "\x1c", "a", "e", "\u0301", "\u0345", "´", "¨", "'", "İ", "Σ"]))
)
def test_marks_and_letters_that_normalising_changes_do_not_reach_across_a_blank(text: str) -> None:
    assert [word for part in text.split() for word in tokenise(part)] == tokenise(text)


@given(TEXTS)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(TEXTS)
def test_tokens_are_stable_when_they_are_read_again(text: str) -> None:
    tokens = tokenise(text)
    assert tokenise(" ".join(tokens)) == tokens


@given(TEXTS)
def test_the_form_of_unicode_that_a_text_comes_in_makes_no_difference(text: str) -> None:
    assert tokenise(unicodedata.normalize("NFKC", text.replace("´", "'"))) == tokenise(text)
    assert tokenise(unicodedata.normalize("NFD", text)) == tokenise(text)


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_the_short_way_for_ascii_agrees_with_the_long_way(text: str) -> None:
    assert normalise(text + "中") == normalise(text) + "中"


def test_ngrams_are_cut_from_the_word_between_marks() -> None:
    assert ngrams("good") == ["<goo", "good", "ood>", "<good", "good>", "<good>"]
    assert ngrams("a") == []
    assert ngrams("ab") == ["<ab>"]


def test_marks_have_no_ngrams() -> None:
    assert ngrams("!") == ngrams("?") == []


@given(TOKENS)
def test_ngrams_are_parts_of_the_word_of_the_lengths_that_count(word: str) -> None:
    marked = f"<{word[:LONGEST_WORD]}>"
    for ngram in ngrams(word):
        assert ngram in marked
        assert len(ngram) in NGRAM_LENGTHS


def test_a_very_long_word_costs_no_more_than_a_long_one() -> None:
    assert ngrams("x" * 100_000) == ngrams("x" * LONGEST_WORD)
    assert word_buckets("x" * 1_000, 1024)[0] != word_buckets("x" * 1_001, 1024)[0]


@pytest.mark.parametrize("word", ["not", "never", "don't", "dont", "cannot", "ain't", "mustn't", "without"])
def test_negations_are_known(word: str) -> None:
    assert is_negation(word)


@pytest.mark.parametrize("word", ["knot", "note", "good", "want", "n", "t", "!"])
def test_what_only_looks_like_a_negation_is_none(word: str) -> None:
    assert not is_negation(word)


def test_a_negation_reaches_a_few_tokens_far() -> None:
    words = ["it", "is", "not", *(f"word{place}" for place in range(NEGATION_REACH + 3))]
    assert negated(words) == words[3 : 3 + NEGATION_REACH]


def test_a_second_negation_renews_the_reach_and_is_negated_itself() -> None:
    words = ["not", "a", "b", "never", "c", "d", "e", "f", "g"]
    assert negated(words) == ["a", "b", "never", "c", "d", "e", "f"]


def test_a_word_is_negated_once_a_place() -> None:
    assert negated(["no", "good", "good", "good"]) == ["good", "good", "good"]


@given(TEXTS)
def test_negated_words_are_words_of_the_text_in_its_order(text: str) -> None:
    words = iter(tokenise(text))
    assert all(word in words for word in negated(tokenise(text)))


@given(TEXTS)
def test_a_text_without_negation_has_no_negated_words(text: str) -> None:
    words = [word for word in tokenise(text) if not is_negation(word)]
    assert negated(words) == []


@given(TOKENS, TOKENS, WIDTHS)
def test_buckets_lie_within_the_width(left: str, right: str, width: int) -> None:
    for bucket in [*word_buckets(left, width), *negated_buckets(left, width), *pair_buckets(left, right, width)]:
        assert 0 <= bucket < width


@given(TOKENS, WIDTHS)
def test_a_narrower_table_only_folds_the_buckets_of_a_wider_one(word: str, width: int) -> None:
    assert [bucket % width for bucket in word_buckets(word, 2 * width)] == word_buckets(word, width)


@given(TOKENS, TOKENS)
def test_words_negated_words_and_pairs_count_twice_and_ngrams_once(left: str, right: str) -> None:
    own = word_buckets(left, 1024)
    assert own[0] == own[1]
    assert len(own) == 2 + len(ngrams(left))
    assert len(negated_buckets(left, 1024)) == len(pair_buckets(left, right, 1024)) == 2


def test_the_order_of_a_pair_matters() -> None:
    width = 2**22
    assert pair_buckets("not", "good", width) != pair_buckets("good", "not", width)


def test_hashes_stay_what_they_are_because_trained_weights_depend_on_them() -> None:
    width = 2**22
    assert hash_word("good") == 0x6C844E92
    assert word_buckets("good", width)[:4] == [282258, 282258, 609793, 282258]
    assert negated_buckets("good", width) == [1098827] * 2
    assert pair_buckets("not", "good", width) == [3331144] * 2


@given(TOKENS, WIDTHS)
def test_a_words_roles_lie_within_the_width_and_a_narrower_one_folds_them(word: str, width: int) -> None:
    assert tuple(number & (width - 1) for number in roles(word, MAX_WIDTH)) == roles(word, width)


def test_pairs_spread_over_the_table_like_random_numbers() -> None:
    words = [f"word{number}" for number in range(300)]
    width = 2**17
    buckets = {pair_buckets(left, right, width)[0] for left in words for right in words}
    expected = width * (1 - math.exp(-(len(words) ** 2) / width))
    assert len(buckets) == pytest.approx(expected, rel=0.02)


def test_half_a_surrogate_pair_can_be_hashed() -> None:
    assert 0 <= hash_word("\ud800") < 2**32
