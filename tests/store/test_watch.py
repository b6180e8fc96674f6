"""The hourly look reads what is in the bucket: the right samples, corrections, activity and reference."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from retrain.bootstrap import bootstrap
from retrain.datasets import seed_rows
from retrain.merge import merge_corrections
from retrain.reference import FILE, LEAST_SAMPLES, Reference, bundled, make_reference, read_reference, reference_file
from retrain.snapshot import make_snapshot
from retrain.traffic import draw_samples
from retrain.watch import MOST_REQUESTS, Watched, read_reports, read_samples, recent_requests, served_since, watch
from retrain.watch_report import write_report
from sentiloop import artefact, pointer, registry, trial
from sentiloop.activity import LATENCY_BOUNDS_MS
from sentiloop.bundled import baseline
from sentiloop.pointer import Target
from sentiloop.receipts import correction_id, correction_key, outcome_body, outcome_key
from sentiloop.records import Correction, Sample, timestamp, to_json, to_lines
from sentiloop.scoring import Scorer
from sentiloop.settings import Settings

from tests.builders import make_correction, make_sample
from tests.faults.memory_store import MemoryStore
from tests.store.conftest import Shelf

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
SETTINGS = Settings()
SEED = seed_rows()
SPAM = "Get a bigger garden now with code {number}, only today in our new web shop"


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    bootstrap(store)
    return store


def samples_of(texts: Iterable[str], until: datetime = NOW, step: float = 900.0, **fields: Any) -> list[Sample]:
    """Samples by chance, a quarter of an hour apart, the last a quarter before the end."""
    kept = list(texts)
    begin = until - timedelta(seconds=step * len(kept))
    moments = [timestamp(begin + timedelta(seconds=step * number)) for number in range(len(kept))]
    return [
        make_sample(number, text=text, received_at=moment, **{"reason": "random", **fields})
        for number, (text, moment) in enumerate(zip(kept, moments, strict=True))
    ]


def keep(store: MemoryStore, samples: Iterable[Sample], name: str = "some") -> None:
    by_day: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_day[sample.received_at[:10]].append(sample)
    for day, kept in by_day.items():
        store.put(f"samples/dt={day}/{name}.jsonl", to_lines(kept), if_absent=True)


def send(store: MemoryStore, *corrections: Correction) -> None:
    for entry in corrections:
        store.put(correction_key(entry.id), entry.to_line(), if_absent=True)


def correction(number: int, moment: datetime, **fields: Any) -> Correction:
    name = correction_id(moment.date(), f"{number:032x}")
    return make_correction(number, id=name, received_at=timestamp(moment), **fields)


def count(store: MemoryStore, moment: datetime, **documents: Any) -> None:
    """Write what an instance counted in the hour of a moment."""
    at = timestamp(moment)
    body = {"schema": "activity/1", "from": at, "until": at, "functions": {}, "versions": {}, **documents}
    key = f"activity/dt={moment:%Y-%m-%d}/{moment:%H}-{moment:%M%S}.json"
    store.put(key, to_json(body), if_absent=True)


def answers(number: int) -> dict[str, Any]:
    """What an activity document says of a version that answered so many texts."""
    beside = {"texts": 0, "flips": {}, "confidence_sum": 0.0, "champion_confidence_sum": 0.0}
    nothing = {"low_confidence": 0, "confidence_sum": 0.0, "requests": 0, "errors": 0, "feedback": 0, "confirmed": 0}
    latency, confidence = [0] * (len(LATENCY_BOUNDS_MS) + 1), [0] * 20
    filled = {"answers": number, "labels": {}, "confidence": confidence, "latency": latency, "beside": beside}
    return {"versions": {baseline().version: nothing | filled}}


def causes(watched: Watched) -> set[str]:
    return {finding.cause for finding in watched.findings}


def adopt(store: MemoryStore, reference: Reference) -> None:
    """Serve the baseline's weights under another version, with a reference of its own."""
    weights = artefact.weights_of(baseline())
    manifest = artefact.dump({**baseline().manifest, "version": "v-home"}, weights, "int8")
    files = {artefact.WEIGHTS: weights, FILE: replace(reference, version="v-home").dump()}
    target = registry.publish(store, "v-home", manifest, files)
    registry.promote(store, target, by="test", reason="to be watched")


@pytest.fixture(scope="module")
def home() -> list[str]:
    """Texts of the seed corpus, shuffled."""
    return [SEED[at].text for at in np.random.default_rng(0).permutation(len(SEED))]


