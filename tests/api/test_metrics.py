"""`GET /v1/metrics`: totals over instances and restarts, as JSON and in Prometheus' format."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from sentiloop.activity import Activity
from sentiloop.activity_store import ActivityWriter
from sentiloop.activity_totals import compact
from sentiloop.pointer import CURRENT, Pointer
from sentiloop.records import now
from sentiloop.s3 import S3Store
from sentiloop.scoring import Prediction
from sentiloop.settings import Settings

from tests.api.conftest import Function, MakeFunction
from tests.builders import ROOT, BuiltModel
from tests.events import Answer, get, post
from tests.faults.faulty_store import down

GOOD = "The staff were wonderful and we loved every minute."
OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def metrics(admin: Function, **headers: str) -> Answer:
    answer = admin(get("/v1/metrics", headers=headers))
    assert answer.status == 200
    return answer


def correct(feedback: Function, version: str | None, predicted: str, right: str) -> None:
    body = {"text": GOOD, "correct_label": right, "predicted_label": predicted}
    named = {"model_version": version} if version else {}
    assert feedback(post("/v1/feedback", body | named)).status == 201


class Scraped:
    """The values of an exposition, by name and labels."""

    def __init__(self, text: str, parse: Callable[[str], Any] = text_string_to_metric_families) -> None:
        self._values = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in parse(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return float(self._values[f"sentiloop_{name}", *sorted(labels.items())])


@pytest.fixture
def busy(
    make_predict: MakeFunction,
    make_feedback: MakeFunction,
    promote: Callable[[BuiltModel], Pointer],
    tiny_model: BuiltModel,
) -> str:
    """Two instances of predict answer, and people say what they think of it; return the version."""
    version = promote(tiny_model).champion.version
    for predict in (make_predict(low_confidence=1.0), make_predict(low_confidence=0.0)):
        assert predict(post("/v1/predict", {"text": GOOD})).status == 200
        assert predict(post("/v1/predict/batch", {"texts": [GOOD, "Dull."]})).status == 200
        assert predict(post("/v1/predict", {"text": ""})).status == 422
    feedback = make_feedback()
    correct(feedback, version, "positive", "positive")
    correct(feedback, version, "positive", "negative")
    correct(feedback, "never-served", "positive", "negative")
    correct(feedback, None, "positive", "negative")
    return version


def test_they_are_totals_over_all_instances(busy: str, admin: Function) -> None:
    figures = metrics(admin).body
    assert figures["champion"] == busy
    assert figures["since"] <= figures["until"]
    predict = figures["functions"]["predict"]
    assert (predict["requests"], predict["status"]) == (6, {"200": 4, "422": 2})
    assert predict["errors"] == {"invalid_request": 2}
    assert 0 < predict["latency_ms"]["p50"] <= predict["latency_ms"]["p95"] <= predict["latency_ms"]["p99"]
    assert figures["functions"]["feedback"]["requests"] == 4
    assert figures["requests"] == 10
    [version] = figures["versions"].values()
    assert (version["requests"], version["errors"], version["answers"]) == (4, 0, 6)
    assert sum(version["labels"].values()) == sum(version["confidence"]) == 6
    assert version["low_confidence"] == 0.5
    assert 0 < version["mean_confidence"] <= 1
    assert version["feedback"] == {"total": 2, "confirmed": 1, "mistakes": 1}
    assert figures["feedback"] == {"total": 4, "confirmed": 1, "mistakes": 3}


def test_they_are_the_same_once_hours_are_merged(busy: str, make_admin: MakeFunction, store: S3Store) -> None:
    before = metrics(make_admin()).body
    assert compact(store, now().replace(year=now().year + 1)) > 0
    after = metrics(make_admin()).body
    assert after["functions"]["predict"] == before["functions"]["predict"]
    assert after["versions"] == before["versions"]


def test_a_service_without_requests_has_none(admin: Function) -> None:
    figures = metrics(admin).body
    assert (figures["since"], figures["champion"], figures["requests"], figures["versions"]) == (None, None, 0, {})


def test_they_ask_for_no_admin_key(make_admin: MakeFunction) -> None:
    metrics(make_admin())
    assert make_admin()(get("/v1/review")).status == 403


def test_prometheus_gets_the_same_totals(busy: str, make_admin: MakeFunction) -> None:
    figures = metrics(make_admin()).body
    answer = metrics(make_admin(), Accept="text/plain")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    told = Scraped(answer.body)
    assert told("champion_info", version=busy) == 1
    assert told("requests_total", function="predict", status="200") == 4
    assert told("errors_total", function="predict", code="invalid_request") == 2
    for label, count in figures["versions"][busy]["labels"].items():
        assert told("predictions_total", version=busy, label=label) == count
    assert told("low_confidence_total", version=busy) == 3
    assert told("confidence_count", version=busy) == 6
    assert told("confidence_sum", version=busy) == pytest.approx(6 * figures["versions"][busy]["mean_confidence"])
    assert told("confidence_bucket", version=busy, le="0.50") == sum(figures["versions"][busy]["confidence"][:10])
    assert told("request_duration_seconds_count", function="predict") == 6
    assert told("request_duration_seconds_bucket", function="predict", le="+Inf") == 6
    assert told("feedback_total", version=busy, verdict="mistake") == 1
    assert told("feedback_total", version=busy, verdict="confirmed") == 1
    assert told("feedback_total", version="", verdict="mistake") == 2


def test_a_challenger_s_disagreement_is_told_by_slice(store: S3Store, make_admin: MakeFunction) -> None:
    writer = ActivityWriter(store, Activity(), Settings())
    positive, negative = (Prediction(label, 0.9, ()) for label in ("positive", "negative"))
    scored = [("one two", positive, negative), ("one two", positive, positive), ("word " * 51, negative, negative)]
    writer.activity.beside("v2", scored, 0.5)
    writer.write()
    beside = metrics(make_admin()).body["versions"]["v2"]["beside"]
    assert beside["slices"] == {
        "label negative": {"texts": 1, "disagreement": 0.0},
        "label positive": {"texts": 2, "disagreement": 0.5},
        "long": {"texts": 1, "disagreement": 0.0},
        "short": {"texts": 2, "disagreement": 0.5},
        "sure": {"texts": 3, "disagreement": pytest.approx(1 / 3)},
    }
    told = Scraped(metrics(make_admin(), Accept="text/plain").body)
    for name, texts, differ in (("short", 2, 1), ("long", 1, 0), ("sure", 3, 1), ("label positive", 2, 1)):
        assert told("slice_compared_total", version="v2", slice=name) == texts
        assert told("slice_disagreements_total", version="v2", slice=name) == differ
    assert told("compared_total", version="v2") == 3


@pytest.mark.parametrize("broken", [b"", b"[]", b'{"champion": 1}', None])
def test_they_are_told_while_the_pointer_is_broken_or_gone(
    busy: str, store: S3Store, make_admin: MakeFunction, broken: bytes | None
) -> None:
    if broken is None:
        store.delete(CURRENT)
    else:
        store.put(CURRENT, broken)
    figures = metrics(make_admin()).body
    assert (figures["champion"], figures["versions"][busy]["answers"]) == (None, 6)
    assert "champion_info" not in metrics(make_admin(), Accept="text/plain").body


def test_what_clients_claim_makes_no_series(busy: str, admin: Function) -> None:
    assert "never-served" not in metrics(admin, Accept="text/plain").body
    assert "never-served" not in metrics(admin).body["versions"]


def test_histograms_rise_to_their_count(busy: str, admin: Function) -> None:
    text = metrics(admin, Accept="text/plain").body
    for family in text_string_to_metric_families(text):
        if family.type == "histogram":
            buckets = [sample.value for sample in family.samples if sample.name.endswith("_bucket")]
            counts = [sample.value for sample in family.samples if sample.name.endswith("_count")]
            per_series = len(buckets) // len(counts)
            for number, count in enumerate(counts):
                series = buckets[number * per_series : (number + 1) * per_series]
                assert series == sorted(series)
                assert series[-1] == count


def test_open_metrics_is_given_to_who_prefers_it(busy: str, admin: Function) -> None:
    answer = metrics(admin, Accept=OPEN_METRICS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    told = Scraped(answer.body, openmetrics_families)
    assert told("requests_total", function="predict", status="200") == 4
    assert answer.body.endswith("# EOF\n")


def test_who_takes_anything_gets_json(admin: Function) -> None:
    assert metrics(admin, Accept="*/*").headers["content-type"] == "application/json"
    assert metrics(admin, Accept="text/html,*/*;q=0.8").headers["content-type"] == "application/json"


def test_a_scrape_within_the_delay_reads_no_storage(store: S3Store, make_admin: MakeFunction, busy: str) -> None:
    admin = make_admin(activity_seconds=3_600)
    first = metrics(admin).body
    assert first["delay_seconds"] == 7_200
    correct_after = make_admin(activity_seconds=0)
    assert metrics(correct_after).body["requests"] >= first["requests"]
    assert metrics(admin).body == first


def test_storage_that_does_not_answer_is_503(make_admin: MakeFunction) -> None:
    store = down()
    store.reads_fail = True
    answer = make_admin(store)(get("/v1/metrics"))
    assert (answer.status, answer.body["error"]["code"]) == (503, "storage_unavailable")


def test_the_dashboard_asks_for_series_that_exist(busy: str, admin: Function) -> None:
    families = text_string_to_metric_families(metrics(admin, Accept="text/plain").body)
    known: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        known.setdefault(sample.name, set()).update(sample.labels)
    known |= {"sentiloop_disagreements_total": {"version", "flip"}}  # without a challenger there are none
    dashboard = json.loads((ROOT / "infra" / "grafana" / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    assert len(asked) > 10
    for expression in asked:
        names = set(re.findall(r"sentiloop_\w+", expression))
        assert names
        assert names <= known.keys(), expression
        labels = {label for listed in re.findall(r"by \(([\w, ]+)\)", expression) for label in listed.split(", ")}
        assert labels <= set.union(*(known[name] for name in names)), expression
