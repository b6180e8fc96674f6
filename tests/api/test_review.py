"""The admin function, event in, answer out."""

from collections.abc import Callable
from typing import Any

import pytest
from sentiloop.errors import SettingsError
from sentiloop.pointer import Pointer
from sentiloop.receipts import correction_key
from sentiloop.records import Correction, now, to_lines
from sentiloop.s3 import S3Store
from sentiloop.settings import Secret

from tests.api.conftest import ADMIN_KEY, Function, MakeFunction
from tests.api.test_errors import BODIES_THAT_ARE_NO_JSON, check
from tests.builders import BuiltModel, make_sample
from tests.events import Answer, get, post
from tests.faults.faulty_store import Fault, FaultyStore, down

KEY = {"X-Admin-Key": ADMIN_KEY}
TEXTS = ["a cloudy afternoon", "they painted it green", "who ordered the second pot"]


@pytest.fixture
def samples(store: S3Store) -> list[str]:
    """Three samples of today, by the ids that a reviewer uses."""
    kept = [make_sample(number, text=text) for number, text in enumerate(TEXTS)]
    day = now().date().isoformat()
    store.put(f"samples/dt={day}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
    return [f"{day}.{kept[0].id}.{sample.id}" for sample in kept]


def queue(function: Function, headers: dict[str, str] = KEY, **query: str) -> Answer:
    return function(get("/v1/review", headers=headers, query=query))


def answer(function: Function, sample: str, body: object, headers: dict[str, str] = KEY) -> Answer:
    return function(post(f"/v1/review/{sample}", body, resource="/v1/review/{id}", headers=headers))


class TestTheAdminKey:
    @pytest.mark.parametrize(
        "headers", [{}, {"X-Admin-Key": ""}, {"X-Admin-Key": "wrong"}, {"X-Admin-Key": "schlüssel"}]
    )
    def test_without_it_nothing_is_told_or_stored(
        self, headers: dict[str, str], admin: Function, store: S3Store, samples: list[str]
    ) -> None:
        error = check(queue(admin, headers), 403, "forbidden")
        assert "x-admin-key" in error["hint"]
        check(answer(admin, samples[0], {"action": "accept"}, headers), 403, "forbidden")
        assert not list(store.keys("reviews/"))

    def test_it_is_asked_for_before_anything_else_is_looked_at(self, admin: Function) -> None:
        for body in ({}, {"action": "nonsense"}, {"action": "accept"}):
            check(answer(admin, "none", body, {}), 403, "forbidden")
        check(queue(admin, {}, limit="0"), 403, "forbidden")

    @pytest.mark.parametrize("headers", [{}, {"X-Admin-Key": ""}, KEY])
    def test_where_none_is_set_the_routes_are_closed(self, headers: dict[str, str], make_admin: MakeFunction) -> None:
        closed = make_admin(admin_key=Secret())
        assert check(queue(closed, headers), 403, "forbidden")["message"] == "the admin routes are closed"

    def test_the_api_key_is_not_the_admin_key(self, admin: Function) -> None:
        check(queue(admin, {"x-api-key": ADMIN_KEY}), 403, "forbidden")

    def test_without_a_contributor_key_the_function_does_not_start(self, make_admin: MakeFunction) -> None:
        with pytest.raises(SettingsError, match="SENTILOOP_CONTRIBUTOR_KEY is not set"):
            make_admin(contributor_key=Secret())


class TestTheQueue:
    def test_a_sample_is_shown_with_its_prediction_and_why_it_is_asked_about(
        self, admin: Function, samples: list[str]
    ) -> None:
        body = queue(admin).body
        assert body["left"] == 3
        shown = {item["sample_id"]: item for item in body["items"]}
        assert shown.keys() == set(samples)
        kept = make_sample(0, text=TEXTS[0])
        assert shown[samples[0]] == {
            "sample_id": samples[0],
            "text": TEXTS[0],
            "label": kept.label,
            "confidence": kept.confidence,
            "probabilities": kept.probabilities,
            "model_version": kept.model_version,
            "reason": "low_confidence",
            "received_at": kept.received_at,
            "similar": 0,
            "why": "Doubtful: neutral and positive are 0.05 apart.",
        }

    def test_a_page_has_a_limit(self, admin: Function, samples: list[str]) -> None:
        body = queue(admin, limit="2").body
        assert {item["sample_id"] for item in body["items"]} < set(samples)
        assert (len(body["items"]), body["left"]) == (2, 3)

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "many", ""])
    def test_a_limit_that_makes_no_sense_is_refused(self, limit: str, admin: Function) -> None:
        assert check(queue(admin, limit=limit), 422, "invalid_request")["message"].startswith("limit: ")

    def test_an_empty_queue_is_no_error(self, admin: Function) -> None:
        assert queue(admin).body == {"items": [], "left": 0, "profit": None}


