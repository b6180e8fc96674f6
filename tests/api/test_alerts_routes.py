"""`GET /v1/alerts`, over messages that the hourly check wrote."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain import news
from retrain.alerts import Alert, notify, open_causes
from retrain.bootstrap import bootstrap
from retrain.check import check as look
from retrain.findings import BROKEN, CAUSES
from retrain.ledger import HELD, ON_TRIAL, PROMOTED, REJECTED
from retrain.trials import Action, Decision
from sentiloop import artefact, registry
from sentiloop.alert_records import ALERTS, MOST_READ, Alerts, alert_key, is_news
from sentiloop.records import timestamp
from sentiloop.s3 import S3Store
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, StoredObject

from tests.api.conftest import ADMIN_KEY, Function, MakeFunction
from tests.api.test_errors import check
from tests.events import Answer, get
from tests.faults.faulty_store import FaultyStore
from tests.faults.memory_store import MemoryStore

KEY = {"X-Admin-Key": ADMIN_KEY}
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = Settings()


class Counting(MemoryStore):
    """Counts the messages that are read."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        super().__init__(objects)
        self.reads: list[str] = []

    def get(self, key: str) -> StoredObject:
        self.reads += [key] if key.startswith(ALERTS) else []
        return super().get(key)


def alert(cause: str, **figures: object) -> Alert:
    return Alert(cause, f"{cause} happened", f"What {cause} means.", figures, f"./sentiloop look {cause}")


def tell(store: ObjectStore, hour: int, alerts: Sequence[Alert], looked_at: Sequence[str] = ()) -> None:
    """Tell what is the case at an hour, as the check does."""
    notify(store, SETTINGS, alerts, looked_at, clock=lambda: START + hour * HOUR)


@pytest.fixture
def make_admin(make_admin_in_memory: MakeFunction) -> MakeFunction:
    return make_admin_in_memory


def ask(function: Function, **query: str) -> Answer:
    return function(get("/v1/alerts", headers=KEY, query=query))


def read(function: Function, **query: str) -> Any:
    answer = ask(function, **query)
    assert answer.status == 200, answer.body
    return answer.body


