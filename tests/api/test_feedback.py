"""The feedback function, event in, answer out."""

import hmac
from typing import Any

import pytest
from sentiloop.errors import SettingsError
from sentiloop.receipts import correction_key, outcome_body, outcome_key
from sentiloop.records import Correction
from sentiloop.s3 import S3Store
from sentiloop.settings import Secret

from tests.api.conftest import CONTRIBUTOR_KEY, Function, MakeFunction
from tests.events import Answer, event, get, post

TEXT = "Sick gig, I was grinning all the way home."
BODY: dict[str, Any] = {"text": TEXT, "correct_label": "positive"}


def send(function: Function, body: object = BODY, key: str | None = None, **more: Any) -> Answer:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return function(post("/v1/feedback", body, headers=headers, **more))


def receipt(function: Function, correction: str) -> Answer:
    return function(get(f"/v1/feedback/{correction}", resource="/v1/feedback/{id}"))


def stored(store: S3Store) -> list[Correction]:
    return [Correction.from_line(store.get(key).body) for key in store.keys("feedback/")]


class TestTakingACorrection:
    def test_it_is_answered_with_a_receipt_and_stored(self, feedback: Function, store: S3Store) -> None:
        answer = send(feedback)
        [correction] = stored(store)
        assert answer.status == 201
        assert answer.body == {"id": correction.id, "status": "stored", "received_at": correction.received_at}
        assert (correction.text, correction.correct_label, correction.source) == (TEXT, "positive", "user")

    def test_everything_that_was_sent_is_stored(self, feedback: Function, store: S3Store) -> None:
        more = {
            "predicted_label": "negative",
            "confidence": 0.75,
            "model_version": "v1",
            "prediction_id": "pr-1",
            "comment": "slang ✓",
        }
        assert send(feedback, {**BODY, **more}).status == 201
        [correction] = stored(store)
        assert {name: getattr(correction, name) for name in more} == more

    def test_a_confirmation_is_a_correction_to_the_same_label(self, feedback: Function, store: S3Store) -> None:
        assert send(feedback, {**BODY, "predicted_label": "positive", "confidence": 1}).status == 201
        [correction] = stored(store)
        assert correction.predicted_label == correction.correct_label

    @pytest.mark.parametrize("label", ["", "POSITIVE", "great", "positive "])
    def test_a_label_that_the_model_does_not_have_is_refused_with_those_it_has(
        self, feedback: Function, store: S3Store, label: str
    ) -> None:
        answer = send(feedback, {**BODY, "correct_label": label})
        assert answer.status == 422
        assert answer.body["error"]["message"] == "correct_label: not one of negative, neutral, positive"
        assert stored(store) == []

    def test_the_labels_are_a_setting(self, make_feedback: MakeFunction) -> None:
        function = make_feedback(labels=("hot", "cold"))
        assert send(function, {**BODY, "correct_label": "hot"}).status == 201
        assert send(function).status == 422

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("text", ""),
            ("text", " \t\n"),
            ("text", "a" * 10_001),
            ("text", None),
            ("text", 1),
            ("text", "\ud800"),
            ("comment", ""),
            ("comment", "a" * 2_001),
            ("comment", "\udfff"),
            ("confidence", 1.01),
            ("confidence", -0.01),
            ("confidence", "0.5"),
            ("confidence", True),
            ("confidence", float("nan")),
            ("confidence", float("inf")),
            ("predicted_label", "a" * 101),
            ("predicted_label", "\ud800"),
            ("prediction_id", ["pr-1"]),
            ("model_version", 1),
            ("source", "reviewer"),
            ("contributor", "somebody else"),
            ("id", "fb-20260301-" + "0" * 32),
        ],
    )
    def test_a_field_that_breaks_the_schema_is_named_and_nothing_is_stored(
        self, feedback: Function, store: S3Store, field: str, value: object
    ) -> None:
        answer = send(feedback, {**BODY, field: value})
        assert answer.status == 422
        assert answer.body["error"]["message"].startswith(f"{field}: ")
        assert stored(store) == []

    def test_without_a_contributor_key_the_function_does_not_start(self, make_feedback: MakeFunction) -> None:
        with pytest.raises(SettingsError, match="SENTILOOP_CONTRIBUTOR_KEY is not set"):
            make_feedback(contributor_key=Secret())