class TestTheProfit:
    def test_it_says_what_the_next_retrain_could_prove_and_with_how_many_labels_more(
        self, admin: Function, samples: list[str], promote: Callable[[BuiltModel], Pointer], tiny_model: BuiltModel
    ) -> None:
        version = promote(tiny_model).champion.version
        nothing = queue(admin).body["profit"]
        assert (nothing["labels"], nothing["next_labels"]) == (0, 30)
        answer(admin, samples[0], {"action": "correct", "correct_label": "positive"})
        answer(admin, samples[1], {"action": "accept"})
        answer(admin, samples[2], {"action": "skip"})
        assert queue(admin, limit="1").body["profit"] == {
            "labels": 2,
            "corrected": 1,
            "at_least": False,
            "detectable_gain": None,
            "next_labels": 28,
            "next_detectable_gain": nothing["next_detectable_gain"],
            "sentence": f"2 labels since {version} was made, 1 of them a correction; "
            "with 28 more, the next retrain could prove a gain of 19 points.",
        }
        answer(admin, samples[1], {"action": "undo"})
        assert queue(admin).body["profit"]["labels"] == 1

    def test_it_is_worked_out_at_the_level_of_the_gate(
        self, make_admin: MakeFunction, promote: Callable[[BuiltModel], Pointer], tiny_model: BuiltModel
    ) -> None:
        promote(tiny_model)
        needed = [queue(make_admin(gate_level=level)).body["profit"]["next_labels"] for level in (0.2, 0.05, 0.01)]
        assert needed == sorted(set(needed))

    def test_without_a_pointer_the_queue_is_told_all_the_same(self, admin: Function, samples: list[str]) -> None:
        body = queue(admin).body
        assert (len(body["items"]), body["profit"]) == (len(samples), None)


