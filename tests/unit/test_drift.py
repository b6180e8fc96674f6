"""Drift, staleness and health: what is found has the size and the evidence, and each kind of change has its cause."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from retrain import news
from retrain.datasets import seed_rows
from retrain.drift import (
    LEVEL,
    Signal,
    compare,
    ks_distance,
    ks_p_value,
    reference_bins,
    shape_signal,
    stability_index,
)
from retrain.findings import CAUSES, SHARE_OF_LEVEL, figures_of, findings_of, is_settled
from retrain.health import latency_signal, service_signals, share_signal
from retrain.measures import measure, repeated_share
from retrain.reference import Distribution, Reference, bundled, confusion_of, describe
from retrain.staleness import Reports, count_reports, fair_labels, fair_signals, macro_f1, reports_signals
from retrain.watch import Watched
from retrain.watch_report import write_report
from scipy import stats
from sentiloop.activity import LATENCY_BOUNDS_MS
from sentiloop.bundled import baseline
from sentiloop.settings import Settings
from sklearn.metrics import f1_score

from tests.builders import make_correction, make_sample

SETTINGS = Settings()
SEED = [row for row in seed_rows() if row.split != "test"]
SHUFFLED = np.random.default_rng(0).permutation(len(SEED))
HOME = [SEED[at] for at in SHUFFLED[: len(SEED) // 2]]
TRAFFIC = [SEED[at] for at in SHUFFLED[len(SEED) // 2 :]]
TEXTS = [row.text for row in TRAFFIC]


@pytest.fixture(scope="module")
def reference() -> Reference:
    """What half of the seed corpus is like."""
    texts = [row.text for row in HOME]
    confusion = confusion_of(baseline(), texts, [row.label for row in HOME])
    return describe(baseline(), texts, "half of the seed corpus", confusion, bundled().seen)


def look(reference: Reference, texts: Sequence[str]) -> dict[str, Signal]:
    measured = measure(baseline(), texts, reference.seen, list(reference.words))
    return {signal.cause: signal for signal in compare(reference, measured, repeated_share(texts), SETTINGS)}


def causes(reference: Reference, texts: Sequence[str]) -> set[str]:
    return {finding.cause for finding in findings_of(look(reference, texts).values())}


class TestStreams:
    @pytest.mark.parametrize("count", [200, 400, len(TEXTS)])
    def test_texts_like_those_of_the_reference_have_not_drifted(self, reference: Reference, count: int) -> None:
        assert causes(reference, TEXTS[:count]) == set()

    @pytest.mark.parametrize(
        ("cause", "changed"),
        [
            ("drift-length", [f"{one} {other} {one}" for one, other in pairwise(TEXTS)]),
            ("drift-labels", [row.text for row in TRAFFIC if row.label == "negative"]),
            ("drift-score", [row.text for row in TRAFFIC if row.label == "negative"]),
            ("drift-unseen", [" ".join(word[::-1] for word in text.split()) for text in TEXTS]),
            ("drift-vocabulary", [f"The invoice is in the inbox of the accountant: {text}" for text in TEXTS]),
            ("anomaly-length", TEXTS[:300] + [" ".join(TEXTS[at : at + 20]) for at in range(40)]),
            ("anomaly-alphabet", TEXTS[:300] + [f"Письмо номер {number} всё ещё не пришло" for number in range(40)]),
            ("anomaly-repetition", TEXTS[:300] + [f"Win a big prize now with the code {code}" for code in range(40)]),
        ],
    )
    def test_a_change_has_its_cause(self, reference: Reference, cause: str, changed: list[str]) -> None:
        assert cause in causes(reference, changed)

    def test_a_model_in_doubt_is_found(self, reference: Reference) -> None:
        measured = measure(baseline(), TEXTS, reference.seen, list(reference.words))
        doubtful = replace(measured, confidence=0.34 + 0.7 * (measured.confidence - 0.34))
        found = {finding.cause for finding in findings_of(compare(reference, doubtful, 0.0, SETTINGS))}
        assert found >= {"drift-doubt", "drift-confidence"}

    def test_the_words_that_moved_most_are_named(self, reference: Reference) -> None:
        details = look(reference, [f"great great {text}" for text in TEXTS])["drift-vocabulary"].details
        assert details["words"][0]["word"] == "great"


class TestSizeAndEvidence:
    @given(st.floats(0, 2), st.floats(0, 1))
    def test_a_finding_takes_both(self, value: float, p_value: float) -> None:
        signal = Signal("anomaly-length", value, 0.25, p_value, 300, details={"share": 0.0})
        assert bool(findings_of([signal])) == (value >= 0.25 and p_value <= SHARE_OF_LEVEL)

    def test_all_signals_of_all_looks_of_a_week_share_one_alarm_in_twenty_weeks(self) -> None:
        assert SHARE_OF_LEVEL * len(CAUSES) * 24 * 7 == pytest.approx(1 / 20)

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_a_figure_near_its_threshold_neither_opens_nor_closes(self, value: float, p_value: float) -> None:
        signal = Signal("anomaly-length", value, 0.5, p_value, 300)
        near = 0.4 <= value < 0.5 and p_value <= 0.05
        unsure = value >= 0.5 and SHARE_OF_LEVEL < p_value <= 0.05
        assert is_settled(signal) != (near or unsure)

    def test_few_texts_are_no_evidence_of_a_large_change(self, reference: Reference) -> None:
        few = look(reference, TEXTS[:5])
        assert few["drift-length"].value >= 0.25
        assert not findings_of(few.values())

    def test_a_small_change_of_many_texts_is_no_finding(self) -> None:
        dice = np.random.default_rng(0)
        known = Distribution.of(dice.normal(size=20_000))
        reference = replace(bundled(), distributions={"score": known}, rows=20_000)
        signal = shape_signal("score", reference, dice.normal(0.2, 1, 20_000), 0.25)
        assert signal.p_value < LEVEL
        assert not signal.found(LEVEL)


class TestStatistics:
    @given(npst.arrays(np.int64, 10, elements=st.integers(0, 100)), st.integers(1, 9))
    def test_the_stability_index_is_never_negative_and_grows_with_the_change(
        self, counts: NDArray[np.int64], bins: int
    ) -> None:
        expected = np.full(10, 0.1)
        rows = int(counts.sum()) + 1
        found = (counts + np.eye(10)[bins]) / rows
        index, deviation = stability_index(expected, found, rows)
        closer, _ = stability_index(expected, (found + expected) / 2, rows)
        assert index >= closer >= 0
        assert deviation >= 0

    def test_the_stability_index_is_the_one_of_the_textbook(self) -> None:
        expected, found = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
        by_hand = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.5 - 0.2) * np.log(0.5 / 0.2)
        assert stability_index(expected, found, 10**9)[0] == pytest.approx(by_hand)
        assert stability_index(expected, np.stack([found, expected]), 10**9)[0] == pytest.approx([by_hand, 0])

    def test_its_standard_error_is_that_of_repeated_draws(self) -> None:
        expected, found = np.full(5, 0.2), np.array([0.1, 0.1, 0.2, 0.3, 0.3])
        drawn = np.random.default_rng(0).multinomial(500, found, 4_000) / 500
        spread = stability_index(expected, drawn, 500)[0].std()
        assert stability_index(expected, found, 500)[1] == pytest.approx(spread, rel=0.1)

    @given(st.integers(0, 1000))
    def test_kolmogorov_and_smirnovs_distance_is_that_of_scipy(self, seed: int) -> None:
        dice = np.random.default_rng(seed)
        known, values = dice.normal(size=2_000).round(6), dice.normal(0.3, 1.2, 300).round(6)
        distance = ks_distance(Distribution.of(known), values)
        exact = stats.ks_2samp(known, values, method="asymp")
        assert 0 <= exact.statistic - distance <= 0.006
        assert exact.pvalue <= 1.05 * ks_p_value(exact.statistic, 300, 2_000) <= 2 * exact.pvalue + 1e-12

    @given(st.lists(st.integers(0, 12), min_size=1, max_size=200))
    def test_bins_are_those_between_the_edges_even_where_values_tie(self, values: list[int]) -> None:
        edges, shares = reference_bins(Distribution.of(np.array(values, float)))
        numbers = np.searchsorted(edges, values)
        assert len(shares) == len(edges) + 1 <= 10
        assert np.bincount(numbers, minlength=len(shares)) / len(values) == pytest.approx(shares, abs=1e-5)
        assert (shares > 0).all()


class TestStaleness:
    def test_labels_are_fair_if_reviewers_gave_them_to_samples_by_chance_and_the_model_did_not_learn_them(self) -> None:
        samples = [make_sample(number, reason="random", text=f"text {number}") for number in range(5)]
        given_by = {"source": "reviewer", "correct_label": "positive"}
        corrections = [
            make_correction(2, prediction_id=samples[0].id, **given_by),
            make_correction(3, prediction_id=samples[0].id, **given_by | {"correct_label": "neutral"}),
            make_correction(4, prediction_id=samples[1].id, correct_label="negative"),
            make_correction(5, prediction_id="pr-of-no-sample-by-chance", **given_by),
            make_correction(6, prediction_id=samples[2].id, **given_by | {"correct_label": "sarcastic"}),
            make_correction(1, prediction_id=samples[3].id, **given_by),
        ]
        learned = {"data": {"feedback": {"newest": corrections[-1].received_at}}}
        assert fair_labels(samples, corrections, replace(baseline(), manifest=learned)) == {"text 0": "neutral"}

    @pytest.mark.parametrize(("share", "found"), [(0.0, set()), (0.6, {"stale-accuracy", "stale-macro-f1"})])
    def test_a_share_of_wrong_answers_is_found(self, reference: Reference, share: float, found: set[str]) -> None:
        dice = np.random.default_rng(0)
        truth = {
            row.text: dice.choice([label for label in baseline().labels if label != row.label])
            if dice.random() < share
            else row.label
            for row in TRAFFIC[:300]
        }
        signals = list(fair_signals(baseline(), reference, truth, SETTINGS))
        assert {finding.cause for finding in findings_of(signals)} == found
        assert {signal.rows for signal in signals} == {300}

    def test_a_model_that_always_was_poor_is_not_stale(self, reference: Reference) -> None:
        poor = replace(reference, confusion=np.full((3, 3), 50))
        truth = {row.text: row.label for row in TRAFFIC[:300]}
        assert not findings_of(fair_signals(baseline(), poor, truth, SETTINGS))

    def test_a_label_that_does_not_occur_leaves_the_figures_sure(self, reference: Reference) -> None:
        truth = {row.text: row.label for row in TRAFFIC if row.label != "neutral"}
        signals = {signal.cause: signal for signal in fair_signals(baseline(), reference, truth, SETTINGS)}
        low, high = signals["stale-macro-f1"].interval or (0, 1)
        assert high - low < 0.2

    def test_nothing_is_said_without_labels(self, reference: Reference) -> None:
        assert not list(fair_signals(baseline(), reference, {}, SETTINGS))

    @pytest.mark.parametrize(
        ("people", "first_people", "found"),
        [(5, 0, False), (5, 1, False), (40, 30, False), (120, 30, True)],
    )
    def test_a_few_angry_users_are_no_evidence_however_much_they_send(
        self, reference: Reference, people: int, first_people: int, found: bool
    ) -> None:
        now, first = Reports(1_000, people, 10_000), Reports(first_people, first_people, 10_000)
        [signal] = reports_signals(now, first, reference, SETTINGS.stale_accuracy_drop)
        assert signal.found(SHARE_OF_LEVEL) == found
        assert signal.rows == 1_000
        assert signal.interval is not None
        assert signal.interval[0] <= signal.value <= signal.interval[1]

    def test_reports_are_held_against_answers(self, reference: Reference) -> None:
        [busier] = reports_signals(Reports(300, 300, 100_000), Reports(30, 30, 10_000), reference, 0.05)
        assert busier.value == pytest.approx(0, abs=0.02)
        assert busier.p_value > 0.3
        assert not list(reports_signals(Reports(9, 9, 0), Reports(9, 9, 9), reference, 0.05))

    def test_people_are_counted_that_report_a_mistake_of_the_version(self) -> None:
        said: dict[str, Any] = {"model_version": "v1", "predicted_label": "negative"}
        corrections = [
            make_correction(1, contributor="one", **said),
            make_correction(2, contributor="one", **said),
            make_correction(3, contributor="two", **said),
            make_correction(4, contributor="three", **said | {"model_version": "v2"}),
            make_correction(5, contributor="four", **said | {"predicted_label": "positive"}),
            make_correction(6, contributor="five", **said | {"source": "reviewer"}),
            make_correction(7, contributor="six"),
        ]
        assert count_reports(corrections, "v1", 50) == Reports(reports=3, people=2, answers=50)

    @given(npst.arrays(np.int64, (3, 3), elements=st.integers(0, 9)))
    def test_macro_f1_is_that_of_scikit_learn(self, confusion: NDArray[np.int64]) -> None:
        confusion[0, 0] += 1
        truth, said = np.repeat(np.indices((3, 3)).reshape(2, -1), confusion.ravel(), axis=1)
        expected = f1_score(truth, said, labels=sorted(set(truth)), average="macro", zero_division=0)
        assert macro_f1(confusion) == pytest.approx(expected)


class TestHealth:
    def activity(self, failed: int, latency: Sequence[int] = ()) -> dict[str, Any]:
        ok = {"requests": 900, "status": {"200": 900}, "errors": {}, "latency": []}
        predict = {"requests": 100, "status": {"200": 90 - failed, "422": 10, "503": failed}, "latency": list(latency)}
        return {"functions": {"feedback": ok, "predict": predict}, "versions": {}}

    @pytest.mark.parametrize(("failed", "found"), [(0, set()), (55, set()), (90, {"errors"})])
    def test_errors_of_the_service_count_once_they_are_surely_too_many(self, failed: int, found: set[str]) -> None:
        signals = list(service_signals(self.activity(failed), SETTINGS))
        assert signals[0].value == failed / 1000
        assert {finding.cause for finding in findings_of(signals)} == found

    def test_nothing_is_said_without_requests(self) -> None:
        assert not list(service_signals({"functions": {}, "versions": {}}, SETTINGS))

    @pytest.mark.parametrize(("slow", "found"), [(0, False), (50, False), (90, True)])
    def test_latency_is_found_if_surely_more_than_a_twentieth_is_slower(self, slow: int, found: bool) -> None:
        counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
        counts[3], counts[LATENCY_BOUNDS_MS.index(1000.0)] = 1000 - slow, slow
        signal = latency_signal(counts, 500.0)
        assert signal.found(SHARE_OF_LEVEL) == found
        assert (signal.value > 500) == (slow > 50)

    @pytest.mark.parametrize(("count", "rows", "found"), [(3, 4, False), (30, 100, False), (10, 10, True)])
    def test_a_share_is_found_with_evidence(self, count: int, rows: int, found: bool) -> None:
        signal = share_signal("quarantine", count, rows, 0.2)
        assert signal.found(SHARE_OF_LEVEL) == found
        assert signal.interval is not None
        assert signal.interval[0] < count / rows <= signal.interval[1]


class TestWords:
    def everything(self, reference: Reference) -> list[Signal]:
        latency = [0] * len(LATENCY_BOUNDS_MS) + [100]
        drifted = look(reference, [f"<b>terrible</b> {text}" for text in TEXTS])
        truth = dict.fromkeys(TEXTS, "neutral")
        return [
            *drifted.values(),
            *fair_signals(baseline(), reference, truth, SETTINGS),
            *reports_signals(Reports(9, 9, 9), Reports(9, 9, 9), reference, 0.05),
            *service_signals(TestHealth().activity(90, latency), SETTINGS),
            share_signal("quarantine", 9, 9, 0.2),
        ]

    def test_every_cause_has_its_signal_and_its_sentence(self, reference: Reference) -> None:
        signals = self.everything(reference)
        assert {signal.cause for signal in signals} == set(CAUSES)
        for signal in signals:
            assert CAUSES[signal.cause].sentence.format(**figures_of(signal))

    def test_a_message_has_figures_that_people_read_and_no_lists(self, reference: Reference) -> None:
        signals = [
            replace(each, value=max(each.value, each.threshold), p_value=0.0) for each in self.everything(reference)
        ]
        told = [news.of_finding(finding) for finding in findings_of(signals)]
        figures = {alert.cause: alert.figures for alert in told}
        assert set(figures) == set(CAUSES)
        assert all(isinstance(each, str | int | float) for alert in told for each in alert.figures.values())
        assert not {"edges", "shares", "words", "interval"} & {name for alert in told for name in alert.figures}
        assert figures["errors"] == {
            "value": 0.09,
            "threshold": 0.05,
            "p_value": 0.0,
            "rows": 1000,
            "count": 90,
            "95 % interval": "0.073 to 0.109",
        }

    def test_the_page_holds_all_of_it_and_nothing_that_runs_or_loads(self, reference: Reference) -> None:
        signals = tuple(self.everything(reference))
        named = replace(reference, of="<script>alert(1)</script>")
        watched = Watched("v<1>", named, signals, tuple(findings_of(signals)), frozenset(), {"invoice": 12})
        page = write_report(watched, {"at": "2026-03-01T08:00:00.000Z", "watched": watched.described()}).decode()
        assert all(signal.cause in page for signal in signals)
        assert all(finding.title in page for finding in watched.findings)
        assert page.count("<svg") == 4
        assert "<td>alert, retrain</td>" in page
        assert "both" not in page.partition("<h2>The record</h2>")[0]
        assert "<td>latency</td><td>1e+04 ms</td>" in page
        assert "<tr><td>invoice</td><td>12</td></tr>" in page
        assert "<script" not in page
        assert "v<1>" not in page
        assert not {"http:", "https:", "src=", "href="} & set(page.replace('"', " ").split())
