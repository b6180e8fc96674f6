"""20,000 requests of 2,000 clients while one canary goes from 10 % to everybody and another one is withdrawn."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from mangum import Mangum
from predict.routes import create_predict_app
from predict.samples import Samples
from retrain.trials import look
from scipy.stats import binomtest
from sentiloop import artefact, pointer, registry, trial
from sentiloop.activity import Activity
from sentiloop.activity_store import ActivityWriter
from sentiloop.activity_totals import read_activity
from sentiloop.pointer import Challenger, Target
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import now, timestamp
from sentiloop.scoring import Scorer
from sentiloop.serving import LiveModel
from sentiloop.settings import Settings

from tests.builders import make_correction, make_model
from tests.events import Event, call, post
from tests.faults.memory_store import MemoryStore

REQUESTS, CLIENTS = 20_000, 2_000
CHANCE = 1e-4  # of the share of an honest draw that would be called out of bounds


@dataclass
class Traffic:
    """A service over a bucket in memory, and clients that ask it by lot."""

    store: MemoryStore = field(default_factory=MemoryStore)
    lot: random.Random = field(default_factory=lambda: random.Random(6))
    statuses: Counter[int] = field(default_factory=Counter)
    answers: list[tuple[int, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = Settings(refresh_seconds=3_600, sample_seconds=3_600, activity_seconds=3_600)
        self.live = LiveModel(self.store, settings.refresh_seconds)
        self.samples = Samples(self.store, settings)
        self.writer = ActivityWriter(self.store, Activity(), settings)
        self._handler = Mangum(create_predict_app(settings, self.live, self.samples, self.writer), lifespan="off")

    def publish(self, version: str, seed: int) -> Target:
        built = make_model(version=version, seed=seed)
        return registry.publish(self.store, version, built.manifest, {artefact.WEIGHTS: built.weights})

    def flow(self, requests: int) -> tuple[Counter[str], dict[int, set[str]]]:
        """Send requests; return how many each version answered, and which versions each client saw."""
        self.live.refresh()
        self.answers.clear()
        answered: Counter[str] = Counter()
        seen: dict[int, set[str]] = {}
        for number in range(requests):
            client = self.lot.randrange(CLIENTS)
            answer = call(self._handler, request_of(client, number))
            if "label" in answer.body:
                text = text_of(client, number)
                self.answers.append((client, text, answer.body["label"], answer.body["model_version"]))
            self.statuses[answer.status] += 1
            version = answer.body["model_version"]
            answered[version] += 1
            seen.setdefault(client, set()).add(version)
        return answered, seen


def request_of(client: int, number: int) -> Event:
    """A client is told by its name, its key or its address; one request in ten is a batch."""
    who = (
        {"headers": {"x-client-id": f"client {client}"}, "source_ip": f"198.51.100.{number % 250}"},
        {"api_key_id": f"key {client}"},
        {"source_ip": f"10.1.{client // 250}.{client % 250}"},
    )[client % 3]
    if number % 10 == 0:
        return post("/v1/predict/batch", {"texts": [f"text {number}", f"word {client}"]}, **who)
    return post("/v1/predict", {"text": text_of(client, number)}, **who)


def text_of(client: int, number: int) -> str:
    return f"text {number} of client {client}"


def report_mistakes(traffic: Traffic, right: Scorer, reporters: int) -> None:
    """Let clients report what they were answered wrongly, where `right` is always right; each client once."""
    wrong = {
        client: (text, label, version)
        for client, text, label, version in traffic.answers
        if label != right.score(text).label
    }
    for number, (client, (text, label, version)) in enumerate(itertools.islice(wrong.items(), reporters)):
        moment = now()
        correction = make_correction(
            id=correction_id(moment.date(), f"{number:032x}"),
            received_at=timestamp(moment),
            text=text,
            correct_label=right.score(text).label,
            predicted_label=label,
            model_version=version,
            contributor=f"client {client}",
        )
        traffic.store.put(correction_key(correction.id), correction.to_line(), if_absent=True)


@pytest.fixture
def traffic(event_loop_of_the_thread: None) -> Iterator[Traffic]:
    made = Traffic()
    yield made
    made.samples.write()  # stop the timers
    made.writer.write()


def go_through(traffic: Traffic, target: Target, steps: Sequence[float], requests: int) -> Challenger:
    """Try a version at one share after another, with requests at each; nobody goes back while the share rises."""
    version = target.version
    moved = trial.begin(traffic.store, target, "canary", steps[0], by="run", reason=f"try {version}")
    converted: set[int] = set()
    for share, following in zip(steps, [*steps[1:], None], strict=True):
        answered, seen = traffic.flow(requests)
        assert all(len(versions) == 1 for versions in seen.values()), "one client, one version"
        assert all(seen[client] == {version} for client in converted & seen.keys())
        newly = {client for client, versions in seen.items() if versions == {version}}
        converted |= newly
        if share < 1:  # clients draw once at the share, requests come from clients by lot
            assert binomtest(len(newly), len(seen), share).pvalue > CHANCE
            assert binomtest(answered[version], answered.total(), len(newly) / len(seen)).pvalue > CHANCE
        else:
            assert answered == {version: requests}
        assert moved.challenger is not None
        if following:
            reason = f"go on to {following}"
            moved = trial.advance(traffic.store, moved.challenger, "canary", following, by="check", reason=reason)
    assert moved.challenger is not None
    return moved.challenger


def test_a_canary_goes_to_everybody_and_another_one_goes_away(traffic: Traffic) -> None:
    began, store, part = now(), traffic.store, REQUESTS // 8
    first, second, third = (traffic.publish(f"v{number}", number) for number in (1, 2, 3))

    registry.promote(store, first, by="ada", reason="the first")
    assert traffic.flow(part)[0] == {"v1": part}
    winner = go_through(traffic, second, (0.1, 0.5, 1.0), part)
    trial.crown(store, winner, by="check", reason="v2 held")
    assert traffic.flow(part)[0] == {"v2": part}
    go_through(traffic, third, (0.1, 0.5), part)
    report_mistakes(traffic, Scorer(registry.fetch(store, second)), 40)
    traffic.writer.write()
    decision = look(store, Settings(), now())
    assert decision is not None
    assert (decision.action, decision.figures["labels against the challenger"]) == ("withdraw", 40)
    assert traffic.flow(part)[0] == {"v2": part}

    assert traffic.statuses == {200: REQUESTS}
    assert told(store) == [
        ("v1", None, 0, "ada", "the first"),
        ("v1", "v2", 0.1, "run", "try v2"),
        ("v1", "v2", 0.5, "check", "go on to 0.5"),
        ("v1", "v2", 1.0, "check", "go on to 1.0"),
        ("v2", None, 0, "check", "v2 held"),
        ("v2", "v3", 0.1, "run", "try v3"),
        ("v2", "v3", 0.5, "check", "go on to 0.5"),
        ("v2", None, 0, "check", decision.reason),
    ]
    traffic.writer.write()
    counts = read_activity(store, began, now() + timedelta(hours=1))
    assert counts["functions"]["predict"]["status"] == {"200": REQUESTS}
    assert sum(version["requests"] for version in counts["versions"].values()) == REQUESTS
    assert sum(version["errors"] for version in counts["versions"].values()) == 0
    texts = part + part // 10
    beside = {version: counted["beside"]["texts"] for version, counted in counts["versions"].items()}
    assert beside == {"v1": 0, "v2": 3 * texts, "v3": 2 * texts}, "both score all texts of a trial"


def told(store: MemoryStore) -> list[tuple[str, str | None, float, str, str]]:
    """What history says, from the first move to the last."""
    entries = (pointer.read_history(store, generation) for generation in itertools.count(1))
    return [
        (
            entry.champion.version,
            entry.challenger.target.version if entry.challenger else None,
            entry.challenger.share if entry.challenger else 0,
            entry.by,
            entry.reason,
        )
        for entry in itertools.takewhile(lambda entry: entry is not None, entries)
        if entry
    ]
