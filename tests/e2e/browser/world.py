"""A service with a past: a week of traffic, people who corrected it, versions that came of it, and a trial."""

import json
import math
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import boto3
from feedback.intake import Intake
from retrain import alerts, describe, ledger, memory, news
from retrain.check import check
from retrain.datasets import seed_rows
from retrain.run import retrain
from retrain.train import Recipe
from sentiloop import moves, pointer, registry, trial
from sentiloop.activity import Activity, Counts
from sentiloop.activity_store import HOURS
from sentiloop.bundled import baseline
from sentiloop.pointer import CURRENT, history_key
from sentiloop.records import BY_CHANCE, Sample, now, timestamp, to_json, to_lines
from sentiloop.s3 import S3Store
from sentiloop.scoring import Scorer
from sentiloop.settings import Settings

from infra.local.bucket import CREDENTIALS
from infra.local.up import BUCKET
from tests.e2e.browser.conftest import Stack
from tests.e2e.test_loop import corrections
from tests.e2e.test_up import PATIENCE_SECONDS, ask

DAYS = 7
LOT = random.Random()
PEOPLE = 12


def fill(stack: Stack) -> None:
    """Give a fresh stack its past; it takes some 20 seconds.

    Three days ago people's corrections made a version, two days ago confirmations made none, and since this morning the
    version of before is on trial again.
    """
    LOT.seed(20)
    with _bucket(stack) as store:
        first, learned = now() - timedelta(days=DAYS), now() - timedelta(days=3)
        _begin(first)
        unlike = iter(_texts())  # samples
        _traffic(store, unlike, first, learned)
        for days in range(DAYS - 1, 2, -1):
            _look(store, now() - timedelta(days=days))
        _correct(store, learned - timedelta(hours=2), corrections())
        assert _retrain(store, learned)["outcome"] == "promoted"
        _traffic(store, unlike, learned, now())
        scorer = _scorer(store)
        _correct(store, learned + timedelta(days=1), [(text, scorer.score(text).label) for text in _texts()[:40]])
        assert _retrain(store, learned + timedelta(days=1, hours=1))["outcome"] == "rejected"
        for days in (2, 1):
            _look(store, now() - timedelta(days=days))
        with _at(now() - timedelta(hours=5)):
            moves.begin_trial(store, baseline().version, "canary", 0.1, by="ada", reason="compare with the start")
        _wait_for(stack, baseline().version)
        for text in _texts()[:200]:
            ask(f"{stack.url}/v1/predict", {"text": text})
        _look(store, now())


@contextmanager
def _at(moment: datetime) -> Iterator[None]:
    """Let what is done here bear another time; the corrections and the traffic have clocks of their own."""
    with ExitStack() as patches:
        for module in (pointer, trial, describe, ledger, memory):
            patches.enter_context(patch.object(module, "now", lambda: moment))
        yield


