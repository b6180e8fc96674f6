"""Alerts: one message a cause until it clears, to a topic on moto and a webhook on this machine, whatever fails."""

import json
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from retrain import alerts
from retrain.alerts import LONGEST_ATTEMPT, Alert, Notified, notify
from retrain.webhook import Webhook
from sentiloop.alert_records import ALERTS
from sentiloop.errors import SentiloopError, StorageUnavailableError
from sentiloop.settings import Secret, Settings
from sentiloop.sns import LONGEST_SUBJECT, NoAnswerError, NotSentError, SnsTopic
from sentiloop.storage import ObjectStore

from tests.conftest import REGION
from tests.faults.faulty_store import CrashError, Fault, FaultyStore
from tests.faults.memory_store import MemoryStore

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DRIFT = Alert(
    "drift-confidence",
    "Confidence fell",
    "The mean confidence of the answers is lower than on the data that the model was trained on.",
    {"mean": 0.61234567, "interval": [0.6, 0.63], "labels": {"negative": 0.5, "positive": 0.5}, "samples": 812},
    "./sentiloop models show v-1",
)
STALE = Alert("stale-accuracy", "Accuracy fell", "It is below what it was.", {"accuracy": 0.7}, "make retrain")
NEWS = Alert("promoted-v-2", "v-2 is served", "It passed the gate.", {}, "./sentiloop models show v-2")
BOTH = [DRIFT.cause, STALE.cause]


class Receiver:
    """A webhook on this machine that keeps what it gets, and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that http.server asks for
                content = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if receiver.status < 300:
                    receiver.got.append(content)
                self.send_response(receiver.status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/secret-path"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


class Inbox:
    """A topic on moto with a queue that subscribed to it."""

    def __init__(self) -> None:
        sns, self._sqs = boto3.client("sns"), boto3.client("sqs")
        self.arn: str = sns.create_topic(Name="alerts")["TopicArn"]
        self._queue: str = self._sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=arn)

    def read(self) -> list[dict[str, Any]]:
        """Return the messages since the last time."""
        read: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                read.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return read


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        yield Inbox()


class Channels:
    """Stands for topic and webhook: keeps what is sent, by channel and subject, and fails where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: dict[str, Counter[str]] = {"topic": Counter(), "webhook": Counter()}
        self.down: set[str] = set()
        monkeypatch.setattr(alerts, "_channels", lambda _settings: {name: self._sender(name) for name in self.sent})

    def _sender(self, name: str) -> alerts.Send:
        def send(subject: str, _text: str) -> None:
            if name in self.down:
                raise NotSentError("down")
            self.sent[name][subject.removeprefix("Sentiloop: ")] += 1

        return send


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Channels:
    return Channels(monkeypatch)


def at(hours: float) -> Callable[[], datetime]:
    return lambda: START + hours * HOUR


def check(store: ObjectStore, found: list[Alert], hour: float = 0) -> Notified:
    """An hourly check that looks at two causes."""
    return notify(store, Settings(), found, BOTH, clock=at(hour))


# --- One message a cause until it clears ---


def test_a_cause_is_told_once_until_it_clears_and_then_again(channels: Channels) -> None:
    store = MemoryStore()
    assert check(store, [DRIFT], 0) == Notified((DRIFT.cause,), (), ())
    assert check(store, [DRIFT], 1) == Notified((), (), ())
    assert check(store, [], 2) == Notified((), (DRIFT.cause,), ())
    assert check(store, [], 3) == Notified((), (), ())
    assert check(store, [DRIFT], 4) == Notified((DRIFT.cause,), (), ())
    told = {"Confidence fell": 2, "Over: Confidence fell": 1}
    assert channels.sent == {"topic": told, "webhook": told}


def test_what_was_not_looked_at_stays_open_and_news_is_told_once_and_never_over(channels: Channels) -> None:
    store = MemoryStore()
    check(store, [DRIFT, NEWS], 0)
    assert notify(store, Settings(), [], [STALE.cause], clock=at(1)) == Notified((), (), ())
    assert check(store, [DRIFT, NEWS], 2) == Notified((), (), ())
    assert channels.sent["topic"] == {"Confidence fell": 1, "v-2 is served": 1}


