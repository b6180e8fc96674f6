"""Judging: which rows count where, and every decision is told."""

import random
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from retrain.judge import CONTRIBUTOR_ROWS, MOST_CONTRIBUTORS, Judged, judge
from retrain.report import write_report
from retrain.splits import HOLDOUT, TRAIN
from retrain.train import TrainingError
from sentiloop.artefact import Model
from sentiloop.bulk import BulkScorer
from sentiloop.gate import Check, Comparison
from sentiloop.records import to_json
from sentiloop.settings import Settings

from tests.builders import make_model

CHAMPION = make_model(version="v-champion").model
CANDIDATE = make_model(version="v-candidate", seed=1).model
LAX = Settings(gate_slice_drop=1.0, gate_calibration_rise=1.0, gate_behaviour_floor=0.0)  # the gain alone decides


def said(model: Model, texts: list[str]) -> list[str]:
    return [str(label) for label in np.array(model.labels)[BulkScorer(model).probabilities(texts).argmax(axis=1)]]


def make_rows(count: int = 200, follow: Model = CANDIDATE, **columns: Any) -> pd.DataFrame:
    """Return held-out rows whose labels are what a model says of them; `columns` replace and add."""
    dice = random.Random(0)
    texts = [f"{dice.choice('abcdefgh')}{number} {dice.choice('ijklmnop')}{number}" for number in range(count)]
    given = {"key": texts, "text": texts, "label": said(follow, texts), "source": "seed", "side": HOLDOUT}
    return pd.DataFrame({**given, **columns})


def part(judged: Judged, name: str) -> Comparison:
    [found] = [part for part in judged.comparisons if part.name == name]
    return found


def check(judged: Judged, name: str) -> Check:
    [found] = [check for check in judged.verdict.checks if check.name == name]
    return found


def names(judged: Judged) -> set[str]:
    return {part.name for part in judged.comparisons}


def test_a_better_candidate_is_promoted_and_a_worse_one_is_not() -> None:
    better = judge(CHAMPION, CANDIDATE, make_rows(), LAX)
    assert better.verdict.promote
    assert better.metrics["accuracy"] == 1.0
    assert better.verdict.reasons[0].startswith("better beyond chance at level 0.05: ")
    worse = judge(CANDIDATE, CHAMPION, make_rows(), LAX)
    assert not worse.verdict.promote
    assert "not better beyond chance" in worse.verdict.reasons[0]


def test_all_that_was_looked_at_is_told() -> None:
    judged = judge(CHAMPION, CANDIDATE, make_rows(), Settings())
    assert [check.name for check in judged.verdict.checks] == [
        *("gain", "least gain", "slice base data", "slice label negative", "slice label neutral"),
        *("slice label positive", "slice source seed", "calibration", "behaviour contrast", "behaviour names"),
        *("behaviour negation", "behaviour neutral", "behaviour typos", "behaviour vocabulary", "names"),
    ]
    assert all(check.finding for check in judged.verdict.checks)
    to_json([asdict(check) for check in judged.verdict.checks])
    report = write_report(judged)
    assert all(check.name in report["report/report.html"].decode() for check in judged.verdict.checks)
    assert b"gain_interval" in report["report/report.json"]


def test_the_same_rows_are_judged_the_same() -> None:
    assert judge(CHAMPION, CANDIDATE, make_rows(), LAX).verdict == judge(CHAMPION, CANDIDATE, make_rows(), LAX).verdict


def test_rows_of_the_training_side_and_of_unknown_labels_are_not_counted() -> None:
    rows = make_rows()
    rows.loc[:49, "side"] = TRAIN
    rows.loc[50:59, "label"] = "mixed"
    assert part(judge(CHAMPION, CANDIDATE, rows, LAX), "all").rows == 140
    with pytest.raises(TrainingError, match="no held-out rows"):
        judge(CHAMPION, CANDIDATE, rows[:60], LAX)