class TestTheList:
    def test_what_is_open_comes_first_then_the_newest_of_what_is_over_and_of_news(
        self, make_admin: MakeFunction
    ) -> None:
        store = MemoryStore()
        causes = ["errors", "latency", "drift-length", "drift-doubt"]
        tell(store, 0, [alert("errors", share=0.25), alert("latency")])
        tell(store, 1, [alert("drift-length"), alert("latency"), alert("promoted-v1")], causes)  # errors are over
        tell(store, 2, [alert("drift-length"), alert("rejected-v2")], causes)  # latency is over
        tell(store, 3, [alert("drift-length"), alert("drift-doubt")], causes)
        body = read(make_admin(store))
        assert [(item["cause"], item["state"]) for item in body["items"]] == [
            ("drift-doubt", "open"),
            ("drift-length", "open"),
            ("latency", "over"),
            ("rejected-v2", "news"),
            ("errors", "over"),
            ("promoted-v1", "news"),
        ]
        assert (body["open"], body["unreadable"], body["unread"]) == (2, 0, 0)
        assert body["items"][4] == {
            "cause": "errors",
            "state": "over",
            "title": "errors happened",
            "text": "What errors means.",
            "figures": {"share": "0.25"},
            "command": "./sentiloop look errors",
            "at": timestamp(START),
            "over_at": timestamp(START + HOUR),
            "messages": 2,
        }
        assert [item["cause"] for item in read(make_admin(store), limit="3")["items"]] == [
            "drift-doubt",
            "drift-length",
            "latency",
        ]

    def test_a_cause_that_opens_again_is_open_since_then(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        for hour in range(5):
            tell(store, hour, [] if hour % 2 else [alert("errors", hour=hour)], ["errors"])
        [item] = read(make_admin(store))["items"]
        assert (item["state"], item["at"], item["over_at"]) == ("open", timestamp(START + 4 * HOUR), None)
        assert (item["figures"], item["messages"]) == ({"hour": "4"}, 5)

    def test_a_real_check_of_a_broken_champion_opens_one_and_a_second_ends_it(self, make_admin: MakeFunction) -> None:
        store, admin = MemoryStore(), make_admin
        version = bootstrap(store).champion.version
        key = registry.version_key(version, artefact.MANIFEST)
        manifest = store.get(key).body
        store.put(key, b"\xff")
        look(store, SETTINGS, START, lambda: {"outcome": "rejected"})
        [item] = read(admin(store))["items"]
        assert (item["cause"], item["state"]) == (BROKEN, "open")
        assert item["command"] == f"./sentiloop models rollback --from {version}"
        store.put(key, manifest)
        look(store, SETTINGS, START + HOUR, lambda: {"outcome": "rejected"})
        [item] = read(admin(store))["items"]
        assert item["state"] == "over"

    def test_it_holds_on_s3(self, make_admin: MakeFunction, store: S3Store) -> None:
        tell(store, 0, [alert("errors")])
        assert [item["cause"] for item in read(make_admin(store))["items"]] == ["errors"]

    def test_an_empty_bucket_has_none(self, make_admin: MakeFunction) -> None:
        assert read(make_admin()) == {"items": [], "open": 0, "unreadable": 0, "unread": 0}

    @given(st.lists(st.sets(st.sampled_from(["errors", "latency", "quarantine", "ask-v2"])), max_size=8))
    def test_it_agrees_with_what_the_check_holds_to_be_open(self, hours: list[set[str]]) -> None:
        store, causes = MemoryStore(), ["errors", "latency", "quarantine", "ask-v2"]
        for hour, present in enumerate(hours):
            tell(store, hour, [alert(cause) for cause in sorted(present)], causes)
        page = Alerts(store).newest(10)
        assert {told.cause for told in page.items if told.state == "open"} == set(open_causes(store))
        assert page.open == len(open_causes(store))
        assert {told.cause for told in page.items} == set().union(*hours)
        for told in page.items:
            assert (told.over_at is None) == (told.state == "open")


class TestNews:
    @pytest.mark.parametrize("outcome", [PROMOTED, ON_TRIAL, HELD, REJECTED])
    def test_what_a_run_came_to_is_news(self, outcome: str) -> None:
        record = {"outcome": outcome, "run_id": "r", "reasons": ["so"], "champion": "v1", "candidate": "v2"}
        [told] = news.of_run(record)
        assert is_news(told.cause)

    @pytest.mark.parametrize("action", get_args(Action))
    def test_the_end_of_a_trial_is_news_and_a_question_is_none(self, action: Action) -> None:
        fields: dict[str, Any] = {
            "champion": "v1",
            "mode": "shadow",
            "share": 0,
            "next_share": None,
            "reason": "so",
            "evidence": {},
        }
        decision = Decision(
            action, "v2", timestamp(START), **fields, disagreement=None, flips={}, slices={}, figures={}
        )
        for told in news.of_trial(decision):
            assert is_news(told.cause) == (action != "ask")

    def test_findings_and_failures_are_none(self) -> None:
        assert not any(map(is_news, (*CAUSES, BROKEN, news.failure_of("check"), news.failure_of("retrain"))))


class TestBounds:
    def test_each_message_is_read_once(self, make_admin: MakeFunction) -> None:
        store = Counting()
        tell(store, 0, [alert("errors"), alert("latency"), alert("promoted-v1")])
        tell(store, 1, [], ["errors"])
        store.reads.clear()
        admin = make_admin(store)
        for _ in range(3):
            read(admin)
        assert sorted(store.reads) == [
            alert_key("errors", 1),
            alert_key("errors", 2),
            alert_key("latency", 1),
            alert_key("promoted-v1", 1),
        ]

    def test_of_very_many_causes_the_open_ones_are_among_those_looked_at(self, make_admin: MakeFunction) -> None:
        store = Counting()
        tell(store, 0, [alert(f"crown-v{number}") for number in range(MOST_READ)])
        tell(store, 1, [alert("errors"), alert("latency")])
        tell(store, 2, [alert("errors")], ["latency"])
        store.reads.clear()
        body = read(make_admin(store), limit="200")
        assert [item["cause"] for item in body["items"][:2]] == ["errors", "latency"]
        assert (len(body["items"]), body["open"], body["unread"]) == (200, 1, MOST_READ + 2 - MOST_READ // 2)
        assert len(store.reads) <= MOST_READ


class TestTrouble:
    def test_without_the_admin_key_nothing_is_told(self, make_admin: MakeFunction) -> None:
        check(make_admin()(get("/v1/alerts")), 403, "forbidden")

    @pytest.mark.parametrize(
        "change",
        [None, {"schema": "alert/2"}, {"at": 7}, {"figures": {"share": 0.5}}, {"figures": []}, {"title": None}],
        ids=str,
    )
    @pytest.mark.parametrize("number", [1, 2])
    def test_a_message_that_cannot_be_read_takes_no_other_down(
        self, change: dict[str, Any] | None, number: int, make_admin: MakeFunction
    ) -> None:
        store = MemoryStore()
        tell(store, 0, [alert("errors"), alert("latency")])
        tell(store, 1, [], ["errors"])
        message = json.loads(store.get(alert_key("errors", number)).body)
        store.put(alert_key("errors", number), b"{" if change is None else json.dumps(message | change).encode())
        for key in ("README", "x/1.json", "latency/notes.txt", "latency/000009.json.bak", "y/000000.json", "z"):
            store.put(f"{ALERTS}{key}", b"{")
        body = read(make_admin(store))
        assert ([item["cause"] for item in body["items"]], body["unreadable"]) == (["latency"], 1)

    def test_a_note_of_the_sending_without_its_message_takes_nothing_down(self, make_admin: MakeFunction) -> None:
        store = MemoryStore()
        tell(store, 0, [alert("latency")])
        store.put(alert_key("errors", 1, "-sent-topic"), b"{}")
        body = read(make_admin(store))
        assert ([item["cause"] for item in body["items"]], body["unreadable"]) == (["latency"], 1)

    @pytest.mark.parametrize("limit", ["0", "201", "x"])
    def test_what_makes_no_sense_is_refused(self, limit: str, make_admin: MakeFunction) -> None:
        check(ask(make_admin(), limit=limit), 422, "invalid_request")

    def test_storage_that_does_not_answer_is_an_error_of_its_own(self, make_admin: MakeFunction) -> None:
        faulty = FaultyStore(MemoryStore())
        faulty.reads_fail = True
        check(ask(make_admin(faulty)), 503, "storage_unavailable")
