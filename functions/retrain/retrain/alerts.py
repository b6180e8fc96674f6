"""Tells people what happened, by an SNS topic and a webhook: one message a cause until it clears.

A message is an immutable object in the bucket, `alerts/<cause>/<number>.json`; odd numbers say that a cause opened,
even ones that it cleared. Of two runs at once one creates it, and that one sends it. What was sent is written down
afterwards, a channel at a time (`<number>-sent-<channel>.json`), so a message reaches every channel at least once: what
was not taken, or was under way when a run ended, a later run sends again (`<number>-attempt-<n>.json`). It could then
arrive twice; it cannot be lost. A channel that does not answer is not waited for twice in a run, however much is left.
"""

import json
import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sentiloop.alert_records import SCHEMA, Thread, alert_key, read_threads
from sentiloop.errors import WriteConflictError
from sentiloop.records import now, timestamp, to_json
from sentiloop.settings import Settings
from sentiloop.sns import LONGEST_SUBJECT, NoAnswerError, NotSentError, SnsTopic
from sentiloop.storage import ObjectStore, create

from retrain.webhook import Webhook

LONGEST_ATTEMPT = timedelta(minutes=15)  # Lambda's longest run: whoever began to send earlier is not at it any more
LONGEST_TEXT, LONGEST_FIGURE = 4_000, 400  # characters; SNS and Slack refuse messages that are far too long
WRITES = 3  # tries of a write that meets another one
_CAUSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

log = logging.getLogger("sentiloop")

Send = Callable[[str, str], None]
"""Sends subject and text; raises `NotSentError`."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people should know.

    Args:
        cause: names what is wrong, the same as long as it is; of news it names what the news is about, `promoted-v123`.
        title: what happened, in a line.
        text: the same in a sentence or two, and what it means.
        figures: numbers, texts, and lists or mappings of them, by name.
        command: what to type to look closer.

    Raises:
        ValueError: the cause cannot be a part of a key.
    """

    cause: str
    title: str
    text: str
    figures: Mapping[str, Any]
    command: str

    def __post_init__(self) -> None:
        """Check the cause."""
        if not _CAUSE.fullmatch(self.cause):
            raise ValueError(f"{self.cause!r} is no cause: letters, digits, dots, dashes and underscores")


@dataclass(frozen=True, slots=True)
class Notified:
    """What a call of `notify` did: the causes that opened and cleared, and those of messages that have to wait."""

    opened: tuple[str, ...]
    cleared: tuple[str, ...]
    unsent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Message:
    cause: str
    number: int
    content: Mapping[str, Any]


def notify(
    store: ObjectStore,
    settings: Settings,
    alerts: Sequence[Alert],
    looked_at: Collection[str],
    *,
    clock: Callable[[], datetime] = now,
) -> Notified:
    """Send what is new, say what is over, and send again what was not taken before.

    Args:
        store: the bucket.
        settings: name the topic and the webhook; with neither, messages are written down and logged.
        alerts: all that is the case now.
        looked_at: causes that are over if they are not among the alerts; others stay as they are.
        clock: tells the time.

    Raises:
        StorageUnavailableError: what was not written down is new to the next call, too.
    """
    threads = read_threads(store)
    channels = _channels(settings)
    given = {alert.cause: alert for alert in alerts}
    opened, cleared, unsent = list[str](), list[str](), list[str]()
    for left in _left_over(store, threads, channels, clock()):
        unsent += _deliver(store, settings, channels, left, threads[left.cause].sent[left.number])
    for alert in given.values():
        if not threads[alert.cause].is_open and (news := _opened(store, threads[alert.cause], alert, clock())):
            opened.append(alert.cause)
            unsent += _deliver(store, settings, channels, news)
    for cause in sorted(set(looked_at) - given.keys()):
        if threads[cause].is_open and (news := _cleared(store, threads[cause], cause, clock())):
            cleared.append(cause)
            unsent += _deliver(store, settings, channels, news)
    return Notified(tuple(opened), tuple(cleared), tuple(dict.fromkeys(unsent)))


def open_causes(store: ObjectStore) -> list[str]:
    """Return the causes that were told and not yet said to be over."""
    return [cause for cause, thread in read_threads(store).items() if thread.is_open]


# --- What is in the bucket ---