def test_slices_are_labels_data_sets_and_feedback() -> None:
    rows = make_rows(source=["seed"] * 80 + ["films"] * 80 + ["feedback"] * 40)
    judged = judge(CHAMPION, CANDIDATE, rows, LAX)
    assert names(judged) >= {"all", "label negative", "source films", "source seed", "feedback"}
    assert part(judged, "source films").rows == 80
    assert part(judged, "feedback").rows == 40
    assert sum(part(judged, f"label {label}").rows for label in CANDIDATE.labels) == 200
    assert "feedback new" not in names(judged)


def test_a_slice_that_falls_rejects_however_large_the_gain_is_elsewhere() -> None:
    rows = pd.concat([make_rows(300), make_rows(60, CHAMPION, source="films")], ignore_index=True)
    settings = Settings(gate_calibration_rise=1.0, gate_behaviour_floor=0.0)
    judged = judge(CHAMPION, CANDIDATE, rows, settings)
    assert check(judged, "gain").ok
    assert not check(judged, "slice source films").ok
    assert not judged.verdict.promote


def test_mistakes_and_confirmations_count_as_selected_and_in_no_slice_but_those_of_the_feedback() -> None:
    """All feedback is labelled by the candidate, so it is right on it: mistakes are fixed, confirmations kept."""
    texts = make_rows(100)["text"].tolist()
    right = np.array(said(CHAMPION, texts)) == np.array(said(CANDIDATE, texts))
    feedback = make_rows(100, source="feedback", selection=np.where(right, "confirmation", "mistake"))
    base = make_rows(200, CHAMPION, selection="").assign(text=lambda rows: rows["text"] + "!")
    base["label"] = said(CHAMPION, base["text"].tolist())
    judged = judge(CHAMPION, CANDIDATE, pd.concat([base, feedback], ignore_index=True), LAX)
    figures = check(judged, "gain").figures
    assert figures["rows"] == 200
    assert figures["selected"] == {
        "wrong": int((~right).sum()),
        "fixed": int((~right).sum()),
        "turned": 0,
        "right": int(right.sum()),
        "broken": 0,
    }
    assert sum(part(judged, f"label {label}").rows for label in CANDIDATE.labels) == 200
    assert part(judged, "feedback").rows == 100
    assert part(judged, "feedback").gained == int((~right).sum())


def test_an_answer_that_turns_from_wrong_to_wrong_is_counted() -> None:
    rows = make_rows(100, source="feedback", selection="mistake")
    pairs = zip(said(CHAMPION, rows["text"].tolist()), said(CANDIDATE, rows["text"].tolist()), strict=True)
    rows["label"] = [next(label for label in CANDIDATE.labels if label not in pair) for pair in map(set, pairs)]
    differ = np.array(said(CHAMPION, rows["text"].tolist())) != np.array(said(CANDIDATE, rows["text"].tolist()))
    selected = check(judge(CHAMPION, CANDIDATE, rows, LAX), "gain").figures["selected"]
    assert selected == {"wrong": 100, "fixed": 0, "turned": int(differ.sum()), "right": 0, "broken": 0}
    assert 0 < differ.sum() < 100


def test_feedback_since_the_champion_is_a_slice() -> None:
    times = [f"2026-03-{day:02d}T00:00:00.000Z" for day in range(1, 11)] * 10
    rows = pd.concat(
        [
            make_rows(50, received_at="", selection=""),
            make_rows(100, source="feedback", received_at=times, selection="label"),
        ]
    )
    judged = judge(CHAMPION, CANDIDATE, rows, LAX, since="2026-03-07T00:00:00.000Z")
    assert part(judged, "feedback new").rows == 30
    assert "feedback new" not in names(judge(CHAMPION, CANDIDATE, rows, LAX, since="2026-04-01T00:00:00.000Z"))
    assert part(judge(CHAMPION, CANDIDATE, rows, LAX, since=""), "feedback new").rows == 100


