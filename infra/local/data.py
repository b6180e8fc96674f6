"""`make data NAME=…`: import base data from the Hub, or with FROM=… from a local file or folder."""

import argparse
import json
import sys
from pathlib import Path

from retrain.datasets import store_dataset
from retrain.importer import HUB, read_hub, read_path
from sentiloop.errors import SentiloopError
from sentiloop.s3 import S3Store
from sentiloop.settings import Settings

from infra.local.attach import FOLDER, attach


def main() -> int:
    """Import and print the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help=f"on the Hub: {', '.join(HUB)}; with --path any name")
    parser.add_argument("--path", type=Path, help="JSONL or CSV, or a folder of them")
    parser.add_argument("--licence", default="not stated")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the running stack keeps its state")
    arguments = parser.parse_args()
    attach(arguments.folder)
    try:
        if arguments.path:
            rows, source, licence = read_path(arguments.path), arguments.path.name, arguments.licence
        else:
            rows = read_hub(arguments.name)
            source, licence = HUB[arguments.name].repository, HUB[arguments.name].licence
        store = S3Store(Settings.from_env().bucket, read_timeout=60)
        manifest = store_dataset(store, arguments.name, rows, source=source, licence=licence)
    except SentiloopError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    print(json.dumps(manifest, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
