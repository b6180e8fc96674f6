"""The routes about models, event in, answer out."""

from dataclasses import replace
from typing import Any

import pytest
from admin.routes import create_admin_app
from sentiloop import artefact, pointer, registry
from sentiloop.records import now, timestamp, to_lines
from sentiloop.registry import MARK, version_key
from sentiloop.settings import Secret, Settings
from sentiloop.storage import ObjectStore

from tests.api.conftest import ADMIN_KEY, Function, MakeFunction, writer
from tests.api.test_errors import check
from tests.builders import make_model, make_sample
from tests.events import Answer, event, get, post
from tests.faults.faulty_store import Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

KEY = {"X-Admin-Key": ADMIN_KEY}
SIGNED = {"by": "ada", "reason": "the texts of the fair"}
READS = ["", "/diff", "/history", "/served_at", "/v1"]
MOVES = ["/withdraw", "/rollback", "/pin", "/unpin", "/v1/promote", "/v1/try"]


def served_v2() -> MemoryStore:
    """A bucket where v1 and then v2 were served, v2 is, and v3 waits."""
    store = MemoryStore()
    for number, version in enumerate(("v1", "v2", "v3")):
        built = make_model(version=version, seed=number, metrics={"accuracy": 0.5 + number / 10, "rows": 100})
        target = registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
        if version != "v3":
            registry.promote(store, target, by="test", reason=f"serve {version}")
    return store


SERVED_V2 = served_v2()


@pytest.fixture
def served() -> MemoryStore:
    return SERVED_V2.copy()


@pytest.fixture
def make_admin(settings: Settings, event_loop_of_the_thread: None) -> MakeFunction:
    """Make the function over a store in memory: what is shown here needs no S3."""

    def make(given: ObjectStore | None = None, **changes: Any) -> Function:
        changed, over = replace(settings, **changes), given or SERVED_V2.copy()
        return Function(create_admin_app(changed, over, writer(over, changed)))

    return make


@pytest.fixture
def admin(make_admin: MakeFunction, served: MemoryStore) -> Function:
    return make_admin(served)


def ask(function: Function, path: str, **query: str) -> Answer:
    return function(get(f"/v1/models{path}", headers=KEY, query=query))


def send(function: Function, path: str, **body: object) -> Answer:
    return function(post(f"/v1/models{path}", {**SIGNED, **body}, headers=KEY))


def read(function: Function, path: str, **query: str) -> Any:
    answer = ask(function, path, **query)
    assert answer.status == 200, answer.body
    return answer.body


def move(function: Function, path: str, **body: object) -> Any:
    answer = send(function, path, **body)
    assert answer.status == 200, answer.body
    return answer.body


class TestTheAdminKey:
    @pytest.mark.parametrize("path", READS)
    def test_without_it_nothing_is_told(self, path: str, admin: Function) -> None:
        check(admin(get(f"/v1/models{path}")), 403, "forbidden")

    @pytest.mark.parametrize("path", MOVES)
    def test_without_it_nothing_is_moved(self, path: str, admin: Function, served: MemoryStore) -> None:
        before = served.get(pointer.CURRENT)
        for headers in ({}, {"X-Admin-Key": "wrong"}, {"x-api-key": ADMIN_KEY}):
            check(admin(post(f"/v1/models{path}", SIGNED, headers=headers)), 403, "forbidden")
        assert served.get(pointer.CURRENT) == before

    def test_where_none_is_set_the_routes_are_closed(self, make_admin: MakeFunction) -> None:
        check(ask(make_admin(admin_key=Secret()), ""), 403, "forbidden")