@given(st.lists(st.sets(st.sampled_from([DRIFT.cause, STALE.cause])), max_size=12))
def test_there_are_as_many_messages_as_changes(history: list[set[str]]) -> None:
    store, said = MemoryStore(), Counter[str]()
    for hour, causes in enumerate(history):
        told = check(store, [alert for alert in (DRIFT, STALE) if alert.cause in causes], hour)
        said.update([*told.opened, *told.cleared])
    for cause in BOTH:
        states = [False, *(cause in causes for causes in history)]
        assert said[cause] == sum(before != after for before, after in pairwise(states))


@pytest.mark.parametrize("cause", ["", "a/b", "../b", "-a", "what now"])
def test_a_cause_is_a_part_of_a_key(cause: str) -> None:
    with pytest.raises(ValueError, match="is no cause"):
        replace(DRIFT, cause=cause)


# --- Two runs at once, and runs that end in between ---


def test_of_two_runs_at_once_one_sends(channels: Channels) -> None:
    """The second run does all of its work when the first is about to write, at each of its writes in turn."""
    for interrupted in range(1, 8):
        bucket = MemoryStore()
        check(bucket, [STALE])
        store = FaultyStore(bucket)

        def meanwhile(_key: str, store: FaultyStore = store, number: int = interrupted) -> None:
            if len(store.writes) == number:
                check(bucket, [DRIFT], 1)  # noqa: B023 - called in this very round

        store.before_write = meanwhile
        before = {name: sent.copy() for name, sent in channels.sent.items()}
        check(store, [DRIFT], 1)
        for name, sent in channels.sent.items():
            assert sent - before[name] == {"Confidence fell": 1, "Over: Accuracy fell": 1}


def test_a_run_that_is_under_way_is_not_overtaken(channels: Channels) -> None:
    store = FaultyStore(MemoryStore(), {2: Fault.CRASH_BEFORE})
    with pytest.raises(CrashError):
        check(store, [DRIFT])
    minutes = (LONGEST_ATTEMPT - timedelta(seconds=1)) / HOUR
    assert check(store, [DRIFT], minutes) == Notified((), (), ())
    assert channels.sent == {"topic": {"Confidence fell": 1}, "webhook": {}}


WRITES_OF_A_CHECK = 6  # two messages, and for each that it was sent on two channels


@pytest.mark.parametrize("number", range(1, WRITES_OF_A_CHECK + 1))
@pytest.mark.parametrize("fault", Fault)
def test_nothing_is_lost_wherever_a_run_ends(channels: Channels, number: int, fault: Fault) -> None:
    store = FaultyStore(MemoryStore(), {number: fault})
    with suppress(CrashError, SentiloopError):
        check(store, [DRIFT, STALE])
    for hour in (1, 2, 3):
        check(store, [DRIFT, STALE], hour)
    for sent in channels.sent.values():
        assert sent.keys() == {"Confidence fell", "Accuracy fell"}
    times = sum(sum(sent.values()) for sent in channels.sent.values())
    in_doubt = number not in (1, 4) and fault in (Fault.CRASH_BEFORE, Fault.DOWN)  # sent, and not written down
    assert times == 4 + in_doubt


def test_news_that_nobody_will_repeat_survives_a_write_that_meets_another(channels: Channels) -> None:
    store = FaultyStore(MemoryStore(), {1: Fault.CONFLICT})
    assert notify(store, Settings(), [NEWS], []).opened == (NEWS.cause,)
    assert channels.sent["topic"] == {"v-2 is served": 1}


def test_a_bucket_that_is_down_stops_the_run_and_the_next_one_tells(channels: Channels) -> None:
    store = FaultyStore(MemoryStore())
    store.reads_fail = True
    with pytest.raises(StorageUnavailableError):
        check(store, [DRIFT])
    store.reads_fail = False
    assert check(store, [DRIFT], 1).opened == (DRIFT.cause,)


def test_a_channel_that_is_down_gets_everything_later_and_the_other_nothing_twice(channels: Channels) -> None:
    store = MemoryStore()
    channels.down = {"webhook"}
    assert check(store, [DRIFT], 0).unsent == (DRIFT.cause,)
    assert check(store, [DRIFT], 1) == Notified((), (), (DRIFT.cause,))
    assert check(store, [], 2) == Notified((), (DRIFT.cause,), (DRIFT.cause,))
    assert not channels.sent["webhook"]
    channels.down = set()
    assert check(store, [], 3) == Notified((), (), ())
    assert check(store, [], 4) == Notified((), (), ())
    once = {"Confidence fell": 1, "Over: Confidence fell": 1}
    assert channels.sent == {"topic": once, "webhook": once}


