"""`GET /v1/checks`, over records of real checks, and over many of the same shape."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from admin import checks_routes
from hypothesis import given
from hypothesis import strategies as st
from retrain.bootstrap import bootstrap
from retrain.check import check as look
from retrain.findings import BROKEN, CAUSES
from sentiloop import artefact, registry, trial
from sentiloop.bundled import baseline_target
from sentiloop.check_records import CHECKS, check_name, spread
from sentiloop.records import timestamp, to_json, to_lines
from sentiloop.s3 import S3Store
from sentiloop.settings import Settings
from sentiloop.storage import StoredObject

from tests.api.conftest import ADMIN_KEY, Function, MakeFunction
from tests.api.test_errors import check
from tests.builders import make_model, make_sample
from tests.events import Answer, get
from tests.faults.faulty_store import FaultyStore
from tests.faults.memory_store import MemoryStore

KEY = {"X-Admin-Key": ADMIN_KEY}
NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAM = "Get a bigger garden now with code {number}, only today in our new web shop"


class Counting(MemoryStore):
    """Counts the records that are read."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        super().__init__(objects)
        self.reads: list[str] = []

    def get(self, key: str) -> StoredObject:
        self.reads += [key] if key.startswith(CHECKS) else []
        return super().get(key)


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be a day in March."""
    monkeypatch.setattr(checks_routes, "now", lambda: NOW)


@pytest.fixture
def make_admin(make_admin_in_memory: MakeFunction) -> MakeFunction:
    return make_admin_in_memory


def ask(function: Function, **query: str) -> Answer:
    named = {name.rstrip("_"): value for name, value in query.items()}
    return function(get("/v1/checks", headers=KEY, query=named))


def read(function: Function, **query: str) -> Any:
    answer = ask(function, **query)
    assert answer.status == 200, answer.body
    return answer.body


@pytest.fixture(scope="module")
def checked() -> MemoryStore:
    """A bucket after two real checks: one of a quiet service, and one of a flood of spam, with a model on trial."""
    store = MemoryStore()
    bootstrap(store)
    look(store, Settings(), NOW - 3 * HOUR, lambda: {"outcome": "rejected"})
    built = make_model(version="v2", parents=[baseline_target().version])
    registry.publish(store, "v2", built.manifest, {artefact.WEIGHTS: built.weights})
    trial.begin(store, registry.find(store, "v2"), "shadow", 0, by="test", reason="try it")
    moments = [timestamp(NOW - number * HOUR / 4 - HOUR) for number in range(260)]
    samples = [
        make_sample(number, text=SPAM.format(number=number), received_at=moment, reason="random")
        for number, moment in enumerate(moments)
    ]
    for day in sorted({moment[:10] for moment in moments}):
        kept = [sample for sample in samples if sample.received_at.startswith(day)]
        store.put(f"samples/dt={day}/some.jsonl", to_lines(kept), if_absent=True)
    look(store, Settings(), NOW - HOUR, lambda: {"outcome": "rejected"})
    return store


def copies(store: MemoryStore, hours: list[int], kind: type[MemoryStore] = MemoryStore) -> MemoryStore:
    """Return a bucket with a record like that of the last real check so many hours ago each."""
    [*_, newest] = [key for key in store.keys(CHECKS) if key.endswith(".json")]
    record, made = json.loads(store.get(newest).body), kind()
    for back in hours:
        name, at = check_name(NOW - back * HOUR), timestamp(NOW - back * HOUR)
        made.put(f"{name}.json", to_json({**record, "at": at}), if_absent=True)
        made.put(f"{name}/report.html", b"<!doctype html>", if_absent=True)
    return made


def hours_of(body: Any) -> list[float]:
    """Return how many hours ago the items were."""
    return [(NOW - datetime.fromisoformat(item["at"])) / HOUR for item in body["items"]]


class TestRealChecks:
    def test_every_signal_and_finding_is_told_the_oldest_check_first(
        self, checked: MemoryStore, make_admin: MakeFunction
    ) -> None:
        body = read(make_admin(checked))
        assert (body["checks"], body["unreadable"], hours_of(body)) == (2, 0, [3, 1])
        quiet, spam = body["items"]
        assert (quiet["findings"], quiet["trial"], quiet["cause"], quiet["run"]) == ([], None, None, None)
        assert spam["champion"] == baseline_target().version
        [*_, key] = [key for key in checked.keys(CHECKS) if key.endswith(".json")]
        record = json.loads(checked.get(key).body)["watched"]
        assert spam["signals"].keys() == record["signals"].keys() >= {"drift-length", "anomaly-repetition"}
        for cause, signal in spam["signals"].items():
            assert signal["interval"] == record["signals"][cause].get("interval")
            for name in ("value", "threshold", "p_value", "rows"):
                assert signal[name] == record["signals"][cause][name]
        found = {finding["cause"]: finding for finding in spam["findings"]}
        assert found.keys() == record["findings"].keys() >= {"anomaly-repetition"}
        for cause, finding in found.items():
            assert (finding["title"], finding["action"]) == (CAUSES[cause].title, CAUSES[cause].action)
            assert finding["sentence"] == record["findings"][cause]["sentence"]

    def test_the_newest_has_what_is_drawn(self, checked: MemoryStore, make_admin: MakeFunction) -> None:
        newest = read(make_admin(checked))["newest"]
        assert newest["at"] == timestamp(NOW - HOUR)
        assert newest["reference"]["rows"] > 0
        for shape in ("drift-length", "drift-confidence"):
            drawn = newest["signals"][shape]
            assert len(drawn["shares"]) == len(drawn["reference_shares"]) == len(drawn["edges"]) + 1
            assert sum(drawn["shares"]) == pytest.approx(1)
        assert newest["signals"]["drift-labels"]["shares"].keys() == {"negative", "neutral", "positive"}
        assert {"word", "share", "reference_share"} == newest["signals"]["drift-vocabulary"]["words"][0].keys()
        assert newest["new_words"]["garden"] == 259, "one came as the check began"
        assert read(make_admin(checked), until=timestamp(NOW - 2 * HOUR))["newest"]["new_words"] == {}

    def test_a_trial_is_told_with_what_was_done_about_it(self, checked: MemoryStore, make_admin: MakeFunction) -> None:
        told = read(make_admin(checked))["items"][1]["trial"]
        assert (told["version"], told["champion"], told["mode"]) == ("v2", baseline_target().version, "shadow")
        assert told["action"] == "hold"
        assert told["reason"]
        assert told["figures"]["texts scored in the trial (whole hours)"] == 0

    def test_a_champion_that_cannot_be_read_is_told(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        version = bootstrap(store).champion.version
        store.put(registry.version_key(version, artefact.MANIFEST), b"\xff")
        look(store, Settings(), NOW, lambda: {"outcome": "rejected"})
        body = read(make_admin(store))
        [finding] = body["items"][0]["findings"]
        assert finding["cause"] == BROKEN
        assert version in finding["title"]
        assert body["newest"]["reference"] is None

    def test_errors_and_slow_answers_have_their_units(self, checked: MemoryStore, make_admin: MakeFunction) -> None:
        store = copies(checked, [2])
        key = f"{check_name(NOW - 2 * HOUR)}.json"
        record = json.loads(store.get(key).body)
        signal = {"value": 812.0, "threshold": 500.0, "p_value": 1e-9, "rows": 900}
        record["watched"]["signals"] = {"latency": signal, "errors": {**signal, "count": 3}}
        store.put(key, to_json(record))
        body = read(make_admin(store))
        assert body["items"][0]["signals"]["latency"] == {**signal, "unit": "ms", "interval": None}
        assert body["items"][0]["signals"]["errors"]["unit"] is None
        assert body["newest"]["signals"] == {"latency": {}, "errors": {"count": 3}}

    def test_it_holds_on_s3(self, checked: MemoryStore, make_admin: MakeFunction, store: S3Store) -> None:
        for key in checked.keys(CHECKS):
            store.put(key, checked.get(key).body, if_absent=True)
        assert hours_of(read(make_admin(store))) == [3, 1]


class TestWhichAreTold:
    def test_a_week_is_told_by_sixty_with_the_newest_and_no_more_are_read(
        self, checked: MemoryStore, make_admin: MakeFunction
    ) -> None:
        store = copies(checked, list(range(24 * 9)), Counting)
        admin = make_admin(store)
        for _ in range(2):
            body = read(admin)
        hours = hours_of(body)
        assert (body["checks"], len(hours), hours[0], hours[-1]) == (169, 60, 168, 0)
        gaps = {before - after for before, after in pairwise(hours)}
        assert gaps <= {2, 3}
        assert isinstance(store, Counting)
        assert len(store.reads) == 60, "each once"

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"limit": "1"}, [0]),
            ({"limit": "3"}, [168, 84, 0]),
            ({"from_": timestamp(NOW - 4 * HOUR), "until": timestamp(NOW - 2 * HOUR)}, [4, 3, 2]),
            ({"from_": "2026-03-20T10:00:00", "until": "2026-03-20T11:00:00"}, [2]),
            ({"from_": "2026-03-20T12:00:00+02:00", "until": "2026-03-20T11:00:00"}, [2]),
            ({"until": timestamp(NOW - 500 * HOUR)}, []),
            ({"from_": timestamp(NOW - HOUR / 2), "until": "9999-12-31T00:00:00"}, [0]),
        ],
    )
    def test_those_of_the_time_that_is_asked_about(
        self, query: dict[str, str], expected: list[int], checked: MemoryStore, make_admin: MakeFunction
    ) -> None:
        body = read(make_admin(copies(checked, list(range(200)))), **query)
        assert hours_of(body) == expected
        assert (body["newest"] is None) == (not expected)

    @given(st.lists(st.text(max_size=3), unique=True), st.integers(1, 40))
    def test_so_many_in_their_order_with_the_last_and_evenly_spaced(self, keys: list[str], most: int) -> None:
        chosen = spread(keys, most)
        assert len(chosen) == min(most, len(keys))
        assert chosen[-1:] == keys[-1:]
        places = [keys.index(key) for key in chosen]
        gaps = {after - before for before, after in pairwise(places)}
        assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)

    def test_an_empty_bucket_has_none(self, make_admin: MakeFunction) -> None:
        assert read(make_admin()) == {"items": [], "checks": 0, "unreadable": 0, "newest": None}


class TestTrouble:
    def test_without_the_admin_key_nothing_is_told(self, checked: MemoryStore, make_admin: MakeFunction) -> None:
        check(make_admin(checked)(get("/v1/checks")), 403, "forbidden")

    @pytest.mark.parametrize(
        "change",
        [
            None,
            {"schema": "check/2"},
            {"watched": None},
            {"watched": {"champion": "v1", "signals": {"errors": 1}, "findings": {}, "reference": None}},
            {"trial": {"version": 1}},
            {"at": 7},
        ],
        ids=str,
    )
    def test_a_record_that_cannot_be_read_takes_no_other_down(
        self, change: dict[str, Any] | None, checked: MemoryStore, make_admin: MakeFunction
    ) -> None:
        store = copies(checked, [0, 1, 2])
        key = f"{check_name(NOW)}.json"
        record = json.loads(store.get(key).body)
        store.put(key, b"{" if change is None else to_json(record | change))
        for name in ("README", "2026.json", "2026-03-20T11:00:00.000Z", "2026-03-20T11:00:00.000Z.txt"):
            store.put(f"{CHECKS}{name}", b"{")
        body = read(make_admin(store))
        assert (hours_of(body), body["checks"], body["unreadable"]) == ([2, 1], 3, 1)
        assert body["newest"]["at"] == timestamp(NOW - HOUR)

    def test_a_record_of_before_titles_were_kept_is_told(self, checked: MemoryStore, make_admin: MakeFunction) -> None:
        store = copies(checked, [0])
        key = f"{check_name(NOW)}.json"
        record = json.loads(store.get(key).body)
        for found in record["watched"]["findings"].values():
            del found["title"]
        store.put(key, to_json(record))
        assert {finding["title"] for finding in read(make_admin(store))["items"][0]["findings"]} == {None}

    @pytest.mark.parametrize(
        "query",
        [
            {"limit": "0"},
            {"limit": "201"},
            {"from_": "soon"},
            {"from_": "2026-03-21T00:00:00Z"},
            {"from_": "2026-03-19T00:00:00Z", "until": "2026-03-18T00:00:00Z"},
            {"from_": "2020-01-01T00:00:00Z"},
            {"until": "0001-01-01T00:00:00Z"},
            {"until": "9999-12-31T23:59:59-14:00"},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, query: dict[str, str], make_admin: MakeFunction) -> None:
        check(ask(make_admin(), **query), 422, "invalid_request")

    def test_storage_that_does_not_answer_is_an_error_of_its_own(self, make_admin: MakeFunction) -> None:
        faulty = FaultyStore(MemoryStore())
        faulty.reads_fail = True
        check(ask(make_admin(faulty)), 503, "storage_unavailable")
