"""The three functions as Lambda sees them: handlers that take events, over one bucket on moto."""

import importlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from retrain.bootstrap import bootstrap
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS
from tests.events import call, get, post

BUCKET = "sentiloop-e2e"
PATIENCE_SECONDS = 30.0


@dataclass
class Service:
    """Sends events to the handlers and unpacks what they return."""

    predict: ModuleType
    feedback: ModuleType
    retrain: ModuleType
    store: S3Store

    def get(self, path: str) -> Any:
        """Return the JSON of a GET that has to succeed."""
        function = self.feedback if path.startswith("/v1/feedback") else self.predict
        status, body, _ = call(function.handler, get(path))
        assert status == 200, body
        return body

    def label(self, text: str, **query: str) -> Any:
        """Return the answer to a text."""
        status, body, _ = call(self.predict.handler, post("/v1/predict", {"text": text}, query=query))
        assert status == 200, body
        return body

    def correct(self, text: str, label: str, contributor: str, **fields: object) -> str:
        """Store a correction and return its id."""
        correction = {"text": text, "correct_label": label, **fields}
        event = post("/v1/feedback", correction, api_key_id=contributor)
        status, body, _ = call(self.feedback.handler, event)
        assert status == 201, body
        return str(body["id"])

    def run(self, action: str = "retrain", **fields: str) -> dict[str, Any]:
        """Send the retrain function an event."""
        result: dict[str, Any] = self.retrain.handler({"action": action, **fields}, None)
        return json.loads(json.dumps(result))  # type: ignore[no-any-return]

    def wait_for(self, version: str) -> None:
        """Ask until the warm instance serves a version, as its clients would."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.label("anything")["model_version"] != version:
            assert time.monotonic() < deadline, f"{version} is not served"
            time.sleep(0.02)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A bucket with the baseline and the seed corpus, and the three functions freshly started."""
    environment = {
        **CREDENTIALS,
        "SENTILOOP_BUCKET": BUCKET,
        "SENTILOOP_CONTRIBUTOR_KEY": "only for tests",
        "SENTILOOP_REFRESH_SECONDS": "0",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        store = S3Store(BUCKET)
        bootstrap(store)
        for name in ("predict", "feedback", "retrain"):
            sys.modules.pop(f"{name}.app", None)
        predict, feedback, retrain = (
            importlib.import_module(f"{name}.app") for name in ("predict", "feedback", "retrain")
        )
        yield Service(predict, feedback, retrain, store)
