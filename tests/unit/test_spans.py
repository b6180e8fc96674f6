"""Where in a text the words of an explanation stand."""

import math
import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop import spans as module
from sentiloop.artefact import Model
from sentiloop.features import (
    END,
    START,
    negated_buckets,
    negated_places,
    normalise,
    pair_buckets,
    tokenise,
    word_buckets,
)
from sentiloop.scoring import Scorer
from sentiloop.spans import Place, places, spans

from tests.builders import LABELS, TEXTS, make_model

MODEL = make_model(seed=1).model
SCORER = Scorer(MODEL)

_LETTERS = [
    "a",
    "E",
    "n't",
    "not",
    "no",
    "ß",
    "İ",
    "ı",
    "ŉ",
    "Σ",
    "ﬁ",
    "ﬄ",
    "ＦＩ",
    "ｇ",
    "é",
    "ǰ",
    "ΐ",
    "ᾳ",
    "ẞ",
    "中",
]
_MARKS = ["\u0301", "\u0323", "\u0307", "\u0308", "\u0344", "\u0345", "\u20e3", "\ufe0f", "\u3099", "\uff9e", "\u09be"]
_JAMO = ["\u1112", "\u1161", "\u11ab", "\uac00", "\uffa1", "\uffc2", "ㅎ", "ｶ", "か", "\u09c7"]
_SIGNS = [
    "½",
    "…",
    "㎞",
    "\ufdfa",
    "´",
    "¨",
    "΅",
    "’",
    "`",
    "'",
    "!",
    "？",
    "⁉",
    "👩\u200d👧",
    "🏳️\u200d🌈",
    "\u200d",
    "\ud800",
    "\udc00",
]
_BLANKS = [" ", "\n", "\u00a0", "\u3000", "\u1680", "\x1c", "\x85"]
WILD = st.lists(st.sampled_from([*_LETTERS, *_MARKS, *_JAMO, *_SIGNS, *_BLANKS]), max_size=40).map("".join)
ANY = st.one_of(TEXTS, WILD)


@given(ANY)
def test_the_tokens_are_those_that_are_scored(text: str) -> None:
    assert [place.token for place in places(text)] == tokenise(text)


@given(ANY)
def test_places_lie_inside_the_text_and_never_go_back(text: str) -> None:
    found = places(text)
    assert all(0 <= place.start < place.end <= len(text) for place in found)
    for left, right in pairwise(found):
        assert left.start <= right.start
        assert left.end <= right.end


@given(ANY)
def test_what_stands_at_a_place_holds_its_token(text: str) -> None:
    for token, start, end in places(text):
        assert token in normalise(text[start:end])


