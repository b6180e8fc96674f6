"""The routes about retrain runs, over records of real runs, and over many of the same shape."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain.ledger import write_record
from retrain.run import retrain
from sentiloop.documents import MOST_BYTES
from sentiloop.receipts import correction_key
from sentiloop.records import timestamp, to_json
from sentiloop.run_records import RUNS, Runs, make_run_id, run_key
from sentiloop.s3 import S3Store
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, StoredObject

from tests.api.conftest import ADMIN_KEY, Function, MakeFunction
from tests.api.test_errors import check
from tests.events import Answer, get
from tests.faults import retrain_runs
from tests.faults.faulty_store import FaultyStore
from tests.faults.memory_store import MemoryStore

KEY = {"X-Admin-Key": ADMIN_KEY}
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SNAPSHOT = "5" * 64
TORN = [
    b"",
    b'{"schema":"run/1","run_id"',
    b"\xff\x00",
    b"[]",
    b'{"schema":"run/2","run_id":"x","at":"x"}',
    b'{"schema":"run/1"}',
    b'{"schema":"run/1","outcome":"rejected","reasons":"not a list","run_id":"x","at":"x"}',
    b'{"schema":"run/1","outcome":"rejected","reasons":[],"run_id":"x","at":"x","snapshot_manifest":[1]}',
    b'{"schema":"run/1","outcome":"rejected","reasons":[],"run_id":"x","at":"x","p_value":NaN}',
    b'{"schema":"run/1","outcome":"rejected","reasons":[],"run_id":"x","at":"x","p_value":1e999}',
    b'{"schema":"run/1","outcome":"rejected","reasons":["\\ud800"],"run_id":"x","at":"x"}',
    b"[" * 100_000,
    b'{"schema":"run/1","reasons":["' + b"a" * MOST_BYTES + b'"]}',
]


class Counting(MemoryStore):
    """Counts the objects that are read."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        super().__init__(objects)
        self.reads: list[str] = []

    def get(self, key: str) -> StoredObject:
        self.reads.append(key)
        return super().get(key)


def put_run(store: ObjectStore, number: int, outcome: str = "rejected", **fields: Any) -> str:
    """Put the record of a run of the n-th hour and return its id."""
    moment = BEGIN + timedelta(hours=number)
    digest = f"{(number * 7919) % 65536:04x}" * 4  # so that keys are not in the order of time
    run_id = make_run_id(f"{digest}{SNAPSHOT}", digest, moment, skipped=outcome == "skipped")
    record = {"run_id": run_id, "at": timestamp(moment), "outcome": outcome, "reasons": ["for a test"], **fields}
    store.put(run_key(run_id), to_json({"schema": "run/1", **record}), if_absent=True)
    return run_id


@pytest.fixture
def make_admin(make_admin_in_memory: MakeFunction) -> MakeFunction:
    return make_admin_in_memory


def ask(function: Function, path: str = "", **query: str) -> Answer:
    return function(get(f"/v1/runs{path}", headers=KEY, query=query))


def read(function: Function, path: str = "", **query: str) -> Any:
    answer = ask(function, path, **query)
    assert answer.status == 200, answer.body
    return answer.body


