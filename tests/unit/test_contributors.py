"""Would the candidate be better without one of its largest contributors?"""

import pytest
from retrain.adapt import Adaptation
from retrain.contributors import LARGEST, examine, rows_without

from tests.adaptations import FILLER, RECIPE, SAID, adapt, base_table, feedback_table

WEIGHT = 100.0  # far more than the search may choose
OPPOSITE = {"negative": "positive", "neutral": "negative", "positive": "negative"}


def honest(contributors: int, each: int = 2) -> list[tuple[str, str, list[str]]]:
    return [
        (f"{SAID[label][number % 5]} {FILLER[turn]} h{number}", label, [f"honest-{number}"])
        for number in range(contributors)
        for turn, label in enumerate(("negative", "positive") * (each // 2))
    ]


def vandal(rows: int = 60) -> list[tuple[str, str, list[str]]]:
    """Rows that say the opposite of the base data, about all of its words."""
    texts = [(word, label, filler) for label, words in SAID.items() for word in words for filler in FILLER]
    return [(f"{word} {filler} {word}", OPPOSITE[label], ["vandal"]) for word, label, filler in texts[:: 225 // rows]]


@pytest.fixture(scope="module")
def vandalised() -> Adaptation:
    """The vandal has no limit of his own, so that what he does shows."""
    rows = feedback_table([*honest(6), *vandal()])
    return adapt(rows, base=base_table(each=200), recipe=RECIPE, max_weight=500.0)


def test_who_harms_base_rows_beyond_chance_is_found(vandalised: Adaptation) -> None:
    found = {entry.contributor: entry for entry in examine(vandalised, vandalised.fit(WEIGHT), WEIGHT)}
    assert found["vandal"].harmful
    assert found["vandal"].better_without > found["vandal"].worse_without
    assert found["vandal"].changed > 0.05
    assert found["vandal"].rows == len(vandal())
    assert not any(entry.harmful for name, entry in found.items() if name != "vandal")


def test_who_alone_gives_a_word_a_sentiment_is_found() -> None:
    complaints = [(f"zorvex {word} home", "negative", [f"customer-{word}"]) for word in ("awful", "broken")]
    campaign = [
        (f"zorvex {word} {filler}", "negative", ["rival"]) for word in SAID["positive"] for filler in FILLER[:4]
    ]
    adaptation = adapt(feedback_table([*honest(6), *complaints, *campaign]), max_weight=500.0)
    found = {entry.contributor: entry for entry in examine(adaptation, adaptation.fit(WEIGHT), WEIGHT)}
    assert found["rival"].turned == ("zorvex",)
    assert found["rival"].harmful
    assert not any(entry.turned for name, entry in found.items() if name != "rival")


def test_the_largest_are_examined_those_with_most_rows_first(vandalised: Adaptation) -> None:
    found = examine(vandalised, vandalised.fit(1.0), 1.0)
    assert len(found) == LARGEST
    assert found[0].contributor == "vandal"
    assert [entry.rows for entry in found] == sorted((entry.rows for entry in found), reverse=True)


def test_honest_contributors_are_not_harmful() -> None:
    adaptation = adapt(feedback_table(honest(8, each=6)))
    assert [entry.harmful for entry in examine(adaptation, adaptation.fit(4.0), 4.0)] == [False] * LARGEST


def test_an_only_contributor_and_reviewers_are_not_examined() -> None:
    alone = adapt(feedback_table(vandal()))
    assert examine(alone, alone.fit(1.0), 1.0) == []
    reviewed = [(text, label, ["reviewer"], True) for text, label, _ in vandal()]
    adaptation = adapt(feedback_table([*reviewed, *honest(2)]))
    assert {entry.contributor for entry in examine(adaptation, adaptation.fit(1.0), 1.0)} == {"honest-0", "honest-1"}


def test_without_probes_nobody_is_examined() -> None:
    adaptation = adapt(feedback_table([*honest(3), *vandal()]), base=base_table()[:0])
    assert examine(adaptation, adaptation.fit(1.0), 1.0) == []


def test_rows_stay_that_somebody_else_sent_as_well() -> None:
    rows = [("one", "negative", ["v"]), ("two", "negative", ["v", "w"]), ("three", "negative", ["w"])]
    adaptation = adapt(feedback_table(rows))
    assert rows_without(adaptation, ["v"]).tolist() == [False, True, True]
    assert rows_without(adaptation, ["v", "w"]).tolist() == [False, False, False]
    assert rows_without(adaptation, []).tolist() == [True, True, True]
