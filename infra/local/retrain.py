"""`make retrain` and `make event`: run the retrain handler with an event, by default the one of the weekly schedule."""

import argparse
import json
import sys
from pathlib import Path

from infra.local.attach import FOLDER, attach
from infra.local.up import ROOT

SCHEDULED = ROOT / "infra" / "events" / "retrain-schedule.json"

SHOWN = ("outcome", "cause", "version", "reasons", "metrics", "run_id", "check")


def main() -> int:
    """Print what the handler returns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("event", nargs="?", default=SCHEDULED.read_text(), help="the event, as JSON")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the running stack keeps its state")
    arguments = parser.parse_args()
    attach(arguments.folder)
    from retrain.app import handler  # noqa: PLC0415 - reads the environment

    result = handler(json.loads(arguments.event), None)
    shown = {name: result[name] for name in SHOWN if name in result}
    print(json.dumps(shown or result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