def test_a_channel_that_does_not_answer_is_waited_for_once_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    store, waits, got = MemoryStore(), list[str](), Counter[str]()

    def silent(subject: str, _text: str) -> None:
        waits.append(subject)
        raise NoAnswerError("no answer")

    def send(subject: str, _text: str) -> None:
        got[subject] += 1

    monkeypatch.setattr(alerts, "_channels", lambda _settings: {"topic": send, "webhook": silent})
    assert check(store, [DRIFT, STALE, NEWS], 0).unsent == (DRIFT.cause, STALE.cause, NEWS.cause)
    assert len(waits) == 1
    assert check(store, [DRIFT, STALE, NEWS], 1).unsent == (DRIFT.cause,)
    assert len(waits) == 2
    assert len(got) == got.total() == 3
    monkeypatch.setattr(alerts, "_channels", lambda _settings: {"topic": None, "webhook": send})
    assert check(store, [DRIFT, STALE, NEWS], 2).unsent == ()
    assert len(got) == 3
    assert got.total() == 6


def test_of_two_runs_at_once_one_sends_again(channels: Channels) -> None:
    bucket = MemoryStore()
    channels.down = {"webhook"}
    check(bucket, [DRIFT], 0)
    channels.down = set()
    store = FaultyStore(bucket)

    def meanwhile(_key: str) -> None:
        if len(store.writes) == 1:
            check(bucket, [DRIFT], 1)

    store.before_write = meanwhile
    check(store, [DRIFT], 1)
    assert channels.sent["webhook"] == {"Confidence fell": 1}


# --- The topic and the webhook ---


def both(inbox: Inbox, receiver: Receiver) -> Settings:
    return Settings(bucket="our-bucket", alert_topic_arn=inbox.arn, alert_webhook=Secret(receiver.url))


def test_a_message_says_what_happened_the_figures_and_what_to_type(inbox: Inbox, receiver: Receiver) -> None:
    settings = both(inbox, receiver)
    store = MemoryStore()
    assert notify(store, settings, [DRIFT], BOTH, clock=at(0)) == Notified((DRIFT.cause,), (), ())
    [opened] = inbox.read()
    assert notify(store, settings, [], BOTH, clock=at(1)) == Notified((), (DRIFT.cause,), ())
    [over] = inbox.read()
    assert opened["Subject"] == "Sentiloop: Confidence fell"
    assert opened["Message"] == (
        "The mean confidence of the answers is lower than on the data that the model was trained on.\n\n"
        "  mean: 0.6123\n  interval: 0.6, 0.63\n  labels: negative 0.5, positive 0.5\n  samples: 812\n\n"
        "Look closer: ./sentiloop models show v-1\n\n"
        "drift-confidence, 2026-11-21T12:00:00.000Z, bucket our-bucket"
    )
    assert over["Subject"] == "Sentiloop: Over: Confidence fell"
    assert over["Message"].startswith("What was reported at 2026-11-21T12:00:00.000Z no longer holds.\n\nLook closer: ")
    assert [each["text"] for each in receiver.got] == [
        f"{each['Subject']}\n{each['Message']}" for each in (opened, over)
    ]


def test_whatever_is_said_can_be_sent(inbox: Inbox, receiver: Receiver) -> None:
    huge = replace(DRIFT, title="\ud800" * 500, text="x\udfff" * 300_000, figures={"list": list(range(100_000))})
    odd = replace(STALE, figures={"nothing": None, "not a number": float("nan"), "yes": True})
    assert notify(MemoryStore(), both(inbox, receiver), [huge, odd], BOTH).unsent == ()
    messages = [message["Message"] for message in inbox.read()]
    assert max(map(len, messages)) < 6_000
    assert any("nothing: None\n  not a number: nan\n  yes: True" in message for message in messages)


def test_a_topic_that_is_gone_loses_nothing(inbox: Inbox, receiver: Receiver) -> None:
    settings = replace(both(inbox, receiver), alert_topic_arn=f"{inbox.arn}-gone")
    store = MemoryStore()
    assert notify(store, settings, [DRIFT], BOTH, clock=at(0)).unsent == (DRIFT.cause,)
    settings = replace(settings, alert_topic_arn=inbox.arn)
    assert notify(store, settings, [DRIFT], BOTH, clock=at(1)).unsent == ()
    assert [message["Subject"] for message in inbox.read()] == ["Sentiloop: Confidence fell"]
    assert len(receiver.got) == 1


