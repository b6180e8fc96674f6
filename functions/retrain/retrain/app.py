"""The Lambda entry point of the retrain function: one event, one action."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, cast, get_args

from sentiloop import moves
from sentiloop.errors import InvalidRequestError, SentiloopError
from sentiloop.moves import Signature
from sentiloop.pointer import Mode
from sentiloop.records import now
from sentiloop.s3 import S3Store
from sentiloop.settings import Settings

from retrain import alerts, news
from retrain.bootstrap import bootstrap
from retrain.check import check
from retrain.ledger import decided
from retrain.rebuild import rebuild
from retrain.run import retrain
from retrain.train import Recipe

logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger("sentiloop")
settings = Settings.from_env()
store = S3Store(settings.bucket, read_timeout=30, attempts=5)
HINT = "docs/operations.md lists the events and what each of them takes."
SCHEDULED = ("retrain", "check")  # nobody waits for their answer, so people are told if they fail


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Do what the event asks for and return the outcome.

    Events:
        {"action": "retrain"}: learn from all feedback; promote what is better.
        {"action": "check"}: look at the trial, at staleness and at drift; retrain if there is cause; tell people.
        {"action": "promote", "version": …, "by": …, "reason": …}: serve a published version; one that learned from what
            was erased since only with "force": true.
        {"action": "rollback", "by": …, "reason": …, "from": …}: serve the version before the present one again; with
            "from", only if that version is served, so that the event can be repeated.
        {"action": "try", "version": …, "mode": "shadow" or "canary", "share": …, "by": …, "reason": …}: put a version
            on trial beside the champion, or give the one on trial another mode or share; "force" as above.
        {"action": "withdraw", "by": …, "reason": …, "version": …}: end the trial; of "version" alone, if it is given.
        {"action": "pin" or "unpin", "by": …, "reason": …}: keep all but people from moving the pointer, or end that.
        {"action": "rebuild", "version": …}: train a published version again; fail unless its weights come out the same.
        {"action": "bootstrap"}: fill an empty bucket.

    Raises:
        InvalidRequestError: the event names no known action, or lacks a field.
    """
    action = event.get("action")
    if not isinstance(action, str) or action not in _ACTIONS:
        raise InvalidRequestError(f"action: {action!r} is none of {', '.join(_ACTIONS)}", HINT)
    try:
        result = _ACTIONS[action](event)
        if action in SCHEDULED:
            alerts.notify(store, settings, [], [news.failure_of(action)])
    except Exception as error:
        if isinstance(error, SentiloopError) and error.status < 500:  # noqa: PLR2004
            log.info("%s was refused: %s", action, error.message)  # the event is wrong, and no line of code
        else:
            log.exception("%s failed", action)
        if action in SCHEDULED:
            _tell_of_failure(action, error)
        raise  # Lambda retries, then hands the event to the dead-letter queue
    log.info("%s: %s %s", action, result.get("outcome", "done"), result.get("reasons", ""))
    return result


def _tell_of_failure(action: str, error: Exception) -> None:
    try:
        alerts.notify(store, settings, [news.of_failure(action, error)], ())
    except SentiloopError as second:  # what failed may be the storage, which alerts need as well
        log.error("nobody was told: %s", second.message)


def _required(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequestError(f"{name}: missing from the event", f'Add "{name}" with a text.')
    return value


def _optional(event: Mapping[str, Any], name: str) -> str | None:
    return None if event.get(name) is None else _required(event, name)


def _forced(event: Mapping[str, Any]) -> bool:
    force = event.get("force", False)
    if not isinstance(force, bool):
        raise InvalidRequestError(f"force: {force!r} is neither true nor false", HINT)
    return force


def _signed(event: Mapping[str, Any]) -> Signature:
    return Signature(by=_required(event, "by"), reason=_required(event, "reason"))


def _retrain(event: Mapping[str, Any]) -> dict[str, Any]:
    record = retrain(store, settings, Recipe(), by=str(event.get("by", "schedule")))
    alerts.notify(store, settings, news.of_run(decided(store, record)), ())
    return record


def _check(_event: Mapping[str, Any]) -> dict[str, Any]:
    return check(store, settings, now(), lambda: retrain(store, settings, Recipe(), by="check"))


def _promote(event: Mapping[str, Any]) -> dict[str, Any]:
    version = _required(event, "version")
    return asdict(moves.promote(store, version, force=_forced(event), **_signed(event)).pointer)


def _rollback(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(moves.rollback(store, away_from=_optional(event, "from"), **_signed(event)).pointer)


def _try(event: Mapping[str, Any]) -> dict[str, Any]:
    mode, share = _required(event, "mode"), event.get("share", 0.0)
    if mode not in get_args(Mode):
        raise InvalidRequestError(f"mode: {mode!r} is none of {', '.join(get_args(Mode))}", HINT)
    if isinstance(share, bool) or not isinstance(share, int | float):
        raise InvalidRequestError(f"share: {share!r} is no number", "A canary answers a share of the clients.")
    version, force = _required(event, "version"), _forced(event)
    moved = moves.begin_trial(store, version, cast(Mode, mode), float(share), force=force, **_signed(event))
    return asdict(moved.pointer)


def _withdraw(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(moves.withdraw(store, version=_optional(event, "version"), **_signed(event)).pointer)


def _pin(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(moves.pin(store, True, **_signed(event)).pointer)


def _unpin(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(moves.pin(store, False, **_signed(event)).pointer)


def _rebuild(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(rebuild(store, moves.find(store, _required(event, "version")).version))


def _bootstrap(_event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(bootstrap(store))


_ACTIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "retrain": _retrain,
    "check": _check,
    "promote": _promote,
    "rollback": _rollback,
    "try": _try,
    "withdraw": _withdraw,
    "pin": _pin,
    "unpin": _unpin,
    "rebuild": _rebuild,
    "bootstrap": _bootstrap,
}
