"""`./sentiloop models`: which versions there are, how they differ, what was served when; and promote, try, go back.

It works on the running `make up`, or on the bucket that SENTILOOP_BUCKET names. Whatever moves the pointer is recorded
with who and why.
"""

import argparse
import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

from sentiloop import moves
from sentiloop.history import History, described, next_page
from sentiloop.models import Models
from sentiloop.moves import MarkedError, Signature
from sentiloop.pointer import Mode
from sentiloop.records import now, timestamp

from infra.cli import models_shown
from infra.cli.stopping import UsageError

if TYPE_CHECKING:
    from sentiloop.storage import ObjectStore

VERSION_HELP = "a version; champion and challenger name those that are"


def add_parser(commands: Any) -> None:
    """Describe the command line."""
    parser = commands.add_parser("models", help="list, compare, promote and roll back versions", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _add_reading(actions)
    _add_moving(actions)


def _add_reading(actions: Any) -> None:
    listing = _reading(actions, "list", _list, "the versions, those moved or made last first")
    listing.add_argument("--limit", type=_positive, default=20, metavar="N", help="most versions (default: 20)")
    listing.add_argument("--skip", type=_not_negative, default=0, metavar="N", help="versions to pass over")
    show = _reading(actions, "show", _show, "all about a version")
    show.add_argument("version", metavar="VERSION", help=VERSION_HELP)
    diff = _reading(actions, "diff", _diff, "two versions side by side: metrics, words, answers to sampled texts")
    diff.add_argument("a", metavar="A", help=VERSION_HELP)
    diff.add_argument("b", metavar="B", help="the other version")
    diff.add_argument("--samples", type=_positive, default=500, metavar="N", help="newest sampled texts (default: 500)")
    diff.add_argument("--limit", type=_positive, default=10, metavar="N", help="most words and texts (default: 10)")
    history = _reading(actions, "history", _history, "the moves of the pointer, the newest first")
    history.add_argument("--limit", type=_positive, default=20, metavar="N", help="most moves (default: 20)")
    history.add_argument("--before", type=_positive, metavar="GENERATION", help="those before that one")
    at = _reading(actions, "served-at", _served_at, "which version was served at a moment")
    at.add_argument("moment", type=_moment, metavar="TIME", help="ISO 8601; UTC if it names no zone")


def _add_moving(actions: Any) -> None:
    promote = _moving(actions, "promote", _promote, "serve a version to everybody")
    promote.add_argument("version", metavar="VERSION", help=VERSION_HELP)
    trial = _moving(actions, "try", _try, "put a version on trial beside the champion")
    trial.add_argument("version", metavar="VERSION", help=VERSION_HELP)
    trial.add_argument("--mode", choices=get_args(Mode), required=True, help="shadow answers nobody")
    trial.add_argument("--share", type=float, metavar="SHARE", help="of the clients, such as 0.1; in a canary")
    for parser in (promote, trial):
        parser.add_argument("--expected", metavar="VERSION", help="refuse if another version is served")
        parser.add_argument("--force", action="store_true", help="even if it learned from what was erased since")
    withdraw = _moving(actions, "withdraw", _withdraw, "end the trial; the champion stays")
    withdraw.add_argument("version", nargs="?", metavar="VERSION", help="refuse if another version is on trial")
    rollback = _moving(actions, "rollback", _rollback, "serve the version before the present one again")
    rollback.add_argument(
        "--from", dest="away_from", metavar="VERSION", help="the version that is to go; safe to repeat"
    )
    _moving(actions, "pin", _pin, "keep retraining and the hourly check from moving the pointer")
    _moving(actions, "unpin", _unpin, "let them move it again")


def _reading(actions: Any, name: str, act: Callable[..., str], purpose: str) -> Any:
    parser = actions.add_parser(name, help=purpose, description=purpose)
    parser.add_argument("--json", action="store_true", help="print JSON, as the API answers it")
    parser.set_defaults(run=lambda arguments: _print(act(_attached_store(), arguments)))
    return parser


def _moving(actions: Any, name: str, act: Callable[..., str], purpose: str) -> Any:
    parser = actions.add_parser(name, help=purpose, description=purpose)
    parser.add_argument(
        "--reason", required=True, type=_given, metavar="TEXT", help="why; kept for good, so name no customer in it"
    )
    parser.add_argument("--by", type=_given, metavar="NAME", help="who (default: your login name)")
    parser.set_defaults(run=lambda arguments: _move(act, arguments))
    return parser


def _move(act: Callable[..., str], arguments: argparse.Namespace) -> int:
    signed = Signature(by=arguments.by or _login_name(), reason=arguments.reason)
    try:
        return _print(act(_attached_store(), arguments, signed))
    except MarkedError as error:
        raise UsageError(error.message, "Choose another version, or add --force if it has to be this one.") from error


def _print(text: str) -> int:
    print(text)
    return 0


def _list(store: "ObjectStore", arguments: argparse.Namespace) -> str:
    page = Models(store).page(arguments.limit, arguments.skip)
    return _json(asdict(page)) if arguments.json else models_shown.page(page)


def _show(store: "ObjectStore", arguments: argparse.Namespace) -> str:
    details = Models(store).show(arguments.version)
    if arguments.json:
        return _json({**asdict(details), "moves": [described(move) for move in details.moves]})
    return models_shown.details(details)


def _diff(store: "ObjectStore", arguments: argparse.Namespace) -> str:
    diff = Models(store).diff(arguments.a, arguments.b, arguments.samples, arguments.limit)
    return _json(asdict(diff)) if arguments.json else models_shown.comparison(diff, arguments.limit)


def _history(store: "ObjectStore", arguments: argparse.Namespace) -> str:
    found = History(store).newest(arguments.limit, arguments.before)
    if arguments.json:
        told = [described(move) for move in found]
        return _json({"items": told, "next": next_page(found, arguments.limit)})
    return models_shown.moves(found)


def _served_at(store: "ObjectStore", arguments: argparse.Namespace) -> str:
    moment, move = timestamp(arguments.moment), History(store).served_at(arguments.moment)
    if arguments.json:
        return _json({"at": moment, "served": described(move) if move else None})
    return models_shown.served("as of now" if arguments.moment > now() else moment, move)


def _promote(store: "ObjectStore", arguments: argparse.Namespace, signed: Signature) -> str:
    done = moves.promote(store, arguments.version, expected=arguments.expected, force=arguments.force, **signed)
    return models_shown.moved(done)


def _try(store: "ObjectStore", arguments: argparse.Namespace, signed: Signature) -> str:
    if arguments.mode == "canary" and arguments.share is None:
        raise UsageError("--share is missing: a canary answers a share of the clients", "Add it: --share 0.1.")
    done = moves.begin_trial(
        store,
        arguments.version,
        arguments.mode,
        arguments.share or 0.0,
        expected=arguments.expected,
        force=arguments.force,
        **signed,
    )
    return models_shown.moved(done)


def _withdraw(store: "ObjectStore", arguments: argparse.Namespace, signed: Signature) -> str:
    return models_shown.moved(moves.withdraw(store, version=arguments.version, **signed))


def _rollback(store: "ObjectStore", arguments: argparse.Namespace, signed: Signature) -> str:
    if arguments.away_from is not None:
        return models_shown.moved(moves.rollback(store, away_from=arguments.away_from, **signed))
    leaving, target = moves.rollback_plan(store)
    print(models_shown.rollback_plan(leaving, target), flush=True)
    done = moves.rollback(store, away_from=leaving, **signed)  # what was said, even if another move comes in between
    return models_shown.moved(done, safely=f"--from {leaving}")


def _pin(store: "ObjectStore", _arguments: argparse.Namespace, signed: Signature) -> str:
    return models_shown.moved(moves.pin(store, True, **signed), "Pinned")


def _unpin(store: "ObjectStore", _arguments: argparse.Namespace, signed: Signature) -> str:
    return models_shown.moved(moves.pin(store, False, **signed), "Unpinned")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry, as in some containers
        raise UsageError("your login name is not known", "Say who you are: --by NAME.") from None


def _given(value: str) -> str:
    if not value.strip():
        raise argparse.ArgumentTypeError("is empty")
    return value


def _positive(value: str) -> int:
    if not _not_negative(value):
        raise argparse.ArgumentTypeError(f"{value!r} is no positive number")
    return int(value)


def _not_negative(value: str) -> int:
    if not value.isdecimal():
        raise argparse.ArgumentTypeError(f"{value!r} is no number such as 10")
    return int(value)


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{value!r} is no time such as 2026-01-31T08:00:00Z") from None


def _attached_store() -> "ObjectStore":
    from sentiloop.s3 import S3Store  # noqa: PLC0415 - storage is slow to load
    from sentiloop.settings import Settings  # noqa: PLC0415

    from infra.local.attach import attach  # noqa: PLC0415

    try:
        attach()
    except SystemExit as nothing_there:
        raise UsageError("there are no models to look at", str(nothing_there)) from None
    return S3Store(Settings.from_env().bucket, read_timeout=60)