Ran = tuple[MemoryStore, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A bucket after three real runs, one promoted, one skipped and one rejected, and their records."""
    store, records = MemoryStore(), []
    easy, strict = (
        Settings(search_seconds=0, gate_level=level, gate_behaviour_floor=0.0, gate_calibration_rise=1.0)
        for level in (0.1, 1e-9)
    )
    with retrain_runs.small_package(tmp_path_factory.mktemp("baseline")):
        for by, settings, begin, count in (("ada", easy, 0, 60), ("schedule", easy, 0, 0), ("check", strict, 60, 30)):
            for entry in retrain_runs.corrections(count, begin) if count else []:
                store.put(correction_key(entry.id), entry.to_line(), if_absent=True)
            records.append(retrain(store, settings, retrain_runs.RECIPE, by=by))
    assert [record["outcome"] for record in records] == ["promoted", "skipped", "rejected"]
    return store, records


class TestRealRuns:
    def test_the_list_says_what_was_decided_and_why_the_newest_first(self, ran: Ran, make_admin: MakeFunction) -> None:
        store, (promoted, _, rejected) = ran
        body = read(make_admin(store))
        assert (body["next"], body["unreadable"]) == (None, 0)
        assert [item["run_id"] for item in body["items"]] == [rejected["run_id"], promoted["run_id"]]
        last, first = body["items"]
        assert (first["outcome"], first["by"], first["at"]) == ("promoted", "ada", promoted["at"])
        assert first["version"] == first["candidate"] == last["champion"]
        assert (last["outcome"], last["by"], last["version"]) == ("rejected", "check", None)
        assert last["reasons"] == rejected["reasons"]
        assert last["p_value"] == rejected["p_value"]
        assert last["snapshot"] == rejected["snapshot"]
        assert last["corrections"]["stored"] == 90
        assert last["corrections"]["rows"] + sum(last["corrections"]["left_out"].values()) == 90
        assert [each["finding"] for each in last["checks"] if not each["ok"]] == last["reasons"]
        assert last["metrics"]["accuracy"] == rejected["metrics"]["accuracy"]
        assert "confusion" not in last["metrics"]

    def test_a_skipped_run_is_told_if_asked_for_with_the_run_that_it_repeats(
        self, ran: Ran, make_admin: MakeFunction
    ) -> None:
        store, records = ran
        items = read(make_admin(store), skipped="true")["items"]
        assert [item["run_id"] for item in items] == [record["run_id"] for record in reversed(records)]
        assert (items[1]["outcome"], items[1]["repeats"]) == ("skipped", records[0]["run_id"])
        assert (items[1]["by"], items[1]["checks"], items[1]["corrections"]) == ("schedule", [], None)

    def test_a_run_is_told_slice_by_slice_and_with_what_it_was_made_of(
        self, ran: Ran, make_admin: MakeFunction
    ) -> None:
        store, (_, skipped, rejected) = ran
        admin = make_admin(store)
        body = read(admin, f"/{rejected['run_id']}")
        summary = read(admin)["items"][0]
        assert {name: body[name] for name in summary} == summary
        assert body["comparisons"][0]["name"] == "all"
        for told, recorded in zip(body["comparisons"], rejected["comparisons"], strict=True):
            assert told == json.loads(to_json(recorded))
            low, high = told["gain_interval"]
            assert low <= told["gain"] <= high
        assert set(body["label_noise"]["sources"]) <= {"seed", "feedback"}
        assert body["label_noise"]["sources"] == rejected["label_noise"]["sources"] != {}
        assert body["label_noise"]["suspicious"] == len(rejected["label_noise"]["suspicious"])
        assert body["parameters"] == json.loads(to_json(rejected["parameters"]))
        assert body["gate"]["level"] == 1e-9
        assert body["anchor"] == rejected["anchor"]
        assert sum(body["rows"]["holdout"].values()) == body["metrics"]["rows"]
        assert read(admin, f"/{skipped['run_id']}")["comparisons"] == []

    def test_it_holds_on_s3(self, ran: Ran, make_admin: MakeFunction, store: S3Store) -> None:
        (bucket, records), admin = ran, make_admin(store)
        for key in bucket.keys(RUNS):
            store.put(key, bucket.get(key).body, if_absent=True)
        assert len(read(admin, skipped="true")["items"]) == 3
        assert read(admin, f"/{records[0]['run_id']}")["outcome"] == "promoted"


class TestPages:
    @given(
        st.sets(st.integers(0, 40), max_size=25).flatmap(
            lambda numbers: st.tuples(st.just(numbers), st.sets(st.sampled_from(sorted(numbers) or [0])))
        ),
        st.integers(1, 9),
        st.booleans(),
    )
    def test_they_add_up_to_the_whole_list_in_the_order_of_time(
        self, numbers: tuple[set[int], set[int]], limit: int, skipped: bool
    ) -> None:
        store, (there, without) = MemoryStore(), numbers
        ids = {number: put_run(store, number, "skipped" if number in without else "held") for number in there}
        runs, found, before = Runs(store, lambda record: str(record["run_id"])), list[str](), None
        while True:
            page = runs.page(limit, before, skipped=skipped)
            found += page.items
            assert len(page.items) <= limit
            if page.next is None:
                break
            assert len(page.items) == limit
            before = page.next
        wanted = [number for number in sorted(there, reverse=True) if skipped or number not in without]
        assert found == [ids[number] for number in wanted]

    def test_a_page_goes_on_where_it_ended_though_runs_come_and_go(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        ids = [put_run(store, number) for number in range(6)]
        admin = make_admin(store)
        first = read(admin, limit="2")
        put_run(store, 9)
        store.delete(run_key(first["next"]))
        second = read(admin, limit="2", before=first["next"])
        assert [item["run_id"] for item in second["items"]] == [ids[3], ids[2]]

    def test_the_records_of_the_page_alone_are_read_and_each_once(self, make_admin: MakeFunction) -> None:
        store = Counting()
        for number in range(300):
            put_run(store, number, "skipped" if number % 2 else "rejected")
        admin = make_admin(store)
        for _ in range(2):
            read(admin, limit="20")
        assert len([key for key in store.reads if key.startswith(RUNS)]) == 20

    def test_an_empty_bucket_has_none(self, make_admin: MakeFunction) -> None:
        assert read(make_admin()) == {"items": [], "next": None, "unreadable": 0}

    def test_records_without_what_newer_ones_have_are_told(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        record = write_record(store, SNAPSHOT, "b" * 12, {"outcome": "promoted", "version": "v1", "reasons": ["so"]})
        [item] = read(make_admin(store))["items"]
        assert (item["run_id"], item["version"], item["by"]) == (record["run_id"], "v1", None)
        assert (item["champion"], item["checks"], item["metrics"], item["corrections"]) == (None, [], {}, None)
        details = read(make_admin(store), f"/{record['run_id']}")
        assert (details["comparisons"], details["label_noise"]) == ([], {"sources": {}, "suspicious": 0})


class TestTrouble:
    def test_without_the_admin_key_nothing_is_told(self, ran: Ran, make_admin: MakeFunction) -> None:
        store, records = ran
        for path in ("", f"/{records[0]['run_id']}"):
            check(make_admin(store)(get(f"/v1/runs{path}")), 403, "forbidden")

    @pytest.mark.parametrize("body", TORN, ids=range(len(TORN)))
    def test_a_record_that_cannot_be_read_takes_no_other_down(self, body: bytes, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        ids = [put_run(store, number) for number in range(3)]
        store.put(run_key(ids[1]), body)
        admin = make_admin(store)
        told = read(admin)
        assert [item["run_id"] for item in told["items"]] == [ids[2], ids[0]]
        assert told["unreadable"] == 1
        error = check(ask(admin, f"/{ids[1]}"), 404, "run_not_found")
        assert "cannot be read" in error["message"]
        assert run_key(ids[1]) in error["hint"]

    def test_what_is_no_record_at_all_is_not_looked_at(self, make_admin: MakeFunction) -> None:
        store = Counting()
        run_id = put_run(store, 1)
        for key in ("README", "x.json", f"{run_id}.txt", f"{run_id}/report.html", f"skipped-skipped-{run_id}.json"):
            store.put(f"{RUNS}{key}", b"{", if_absent=True)
        assert [item["run_id"] for item in read(make_admin(store), skipped="true")["items"]] == [run_id]

    @pytest.mark.parametrize(
        "query", [{"limit": "0"}, {"limit": "101"}, {"before": "x"}, {"before": ""}, {"skipped": "x"}]
    )
    def test_what_makes_no_sense_is_refused(self, query: dict[str, str], make_admin: MakeFunction) -> None:
        check(ask(make_admin(), **query), 422, "invalid_request")

    @pytest.mark.parametrize("run_id", ["x", "5" * 100_000, "..", f"{'5' * 16}-{'b' * 16}-20260301T000000.000Z", "é"])
    def test_a_run_that_is_not_there_is_not_found(self, run_id: str, make_admin: MakeFunction) -> None:
        error = check(ask(make_admin(), f"/{quote(run_id)}"), 404, "run_not_found")
        assert len(error["message"]) < 200

    def test_storage_that_does_not_answer_is_an_error_of_its_own(self, ran: Ran, make_admin: MakeFunction) -> None:
        store, records = ran
        faulty = FaultyStore(store.copy())
        faulty.reads_fail = True
        for path in ("", f"/{records[0]['run_id']}"):
            check(ask(make_admin(faulty), path), 503, "storage_unavailable")
