"""`make bench-functions`: memory and processor time of each HTTP function, the grounds of its size in template.yaml.

Each runs in a fresh process against moto: imports, one request, then 100 batches of texts that share no word, which
fill the scorer's caches to their bounds.
"""

import json
import os
import subprocess
import sys

import boto3
from retrain.bootstrap import bootstrap
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS, s3_server
from infra.local.template import FUNCTION, load_template, resources
from infra.local.up import ROOT
from tests.benchmarks.bench import closing_lines

BUCKET = "bench"
MARGIN = 2.0  # at least this much memory for every byte that was ever in use
FIRST = {
    "predict": ("/v1/predict", {"text": "The staff were wonderful."}),
    "feedback": ("/v1/feedback", {"text": "The staff were wonderful.", "correct_label": "positive"}),
    "console": ("/", None),
}
CHILD = """
import importlib, json, resource, sys, time
from tests.events import call, get, post
name, path, body = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
handler = importlib.import_module(f"{name}.app").handler
loaded = time.process_time()
assert call(handler, get(path) if body is None else post(path, body)).status < 300
first = time.process_time()
for batch in range(100 if name == "predict" else 0):
    texts = [" ".join(f"w{batch}x{text}y{word}" for word in range(25)) for text in range(100)]
    assert call(handler, post("/v1/predict/batch", {"texts": texts})).status == 200
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"import_ms": loaded * 1000, "first_request_ms": (first - loaded) * 1000, "peak_mb": peak}))
"""


def main() -> int:
    """Measure them; return 1 if one has less than twice the memory that it used."""
    sizes = {
        function["Handler"].partition(".")[0]: function["MemorySize"]
        for function in resources(load_template(ROOT / "template.yaml"), FUNCTION).values()
    }
    results = []
    with s3_server() as endpoint:
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": endpoint, "SENTILOOP_BUCKET": BUCKET}
        os.environ["SENTILOOP_CONTRIBUTOR_KEY"] = "only for the benchmark"
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        bootstrap(S3Store(BUCKET))
        for name, (path, body) in FIRST.items():
            command = [sys.executable, "-c", CHILD, name, path, json.dumps(body)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}: {', '.join(f'{key} {value:.0f}' for key, value in found.items())}, of {sizes[name]} MB")
            results.append((f"{name}-memory", sizes[name] / found["peak_mb"], "times-peak", MARGIN, True))
    return closing_lines(results)


if __name__ == "__main__":
    sys.exit(main())
