"""POST /v1/feedback while storage fails: no correction is lost that was answered with 201, none is stored twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from feedback.routes import create_feedback_app
from mangum import Mangum
from sentiloop.activity import Activity
from sentiloop.activity_store import ActivityWriter
from sentiloop.http import RETRY_AFTER_SECONDS
from sentiloop.records import Correction
from sentiloop.s3 import S3Store
from sentiloop.settings import Secret, Settings
from sentiloop.storage import ObjectStore

from tests.conftest import BUCKET
from tests.events import REQUEST_ID, Answer, call, get, post
from tests.faults.faulty_store import Fault, FaultyStore, down
from tests.faults.memory_store import MemoryStore

BODY: dict[str, Any] = {"text": "Sick gig.", "correct_label": "positive"}
Send = Callable[[ObjectStore, str | None], Answer]


def feedback_app(store: ObjectStore) -> FastAPI:
    """The application over a store; what it counts goes elsewhere, and meets no fault."""
    settings = Settings(contributor_key=Secret("for tests"))
    return create_feedback_app(settings, store, ActivityWriter(MemoryStore(), Activity(), settings))


@pytest.fixture
def send(event_loop_of_the_thread: None) -> Send:
    def function(store: ObjectStore, key: str | None) -> Answer:
        app = feedback_app(store)
        headers = {"Idempotency-Key": key} if key else {}
        return call(Mangum(app, lifespan="off"), post("/v1/feedback", BODY, headers=headers))

    return function


def stored(store: ObjectStore) -> list[Correction]:
    return [Correction.from_line(store.get(key).body) for key in store.keys("feedback/")]


def check_unavailable(answer: Answer) -> None:
    assert answer.status == 503
    assert answer.headers["retry-after"] == str(RETRY_AFTER_SECONDS)
    error = answer.body["error"]
    assert (error["code"], error["request_id"]) == ("storage_unavailable", REQUEST_ID)
    assert error["message"] == "storage does not answer at the moment"
    assert "Retry-After" in error["hint"]


@pytest.mark.parametrize("key", [None, "order-7"])
def test_storage_that_is_down_is_503_and_never_201(send: Send, key: str | None) -> None:
    check_unavailable(send(down(), key))


def test_a_port_that_nothing_listens_on_is_503(send: Send, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port}")
    check_unavailable(send(S3Store(BUCKET, attempts=1), "order-7"))


def test_a_receipt_is_503_too_and_not_404_while_storage_is_down(event_loop_of_the_thread: None) -> None:
    app = feedback_app(down())
    check_unavailable(call(Mangum(app, lifespan="off"), get("/v1/feedback/fb-20260301-" + "0" * 32)))


@pytest.mark.parametrize("key", [None, "order-7"])
def test_a_write_that_landed_and_whose_retry_was_refused_is_201_and_one_object(
    send: Send, key: str | None, store: S3Store
) -> None:
    answer = send(FaultyStore(store, {1: Fault.RETRY_REFUSED}), key)
    assert answer.status == 201
    [correction] = stored(store)
    assert answer.body == {"id": correction.id, "status": "stored", "received_at": correction.received_at}


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.DOWN, Fault.CONFLICT])
def test_after_503_the_same_request_is_201_and_one_object(send: Send, fault: Fault, store: S3Store) -> None:
    check_unavailable(send(FaultyStore(store, {1: fault}), "order-7"))
    assert len(stored(store)) == (fault is Fault.REPLY_LOST)
    assert send(store, "order-7").status == 201
    assert len(stored(store)) == 1


def test_whatever_faults_come_what_was_answered_with_201_is_stored_and_once(event_loop_of_the_thread: None) -> None:
    """Every sequence of up to three faults, a client that repeats after 503, and in the end one object."""
    faults = [fault for fault in Fault if "CRASH" not in fault.name]
    sequences = [(a, b, c) for a in faults for b in faults for c in faults]
    for sequence in sequences:
        memory = MemoryStore()
        faulty = FaultyStore(memory, dict(enumerate(sequence, 1)))
        app = feedback_app(faulty)
        request = post("/v1/feedback", BODY, headers={"Idempotency-Key": "order-7"})
        answers: list[Answer] = []
        while not answers or answers[-1].status == 503:
            answers.append(call(Mangum(app, lifespan="off"), request))
        assert answers[-1].status == 201
        [correction] = stored(memory)
        assert answers[-1].body["id"] == correction.id
        assert json.loads(correction.to_line())["text"] == BODY["text"]