@given(ANY)
def test_a_place_never_reaches_across_a_blank(text: str) -> None:
    for _, start, end in places(text):
        assert len(text[start:end].split()) == 1


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_the_short_way_for_ascii_agrees_with_the_long_way(text: str) -> None:
    assert places(f"{text} é")[:-1] == places(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It`s GOOD!", [("it's", 0, 4), ("good", 5, 9), ("!", 9, 10)]),
        ("Isn´t it ‘fine’?", [("isn't", 0, 5), ("it", 6, 8), ("fine", 10, 14), ("?", 15, 16)]),
        ("a ﬁne, oﬄine day", [("a", 0, 1), ("fine", 2, 5), ("offline", 7, 12), ("day", 13, 16)]),
        ("Ｗｏｗ！ yes", [("wow", 0, 3), ("!", 3, 4), ("yes", 5, 8)]),
        ("un cafe\u0301 noir", [("un", 0, 2), ("café", 3, 8), ("noir", 9, 13)]),
        ("große Maße", [("grosse", 0, 5), ("masse", 6, 10)]),
        ("İzmir ısı", [("i", 0, 1), ("zmir", 1, 5), ("ısı", 6, 9)]),
        ("\u1112\u1161\u11ab \u1100\u1173\u11af!", [("한", 0, 3), ("글", 4, 7), ("!", 7, 8)]),
        ("ｶﾞｲﾄﾞ ok", [("ガイド", 0, 5), ("ok", 6, 8)]),
        ("👩\u200d👩\u200d👧 loved 🏳\ufe0f\u200d🌈 it", [("loved", 6, 11), ("it", 17, 19)]),
        ("1\ufe0f\u20e3 star", [("1", 0, 3), ("star", 4, 8)]),
        ("½ off", [("1", 0, 1), ("2", 0, 1), ("off", 2, 5)]),
        ("wait…what⁉", [("wait", 0, 4), ("what", 5, 9), ("!", 9, 10), ("?", 9, 10)]),
        ("\ud800not\udc00", [("not", 1, 4)]),
    ],
)
def test_places_are_those_of_the_text_as_it_came(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert places(text) == [Place(*place) for place in expected]


@pytest.mark.parametrize("text", ["", " \n", "...", "🎉", "\u0301", "\u200d", "\ud800"])
def test_a_text_without_tokens_has_no_places_and_no_spans(text: str) -> None:
    assert places(text) == []
    assert spans(SCORER, text) == []


def test_nothing_is_cut_off_that_composes_with_what_stands_before_it() -> None:
    composed = [unicodedata.decomposition(chr(point)).split() for point in range(sys.maxunicode + 1)]
    seconds = {chr(int(parts[1], 16)) for parts in composed if len(parts) == 2 and not parts[0].startswith("<")}
    assert seconds > {"\u0301", "\u3099", "\u09be"}
    hangul = [chr(point) for point in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))]
    assert [f"{ord(second):x}" for second in (*seconds, *hangul) if not module._joins(second)] == []


def test_a_word_whose_characters_do_not_add_up_is_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_joins", lambda _: False)
    text = "no cafe\u0301-bar (ﬁne)"
    assert places(text) == [Place("no", 0, 2), Place("café", 3, 12), Place("bar", 3, 12), Place("fine", 14, 17)]


def test_a_text_whose_words_do_not_add_up_is_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "normalise", lambda text: normalise(text)[::-1])
    assert places("né on") == [Place("no", 0, 5), Place("én", 0, 5)]


@pytest.mark.parametrize(
    "text",
    [
        "é" * 10_000,
        "\ufdfa" * 10_000,
        "½ " * 5_000,
        "a" + "\u0301\u0323" * 4_999,
        "x a" + "\u0344\u0323" * 4_998,
        "né!" * 3_333,
        "".join(map(chr, range(0x1100, 0x1100 + 10_000))),
    ],
    ids=["letters", "expanding", "halves", "marks", "more-marks", "short", "distinct"],
)
def test_a_text_is_normalised_three_times_at_most_however_it_is_made(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = 0

    def counted(part: str) -> str:
        nonlocal seen
        seen += len(part)
        return normalise(part)

    monkeypatch.setattr(module, "normalise", counted)
    assert [place.token for place in places(text)] == tokenise(text)
    assert seen <= 3 * len(text)


@given(ANY)
def test_spans_come_in_order_without_overlap_and_inside_the_text(text: str) -> None:
    found = spans(SCORER, text)
    edges = [edge for span in found for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(0 <= span.start < span.end <= len(text) for span in found)


@given(ANY)
def test_every_token_lies_in_one_span_and_every_span_begins_and_ends_with_one(text: str) -> None:
    found, tokens = spans(SCORER, text), places(text)
    for place in tokens:
        assert len([span for span in found if span.start <= place.start and place.end <= span.end]) == 1
    assert {span.start for span in found} <= {place.start for place in tokens}
    assert {span.end for span in found} <= {place.end for place in tokens}


@given(ANY)
def test_contributions_of_all_spans_and_the_bias_add_up_to_the_logits(text: str) -> None:
    _, logits = SCORER.explain(text)
    columns = zip(MODEL.bias, *(span.contributions for span in spans(SCORER, text)), strict=True)
    assert [math.fsum(column) for column in columns] == pytest.approx(logits, abs=1e-9)


def shares_by_definition(model: Model, words: list[str]) -> list[list[float]]:
    """What each token adds, as the documentation words it: bucket by bucket, and half of what a pair brings."""
    columns, count = len(model.labels) + 1, len(words)

    def row(buckets: list[int], number: int) -> float:
        return sum(model.table[bucket * columns + number] for bucket in buckets) * model.scales[number]

    pairs = [pair_buckets(left, right, model.width) for left, right in pairwise([START, *words, END])]
    terms = [word_buckets(word, model.width) for word in words]
    for place in negated_places(words):
        terms[place] = terms[place] + negated_buckets(words[place], model.width)
    every = [bucket for buckets in (*terms, *pairs) for bucket in buckets]
    norm = math.sqrt(sum(row([bucket], columns - 1) ** 2 for bucket in every))
    if not norm:
        return [[0.0] * len(model.labels) for _ in words]
    return [
        [
            (
                row(terms[place], number)
                + row(pairs[place], number) * (0.5 if place else 1)
                + row(pairs[place + 1], number) * (0.5 if place < count - 1 else 1)
            )
            / norm
            for number in range(len(model.labels))
        ]
        for place in range(count)
    ]


@given(ANY.filter(tokenise))
def test_a_token_adds_itself_its_negated_term_and_its_share_of_pairs(text: str) -> None:
    words = tokenise(text)
    for found, expected in zip(SCORER.explain_words(words), shares_by_definition(MODEL, words), strict=True):
        assert found == pytest.approx(expected, abs=1e-9)


def test_the_same_word_adds_something_else_where_it_is_negated() -> None:
    text = "good food and not good food"
    first, second = (span for span in spans(SCORER, text) if text[span.start : span.end] == "good")
    assert first.contributions != pytest.approx(second.contributions)


def test_tokens_of_one_character_are_one_span_with_what_all_of_them_add() -> None:
    half, off = spans(SCORER, "½ off")
    assert (half.start, half.end, off.start, off.end) == (0, 1, 2, 5)
    one, two, word = SCORER.explain_words(["1", "2", "off"])
    assert half.contributions == pytest.approx([first + second for first, second in zip(one, two, strict=True)])
    assert off.contributions == pytest.approx(word)


def test_neighbours_that_touch_stay_spans_of_their_own() -> None:
    assert [(span.start, span.end) for span in spans(SCORER, "Fine!!")] == [(0, 4), (4, 5), (5, 6)]


def test_words_that_training_never_saw_add_nothing() -> None:
    unseen = make_model(width=2)
    blank = Model(
        **{name: getattr(unseen.model, name) for name in Model.__slots__ if name != "table"},
        table=memoryview(bytes(len(unseen.weights))).cast("b"),
    )
    [span] = spans(Scorer(blank), "anything")
    assert span.contributions == (0.0,) * len(LABELS)
