"""What ends a command early: a wrong command line, a signal, or a reader that has had enough."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from sentiloop.errors import SentiloopError

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
MISUSE_STATUS = 2
_SIGNAL_STATUS = 128  # what a shell adds to a signal's number
INTERRUPTED_STATUS = _SIGNAL_STATUS + signal.SIGINT


class UsageError(SentiloopError):
    """Raise when a command cannot do what was asked; message and hint go to the person who typed it."""

    code = "usage"


class StoppedError(KeyboardInterrupt):
    """Raised by a signal; `status` is the exit status that tells so."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = _SIGNAL_STATUS + number


class ReaderLeftError(Exception):
    """Raise when nobody reads the standard output any more."""

    status = _SIGNAL_STATUS + signal.SIGPIPE


@contextmanager
def signals_raise() -> Iterator[None]:
    """Raise `StoppedError` in here for the first signal that asks to stop; further ones do not disturb what it does."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        ignore_signals()
        raise StoppedError(number)

    before = [signal.signal(number, stop) for number in STOP_SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(STOP_SIGNALS, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Let signals that ask to stop wait until the end of this, which is where to start processes.

    A half-started process would be waited for without end. Processes inherit that these signals are blocked, until they
    say what is to become of them. Blocking alone would not do here, as it is by thread.
    """
    waiting: list[int] = []
    before = [signal.signal(number, lambda number, _: waiting.append(number)) for number in STOP_SIGNALS]
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        for number, handler in zip(STOP_SIGNALS, before, strict=True):
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])


def leave_stopping_to_parent() -> None:
    """Take no notice of Ctrl-C, which goes to every process; a pool ends its processes by SIGTERM if one was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def ignore_signals() -> None:
    """Let what is nearly done be done."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def close_standard_output() -> None:
    """Keep Python from complaining about a closed pipe as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
