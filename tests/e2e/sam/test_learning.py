"""The whole loop in containers: corrections, a retrain by event, and the swap seen by the warm instance."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from infra.local.retrain import SCHEDULED
from infra.sam.retrain import invoke
from infra.sam.stack import Stack
from tests.e2e.sam.conftest import SEEN_SECONDS, Client, wait_until
from tests.e2e.test_loop import corrections

pytestmark = pytest.mark.sam

SENDERS = 8  # `sam local` often holds an answer back for a second, waiting for a line of the log


def test_a_retrain_by_event_changes_the_answers_of_the_warm_instance(client: Client, stack: Stack) -> None:
    instance, version = client.instance(), client.version()
    rows = [
        {"text": text, "correct_label": label, "user": f"skater {number % 12}"}
        for number, (text, label) in enumerate(corrections())
    ]
    with ThreadPoolExecutor(SENDERS) as senders:
        sent = list(senders.map(partial(client.post, "/v1/feedback"), rows))
    assert {answer.status for answer in sent} == {201}
    texts = {"texts": [row["text"] for row in rows[:100]]}

    def right() -> int:
        results = client.post("/v1/predict/batch", texts).body["results"]
        return sum(result["label"] == row["correct_label"] for result, row in zip(results, rows, strict=False))

    right_before = right()

    record = invoke("RetrainFunction", SCHEDULED.read_text(), stack.variables)

    promoted = time.monotonic()
    assert record["outcome"] == "promoted", record["reasons"]
    wait_until(lambda: client.version() == record["version"])
    print(f"swap seen {time.monotonic() - promoted:.1f} s after the retrain, of {SEEN_SECONDS:.0f} s")
    assert client.instance() == instance
    info = client.get("/v1/model_info").body
    assert info["version"] == record["version"]
    assert info["parents"] == [version]
    assert right() > right_before + 30
    receipt = client.get(f"/v1/feedback/{sent[0].body['id']}").body
    assert (receipt["status"], receipt["version"]) == ("learned", record["version"])


def test_the_hourly_check_without_cause_does_nothing(stack: Stack) -> None:
    assert invoke("RetrainFunction", '{"action": "check"}', stack.variables)["outcome"] == "skipped"


def test_an_event_without_a_known_action_fails(stack: Stack) -> None:
    with pytest.raises(SystemExit, match="InvalidRequestError"):
        invoke("RetrainFunction", '{"action": "dance"}', stack.variables)