def test_what_was_said_before_a_channel_was_set_stays_unsent_there(inbox: Inbox, receiver: Receiver) -> None:
    store = MemoryStore()
    assert notify(store, Settings(), [DRIFT], BOTH, clock=at(0)) == Notified((DRIFT.cause,), (), ())
    notify(store, both(inbox, receiver), [DRIFT, STALE], BOTH, clock=at(1))
    assert [message["Subject"] for message in inbox.read()] == ["Sentiloop: Accuracy fell"]
    assert len(receiver.got) == 1


def test_the_webhooks_url_is_neither_stored_nor_logged(
    inbox: Inbox, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    receiver.status = 500
    with caplog.at_level(logging.DEBUG):
        notify(store, both(inbox, receiver), [DRIFT], BOTH, clock=at(0))
        notify(store, replace(both(inbox, receiver), alert_webhook=Secret("http://secret-path.example/")), [STALE], [])
    ours = [record.getMessage() for record in caplog.records if record.name == "sentiloop"]
    assert any("the webhook answered 500" in line for line in ours)
    assert not any("secret-path" in line for line in ours)
    assert not any(b"secret-path" in body for body in store.objects.values())


@given(st.text())
def test_every_title_makes_a_subject_that_sns_takes(title: str) -> None:
    subject = alerts._subject(title)
    assert subject.startswith("Sentiloop:")
    assert len(subject) <= LONGEST_SUBJECT
    assert all(" " <= sign <= "~" for sign in subject)


def test_slack_gets_its_markup_escaped(receiver: Receiver) -> None:
    Webhook(receiver.url).send("a < b", "<!channel> & <http://x|y> \"quoted\" 'single'")
    assert receiver.got == [{"text": "a &lt; b\n&lt;!channel&gt; &amp; &lt;http://x|y&gt; \"quoted\" 'single'"}]


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500, 503])
def test_all_but_success_is_not_sent_and_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(NotSentError, match=str(status)):
        Webhook(receiver.url).send("a", "b")
    assert receiver.got == []


def test_a_webhook_that_refuses_or_never_answers_is_not_sent(free_port: int) -> None:
    with pytest.raises(NotSentError, match="does not answer"):
        Webhook(f"http://127.0.0.1:{free_port}/").send("a", "b")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotSentError, match="Timeout"):
        Webhook(f"http://localhost:{silent.getsockname()[1]}/", read_seconds=0.05).send("a", "b")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/x",
        "ftp://hooks.example/",
        "http://hooks.example/x",
        "http://10.0.0.1/",
        "http://localhost.example/",
        "https://",
        "http://[::1",
        "file:///etc/passwd",
    ],
)
def test_a_url_without_tls_or_none_at_all_is_not_posted_to(url: str) -> None:
    with pytest.raises(NotSentError, match="https://"):
        Webhook(url).send("a", "b")


@pytest.mark.parametrize("arn", ["nonsense", "arn:aws:sns", f"arn:aws:sns:{REGION}:123456789012:missing"])
def test_a_topic_that_is_not_there_is_not_sent(inbox: Inbox, arn: str) -> None:
    with pytest.raises(NotSentError, match="the topic"):
        SnsTopic(arn).publish("a", "b")


def test_a_topic_whose_endpoint_is_down_is_not_sent(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://127.0.0.1:{free_port}")
    with pytest.raises(NotSentError, match="does not answer"):
        SnsTopic(f"arn:aws:sns:{REGION}:123456789012:alerts", attempts=1).publish("a", "b")


def test_what_somebody_else_puts_there_does_no_harm(channels: Channels) -> None:
    store = MemoryStore({f"{ALERTS}README": b"", f"{ALERTS}drift-confidence/notes.txt": b"", f"{ALERTS}x/1.json": b""})
    assert check(store, [DRIFT]) == Notified((DRIFT.cause,), (), ())


def test_every_object_is_written_once(channels: Channels) -> None:
    store = FaultyStore(MemoryStore())
    for hour, found in enumerate([[DRIFT], [DRIFT, STALE], [], [DRIFT]]):
        check(store, found, hour)
    assert len(store.writes) == len(set(store.writes))
    assert all(key.startswith(ALERTS) for key in store.writes)