def _read(store: ObjectStore, key: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(store.get(key).body)
    return content


def _opened(store: ObjectStore, thread: Thread, alert: Alert, moment: datetime) -> _Message | None:
    content = {
        "title": _cut(alert.title, LONGEST_FIGURE),
        "text": _cut(alert.text, LONGEST_TEXT),
        "figures": {name: _cut(_shown(value), LONGEST_FIGURE) for name, value in alert.figures.items()},
        "command": alert.command,
    }
    return _begun(store, _Message(alert.cause, thread.messages + 1, content), moment)


def _cleared(store: ObjectStore, thread: Thread, cause: str, moment: datetime) -> _Message | None:
    opened = _read(store, alert_key(cause, thread.messages))
    content = {
        "title": f"Over: {opened['title']}",
        "text": f"What was reported at {opened['at']} no longer holds.",
        "figures": {},
        "command": opened["command"],
    }
    return _begun(store, _Message(cause, thread.messages + 1, content), moment)


def _begun(store: ObjectStore, message: _Message, moment: datetime) -> _Message | None:
    """Write a message down and return it for sending, or None if another run did so before."""
    content = {"schema": SCHEMA, "cause": message.cause, "at": timestamp(moment), **message.content}
    if not _created(store, alert_key(message.cause, message.number), content):
        return None
    log.warning("alert %s: %s", message.cause, content["title"])
    return _Message(message.cause, message.number, content)


def _created(store: ObjectStore, key: str, content: Mapping[str, Any]) -> bool:
    """Return whether this call created the object."""
    for _ in range(WRITES):
        try:
            return create(store, key, to_json(content))
        except WriteConflictError:  # proves neither that the object is there nor that it is not
            continue
    return False


def _left_over(
    store: ObjectStore, threads: Mapping[str, Thread], channels: Mapping[str, Send | None], moment: datetime
) -> Iterator[_Message]:
    """Yield what did not reach every channel and is nobody else's to send, oldest of a cause first."""
    for cause, thread in sorted(threads.items()):
        for number in range(1, thread.messages + 1):
            missing = channels.keys() - thread.sent[number]
            if all(channels[name] is _no_answer for name in missing):
                continue
            attempts = thread.attempts[number]
            content = _read(store, alert_key(cause, number))
            latest = _read(store, alert_key(cause, number, f"-attempt-{attempts:06d}")) if attempts else content
            if moment - datetime.fromisoformat(latest["at"]) < LONGEST_ATTEMPT:
                continue
            if _created(store, alert_key(cause, number, f"-attempt-{attempts + 1:06d}"), {"at": timestamp(moment)}):
                yield _Message(cause, number, content)


# --- Sending ---


def _channels(settings: Settings) -> dict[str, Send | None]:
    """Return how to send, by channel; None where there is nothing to send to."""
    topic, webhook = settings.alert_topic_arn, settings.alert_webhook
    return {
        "topic": SnsTopic(topic).publish if topic else None,
        "webhook": Webhook(webhook.reveal().decode()).send if webhook else None,
    }


def _deliver(
    store: ObjectStore,
    settings: Settings,
    channels: dict[str, Send | None],
    message: _Message,
    sent: Collection[str] = (),
) -> list[str]:
    """Send a message where it was not sent before, and write that down; return its cause for each channel that fails.

    A channel that is not set is done with, so that one which is set later does not get everything from before.
    """
    failed = []
    subject, text = _subject(message.content["title"]), _text(message.content, settings.bucket)
    for name, send in channels.items():
        if name in sent:
            continue
        try:
            if send:
                send(subject, text)
        except NotSentError as error:
            log.error("alert %s was not sent, and will be again: %s", message.cause, error)
            failed.append(message.cause)
            if isinstance(error, NoAnswerError):
                channels[name] = _no_answer
        else:
            _created(store, alert_key(message.cause, message.number, f"-sent-{name}"), {"sent": send is not None})
    return failed


def _no_answer(_subject: str, _text: str) -> None:
    """Stand for a channel that did not answer in this run."""
    raise NotSentError("there was no answer just before")


def _subject(title: str) -> str:
    """Return what SNS takes as a subject."""
    return re.sub(r"[^ -~]", "?", f"Sentiloop: {' '.join(title.split())}")[:LONGEST_SUBJECT].strip()


def _text(content: Mapping[str, Any], bucket: str) -> str:
    figures = "\n".join(f"  {name}: {value}" for name, value in content["figures"].items())
    parts = [
        content["text"],
        figures,
        f"Look closer: {content['command']}",
        f"{content['cause']}, {content['at']}, bucket {bucket}",
    ]
    return "\n\n".join(part for part in parts if part)


def _cut(text: str, longest: int) -> str:
    """Return a text that can be stored and sent: not too long, and without halves of characters."""
    whole = text.encode("utf-8", "replace").decode()
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return str(value)