@contextmanager
def _bucket(stack: Stack) -> Iterator[S3Store]:
    """Yield the bucket of a running stack."""
    running = json.loads((stack.folder / "stack.json").read_text())
    settings = {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": running["endpoint"]}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield S3Store(BUCKET)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _texts() -> list[str]:
    texts = [row.text for row in seed_rows()]
    LOT.shuffle(texts)
    return texts


def _begin(moment: datetime) -> None:
    """Let the first move of the pointer, which the start made, bear another time."""
    client = boto3.client("s3")
    for key in (history_key(1), CURRENT):
        move = json.loads(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        client.put_object(Bucket=BUCKET, Key=key, Body=to_json(move | {"at": timestamp(moment)}))


def _scorer(store: S3Store) -> Scorer:
    current = pointer.read(store)
    assert current is not None
    return Scorer(registry.fetch(store, current.pointer.champion))


def _traffic(store: S3Store, unlike: Iterator[str], since: datetime, until: datetime) -> None:
    """Write what requests to the present champion would have left: counts by the hour, and some of the texts."""
    scorer, texts = _scorer(store), _texts()
    moment = since.replace(minute=0, second=0, microsecond=0)
    while moment < until - timedelta(hours=1):
        counts = _hour(scorer, texts, moment)
        store.put(f"{HOURS}{moment:%Y-%m-%dT%H}.json", to_json({**counts, "covers": []}), if_absent=True)
        kept = [_sample(scorer, next(unlike), moment + timedelta(minutes=LOT.uniform(0, 59))) for _ in range(4)]
        store.put(f"samples/dt={moment:%Y-%m-%d}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
        moment += timedelta(hours=1)


def _hour(scorer: Scorer, texts: list[str], moment: datetime) -> Counts:
    activity, version = Activity(lambda: moment + timedelta(minutes=30)), scorer.model.version
    busy = 1.2 + math.sin((moment.hour - 8) / 24 * 2 * math.pi) - 0.5 * (moment.weekday() > 4)
    for _ in range(1 + int(30 * max(busy, 0.1) * LOT.uniform(0.8, 1.2))):
        latency = LOT.lognormvariate(0.2, 0.7)
        failed = LOT.random() < 0.002
        activity.request("predict", 503 if failed else 200, "storage_unavailable" if failed else None, latency)
        activity.timed(version, latency, failed)
        activity.answered(version, [scorer.score(LOT.choice(texts))], scorer.model.low_confidence)
        if LOT.random() < 0.05:
            activity.request("feedback", 201, None, LOT.lognormvariate(1.5, 0.5))
            activity.feedback(version, LOT.random() < 0.6)
    counts = activity.take()
    assert counts is not None
    return counts


def _sample(scorer: Scorer, text: str, moment: datetime) -> Sample:
    found = scorer.score(text)
    doubtful = found.confidence < scorer.model.low_confidence
    return Sample(
        id=f"pr-{LOT.getrandbits(96):024x}",
        received_at=timestamp(moment),
        text=text,
        label=found.label,
        confidence=found.confidence,
        probabilities=dict(zip(scorer.model.labels, found.probabilities, strict=True)),
        model_version=scorer.model.version,
        reason="low_confidence" if doubtful and LOT.random() < 0.5 else BY_CHANCE,
    )


def _settings() -> Settings:
    return Settings.from_env({"SENTILOOP_CHECK_MIN_NEW": "1000000", "SENTILOOP_CONTRIBUTOR_KEY": "only for tests"})


def _look(store: S3Store, moment: datetime) -> None:
    def nothing() -> dict[str, Any]:
        return {"outcome": "skipped", "reasons": ["people retrain here"]}

    with patch.object(alerts, "notify", partial(alerts.notify, clock=lambda: moment)):
        check(store, _settings(), moment, nothing)


def _retrain(store: S3Store, moment: datetime) -> dict[str, Any]:
    with _at(moment):
        record = retrain(store, _settings(), Recipe(), by="schedule")
        alerts.notify(store, _settings(), news.of_run(record), (), clock=lambda: moment)
    return record


def _correct(store: S3Store, moment: datetime, rows: list[tuple[str, str]]) -> None:
    """Store what people said was right, each with what the champion had answered."""
    scorer, intake = _scorer(store), Intake(store, _settings().contributor_key, lambda: moment)
    for number, (text, label) in enumerate(rows):
        found = scorer.score(text)
        said = {"predicted_label": found.label, "confidence": found.confidence, "model_version": scorer.model.version}
        intake.store({"text": text, "correct_label": label, **said}, f"{number % PEOPLE:032x}", None)


def _wait_for(stack: Stack, challenger: str) -> None:
    """Wait until the running instance knows of the trial."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (ask(f"{stack.url}/v1/model_info")[1]["challenger"] or {}).get("version") != challenger:
        assert time.monotonic() < deadline, "the trial is not noticed"
        time.sleep(0.1)