@pytest.fixture(scope="module")
def reference(home: list[str]) -> Reference:
    """That of a version which learned with half of them as samples."""
    snapshot = make_snapshot([], (make_correction(),), merge_corrections([make_correction()], baseline().labels, 99, 9))
    store = MemoryStore()
    newest = datetime.fromisoformat(make_correction().received_at)
    keep(store, samples_of(home[: len(home) // 2], newest))
    draw_samples(store, snapshot, 5_000)
    return Reference.load(reference_file(store, baseline(), snapshot, Target(baseline().version, "")))


class TestDrift:
    def test_traffic_like_that_of_the_reference_has_not_drifted(
        self, store: MemoryStore, home: list[str], reference: Reference
    ) -> None:
        assert reference.of == "samples of the traffic"
        adopt(store, reference)
        keep(store, samples_of(home[len(home) // 2 :][:400]))
        watched = watch(store, SETTINGS, NOW)
        assert watched.version == "v-home"
        assert not watched.findings
        assert watched.looked_at >= {"drift-length", "drift-labels", "drift-unseen", "anomaly-repetition"}

    def test_spam_is_found_and_reported(self, store: MemoryStore, home: list[str], reference: Reference) -> None:
        adopt(store, reference)
        texts = home[len(home) // 2 :][:300]
        keep(store, samples_of(texts + [SPAM.format(number=number) for number in range(60)]))
        watched = watch(store, SETTINGS, NOW)
        [finding] = [finding for finding in watched.findings if finding.cause == "anomaly-repetition"]
        assert finding.action == "alert"
        assert finding.figures["share"] == pytest.approx(60 / 360, abs=0.01)
        assert "anomaly-repetition" in watched.looked_at
        assert finding.sentence in write_report(watched, watched.described()).decode()

    def test_spam_that_a_version_learned_with_is_still_found(self, store: MemoryStore, home: list[str]) -> None:
        texts = home[:300] + [SPAM.format(number=number) for number in range(60)]
        nothing = pd.DataFrame({"text": [], "label": [], "side": []})
        learned = make_reference(baseline(), nothing, samples_of(texts), bundled())
        assert learned.of == "samples of the traffic"
        adopt(store, learned)
        keep(store, samples_of(texts))
        assert causes(watch(store, SETTINGS, NOW)) == {"anomaly-repetition"}

    def test_the_report_names_what_the_new_texts_are_about(self, store: MemoryStore, home: list[str]) -> None:
        keep(store, samples_of([*home[:300], *(f"The quodlibet is late, {text}" for text in home[300:340])]))
        watched = watch(store, SETTINGS, NOW)
        assert watched.new_words["quodlibet"] == 40
        assert "<td>quodlibet</td><td>40</td>" in write_report(watched, {}).decode()
        assert min(watched.new_words.values()) >= 5
        assert not watch(store, replace(SETTINGS, watch_min_samples=400), NOW).new_words

    def test_the_model_of_now_is_asked_whoever_answered(self, store: MemoryStore, home: list[str]) -> None:
        keep(store, samples_of(home[:300], label="negative", confidence=0.34, model_version="v-before"))
        [labels] = [signal for signal in watch(store, SETTINGS, NOW).signals if signal.cause == "drift-labels"]
        said = [Scorer(baseline()).score(text).label for text in home[:300]]
        assert labels.details["shares"]["positive"] == pytest.approx(said.count("positive") / 300, abs=0.01)

    @pytest.mark.parametrize(
        "fields", [{"reason": "low_confidence"}, {"received_at": "2026-03-20T08:00:00.000Z"}], ids=["doubtful", "batch"]
    )
    def test_samples_that_are_no_fair_picture_say_nothing(self, store: MemoryStore, fields: dict[str, Any]) -> None:
        texts = [SPAM.format(number=number) for number in range(300)]
        kept = [replace(sample, **fields) for sample in samples_of(texts)]
        keep(store, kept)
        watched = watch(store, SETTINGS, NOW)
        assert not watched.signals
        assert watched.looked_at == {"champion-broken"}

    def test_few_samples_say_nothing(self, store: MemoryStore) -> None:
        keep(store, samples_of([SPAM.format(number=number) for number in range(SETTINGS.watch_min_samples - 1)]))
        assert not watch(store, SETTINGS, NOW).signals

    def test_what_is_older_than_the_days_of_the_watch_does_not_count(self, store: MemoryStore) -> None:
        old = samples_of([SPAM.format(number=number) for number in range(300)], NOW - timedelta(days=7))
        keep(store, old)
        assert not watch(store, SETTINGS, NOW).signals

    def test_the_newest_requests_count_up_to_the_most(self, store: MemoryStore, home: list[str]) -> None:
        keep(store, samples_of(home[: MOST_REQUESTS + 200], step=300))
        keep(store, samples_of(["from the days before"] * 50, NOW - timedelta(days=4)), "before")
        found = read_samples(store, NOW - timedelta(days=7), NOW)
        assert len(found) >= MOST_REQUESTS
        assert "from the days before" not in {sample.text for sample in found}
        assert max(signal.rows for signal in watch(store, SETTINGS, NOW).signals) <= MOST_REQUESTS

    def test_a_busy_day_is_looked_at_as_a_whole(self) -> None:
        dice = np.random.default_rng(0)
        ids = [f"pr-{number:024x}" for number in dice.integers(0, 2**62, 3 * MOST_REQUESTS)]
        samples = samples_of(["night"] * (len(ids) // 2) + ["day"] * (len(ids) // 2), step=50)
        chosen = recent_requests([replace(sample, id=each) for sample, each in zip(samples, ids, strict=True)])
        assert len(chosen) == MOST_REQUESTS
        assert [sample.text for sample in chosen].count("day") == pytest.approx(MOST_REQUESTS / 2, abs=60)

    def test_the_same_bucket_gives_the_same_look(self, store: MemoryStore, home: list[str]) -> None:
        keep(store, samples_of(home[:300]))
        first, second = (watch(store.copy(), SETTINGS, NOW) for _ in range(2))
        assert to_json(first.described()) == to_json(second.described())
        assert write_report(first, {}) == write_report(second, {})

    def test_a_version_without_a_reference_is_watched_for_its_service_only(self, store: MemoryStore) -> None:
        Shelf(store).promote("v-by-hand")
        keep(store, samples_of([SPAM.format(number=number) for number in range(300)]))
        watched = watch(store, SETTINGS, NOW)
        assert (watched.version, watched.reference, watched.signals) == ("v-by-hand", None, ())
        assert "no reference" in write_report(watched, {}).decode()

    @pytest.mark.parametrize("file", [artefact.WEIGHTS, artefact.MANIFEST])
    @pytest.mark.parametrize("body", [None, b"\xff"], ids=["gone", "broken"])
    def test_a_champion_whose_files_are_gone_is_found_and_the_service_is_looked_at_all_the_same(
        self, store: MemoryStore, reference: Reference, file: str, body: bytes | None
    ) -> None:
        adopt(store, reference)
        assert not causes(watch(store, SETTINGS, NOW))
        key = registry.version_key("v-home", file)
        store.objects.pop(key) if body is None else store.put(key, body)
        latency = [100] + [0] * len(LATENCY_BOUNDS_MS)
        failing = {"requests": 100, "status": {"503": 100}, "errors": {"unavailable": 100}, "latency": latency}
        count(store, NOW - timedelta(hours=1), functions={"predict": failing})
        watched = watch(store, SETTINGS, NOW)
        assert causes(watched) == {"champion-broken", "errors"}
        assert (watched.version, watched.is_broken) == ("v-home", True)
        assert watched.findings[0].command == "./sentiloop models rollback --from v-home"

    def test_an_empty_bucket_has_nothing_to_watch(self) -> None:
        assert not watch(MemoryStore(), SETTINGS, NOW).looked_at


class TestStaleness:
    def test_reviewers_that_contradict_samples_by_chance_make_the_model_stale(
        self, store: MemoryStore, home: list[str]
    ) -> None:
        samples, scorer = samples_of(home[:300]), Scorer(baseline())
        keep(store, samples)
        reviews = [
            correction(
                number,
                NOW - timedelta(minutes=number + 1),
                text=sample.text,
                source="reviewer",
                prediction_id=sample.id,
                correct_label="neutral" if scorer.score(sample.text).label == "negative" else "negative",
            )
            for number, sample in enumerate(samples)
        ]
        send(store, *reviews)
        watched = watch(store, SETTINGS, NOW)
        stale = [finding for finding in watched.findings if finding.cause.startswith("stale-")]
        assert {finding.cause for finding in stale} == {"stale-accuracy", "stale-macro-f1"}
        assert {finding.action for finding in stale} == {"both"}

    def report(self, store: MemoryStore, until: datetime, people: int, reports: int) -> None:
        """Reports of mistakes, and 10,000 answers, in the six days before a moment."""
        for number in range(reports):
            moment = until - timedelta(minutes=1 + number * 8_000 // reports)
            about = {"model_version": baseline().version, "predicted_label": "negative"}
            send(store, correction(number, moment, contributor=f"user {number % people}", **about))
        count(store, until - timedelta(days=1), **answers(10_000))

    @pytest.fixture
    def begin(self, store: MemoryStore) -> datetime:
        found = pointer.read(store)
        assert found is not None
        return served_since(store, found.pointer)

    @pytest.mark.parametrize(("people", "found"), [(5, False), (240, True)])
    def test_five_angry_users_start_nothing_and_many_do(
        self, store: MemoryStore, begin: datetime, people: int, found: bool
    ) -> None:
        late = begin + timedelta(days=30)
        self.report(store, begin + timedelta(days=7), people=20, reports=20)
        self.report(store, late, people=people, reports=240)
        assert ("stale-reports" in causes(watch(store, SETTINGS, late))) == found

    def test_the_first_days_have_to_be_over_first(self, store: MemoryStore, begin: datetime) -> None:
        late = begin + timedelta(days=13)
        found = pointer.read(store)
        assert found is not None
        assert read_reports(store, found.pointer, [], late - timedelta(days=7), late) is None

    def test_a_trial_does_not_begin_the_champions_days_anew(self, store: MemoryStore, begin: datetime) -> None:
        target = Shelf(store).publish("v-other").target
        trial.begin(store, target, "shadow", 0.0, by="test", reason="look at it")
        found = pointer.read(store)
        assert found is not None
        assert found.pointer.generation == 2
        assert served_since(store, found.pointer) == begin
        registry.promote(store, target, by="test", reason="serve it")
        promoted = pointer.read(store)
        assert promoted is not None
        assert served_since(store, promoted.pointer) == datetime.fromisoformat(promoted.pointer.at)


class TestService:
    def test_errors_of_the_last_hours_are_found(self, store: MemoryStore) -> None:
        latency = [0] * len(LATENCY_BOUNDS_MS) + [100]
        failing = {"requests": 100, "status": {"200": 50, "503": 50}, "errors": {"unavailable": 50}, "latency": latency}
        count(store, NOW - timedelta(hours=1), functions={"predict": failing})
        assert causes(watch(store, SETTINGS, NOW)) == {"errors", "latency"}
        assert not watch(store, SETTINGS, NOW + timedelta(hours=9)).signals

    def test_a_quarantine_that_fills_up_is_found(self, store: MemoryStore) -> None:
        moment = NOW - timedelta(days=1)
        entries = [correction(number, moment) for number in range(40)]
        send(store, *entries)
        fates = {
            entry.id: {"quarantine": "a campaign"} if number < 30 else {"snapshot": "s"}
            for number, entry in enumerate(entries)
        }
        store.put(outcome_key(f"{moment:%Y-%m-%d}", "run"), outcome_body(fates), if_absent=True)
        [finding] = watch(store, SETTINGS, NOW).findings
        assert (finding.cause, finding.figures["count"], finding.figures["rows"]) == ("quarantine", 30, 40)


class TestAReferenceBesideItsVersion:
    def test_of_a_successor_of_the_baseline_it_is_the_baselines_until_there_are_samples(self) -> None:
        store = MemoryStore()
        champion = bootstrap(store).champion
        corrections = (make_correction(),)
        snapshot = make_snapshot([], corrections, merge_corrections(corrections, baseline().labels, 99, 9))
        first = Reference.load(reference_file(store, baseline(), snapshot, champion))
        assert (first.of, first.rows) == (f"{baseline().version}'s", bundled().rows)
        newest = datetime.fromisoformat(corrections[0].received_at)
        keep(store, samples_of([row.text for row in SEED[: 2 * LEAST_SAMPLES]], newest))
        draw_samples(store, snapshot, 5_000)
        second = reference_file(store, baseline(), snapshot, champion)
        assert Reference.load(second).of == "samples of the traffic"
        assert second == reference_file(store, baseline(), snapshot, champion)

    def test_it_is_found_by_the_versions_name(self) -> None:
        store = MemoryStore()
        assert read_reference(store, baseline().version) == bundled()
        assert read_reference(store, "v-none") is None
        store.put(f"models/v-some/{FILE}", replace(bundled(), version="v-some").dump(), if_absent=True)
        found = read_reference(store, "v-some")
        assert found is not None
        assert found.version == "v-some"
