"""The Lambda entry point of the retrain function: one event, one action."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sentiloop import registry
from sentiloop.errors import InvalidRequestError, SentiloopError
from sentiloop.s3 import S3Store
from sentiloop.settings import Settings

from retrain.bootstrap import bootstrap
from retrain.check import check
from retrain.rebuild import rebuild
from retrain.run import retrain
from retrain.train import Recipe

logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger("sentiloop")
settings = Settings.from_env()
store = S3Store(settings.bucket, read_timeout=30, attempts=5)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Do what the event asks for and return the outcome.

    Events:
        {"action": "retrain"}: learn from all feedback; promote what is better.
        {"action": "check"}: retrain only if there is cause.
        {"action": "promote", "version": …, "by": …, "reason": …}: serve a published version.
        {"action": "rollback", "by": …, "reason": …}: serve the version before the present one again.
        {"action": "rebuild", "version": …}: train a published version again; fail unless its weights come out the same.
        {"action": "bootstrap"}: fill an empty bucket.

    Raises:
        InvalidRequestError: the event names no known action, or lacks a field.
    """
    action = event.get("action")
    if action not in _ACTIONS:
        raise InvalidRequestError(f"action: {action!r} is none of {', '.join(_ACTIONS)}", str(handler.__doc__))
    try:
        result = _ACTIONS[action](event)
    except SentiloopError:
        log.exception("%s failed", action)
        raise  # Lambda retries, then hands the event to the dead-letter queue
    log.info("%s: %s %s", action, result.get("outcome", "done"), result.get("reasons", ""))
    return result


def _required(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequestError(f"{name}: missing from the event", f'Add "{name}" with a text.')
    return value


def _retrain(event: Mapping[str, Any]) -> dict[str, Any]:
    return retrain(store, settings, Recipe(), by=str(event.get("by", "schedule")))


def _check(event: Mapping[str, Any]) -> dict[str, Any]:
    cause = check(store, settings)
    if cause is None:
        return {"outcome": "skipped", "reasons": ["no cause to retrain"]}
    return _retrain(event) | {"cause": cause}


def _promote(event: Mapping[str, Any]) -> dict[str, Any]:
    target = registry.find(store, _required(event, "version"))
    return asdict(registry.promote(store, target, by=_required(event, "by"), reason=_required(event, "reason")))


def _rollback(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(registry.rollback(store, by=_required(event, "by"), reason=_required(event, "reason")))


def _rebuild(event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(rebuild(store, _required(event, "version")))


def _bootstrap(_event: Mapping[str, Any]) -> dict[str, Any]:
    return asdict(bootstrap(store))


_ACTIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "retrain": _retrain,
    "check": _check,
    "promote": _promote,
    "rollback": _rollback,
    "rebuild": _rebuild,
    "bootstrap": _bootstrap,
}