def test_large_contributors_are_slices() -> None:
    large, small = [f"{number:064x}" for number in range(MOST_CONTRIBUTORS + 2)], "f" * 64
    groups = [((who,), CONTRIBUTOR_ROWS) for who in large] + [((large[0], small), 3), ((small,), CONTRIBUTOR_ROWS - 4)]
    contributors = [who for who, count in groups for _ in range(count)]
    feedback = make_rows(len(contributors), source="feedback", selection="label", contributors=contributors)
    base = make_rows(50, selection="", contributors=[()] * 50)
    judged = judge(CHAMPION, CANDIDATE, pd.concat([base, feedback], ignore_index=True), LAX)
    found = [part for part in judged.comparisons if part.name.startswith("contributor ")]
    assert len(found) == MOST_CONTRIBUTORS
    assert {part.rows for part in found[1:]} == {CONTRIBUTOR_ROWS}
    assert found[0].rows == CONTRIBUTOR_ROWS + 3


def loudness(factor: float) -> Model:
    """Return a model with the champion's answers and more or less confidence."""
    scales = [0.01 * factor * (number + 1) for number in range(3)]
    return make_model(scales=[*scales, 0.02], bias=[0.1 * factor * number for number in range(3)]).model


def test_a_candidate_that_believes_itself_too_much_is_rejected() -> None:
    quiet, loud = loudness(0.7), loudness(2.0)
    rows = make_rows(300, CHAMPION)
    assert said(quiet, rows["text"].tolist()) == said(loud, rows["text"].tolist())
    dice = random.Random(0)
    rows["label"] = [dice.choice([label, dice.choice(CHAMPION.labels)]) for label in rows["label"]]
    calibration = check(judge(quiet, loud, rows, Settings()), "calibration")
    assert not calibration.ok
    assert calibration.figures["candidate"] > calibration.figures["champion"] + 0.02
    assert check(judge(loud, quiet, rows, Settings()), "calibration").ok
    assert check(judge(loud, loud, rows, Settings()), "calibration").ok


def test_names_in_the_feedback_to_train_on_are_looked_at() -> None:
    texts = [f"we told {name} about it, {number}" for name in ("Acmefone", "Brelko") for number in range(4)]
    feedback = make_rows(8, source="feedback", text=texts, side=TRAIN)
    judged = judge(CHAMPION, CANDIDATE, pd.concat([make_rows(), feedback], ignore_index=True), LAX)
    assert check(judged, "names").figures["names"] == 2


NEWS: dict[str, Any] = {"source": "feedback", "contributors": [("somebody",)] * 60, "selection": "mistake"}


def with_news(side: str, received_at: str) -> pd.DataFrame:
    """Return base rows on which the candidate is no better, and 60 new mistakes that it would not make."""
    texts = [f"news {number}" for number in range(60)]
    told = make_rows(
        60, text=texts, key=texts, label=said(CANDIDATE, texts), side=side, received_at=received_at, **NEWS
    )
    return pd.concat([make_rows(300, follow=make_model(seed=2).model), told], ignore_index=True)


def test_new_feedback_of_the_training_side_counts_as_it_is_cross_fitted() -> None:
    rows = with_news(TRAIN, "2026-03-02T00:00:00.000Z")
    fed = rows[rows["source"] == "feedback"]
    right = dict(zip(fed["key"], fed["label"], strict=True))
    found = judge(CHAMPION, CHAMPION, rows, LAX, since="2026-03-01", cross_fitted=right)
    gain = check(found, "gain")
    mistakes = sum(label != true for label, true in zip(said(CHAMPION, list(fed["text"])), fed["label"], strict=True))
    assert gain.ok
    assert f"({mistakes} of {mistakes} wrong answers fixed)" in gain.finding
    for nothing in (
        {},
        {"another text": "positive"},
        dict(zip(fed["key"], said(CHAMPION, list(fed["text"])), strict=True)),
    ):
        assert not check(judge(CHAMPION, CHAMPION, rows, LAX, since="2026-03-01", cross_fitted=nothing), "gain").ok


def test_feedback_that_the_champion_learned_from_is_no_news() -> None:
    rows = with_news(TRAIN, "2026-02-01T00:00:00.000Z")
    fed = rows[rows["source"] == "feedback"]
    right = dict(zip(fed["key"], fed["label"], strict=True))
    assert not check(judge(CHAMPION, CHAMPION, rows, LAX, since="2026-03-01", cross_fitted=right), "gain").ok
