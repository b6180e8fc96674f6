"""Finding the running `make up`, for the commands that work on its bucket."""

import json
import os
import sys
from pathlib import Path

from infra.local.up import ROOT, environment

FOLDER = ROOT / ".sentiloop"


def attach(folder: Path = FOLDER) -> bool:
    """Point this process at the running local stack, or at AWS if SENTILOOP_BUCKET names a bucket there.

    The settings that `make up` was given hold here as well, but for those that this process was given itself. Returns
    whether it is the local stack, and exits with a clear line if neither is there.
    """
    if "SENTILOOP_BUCKET" in os.environ:
        return False
    stack = folder / "stack.json"
    if not stack.exists():
        sys.exit("No `make up` is running. Start it in another terminal, or name a bucket: SENTILOOP_BUCKET=…")
    running = json.loads(stack.read_text())
    for name, value in running["settings"].items():
        os.environ.setdefault(name, value)
    os.environ.update(environment(folder, running["endpoint"]))
    return True
