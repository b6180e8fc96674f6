"""`./sentiloop review`: asks about the texts whose labels would help most, one at a time, and stores the answers.

They are stored as the API's review routes store them: as feedback with the source `reviewer`, each once.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from sentiloop.errors import InvalidRequestError, StorageUnavailableError
from sentiloop.profit import profit
from sentiloop.review import REVIEWER, Action, Review, ReviewConflictError
from sentiloop.review_labels import ReviewLabels
from sentiloop.review_queue import Question
from sentiloop.review_samples import SampleNotFoundError
from sentiloop.settings import Settings, variable
from sentiloop.storage import ObjectStore

from infra.cli.stopping import UsageError

PAGE = 20
KEYS: dict[str, Action | Literal["quit"]] = {"": "accept", "a": "accept", "s": "skip", "u": "undo", "q": "quit"}
DONE: dict[Action, str] = {"accept": "accepted", "correct": "corrected", "skip": "skipped"}

Reply = tuple[Action | Literal["quit"], str | None]


def add_parser(commands: Any) -> None:
    """Describe the command line."""
    parser = commands.add_parser("review", help="label the texts that the model doubts", description=__doc__)
    parser.add_argument("--reviewer", default=REVIEWER, metavar="NAME", help="who answers; stored as a keyed hash")
    parser.add_argument("--limit", type=_positive, metavar="N", help="answers to give (default: until none waits)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask until no text waits, the limit is reached or the reviewer quits; return the exit status.

    Raises:
        SentiloopError: the command cannot be carried out, and why.
    """
    from sentiloop.bundled import baseline  # noqa: PLC0415 - the model is slow to load

    store, settings = _attached()
    review = Review(store, settings, settings.labels or baseline().labels)
    sitting = _Sitting(review, arguments.reviewer, arguments.limit)
    try:
        sitting.ask()
    finally:
        print(sitting.summary(), flush=True)
    _print_profit(store, settings)
    return 0


def _print_profit(store: ObjectStore, settings: Settings) -> None:
    """Say what the next retrain would make of all labels; without storage, what was answered is stored all the same."""
    try:
        given = ReviewLabels(store).since_champion()
    except StorageUnavailableError as error:
        print(f"What the labels would prove is not known: {error.public_message}.")
        return
    if given is not None:
        print(printable(profit(given, settings.gate_level).sentence))


class _Sitting:
    """One reviewer answering for a while."""

    def __init__(self, review: Review, reviewer: str, limit: int | None) -> None:
        self._review = review
        self._reviewer = reviewer
        self._limit = limit
        self._answered: list[tuple[Question, Action]] = []
        self._left = 0

    def ask(self) -> None:
        """Ask page by page."""
        while self._goes_on():
            page, self._left = self._review.queue(PAGE)
            if not page or not self._ask_all(page):
                return

    def summary(self) -> str:
        """Return what was done, and what to do next."""
        if not self._answered and not self._left:
            return "No text waits for a label."
        counts = Counter(action for _, action in self._answered)
        kinds = ", ".join(f"{counts[action]} {name}" for action, name in DONE.items())
        learned = counts["accept"] + counts["correct"] > 0
        hint = " The next retrain learns from them; on this machine: make retrain" if learned else ""
        return f"\n{kinds}; {self._left} left.{hint}"

    def _goes_on(self) -> bool:
        return self._limit is None or len(self._answered) < self._limit

    def _ask_all(self, page: Sequence[Question]) -> bool:
        """Return whether to go on with another page."""
        waiting = list(reversed(page))
        while waiting and self._goes_on():
            question = waiting.pop()
            print(_shown(question, self._left), flush=True)
            action, label = _reply(question, self._review.labels)
            if action == "quit":
                return False
            try:
                if action == "undo":
                    waiting += [question, *self._undone()]
                    continue
                self._review.answer(question.id, action, label, self._reviewer)
            except (InvalidRequestError, ReviewConflictError, SampleNotFoundError) as error:
                print(f"Not stored: {error.message}. {error.hint}")
                continue
            self._answered.append((question, action))
            self._left -= 1
        return True

    def _undone(self) -> list[Question]:
        if not self._answered:
            print("Nothing to undo.")
            return []
        question, _ = self._answered.pop()
        self._review.answer(question.id, "undo", reviewer=self._reviewer)
        self._left += 1
        return [question]


def _reply(question: Question, labels: Sequence[str]) -> Reply:
    """Ask until the reply is understood; the end of the input quits."""
    numbered = "  ".join(f"{number} {printable(label)}" for number, label in enumerate(labels, 1))
    proposed = "" if question.sample.other else f"Enter {printable(question.sample.label)} | "
    while True:
        print(f"  {proposed}{numbered} | s skip  u undo  q quit: ", end="", flush=True)
        line = sys.stdin.readline()
        reply = understood(line.strip() if line else "q", question.sample.label, labels)
        if not sys.stdin.isatty():
            print(printable(line.strip()))  # so that a transcript shows what was answered
        accepts_unseen = not proposed and KEYS.get(line.strip().lower(), "") == "accept"
        if reply is not None and not (line and accepts_unseen):
            return reply
        print("  Not understood.")


def understood(word: str, predicted: str, labels: Sequence[str]) -> Reply | None:
    """Return what a line means, or None if it means nothing: a key, the number of a label, or its name."""
    known = KEYS.get(word.lower())
    if known is not None:
        return known, None
    by_number = {str(number): label for number, label in enumerate(labels, 1)}
    by_name = {label.casefold(): label for label in labels}
    label = by_number.get(word) or by_name.get(word.casefold())
    if label is None:
        return None
    return ("accept", None) if label == predicted else ("correct", label)


def printable(text: str) -> str:
    r"""Return text that cannot write to the terminal: what is not printable becomes an escape such as \x1b."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _shown(question: Question, left: int) -> str:
    sample = question.sample
    ranked = sorted(sample.probabilities.items(), key=lambda entry: (-entry[1], entry[0]))
    said = ", ".join(f"{label} {probability:.2f}" for label, probability in ranked)
    if sample.other:  # what one of the versions answered must not sway whoever decides between them
        said = "two versions disagree"
    why = question.why + (f" Stands for {question.similar} more like it." if question.similar else "")
    answered_by = "" if sample.other else f" | {sample.model_version}"
    lines = [f"{left} left | {said}{answered_by} | {sample.received_at}", why]
    text = "\n".join(f"  | {printable(line)}" for line in sample.text.split("\n"))
    return "\n".join(["", *(f"  {printable(line)}" for line in lines), text])


def _attached() -> tuple[ObjectStore, Settings]:
    from sentiloop.s3 import S3Store  # noqa: PLC0415 - as the model

    from infra.local.attach import attach  # noqa: PLC0415

    try:
        attach()
    except SystemExit as nothing_there:
        raise UsageError("there is nothing to review", str(nothing_there)) from None
    settings = Settings.from_env()
    if not settings.contributor_key:
        hint = "Reviewers are stored as hashes keyed by it: give it the value of the stack's secret ContributorKey."
        raise UsageError(f"{variable('contributor_key')} is not set", hint)
    return S3Store(settings.bucket, read_timeout=60), settings


def _positive(value: str) -> int:
    if not value.isdigit() or not int(value):
        raise argparse.ArgumentTypeError(f"{value!r} is no positive number")
    return int(value)