class TestReading:
    def test_the_list_says_what_is_served_and_for_how_long(self, admin: Function) -> None:
        body = read(admin, "")
        assert [(item["version"], item["role"]) for item in body["items"]] == [
            ("v2", "champion"),
            ("v1", None),
            ("v3", None),
        ]
        assert body["items"][0]["served"]["until"] is None
        assert body["items"][1]["served"]["until"] == body["items"][0]["served"]["since"]
        assert (body["versions"], body["pinned"]) == (3, False)
        assert [item["version"] for item in read(admin, "", limit="1", skip="1")["items"]] == ["v1"]

    def test_a_version_is_told_with_its_manifest_and_its_moves(self, admin: Function) -> None:
        body = read(admin, "/v2")
        assert body["summary"]["metrics"] == body["manifest"]["metrics"] == {"accuracy": 0.6, "rows": 100}
        assert [entry["generation"] for entry in body["moves"]] == [2]
        assert read(admin, "/champion")["manifest"] == body["manifest"]

    def test_a_difference_has_figures_words_and_texts(self, admin: Function, served: MemoryStore) -> None:
        kept = [make_sample(number) for number in range(40)]
        served.put(f"samples/dt={now().date()}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
        body = read(admin, "/diff", a="v1", b="champion", limit="3")
        assert (body["a"], body["b"]) == ("v1", "v2")
        assert body["figures"][0] == {"name": "accuracy", "a": 0.5, "b": 0.6, "a_interval": None, "b_interval": None}
        assert len(body["words"]) == 3
        assert body["answers"]["texts"] == 40
        assert {example["text"] for example in body["answers"]["examples"]} <= {sample.text for sample in kept}

    def test_history_is_read_page_by_page(self, admin: Function) -> None:
        first = read(admin, "/history", limit="1")
        second = read(admin, "/history", limit="1", before=str(first["next"]))
        assert [page["items"][0]["champion"] for page in (first, second)] == ["v2", "v1"]
        assert second["next"] is None
        assert first["items"][0]["by"] == "test"

    def test_what_was_served_at_a_time_is_told(self, admin: Function) -> None:
        at = read(admin, "/history")["items"][1]["at"]
        assert read(admin, "/served_at", at=at)["served"]["champion"] == "v1"
        assert read(admin, "/served_at", at=timestamp(now()))["served"]["champion"] == "v2"
        assert read(admin, "/served_at", at="2020-01-01T00:00:00") == {"at": "2020-01-01T00:00:00.000Z", "served": None}

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("", {"limit": "0"}),
            ("", {"skip": "-1"}),
            ("/history", {"before": "x"}),
            ("/served_at", {}),
            ("/served_at", {"at": "soon"}),
            ("/served_at", {"at": "0001-01-01T00:00:00+14:00"}),
            ("/served_at", {"at": "9999-12-31T23:59:59-14:00"}),
            ("/diff", {"a": "v1"}),
            ("/diff", {"a": "v1", "b": "v2", "samples": "9999"}),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, path: str, query: dict[str, str], admin: Function) -> None:
        check(ask(admin, path, **query), 422, "invalid_request")

    @pytest.mark.parametrize(("path", "query"), [("/v9", {}), ("/diff", {"a": "v1", "b": "v9"}), ("/challenger", {})])
    def test_a_version_that_is_not_there_is_not_found(self, path: str, query: dict[str, str], admin: Function) -> None:
        check(ask(admin, path, **query), 404, "version_not_found")

    def test_in_an_empty_bucket_it_says_so(self, make_admin: MakeFunction) -> None:
        admin = make_admin(MemoryStore())
        assert check(ask(admin, ""), 409, "refused")["message"] == "no model was published yet"
        assert read(admin, "/history") == {"items": [], "next": None}

    @pytest.mark.parametrize("path", ["", "/history", "/v1"])
    def test_storage_that_does_not_answer_is_an_error_of_its_own(
        self, path: str, make_admin: MakeFunction, served: MemoryStore
    ) -> None:
        store = FaultyStore(served)
        store.reads_fail = True
        check(ask(make_admin(store), path), 503, "storage_unavailable")


