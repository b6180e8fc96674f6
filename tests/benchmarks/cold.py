"""`make bench-cold`: cold starts of predict beside those of a naive handler, under Lambda's runtime emulator.

Both are what `sam build` ships for Python 3.13. Each start is a fresh process that answers one event of API Gateway;
ours reads its pointer and model from S3 (moto) on the way. The bar is on processor time, which other work on the
machine disturbs least.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3
from sentiloop import artefact, registry
from sentiloop.bundled import baseline_files
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS, s3_server
from infra.local.up import ROOT
from infra.sam.build import python313, sam_build
from tests.benchmarks.bench import closing_lines, data_folder
from tests.benchmarks.built import files, megabytes
from tests.benchmarks.emulator import Emulator, Start
from tests.events import post

STARTS = 10
BAR, AIM = 12.0, 16.0  # times less processor time in the init phase than the naive handler
BUCKET = "bench"
VERSION = "v-bench"
REQUEST = post("/v1/predict", {"text": "The staff were wonderful and we loved every minute."})
FIGURES = {
    "init_cpu": "init, CPU",
    "init_wall": "init, wall",
    "answer_cpu": "init and first answer, CPU",
    "answer_wall": "from the event to its answer, wall",
}
COMPILE = ["-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"]
FIT_SECONDS = 600
FIT = """
import gzip, json, sys
import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
rows = [json.loads(line) for path in sys.argv[2:] for line in gzip.open(path, "rt", encoding="utf-8")]
pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), max_features=100_000), LogisticRegression(max_iter=1000))
pipeline.fit([row["text"] for row in rows], [row["label"] for row in rows])
print(f"naive: fitted on {len(rows)} rows, {len(pipeline[0].vocabulary_)} features", flush=True)
joblib.dump(pipeline, sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """A built function: what it is called, its handler, its folder with its layers', and what its answer has to say."""

    name: str
    handler: str
    folders: list[Path]
    answer: dict[str, str]

    def bytecode_files(self) -> int:
        """Return how many .pyc files there are."""
        return sum(path.endswith(".pyc") for path, _ in files(*self.folders))


def contenders(python: Path, rows: Sequence[Path], work: Path) -> list[Contender]:
    """Build the naive handler, ours, and the naive one with bytecode for comparison.

    Args:
        python: a Python 3.13.
        rows: the files that the naive handler's pipeline is fitted on.
        work: where they are built.
    """
    naive = sam_build(Path(__file__).with_name("naive"), work / "naive") / "PredictFunction"
    environment = {**os.environ, "PYTHONPATH": str(naive)}
    fit: list[str | Path] = [python, "-B", "-c", FIT, naive / "model.joblib", *rows]
    subprocess.run(fit, check=True, cwd=naive, env=environment, timeout=FIT_SECONDS)
    compiled = work / "naive-compiled"
    shutil.copytree(naive, compiled)
    # Its exit status says only that some library's tests are no valid Python on purpose.
    subprocess.run([python, *COMPILE, compiled], check=False, timeout=FIT_SECONDS)
    ours = sam_build(ROOT, work / "ours", "PredictFunction")
    folders = [ours / "PredictFunction", ours / "ModelLayer" / "python"]
    label = {"label": "positive"}
    return [
        Contender("naive", "app.handler", [naive], label),
        Contender("ours", "predict.app.handler", folders, {**label, "model_version": VERSION}),
        Contender("naive with .pyc", "app.handler", [compiled], label),
    ]


def fill_bucket() -> None:
    """Make a bucket whose pointer names another version than the bundled one, which is not read from S3."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    store = S3Store(BUCKET)
    manifest, weights = baseline_files()
    renamed = json.dumps({**json.loads(manifest), "version": VERSION}).encode()
    target = registry.publish(store, VERSION, renamed, {artefact.WEIGHTS: weights})
    registry.promote(store, target, by="bench", reason="to be read by the first request")


def measure(emulator: Emulator, all_contenders: Sequence[Contender]) -> dict[str, list[Start]]:
    """Start each in turn, and check its answer; return the starts by name."""
    starts: dict[str, list[Start]] = {contender.name: [] for contender in all_contenders}
    shipped = [contender.bytecode_files() for contender in all_contenders]
    for _ in range(STARTS):
        for contender in all_contenders:
            start, answer = emulator.start(contender.handler, contender.folders, REQUEST)
            if answer.status != 200 or not contender.answer.items() <= answer.body.items():
                sys.exit(f"{contender.name} answered {answer}")
            starts[contender.name].append(start)
    if [contender.bytecode_files() for contender in all_contenders] != shipped:
        sys.exit("A start wrote .pyc files, which it could not do on Lambda: the later starts are too fast.")
    return starts


def median(starts: Sequence[Start], field: str) -> float:
    """Return the median of one figure."""
    return statistics.median(float(getattr(start, field)) for start in starts)


def ratio(starts: dict[str, list[Start]], field: str) -> float:
    """Return how many times our median the naive handler's is, as `sam build` ships both."""
    return median(starts["naive"], field) / median(starts["ours"], field)


def report(all_contenders: Sequence[Contender], starts: dict[str, list[Start]]) -> None:
    """Print medians, and the lowest and highest figure."""
    for contender in all_contenders:
        measured = starts[contender.name]
        compiled = sorted({start.compiled for start in measured})
        print(f"\n{contender.name}: {megabytes(*contender.folders):.1f} MB unzipped", end="")
        print(f", {contender.bytecode_files()} .pyc files; modules compiled: {' or '.join(map(str, compiled))}")
        for field, title in FIGURES.items():
            times = [1000 * float(getattr(start, field)) for start in measured]
            print(f"  {title:36} {statistics.median(times):6.0f} ms  ({min(times):.0f} to {max(times):.0f})")


def main() -> int:
    """Build, measure and print everything; return 1 if the bar is missed."""
    rows = [data_folder().resolve() / name / "train.jsonl.gz" for name in ("sst2", "tweeteval")]  # over 100,000 terms
    python = python313()
    with tempfile.TemporaryDirectory(prefix="bench-cold-") as folder, s3_server() as endpoint:
        work = Path(folder)
        region = CREDENTIALS["AWS_DEFAULT_REGION"]
        environment = {
            **CREDENTIALS,
            "AWS_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "SENTILOOP_BUCKET": BUCKET,
        }
        emulator = Emulator(python, work, environment)
        built = contenders(python, rows, work)
        os.environ |= environment
        fill_bucket()
        starts = measure(emulator, built)
        print(f"{STARTS} fresh processes each, in turn; median (lowest to highest)")
        report(built, starts)
    print(f"\nCPU until the first answer: {ratio(starts, 'answer_cpu'):.1f} times less than the naive handler")
    print(f"Aim: {AIM:g} times less CPU in the init phase")
    return closing_lines([("cold-init-cpu-ratio", ratio(starts, "init_cpu"), "x", BAR, True)])


if __name__ == "__main__":
    sys.exit(main())
