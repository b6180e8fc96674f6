"""`make bench-clients`: what a client for S3 costs a start of predict, the grounds of the choice in `sentiloop.s3`.

Every client reads the pointer from moto in fresh processes of Python 3.13 that have loaded FastAPI and Mangum already,
as the predict function has by then. boto3 and botocore stand for the packages as they are installed, the others run
on predict's own libraries as `sam build` ships them.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import boto3
from retrain.bootstrap import bootstrap
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS, s3_server
from infra.local.up import ROOT
from infra.sam.build import python313, sam_build

BUCKET = "bench"
PROCESSES = 10
INSTALL = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement"]
CHILD = """
import json, os, sys, time
import fastapi, mangum
loaded = len(sys.modules)
started = time.process_time()
{client}
made = time.process_time()
assert b"baseline" in get("models/current.json")
first = time.process_time()
for _ in range(20):
    get("models/current.json")
later = (time.process_time() - first) / 20
print(json.dumps([made - started, first - made, later, len(sys.modules) - loaded]))
"""
CLIENT_GET = """get = lambda key: client.get_object(Bucket="bench", Key=key)["Body"].read()"""
BOTO3 = "import boto3\nclient = boto3.client('s3')\n" + CLIENT_GET
BOTOCORE = "import botocore.session\nclient = botocore.session.get_session().create_client('s3')\n" + CLIENT_GET
PARTS = """
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.session import get_session
credentials, http = get_session().get_credentials(), URLLib3Session(timeout=5)
def get(key):
    request = AWSRequest("GET", f"{os.environ['AWS_ENDPOINT_URL_S3']}/bench/{key}")
    S3SigV4Auth(credentials.get_frozen_credentials(), "s3", os.environ["AWS_DEFAULT_REGION"]).add_auth(request)
    return http.send(request.prepare()).content
"""
BY_HAND = """
import hmac
from datetime import datetime, UTC
from hashlib import sha256
from http.client import HTTPConnection
host = os.environ["AWS_ENDPOINT_URL_S3"].partition("//")[2]
secret, region = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode(), os.environ["AWS_DEFAULT_REGION"]
connection = HTTPConnection(host)
def get(key):
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": moment}
    signed = ";".join(headers)
    lines = [f"{name}:{value}" for name, value in headers.items()]
    canonical = "\\n".join(["GET", f"/bench/{key}", "", *lines, "", signed, "UNSIGNED-PAYLOAD"])
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    to_sign = "\\n".join(["AWS4-HMAC-SHA256", moment, scope, sha256(canonical.encode()).hexdigest()])
    signing_key = secret
    for part in scope.split("/"):
        signing_key = hmac.digest(signing_key, part.encode(), "sha256")
    signature = hmac.digest(signing_key, to_sign.encode(), "sha256").hex()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    parts = f"Credential={credential}, SignedHeaders={signed}, Signature={signature}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {parts}"
    connection.request("GET", f"/bench/{key}", headers=headers)
    return connection.getresponse().read()
"""


@dataclass(frozen=True, slots=True)
class Client:
    """A way to read from S3: what it is called, its code, and where its libraries are."""

    name: str
    code: str
    folders: list[Path]


def clients(python: Path, work: Path) -> list[Client]:
    """Install and build what the clients need."""
    installed = work / "installed"
    requirements = ROOT / "requirements" / "boto3.txt"
    subprocess.run(
        [python, *INSTALL, requirements, "--target", installed], check=True, capture_output=True, timeout=600
    )
    built = sam_build(ROOT, work / "ours", "PredictFunction") / "PredictFunction"
    return [
        Client("boto3", BOTO3, [installed, built]),
        Client("botocore", BOTOCORE, [installed, built]),
        Client("botocore, knows S3 only: ours", BOTOCORE, [built]),
        Client("botocore's signer and session alone", PARTS, [built]),
        Client("GET signed by hand, no retries", BY_HAND, [built]),
    ]


def read_once(python: Path, client: Client) -> list[float]:
    """Return the CPU seconds of making the client, of its first and of a later read, and how many modules it loaded."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, client.folders))}
    code = CHILD.replace("{client}", client.code)
    done = subprocess.run(
        [python, "-B", "-c", code], check=True, capture_output=True, text=True, env=environment, timeout=60
    )
    figures: list[float] = json.loads(done.stdout)
    return figures


def main() -> int:
    """Print the table."""
    python = python313()
    with tempfile.TemporaryDirectory(prefix="bench-clients-") as folder, s3_server() as endpoint:
        contenders = clients(python, Path(folder))
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        bootstrap(S3Store(BUCKET))
        found: dict[str, list[list[float]]] = {client.name: [] for client in contenders}
        for _ in range(PROCESSES):
            for client in contenders:
                found[client.name].append(read_once(python, client))
    print(f"CPU milliseconds, medians of {PROCESSES} fresh processes in turn")
    print(f"{'client':38} {'to make':>8} {'first read':>11} {'a later one':>12} {'modules':>8}")
    for name, each in found.items():
        made, first, later, modules = (statistics.median(column) for column in zip(*each, strict=True))
        print(f"{name:38} {1e3 * made:8.1f} {1e3 * first:11.1f} {1e3 * later:12.2f} {modules:8.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