class TestAnAnswer:
    def test_a_label_is_answered_with_the_receipt_of_a_correction(
        self, admin: Function, feedback: Function, store: S3Store, samples: list[str]
    ) -> None:
        reply = answer(admin, samples[0], {"action": "correct", "correct_label": "positive", "reviewer": "Ada"})
        assert reply.status == 201
        stored = Correction.from_line(store.get(correction_key(reply.body["id"])).body)
        assert reply.body == {
            "sample_id": samples[0],
            "action": "correct",
            "id": stored.id,
            "status": "stored",
            "received_at": stored.received_at,
        }
        assert (stored.correct_label, stored.source, stored.text) == ("positive", "reviewer", TEXTS[0])
        assert feedback(get(f"/v1/feedback/{stored.id}")).body["status"] == "stored"

    @pytest.mark.parametrize("action", ["skip", "undo"])
    def test_what_is_no_label_has_no_receipt(self, action: str, admin: Function, samples: list[str]) -> None:
        if action == "undo":
            answer(admin, samples[0], {"action": "accept"})
        reply = answer(admin, samples[0], {"action": action})
        assert (reply.status, reply.body) == (201, {"sample_id": samples[0], "action": action})

    def test_the_queue_goes_on_with_the_rest(self, admin: Function, samples: list[str]) -> None:
        answer(admin, samples[0], {"action": "skip"})
        answer(admin, samples[1], {"action": "accept"})
        body = queue(admin).body
        assert ([item["sample_id"] for item in body["items"]], body["left"]) == ([samples[2]], 1)

    def test_again_it_is_stored_once(self, admin: Function, store: S3Store, samples: list[str]) -> None:
        first, second = (answer(admin, samples[0], {"action": "accept"}) for _ in range(2))
        assert first == second
        assert len(list(store.keys("feedback/"))) == 1

    def test_another_answer_is_a_conflict_with_the_way_out(self, admin: Function, samples: list[str]) -> None:
        answer(admin, samples[0], {"action": "accept"})
        error = check(answer(admin, samples[0], {"action": "skip"}), 409, "review_conflict")
        assert "undo" in error["hint"]
        answer(admin, samples[0], {"action": "undo"})
        assert answer(admin, samples[0], {"action": "correct", "correct_label": "negative"}).status == 201

    @pytest.mark.parametrize("sample", ["none", "2026-03-01.pr-1.pr-1", "%2e%2e", "2026-03-01.a.b.c"])
    def test_an_unknown_sample_is_not_found(self, sample: str, admin: Function) -> None:
        check(answer(admin, sample, {"action": "accept"}), 404, "sample_not_found")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"action": None},
            {"action": "delete"},
            {"action": "accept", "more": 1},
            {"action": "accept", "correct_label": "neutral"},
            {"action": "correct"},
            {"action": "correct", "correct_label": "splendid"},
            {"action": "accept", "reviewer": ""},
            {"action": "accept", "reviewer": " "},
            {"action": "accept", "reviewer": "a" * 101},
            {"action": "accept", "reviewer": "\ud800"},
        ],
    )
    def test_a_body_that_breaks_the_schema_is_invalid_and_nothing_is_stored(
        self, body: Any, admin: Function, store: S3Store, samples: list[str]
    ) -> None:
        check(answer(admin, samples[0], body), 422, "invalid_request")
        assert not list(store.keys("reviews/"))

    @pytest.mark.parametrize("kind", sorted(BODIES_THAT_ARE_NO_JSON.keys() - {"nothing", "no bytes"}))
    def test_a_body_that_is_no_json_is_malformed(self, kind: str, admin: Function) -> None:
        check(answer(admin, "none", BODIES_THAT_ARE_NO_JSON[kind]), 400, "malformed_request")

    def test_a_body_over_a_megabyte_is_refused(self, admin: Function) -> None:
        check(answer(admin, "none", {"action": "a" * 1_048_576}), 413, "request_too_large")

    def test_the_labels_are_a_setting(self, make_admin: MakeFunction, samples: list[str]) -> None:
        function = make_admin(labels=("hot", "cold"))
        assert answer(function, samples[0], {"action": "correct", "correct_label": "hot"}).status == 201
        check(answer(function, samples[1], {"action": "accept"}), 422, "invalid_request")


def test_storage_that_does_not_answer_is_503(make_admin: MakeFunction) -> None:
    check(queue(make_admin(down())), 503, "storage_unavailable")
    check(answer(make_admin(down()), "2026-03-01.pr-1.pr-1", {"action": "accept"}), 503, "storage_unavailable")


def test_an_answer_that_could_not_be_stored_may_be_sent_again(
    make_admin: MakeFunction, store: S3Store, samples: list[str]
) -> None:
    function = make_admin(FaultyStore(store, {2: Fault.DOWN}))
    check(answer(function, samples[0], {"action": "accept"}), 503, "storage_unavailable")
    assert answer(function, samples[0], {"action": "accept"}).status == 201
    assert len(list(store.keys("feedback/"))) == 1
