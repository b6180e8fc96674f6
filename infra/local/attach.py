"""Finding the running `make up`, for the commands that work on its bucket."""

import json
import os
import sys
from pathlib import Path

from infra.local.up import ROOT, environment

FOLDER = ROOT / ".sentiloop"


def attach(folder: Path = FOLDER) -> None:
    """Point this process at the running local stack, or at AWS if SENTILOOP_BUCKET names a bucket there.

    Exits with a clear line if neither is there.
    """
    if "SENTILOOP_BUCKET" in os.environ:
        return
    stack = folder / "stack.json"
    if not stack.exists():
        sys.exit("No `make up` is running. Start it in another terminal, or name a bucket: SENTILOOP_BUCKET=…")
    os.environ.update(environment(folder, json.loads(stack.read_text())["endpoint"]))