class TestTheContributor:
    def who(self, function: Function, store: S3Store, **identity: Any) -> str:
        answer = send(function, **identity)
        correction = Correction.from_line(store.get(correction_key(answer.body["id"])).body)
        return correction.contributor

    def keyed_hash(self, who: str) -> str:
        return hmac.new(CONTRIBUTOR_KEY.encode(), who.encode(), "sha256").hexdigest()[:32]

    def test_it_is_a_keyed_hash_of_the_api_keys_id(self, feedback: Function, store: S3Store) -> None:
        assert self.who(feedback, store, api_key_id="k1l2") == self.keyed_hash("key:k1l2")

    def test_without_an_api_key_it_is_a_keyed_hash_of_the_address(self, feedback: Function, store: S3Store) -> None:
        assert self.who(feedback, store, source_ip="198.51.100.4") == self.keyed_hash("address:198.51.100.4")

    def test_a_key_stays_one_contributor_at_every_address(self, feedback: Function, store: S3Store) -> None:
        places = {self.who(feedback, store, api_key_id="k1", source_ip=ip) for ip in ("198.51.100.4", "203.0.113.9")}
        assert len(places) == 1

    def test_addresses_and_keys_are_contributors_apart(self, feedback: Function, store: S3Store) -> None:
        who = {
            self.who(feedback, store, **identity)
            for identity in ({"source_ip": "a"}, {"source_ip": "b"}, {"api_key_id": "a"}, {"api_key_id": "b"})
        }
        assert len(who) == 4

    def test_a_user_whom_the_sender_names_is_a_contributor_of_that_key(
        self, feedback: Function, store: S3Store
    ) -> None:
        answers = [
            feedback(post("/v1/feedback", {**BODY, "user": user}, api_key_id=key))
            for user, key in (("ada@example.com", "k1"), ("ada@example.com", "k1"), ("ben", "k1"), ("ben", "k2"))
        ]
        assert [answer.status for answer in answers] == [201] * 4
        who = [
            Correction.from_line(store.get(correction_key(answer.body["id"])).body).contributor for answer in answers
        ]
        assert who[0] == who[1]
        assert len(set(who)) == 3
        assert not any(b"ada@example" in store.get(key).body for key in store.keys(""))

    @pytest.mark.parametrize("user", ["", "x" * 201, 7])
    def test_a_user_is_a_bounded_string(self, feedback: Function, user: object) -> None:
        assert send(feedback, {**BODY, "user": user}).status == 422

    def test_neither_key_nor_address_is_in_the_bucket(self, feedback: Function, store: S3Store) -> None:
        request = post("/v1/feedback", BODY, api_key_id="the-key-id", source_ip="198.51.100.4")
        secret = request["requestContext"]["identity"]["apiKey"]
        feedback(request)
        for key in store.keys(""):
            content = key.encode() + store.get(key).body
            for value in (secret, "the-key-id", "198.51.100.4"):
                assert value.encode() not in content

    def test_what_a_client_claims_in_headers_counts_for_nothing(self, feedback: Function, store: S3Store) -> None:
        headers = {"X-Forwarded-For": "192.0.2.1", "x-api-key": "mine", "X-Real-IP": "192.0.2.1"}
        feedback(event("POST", "/v1/feedback", BODY, headers=headers, source_ip="198.51.100.4"))
        [correction] = stored(store)
        assert correction.contributor == self.keyed_hash("address:198.51.100.4")


