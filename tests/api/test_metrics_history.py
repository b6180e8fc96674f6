"""`GET /v1/metrics/history`: what all instances did, hour by hour or day by day, whatever was merged meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from admin import metrics_routes
from admin.metrics_history import MetricsHistory, read_history
from admin.routes import create_admin_app
from hypothesis import given
from hypothesis import strategies as st
from sentiloop.activity import Activity
from sentiloop.activity_store import DAYS, HOURS, WRITTEN, ActivityWriter
from sentiloop.activity_totals import ActivityReader, compact, read_activity
from sentiloop.records import timestamp
from sentiloop.s3 import S3Store
from sentiloop.scoring import Prediction
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, StoredObject

from tests.api.conftest import Function, MakeFunction, writer
from tests.api.test_errors import check
from tests.events import Answer, get
from tests.faults.faulty_store import FaultyStore
from tests.faults.memory_store import MemoryStore

NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TORN = [
    b"",
    b"{",
    b"[]",
    b"\xff",
    b'{"schema":"activity/2"}',
    b'{"schema":"activity/1"}',
    b'{"schema":"activity/1","from":null,"until":null,"functions":[],"versions":{}}',
    b'{"schema":"activity/1","from":null,"until":null,"functions":{"predict":{"requests":"1"}},"versions":{}}',
    b'{"schema":"activity/1","from":null,"until":null,"functions":{},"versions":{"v1":{"confidence":[1]}}}',
]


def write(store: ObjectStore, moment: datetime, requests: int = 1, version: str = "v1") -> None:
    """Count predictions of a moment and write them, as an instance does; the last of them fails."""
    activity = Activity(lambda: moment)
    for number in range(requests):
        failed = number == requests - 1 and requests > 1
        activity.request("predict", 500 if failed else 200, "internal_error" if failed else None, 10.0)
        activity.timed(version, 10.0, failed)
        if not failed:
            activity.answered(version, [Prediction("positive", 0.9, ()), Prediction("negative", 0.4, ())], 0.5)
    activity.request("admin", 403, "forbidden", 1_000.0)
    activity.feedback(version, confirmed=True)
    activity.feedback("", confirmed=False)
    ActivityWriter(store, activity, Settings(activity_seconds=0)).write()


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be an afternoon in March."""
    monkeypatch.setattr(metrics_routes, "now", lambda: NOW)


@pytest.fixture
def make_admin(settings: Settings, event_loop_of_the_thread: None) -> MakeFunction:
    """Make the function over a store in memory: what is shown here needs no S3."""

    def make(given: ObjectStore | None = None, **changes: Any) -> Function:
        changed, over = replace(settings, **changes), given or MemoryStore()
        return Function(create_admin_app(changed, over, writer(MemoryStore(), changed)))

    return make


def ask(function: Function, **query: str) -> Answer:
    named = {name.rstrip("_"): value for name, value in query.items()}
    return function(get("/v1/metrics/history", query=named))


def read(function: Function, **query: str) -> Any:
    answer = ask(function, **query)
    assert answer.status == 200, answer.body
    return answer.body


def whole(store: ObjectStore, begin: datetime, end: datetime, *, by_hour: bool) -> MetricsHistory:
    return read_history(ActivityReader(store), begin, end, by_hour=by_hour, delay_seconds=0)