class TestMoving:
    def test_a_promotion_says_what_is_served_now_and_is_signed(self, admin: Function) -> None:
        body = move(admin, "/v3/promote", expected="v2")
        assert body["moved"] is True
        assert body["now"] == read(admin, "/history", limit="1")["items"][0]
        assert (body["now"]["champion"], body["now"]["by"], body["now"]["reason"]) == ("v3", *SIGNED.values())
        assert move(admin, "/v3/promote", expected="v2") == {"moved": False, "now": body["now"]}

    def test_a_trial_begins_goes_on_and_ends(self, admin: Function) -> None:
        first = move(admin, "/v3/try", mode="shadow")["now"]["challenger"]
        assert (first["version"], first["mode"], first["share"]) == ("v3", "shadow", 0)
        second = move(admin, "/challenger/try", mode="canary", share=0.5)["now"]["challenger"]
        assert (second["mode"], second["share"], second["began_at"]) == ("canary", 0.5, first["began_at"])
        assert move(admin, "/withdraw", version="v3")["now"]["challenger"] is None
        assert move(admin, "/withdraw")["moved"] is False

    def test_a_rollback_is_safe_to_repeat_when_it_says_away_from_what(self, admin: Function) -> None:
        bodies = [move(admin, "/rollback", **{"from": "v2"}) for _ in range(2)]
        assert [(body["moved"], body["now"]["champion"]) for body in bodies] == [(True, "v1"), (False, "v1")]

    def test_a_pin_is_set_and_taken_away(self, admin: Function) -> None:
        assert move(admin, "/pin")["now"]["pinned"] is True
        assert read(admin, "")["pinned"] is True
        assert move(admin, "/unpin")["now"]["pinned"] is False

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/v3/promote", {"expected": "v1"}),
            ("/v3/try", {"mode": "shadow", "expected": "v1"}),
            ("/rollback", {"from": "v3"}),
        ],
    )
    def test_a_pointer_that_says_something_else_is_a_conflict(
        self, path: str, body: dict[str, object], admin: Function, served: MemoryStore
    ) -> None:
        before = served.get(pointer.CURRENT)
        assert "v2 is served" in check(send(admin, path, **body), 409, "pointer_moved")["message"]
        assert served.get(pointer.CURRENT) == before

    def test_the_trial_of_another_version_is_a_conflict(self, admin: Function) -> None:
        move(admin, "/v3/try", mode="shadow")
        check(send(admin, "/withdraw", version="v1"), 409, "pointer_moved")

    def test_a_version_that_learned_from_what_was_erased_takes_force(
        self, admin: Function, served: MemoryStore
    ) -> None:
        served.put(version_key("v3", MARK), b"{}", if_absent=True)
        assert "force" in check(send(admin, "/v3/promote"), 409, "refused")["hint"]
        assert move(admin, "/v3/promote", force=True)["now"]["champion"] == "v3"

    @pytest.mark.parametrize("path", ["/v9/promote", "/v9/try", "/challenger/promote"])
    def test_a_version_that_is_not_there_is_not_found(self, path: str, admin: Function) -> None:
        check(send(admin, path, **({"mode": "shadow"} if path.endswith("try") else {})), 404, "version_not_found")

    @pytest.mark.parametrize("field", ["by", "reason"])
    @pytest.mark.parametrize(
        ("path", "value"),
        [*((path, "") for path in MOVES), *(("/pin", value) for value in (None, "  ", 7, "\ud800", "x" * 501))],
    )
    def test_who_and_why_have_to_be_said(self, path: str, field: str, value: object, admin: Function) -> None:
        body = {"mode": "shadow"} if path.endswith("try") else {}
        check(send(admin, path, **body, **{field: value}), 422, "invalid_request")

    @pytest.mark.parametrize("body", [{}, {"mode": "loud"}, {"mode": "canary", "share": 2}, {"mode": "canary", "x": 1}])
    def test_a_trial_that_makes_no_sense_is_refused(self, body: dict[str, object], admin: Function) -> None:
        check(send(admin, "/v3/try", **body), 422, "invalid_request")

    def test_a_share_that_does_not_fit_the_mode_is_refused(self, admin: Function) -> None:
        check(send(admin, "/v3/try", mode="canary"), 409, "refused")

    def test_storage_that_takes_no_writes_moves_nothing(self, make_admin: MakeFunction, served: MemoryStore) -> None:
        store = FaultyStore(served, dict.fromkeys(range(1, 100), Fault.DOWN))
        check(send(make_admin(store), "/pin"), 503, "storage_unavailable")
        assert served.objects == SERVED_V2.objects

    @pytest.mark.parametrize("path", ["/withdraw", "/rollback", "/pin", "/unpin"])
    def test_a_move_is_not_made_by_asking(self, path: str, admin: Function, served: MemoryStore) -> None:
        before = served.get(pointer.CURRENT)
        assert admin(event("GET", f"/v1/models{path}", headers=KEY)).status == 404
        assert served.get(pointer.CURRENT) == before
