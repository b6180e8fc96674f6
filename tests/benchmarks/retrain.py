"""`make bench-retrain`: SST-2 as base data in the bucket, from the scheduled event to a promoted version.

The retrain function runs in a process of its own, as on Lambda; its seconds include its imports.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
from retrain.bootstrap import bootstrap
from retrain.datasets import Row, store_dataset
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS, s3_server
from tests.benchmarks.bench import closing_lines, data_folder, read_split

BUCKET = "bench"
CHILD = """
import json, resource
from retrain.app import handler
record = handler({"action": "retrain"}, None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"outcome": record["outcome"], "reasons": record["reasons"], "peak_kb": peak, **record["metrics"]}))
"""


def fill(folder: Path) -> None:
    """Make a bucket with the baseline, the seed corpus and SST-2."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    store = S3Store(BUCKET, read_timeout=60)
    bootstrap(store)
    store_sst2(store, folder)


def store_sst2(store: S3Store, folder: Path) -> None:
    """Add SST-2 to the base data."""
    rows = [
        Row(row.text, row.label, split)
        for split in ("train", "dev", "test")
        for row in read_split(folder, "sst2", split)
    ]
    print(f"base data: {len(rows)} rows of SST-2 and the seed corpus")
    store_dataset(store, "sst2", rows, source="local", licence="none stated")


def main() -> int:
    """Run once; return 1 if a bar is missed or nothing was promoted."""
    folder = data_folder()
    with s3_server() as endpoint:
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": endpoint, "SENTILOOP_BUCKET": BUCKET}
        fill(folder)
        started = time.perf_counter()
        child = subprocess.run([sys.executable, "-c", CHILD], check=True, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - started
    record = json.loads(child.stdout.splitlines()[-1])
    print(f"{record['outcome']}: {'; '.join(record['reasons'])}")
    print(f"accuracy {record['accuracy']:.4f} on {record['rows']} held-out rows")
    results = [("retrain-memory", record["peak_kb"] / 1e6, "GB", 1.5, False), ("retrain-sst2", seconds, "s", 60, False)]
    return closing_lines(results) or int(record["outcome"] != "promoted")


if __name__ == "__main__":
    sys.exit(main())