class TestIdempotency:
    def test_a_repeated_request_is_answered_alike_and_stored_once(self, feedback: Function, store: S3Store) -> None:
        answers = [send(feedback, key="order-7") for _ in range(3)]
        assert [answer.status for answer in answers] == [201, 201, 201]
        assert answers[0].body == answers[1].body == answers[2].body
        assert len(stored(store)) == 1

    def test_the_same_key_with_another_body_is_refused(self, feedback: Function, store: S3Store) -> None:
        send(feedback, key="order-7")
        answer = send(feedback, {**BODY, "comment": "and more"}, key="order-7")
        assert answer.status == 409
        assert answer.body["error"]["code"] == "idempotency_conflict"
        assert len(stored(store)) == 1

    def test_the_same_request_by_another_client_is_another_correction(self, feedback: Function, store: S3Store) -> None:
        for client in ("198.51.100.4", "198.51.100.5"):
            assert send(feedback, key="order-7", source_ip=client).status == 201
        assert len(stored(store)) == 2

    def test_white_space_in_json_makes_no_other_body(self, feedback: Function, store: S3Store) -> None:
        compact = b'{"text":"a","correct_label":"neutral","confidence":1}'
        spaced = b'{ "correct_label" : "neutral",\n "text" : "\\u0061", "confidence": 1.0 }'
        assert send(feedback, compact, key="k").body == send(feedback, spaced, key="k").body
        assert len(stored(store)) == 1

    def test_without_a_key_equal_requests_are_stored_each(self, feedback: Function, store: S3Store) -> None:
        assert send(feedback).body["id"] != send(feedback).body["id"]
        assert len(stored(store)) == 2

    def test_a_key_may_have_two_hundred_characters(self, feedback: Function) -> None:
        assert send(feedback, key="k" * 200).status == 201
        answer = send(feedback, key="k" * 201)
        assert answer.status == 422
        assert answer.body["error"]["message"].startswith("idempotency-key: ")


class TestReceipts:
    @pytest.fixture
    def correction(self, feedback: Function) -> str:
        found: str = send(feedback).body["id"]
        return found

    def outcome(self, store: S3Store, correction: str, run: str, **fate: str) -> None:
        day = f"{correction[3:7]}-{correction[7:9]}-{correction[9:11]}"
        store.put(outcome_key(day, run), outcome_body({correction: fate}))

    def test_a_new_correction_is_stored(self, feedback: Function, correction: str) -> None:
        answer = receipt(feedback, correction)
        assert answer.status == 200
        assert set(answer.body) == {"id", "status", "received_at"}
        assert (answer.body["id"], answer.body["status"]) == (correction, "stored")

    def test_one_in_a_snapshot_says_in_which(self, feedback: Function, store: S3Store, correction: str) -> None:
        self.outcome(store, correction, "1", snapshot="digest")
        body = receipt(feedback, correction).body
        assert (body["status"], body["snapshot"]) == ("in_snapshot", "digest")
        assert "version" not in body

    def test_one_that_was_learned_says_by_which_version(
        self, feedback: Function, store: S3Store, correction: str
    ) -> None:
        self.outcome(store, correction, "1", snapshot="digest")
        self.outcome(store, correction, "2", snapshot="later", version="v1")
        self.outcome(store, correction, "3", snapshot="last", version="v2")
        body = receipt(feedback, correction).body
        assert (body["status"], body["snapshot"], body["version"]) == ("learned", "digest", "v1")

    def test_one_in_quarantine_says_why(self, feedback: Function, store: S3Store, correction: str) -> None:
        self.outcome(store, correction, "1", quarantine="contributors disagree evenly about this text")
        body = receipt(feedback, correction).body
        assert (body["status"], body["reason"]) == ("quarantined", "contributors disagree evenly about this text")

    @pytest.mark.parametrize(
        "wrong", ["fb-20260301-" + "0" * 32, "fb-", "x", "fb-20260301-" + "A" * 32, "a" * 300, "%00", "fb-\ud7ff"]
    )
    def test_an_unknown_id_is_not_found(self, feedback: Function, wrong: str) -> None:
        answer = receipt(feedback, wrong)
        assert answer.status == 404
        assert answer.body["error"]["code"] == "receipt_not_found"

    def test_an_id_reaches_no_object_but_corrections(self, feedback: Function, store: S3Store) -> None:
        store.put("models/current.json", b"{}")
        answer = receipt(feedback, "../../models/current.json")
        assert answer.status == 404
