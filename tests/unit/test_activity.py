"""What an instance counts: sums that do not depend on how they were split, and percentiles within their bins."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.activity import (
    CONFIDENCE_BINS,
    LATENCY_BOUNDS_MS,
    MOST_VERSIONS,
    Activity,
    disagreement_by_slice,
    merge,
    percentile,
)
from sentiloop.scoring import Prediction

MOMENT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
LABELS = ("negative", "positive")
EIGHTHS = st.integers(0, 8).map(lambda number: number / 8)  # sums of them are exact, in any order


def prediction(label: str, confidence: float) -> Prediction:
    return Prediction(label, confidence, (confidence, 1 - confidence))


PREDICTIONS = st.builds(prediction, st.sampled_from(LABELS), EIGHTHS)
WRITTEN = st.sampled_from(["short", "a b c d e f", "word " * 60])
VERSIONS = st.sampled_from(["a", "b"])
MILLISECONDS = st.sampled_from([0.25, 0.5, 3.0, 700.0, 20_000.0])
EVENTS = st.one_of(
    st.tuples(
        st.just("request"),
        st.sampled_from(["predict", "feedback"]),
        st.sampled_from([200, 422, 503]),
        st.sampled_from([None, "invalid_request"]),
        MILLISECONDS,
    ),
    st.tuples(st.just("answered"), VERSIONS, st.lists(PREDICTIONS, max_size=3), st.just(0.5)),
    st.tuples(st.just("timed"), VERSIONS, MILLISECONDS, st.booleans()),
    st.tuples(st.just("beside"), VERSIONS, st.lists(st.tuples(WRITTEN, PREDICTIONS, PREDICTIONS), max_size=3), EIGHTHS),
    st.tuples(st.just("feedback"), st.sampled_from(["", "a"]), st.booleans()),
)
STREAMS = st.lists(EVENTS, max_size=12)


def counted(events: list[tuple[Any, ...]]) -> dict[str, Any]:
    activity = Activity(lambda: MOMENT)
    for name, *arguments in events:
        getattr(activity, name)(*arguments)
    return activity.take() or merge([])


@given(STREAMS, STREAMS, STREAMS)
def test_sums_depend_neither_on_the_order_nor_on_the_grouping(
    a: list[tuple[Any, ...]], b: list[tuple[Any, ...]], c: list[tuple[Any, ...]]
) -> None:
    one, two, three = map(counted, (a, b, c))
    assert merge([merge([one, two]), three]) == merge([one, merge([two, three])]) == merge([three, one, two])
    assert merge([merge([]), one]) == merge([one]) == one


@given(STREAMS, st.integers(0, 12))
def test_what_is_taken_in_parts_adds_up_to_the_whole(events: list[tuple[Any, ...]], cut: int) -> None:
    assert merge([counted(events[:cut]), counted(events[cut:])]) == counted(events)


@given(STREAMS)
def test_merging_changes_none_of_the_parts(events: list[tuple[Any, ...]]) -> None:
    part = counted(events)
    merge([part, part])
    assert part == counted(events)


def test_everything_is_counted_where_it_belongs() -> None:
    activity = Activity(lambda: MOMENT)
    sure, unsure = prediction("positive", 1.0), prediction("negative", 0.55)
    activity.request("predict", 200, None, 1.5)
    activity.request("predict", 422, "invalid_request", 0.5)
    activity.answered("a", [sure, unsure], doubtful_below=0.6)
    activity.timed("a", 3.0, failed=False)
    activity.beside("b", [("a b c d e", sure, unsure), ("word " * 51, sure, sure)], doubtful_below=0.6)
    activity.feedback("a", confirmed=True)
    activity.feedback("", confirmed=False)
    taken = activity.take()
    assert taken is not None
    assert taken["from"] == taken["until"] == "2026-03-01T08:30:00.000Z"
    predict = taken["functions"]["predict"]
    assert (predict["requests"], predict["milliseconds"]) == (2, 2.0)
    assert predict["status"] == {"200": 1, "422": 1}
    assert predict["errors"] == {"invalid_request": 1}
    assert predict["latency"][:4] == [1, 0, 1, 0]  # a bound belongs to the bin below it
    a, b = taken["versions"]["a"], taken["versions"]["b"]
    assert (a["answers"], a["labels"], a["low_confidence"]) == (2, {"positive": 1, "negative": 1}, 1)
    assert a["confidence_sum"] == pytest.approx(1.55)
    assert [place for place, count in enumerate(a["confidence"]) if count] == [11, CONFIDENCE_BINS - 1]
    assert (a["requests"], a["errors"], a["feedback"], a["confirmed"]) == (1, 0, 1, 1)
    assert b["beside"] == {
        "texts": 2,
        "flips": {"positive>negative": 1},
        "slices": {
            "label positive": {"texts": 2, "differ": 1},
            "sure": {"texts": 2, "differ": 1},
            "short": {"texts": 1, "differ": 1},
            "long": {"texts": 1, "differ": 0},
        },
        "confidence_sum": 1.55,
        "champion_confidence_sum": 2.0,
    }
    assert (taken["versions"][""]["feedback"], taken["versions"][""]["confirmed"]) == (1, 0)
    assert activity.take() is None


@pytest.mark.parametrize(
    ("words", "length"), [(1, "short"), (5, "short"), (6, "medium"), (50, "medium"), (51, "long"), (5_000, "long")]
)
@pytest.mark.parametrize(("confidence", "doubt"), [(0.59, "doubtful"), (0.6, "sure")])
def test_a_text_is_in_a_slice_by_label_one_by_doubt_and_one_by_length(
    words: int, length: str, confidence: float, doubt: str
) -> None:
    activity = Activity()
    pair = prediction("negative", confidence), prediction("positive", 1.0)
    activity.beside("b", [(" \nword" * words + " ", *pair)], doubtful_below=0.6)
    beside = (activity.take() or {})["versions"]["b"]["beside"]
    assert disagreement_by_slice(beside) == {
        name: {"texts": 1, "disagreement": 1.0} for name in ("label negative", doubt, length)
    }


def test_counts_from_before_there_were_slices_add_up() -> None:
    activity = Activity()
    sure = prediction("positive", 1.0)
    activity.beside("b", [("fine", sure, sure)], doubtful_below=0.6)
    new = activity.take() or {}
    old = json.loads(json.dumps(new))
    del old["versions"]["b"]["beside"]["slices"]
    beside = merge([old, new])["versions"]["b"]["beside"]
    assert (beside["texts"], beside["slices"]["sure"]["texts"]) == (2, 1)
    assert merge([old])["versions"]["b"]["beside"]["slices"] == {}


def test_names_that_clients_make_up_do_not_make_a_document_grow() -> None:
    activity = Activity()
    for number in range(10 * MOST_VERSIONS):
        activity.feedback(f"made up {number}", confirmed=False)
    taken = activity.take()
    assert taken is not None
    assert len(taken["versions"]) == MOST_VERSIONS + 1
    assert sum(counts["feedback"] for counts in taken["versions"].values()) == 10 * MOST_VERSIONS


def test_no_count_is_lost_between_threads() -> None:
    activity = Activity()
    parts: list[dict[str, Any]] = []

    def work(number: int) -> None:
        activity.request("predict", 200, None, 1.0)
        if number % 50 == 0 and (taken := activity.take()):
            parts.append(taken)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(2_000)))
    if taken := activity.take():
        parts.append(taken)
    assert merge(parts)["functions"]["predict"]["requests"] == 2_000


LATENCIES = st.lists(st.integers(0, 5), min_size=len(LATENCY_BOUNDS_MS) + 1, max_size=len(LATENCY_BOUNDS_MS) + 1)


@given(LATENCIES, st.floats(0.001, 1))
def test_a_percentile_lies_in_the_bin_of_its_request(counts: list[int], share: float) -> None:
    found = percentile(counts, share)
    if not sum(counts):
        assert found is None
        return
    assert found is not None
    bins = [place for place, count in enumerate(counts) for _ in range(count)]
    rank = next(rank for rank in range(1, len(bins) + 1) if rank >= share * len(bins))
    edges = [0.0, *LATENCY_BOUNDS_MS, LATENCY_BOUNDS_MS[-1]]
    assert edges[bins[rank - 1]] <= found <= edges[bins[rank - 1] + 1]


@given(LATENCIES)
def test_percentiles_rise_with_the_share(counts: list[int]) -> None:
    found = [percentile(counts, share / 20) for share in range(1, 21)]
    if sum(counts):
        assert all(low is not None and high is not None and low <= high for low, high in pairwise(found))


def test_a_percentile_is_linear_inside_a_bin() -> None:
    counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    counts[4] = 10  # 5 to 10 ms
    assert percentile(counts, 0.5) == pytest.approx(7.5)
    assert percentile(counts, 1) == pytest.approx(10)
    counts[-1] = 1
    assert percentile(counts, 1) == LATENCY_BOUNDS_MS[-1]
