"""The retrain function outside Lambda, without its limits: `python -m retrain '{"action": "retrain"}'`.

It runs the same handler. The outcome goes to standard output as JSON, the log to standard error; the exit status is 1
where the handler raised.
"""

import json
import logging
import sys
from collections.abc import Sequence

from sentiloop.errors import SentiloopError

USAGE = 'usage: python -m retrain EVENT, where EVENT is a JSON object, such as \'{"action": "retrain"}\''


def main(arguments: Sequence[str]) -> int:
    """Run one event, and return the exit status: 0 done, 1 failed, 2 no event."""
    try:
        [given] = arguments
        event = json.loads(given)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        print(USAGE, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        from retrain.app import handler  # noqa: PLC0415 - reads the settings as it is imported

        outcome = handler(event, None)
    except SentiloopError as error:
        print(f"{error.code}: {error.message}. {error.hint}", file=sys.stderr)
        return 1
    print(json.dumps(outcome, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
