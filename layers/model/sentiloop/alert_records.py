"""The messages about causes: under which keys they lie, which causes are open, and what was said.

A message is an immutable object, `alerts/<cause>/<number>.json`; odd numbers say that a cause opened, even ones that it
cleared. Beside it lie notes of the sending: `<number>-sent-<channel>.json` and `<number>-attempt-<n>.json`. News, such
as that a version was promoted, name what they are about in their cause, are told once, and are never over.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sentiloop.documents import Documents
from sentiloop.storage import ObjectStore

ALERTS = "alerts/"
SCHEMA = "alert/1"
NEWS = ("promoted-", "on_trial-", "held-", "rejected-", "withdraw-", "crown-")  # begins of their causes
MOST_READ = 1_000  # messages that a list reads: keys do not say when, so that the newest news are among all
_KEY = re.compile(
    rf"{ALERTS}(?P<cause>[^/]+)/(?P<number>\d{{6,}})(-sent-(?P<channel>\w+)|-attempt-(?P<attempt>\d{{6,}}))?\.json"
)

State = Literal["open", "over", "news"]


@dataclass(slots=True)
class Thread:
    """The messages about one cause, as the keys of their objects tell.

    Attributes:
        messages: how many there are.
        attempts: by message, how often the sending was tried after the first time.
        sent: by message, the channels that took it.
    """

    messages: int = 0
    attempts: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    sent: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def is_open(self) -> bool:
        """Whether the last message is not that it is over."""
        return self.messages % 2 == 1


def read_threads(store: ObjectStore) -> defaultdict[str, Thread]:
    """Return the messages about every cause; no object is read for it."""
    threads: defaultdict[str, Thread] = defaultdict(Thread)
    for found in filter(None, map(_KEY.fullmatch, store.keys(ALERTS))):
        thread, message = threads[found["cause"]], int(found["number"])
        thread.messages = max(thread.messages, message)
        if found["channel"]:
            thread.sent[message].add(found["channel"])
        if found["attempt"]:
            thread.attempts[message] += 1
    return threads


def alert_key(cause: str, number: int, rest: str = "") -> str:
    """Return where a message lies, or a note of its sending."""
    return f"{ALERTS}{cause}/{number:06d}{rest}.json"


def is_news(cause: str) -> bool:
    """Return whether a cause names news, which nobody has to end."""
    return cause.startswith(NEWS)


@dataclass(frozen=True, slots=True)
class Message:
    """What was said.

    Attributes:
        at: when.
        title: what happened, in a line.
        text: the same in a sentence or two, and what it means.
        figures: as texts, by name.
        command: what to type to look closer.
    """

    at: str
    title: str
    text: str
    figures: Mapping[str, str]
    command: str


@dataclass(frozen=True, slots=True)
class Told:
    """What was said about a cause.

    Attributes:
        cause: names it.
        state: `open`, `over`, or `news`, which are neither.
        opened: the message that it opened, the last time.
        over_at: when it was over; None if it is not.
        messages: how many there were about it.
    """

    cause: str
    state: State
    opened: Message
    over_at: str | None
    messages: int


@dataclass(frozen=True, slots=True)
class AlertPage:
    """What people were told.

    Attributes:
        items: open causes first, then what is over and news; each the newest first.
        open: how many causes are open.
        unreadable: causes whose messages could not be read.
        unread: causes that were not looked at, because there are too many.
    """

    items: Sequence[Told]
    open: int
    unreadable: int
    unread: int


class Alerts:
    """The messages of one bucket.

    Args:
        store: the bucket.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._messages = Documents(store, SCHEMA, _message_of, MOST_READ)

    def newest(self, limit: int) -> AlertPage:
        """Return what was said about at most so many causes."""
        threads = {cause: thread for cause, thread in read_threads(self._store).items() if thread.messages}
        ranked = sorted(threads.items(), key=lambda each: _RANK[_state(*each)])  # what matters most is read first
        chosen = ranked[: MOST_READ // 2]
        keys = [alert_key(cause, number) for cause, thread in chosen for number in _telling(thread)]
        found = dict(zip(keys, self._messages.read(keys), strict=True))
        told = [told for cause, thread in chosen if (told := _told(cause, thread, found))]
        told.sort(key=lambda each: each.over_at or each.opened.at, reverse=True)
        told.sort(key=lambda each: each.state != "open")
        return AlertPage(
            items=told[:limit],
            open=sum(_state(*each) == "open" for each in ranked),
            unreadable=len(chosen) - len(told),
            unread=len(ranked) - len(chosen),
        )


_RANK: Mapping[State, int] = {"open": 0, "over": 1, "news": 2}


def _state(cause: str, thread: Thread) -> State:
    if is_news(cause):
        return "news"
    return "open" if thread.is_open else "over"


def _telling(thread: Thread) -> Sequence[int]:
    """Return the numbers of the last opening and, if it is over, of the message that said so."""
    return (thread.messages,) if thread.is_open else (thread.messages - 1, thread.messages)


def _told(cause: str, thread: Thread, found: Mapping[str, Message | None]) -> Told | None:
    messages = [found[alert_key(cause, number)] for number in _telling(thread)]
    opened, over = messages[0], messages[-1] if len(messages) > 1 else None
    if opened is None or messages[-1] is None:
        return None
    return Told(cause, _state(cause, thread), opened, over.at if over else None, thread.messages)


def _message_of(record: Mapping[str, Any]) -> Message:
    message = Message(**{name: record[name] for name in Message.__slots__})
    texts = (message.at, message.title, message.text, message.command, *message.figures.values())
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a field is no text")
    return message
