"""`make retrain` and `make event`: run the retrain handler with an event, by default the one of the weekly schedule."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentiloop.errors import InvalidRequestError, SentiloopError

from infra.local.attach import FOLDER, attach
from infra.local.up import ROOT

SCHEDULED = ROOT / "infra" / "events" / "retrain-schedule.json"

SHOWN = ("outcome", "cause", "version", "reasons", "metrics", "run_id", "trial", "alerts", "check", "report")
OF_TRIAL = ("version", "action", "next_share", "reason")


def main() -> int:
    """Print what the handler returns, or what is wrong with the event."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("event", nargs="?", default=SCHEDULED.read_text(), help="the event, as JSON")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the running stack keeps its state")
    arguments = parser.parse_args()
    is_local = attach(arguments.folder)
    try:
        event = parsed(arguments.event)
        from retrain.app import handler  # noqa: PLC0415 - reads the environment

        result = handler(event, None)
    except SentiloopError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    print(json.dumps(shown(result, arguments.folder / "bucket" if is_local else None), indent=2))
    return 0


def parsed(event: str) -> dict[str, Any]:
    """Return an event that was typed.

    Raises:
        InvalidRequestError: it is no JSON object.
    """
    try:
        read = json.loads(event)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        hint = """Send one, such as: make event EVENT='{"action": "check"}'"""
        raise InvalidRequestError("the event is no JSON object", hint)
    return read


def shown(result: Mapping[str, Any], bucket: Path | None) -> dict[str, Any]:
    """Return what a person wants to know of a result; of one that is none of a run or a check, all.

    Args:
        result: what the handler returned.
        bucket: the folder that a report can be opened in; None: it has no file on this machine.
    """
    told = {name: result[name] for name in SHOWN if name in result}
    if told.get("trial"):
        told["trial"] = {name: told["trial"][name] for name in OF_TRIAL}
    if bucket and "report" in told:
        told["report"] = str(bucket / told["report"])
    return told or dict(result)


if __name__ == "__main__":
    sys.exit(main())