class TestTheFigures:
    def test_the_last_day_comes_hour_by_hour_with_the_hours_without_requests(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        write(store, NOW - DAY)  # not in the last 24 buckets
        write(store, NOW - 3 * HOUR, requests=4)
        write(store, NOW - 3 * HOUR, requests=1, version="v2")
        write(store, NOW)
        body = read(make_admin(store))
        assert (body["since"], body["until"]) == ("2026-03-09T15:00:00.000Z", "2026-03-10T15:00:00.000Z")
        assert body["bucket_seconds"] == 3600
        starts = [datetime.fromisoformat(bucket["start"]) for bucket in body["buckets"]]
        assert starts == [datetime(2026, 3, 9, 15, tzinfo=UTC) + number * HOUR for number in range(24)]
        busy = {bucket["start"][11:13]: bucket for bucket in body["buckets"] if bucket["requests"]}
        assert sorted(busy) == ["11", "14"]
        found = busy["11"]
        assert (found["requests"], found["errors"], found["predictions"]) == (7, 1, 8)
        assert found["labels"] == {"negative": 4, "positive": 4}
        assert found["by_version"] == {"v1": 6, "v2": 2}
        assert (found["low_confidence"], found["mean_confidence"]) == (0.5, pytest.approx(0.65))
        assert [number for number, count in enumerate(found["confidence"]) if count] == [8, 18]
        assert found["feedback"] == {"total": 4, "confirmed": 2, "mistakes": 2}
        assert 5 <= found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] <= found["latency_ms"]["p99"] <= 10, (
            "of predict, and not of admin"
        )
        assert found["latency_ms"]["mean"] == 10

    def test_a_bucket_without_requests_has_zeros_and_no_shares(self, make_admin: MakeFunction) -> None:
        body = read(make_admin())
        assert len(body["buckets"]) == 24
        for each in (*body["buckets"], {"start": "", **body["totals"]}):
            assert {**each, "start": ""} == {
                "start": "",
                "requests": 0,
                "errors": 0,
                "predictions": 0,
                "latency_ms": {"mean": None, "p50": None, "p95": None, "p99": None},
                "labels": {},
                "low_confidence": None,
                "mean_confidence": None,
                "confidence": [0] * 20,
                "feedback": {"total": 0, "confirmed": 0, "mistakes": 0},
                "by_version": {},
            }

    def test_more_than_three_days_come_day_by_day(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        for hours in range(0, 24 * 6, 5):
            write(store, NOW - hours * HOUR)
        admin = make_admin(store)
        body = read(admin, from_="2026-03-06T12:00:00", until="2026-03-10T00:00:00Z")
        assert body["bucket_seconds"] == 86400
        assert [bucket["start"][:10] for bucket in body["buckets"]] == [f"2026-03-0{day}" for day in (6, 7, 8, 9)]
        assert body["totals"]["predictions"] == sum(bucket["predictions"] for bucket in body["buckets"]) > 0
        three = read(admin, from_="2026-03-07T00:00:00+00:00", until="2026-03-10T00:00:00Z")
        assert (three["bucket_seconds"], len(three["buckets"])) == (3600, 72)
        assert three["totals"] == read(admin, from_="2026-03-07", until="2026-03-10")["totals"]

    def test_times_of_other_zones_are_told_in_utc(self, make_admin: MakeFunction) -> None:
        body = read(make_admin(), from_="2026-03-09T10:30:00+05:30", until="2026-03-09T08:00:00+01:00")
        assert (body["since"], body["until"]) == ("2026-03-09T05:00:00.000Z", "2026-03-09T07:00:00.000Z")
        assert read(make_admin(), until="2026-03-09T08:00:00")["since"] == "2026-03-08T08:00:00.000Z"

    def test_it_ends_now(self, make_admin: MakeFunction) -> None:
        body = read(make_admin(), from_="2026-03-10T13:10:00", until="9999-12-31T23:59:59")
        assert [bucket["start"][11:16] for bucket in body["buckets"]] == ["13:00", "14:00"]

    def test_four_hundred_days_are_told(self, make_admin: MakeFunction) -> None:
        begin = (NOW.replace(hour=0, minute=0) - 399 * DAY).isoformat()
        assert len(read(make_admin(), from_=begin)["buckets"]) == 400

    def test_it_holds_on_s3(self, make_admin: MakeFunction, store: S3Store) -> None:
        write(store, NOW - 2 * HOUR, requests=3)
        assert compact(store, NOW) == 1
        write(store, NOW)
        assert read(make_admin(store))["totals"]["predictions"] == 6


class TestMerging:
    @given(
        st.lists(st.tuples(st.integers(0, 24 * 5), st.integers(1, 3)), max_size=12),
        st.lists(st.integers(0, 24 * 8), max_size=3),
        st.integers(0, 24 * 5),
        st.integers(1, 24 * 3),
    )
    def test_the_buckets_are_the_same_before_and_after_and_add_up_to_the_total(
        self, written: list[tuple[int, int]], merged_at: list[int], begin: int, length: int
    ) -> None:
        store, start = MemoryStore(), datetime(2026, 3, 1, tzinfo=UTC)
        for hours, requests in sorted(written):
            write(store, start + hours * HOUR, requests)
        since, until = start + begin * HOUR, start + (begin + length) * HOUR
        before = whole(store, since, until, by_hour=True)
        for hours in sorted(merged_at):
            compact(store, start + 24 * 5 * HOUR + hours * HOUR)
            assert whole(store, since, until, by_hour=True) == before
        wanted = [
            sum(requests + 1 for hours, requests in written if start + hours * HOUR == since + number * HOUR)
            for number in range(length)
        ]
        assert [bucket.requests for bucket in before.buckets] == wanted
        for name in ("requests", "errors", "predictions"):
            assert sum(getattr(bucket, name) for bucket in before.buckets) == getattr(before.totals, name)
        total = read_activity(store, since, until)
        assert sum(function["requests"] for function in total["functions"].values()) == before.totals.requests
        days = whole(store, start, start + 9 * DAY, by_hour=False)
        for number, bucket in enumerate(days.buckets):
            assert bucket.requests == sum(requests + 1 for hours, requests in written if hours // 24 == number)

    def test_an_old_day_is_told_hour_by_hour_as_well(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        for hours in range(24):
            write(store, datetime(2026, 3, 2, hours, tzinfo=UTC))
        compact(store, NOW)
        assert list(store.keys(DAYS))
        for key in list(store.keys(WRITTEN)):  # what single instances counted expires
            store.delete(key)
        body = read(make_admin(store), from_="2026-03-02T05:00:00", until="2026-03-02T09:00:00")
        assert [bucket["requests"] for bucket in body["buckets"]] == [2, 2, 2, 2]

    def test_where_somebody_deleted_the_hours_the_days_are_told(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        for hours in range(0, 72, 7):
            write(store, datetime(2026, 3, 2, tzinfo=UTC) + hours * HOUR)
        compact(store, NOW)
        for key in list(store.keys(f"{HOURS}2026-03-03")):
            store.delete(key)
        body = read(make_admin(store), from_="2026-03-02T22:00:00", until="2026-03-03T09:00:00")
        assert (body["bucket_seconds"], body["since"]) == (86400, "2026-03-02T00:00:00.000Z")
        assert [bucket["requests"] for bucket in body["buckets"]] == [8, 6]
        known = read(make_admin(store), from_="2026-03-04T00:00:00", until="2026-03-05T00:00:00")
        assert (known["bucket_seconds"], known["totals"]["requests"]) == (3600, 8)

    def test_a_year_is_read_in_as_many_objects_as_it_has_days(self) -> None:
        class Counting(MemoryStore):
            reads = 0

            def get(self, key: str) -> StoredObject:
                self.reads += 1
                return super().get(key)

        store, start = Counting(), datetime(2025, 3, 1, tzinfo=UTC)
        for number in range(0, 365 * 24, 11):
            write(store, start + number * HOUR)
        compact(store, start + 366 * DAY)
        store.reads = 0
        told = whole(store, start, start + 365 * DAY, by_hour=False)
        assert (store.reads, len(told.buckets)) == (365, 365)
        assert told.totals.requests == 2 * len(range(0, 365 * 24, 11))


class TestTrouble:
    def test_it_asks_for_no_admin_key(self, make_admin: MakeFunction) -> None:
        read(make_admin())
        assert make_admin()(get("/v1/runs")).status == 403

    @pytest.mark.parametrize(
        "query",
        [
            {"from_": "soon"},
            {"until": "2026-13-01T00:00:00Z"},
            {"from_": "2026-03-10T14:30:00Z"},
            {"from_": "2027-01-01T00:00:00Z"},
            {"from_": "2026-03-09T00:00:00Z", "until": "2026-03-08T00:00:00Z"},
            {"from_": "2025-02-03T12:00:00Z"},
            {"from_": "2025-02-03T13:00:00Z", "until": "2026-03-10T12:00:00Z"},
            {"from_": "0001-01-01T00:00:00+14:00"},
            {"from_": "0001-01-01T00:00:00Z"},
            {"until": "0001-01-01T00:00:00Z"},
            {"until": "9999-12-31T23:59:59-14:00"},
        ],
    )
    def test_what_makes_no_sense_is_refused_with_a_hint(self, query: dict[str, str], make_admin: MakeFunction) -> None:
        check(ask(make_admin(), **query), 422, "invalid_request")

    def test_too_long_a_time_is_refused_with_how_long_it_may_be(self, make_admin: MakeFunction) -> None:
        error = check(ask(make_admin(), from_="2020-01-01T00:00:00Z"), 422, "invalid_request")
        assert "Ask for 400 days at a time" in error["hint"]

    @pytest.mark.parametrize("body", TORN, ids=range(len(TORN)))
    def test_counts_that_cannot_be_read_count_nothing_and_take_no_others_along(
        self, body: bytes, make_admin: MakeFunction
    ) -> None:
        store = MemoryStore()
        write(store, NOW - 5 * HOUR, requests=2)
        compact(store, NOW - 4 * HOUR)
        write(store, NOW - HOUR, requests=2)
        for key in (f"{WRITTEN}2026-03-10/13-torn.json", f"{HOURS}2026-03-10T11.json", f"{DAYS}2026-03-09.json"):
            store.put(key, body)
        store.put(f"{HOURS}2026-03-09T20.json", body)
        for key in (f"{HOURS}README", f"{DAYS}notes.txt", f"{WRITTEN}x/y.json", f"{WRITTEN}2026-03-10/notes.txt"):
            store.put(key, body)
        admin = make_admin(store)
        assert read(admin)["totals"]["requests"] == 6
        assert read(admin, from_="2026-03-01T00:00:00Z")["totals"]["requests"] == 6
        assert admin(get("/v1/metrics")).body["requests"] == 6

    def test_what_was_read_is_told_for_a_while(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        admin = make_admin(store, activity_seconds=3_600)
        first = read(admin)
        assert first["delay_seconds"] == 7_200
        write(store, NOW)
        assert read(admin) == first
        assert read(admin, from_="2026-03-10T13:00:00")["totals"]["requests"] == 2, "another time is read"
        assert read(make_admin(store))["totals"]["requests"] == 2

    def test_any_number_of_times_is_kept_in_bounds(self, make_admin: MakeFunction) -> None:
        admin = make_admin(activity_seconds=3_600)
        for hours in range(2, 40):
            begin = NOW - hours * HOUR
            assert read(admin, from_=timestamp(begin))["since"] == timestamp(begin.replace(minute=0))

    def test_storage_that_does_not_answer_is_an_error_of_its_own(self, make_admin: MakeFunction) -> None:
        faulty = FaultyStore(MemoryStore())
        faulty.reads_fail = True
        check(ask(make_admin(faulty)), 503, "storage_unavailable")
