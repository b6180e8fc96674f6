"""S3 that is gone, that never answers, and that comes back, under functions in containers."""

import time
from collections.abc import Iterator

import pytest
from sentiloop.http import RETRY_AFTER_SECONDS

from infra.local.template import FUNCTION, load_template, resources
from infra.local.up import ROOT
from infra.sam.bucket import S3Server
from infra.sam.stack import Stack
from tests.api.test_errors import check
from tests.e2e.sam.conftest import Client, wait_until

pytestmark = pytest.mark.sam

CORRECTION = {"text": "a text", "correct_label": "neutral"}


@pytest.fixture
def s3(client: Client, stack: Stack) -> Iterator[S3Server]:
    """The S3 of the running service, which is there again at the end, and noticed."""
    yield stack.s3
    stack.s3.start()
    wait_until(lambda: health(client) == "ok")


def health(client: Client) -> str:
    """Return the status that the predict function gives itself; the function has to answer."""
    answer = client.get("/health")
    assert answer.status == 200
    return str(answer.body["status"])


def test_without_s3_predictions_go_on_and_corrections_are_refused(client: Client, s3: S3Server) -> None:
    version, instance = client.version(), client.instance()
    stored = client.post("/v1/feedback", CORRECTION).body["id"]
    s3.stop()

    def degraded() -> bool:
        assert client.version() == version
        return health(client) == "degraded"

    wait_until(degraded)
    assert client.get("/health").body["problem"] == "storage does not answer at the moment"
    for answer in (client.post("/v1/feedback", CORRECTION), client.get(f"/v1/feedback/{stored}")):
        check(answer, 503, "storage_unavailable")
        assert answer.headers["retry-after"] == str(RETRY_AFTER_SECONDS)

    s3.start()

    wait_until(lambda: health(client) == "ok")
    assert client.instance() == instance
    assert client.version() == version
    assert client.get(f"/v1/feedback/{stored}").status == 200
    assert client.post("/v1/feedback", CORRECTION).status == 201


def test_s3_that_never_answers_holds_no_prediction_up(client: Client, s3: S3Server) -> None:
    version = client.version()
    s3.fall_silent()

    def degraded() -> bool:
        assert client.version() == version
        return health(client) == "degraded"

    wait_until(degraded, 20)


def test_a_handler_that_runs_out_of_time_is_ended_and_the_next_one_answers(client: Client, s3: S3Server) -> None:
    limit = resources(load_template(ROOT / "template.yaml"), FUNCTION)["FeedbackFunction"]["Timeout"]
    s3.fall_silent()

    began = time.monotonic()
    answer = client.post("/v1/feedback", CORRECTION)

    assert (answer.status, answer.body) == (502, {"message": "Internal server error"})
    assert limit <= time.monotonic() - began < limit + 10
    s3.start()
    assert client.post("/v1/feedback", CORRECTION).status == 201
