"""`make bench-scale`: a retrain on as many as 1,000,000 corrections in 200,000 objects, and on 10,000 more.

The bucket is a folder of files, and the corrections are invented: short reviews of 15 words, of which three in ten
repeat another. The retrain function runs in a process of its own, as on Lambda. Its seconds are those of the processor,
so that what else the machine does makes no difference: one thread computes at a time, on Lambda on a core of its own.
What our client takes for a read from S3 is measured on moto and added, an object at a time; that reads wait for the
network is not, since ten of them wait together. It prints a table and draws docs/images/scale.svg.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
from matplotlib import rc_context  # type: ignore[import-not-found,unused-ignore]
from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
from sentiloop.receipts import correction_id, correction_key
from sentiloop.records import Correction, timestamp, to_lines
from sentiloop.s3 import S3Store

from infra.local.bucket import CREDENTIALS, s3_server
from tests.benchmarks.bench import closing_lines
from tests.benchmarks.bucket_files import BucketFiles
from tests.benchmarks.scaling import STYLE
from tests.builders import ROOT

FIGURE = "docs/images/scale.svg"
SIZES = (10_000, 50_000, 200_000, 1_000_000)
MORE = 10_000
LINES = 5  # an object
CONTRIBUTORS = 20_000
DAYS = 60
NEWEST = datetime(2026, 6, 30, 12, tzinfo=UTC)
WORDS_IN_TEXT = 15
REPEATED = 0.3
REPEATABLE = 20_000  # texts that are repeated
NOISE = 0.1  # share of corrections with a label that the words do not suggest
CALLS = 2_000  # reads from S3 that are measured
BUCKET = "bench"
FIRST, INCREMENTAL = "first run", f"with {MORE:,} more"
COLOURS = {FIRST: "#0072b2", INCREMENTAL: "#d55e00"}
PHASES = {
    "collect": "list and read",
    "find_anchor": "anchor",
    "screen": "screen",
    "merge_corrections": "merge",
    "make_snapshot": "snapshot",
    "store_snapshot": "snapshot",
    "Adaptation": "train",
    "choice_for": "train",
    "make_candidate": "train",
    "judge": "judge",
    "estimate_noise": "judge",
    "settle": "receipts",
}
CHILD = """
import json, resource, sys, time
from collections import Counter
from pathlib import Path
from retrain import app, run, task
from tests.benchmarks.bucket_files import BucketFiles
from tests.benchmarks.scale import PHASES

seconds = Counter()

def timed(module, name):
    function = getattr(module, name)
    def call(*args, **options):
        started = time.process_time()
        try:
            return function(*args, **options)
        finally:
            seconds[PHASES[name]] += time.process_time() - started
    return call

for name in PHASES:
    module = run if hasattr(run, name) else task
    setattr(module, name, timed(module, name))
app.store = BucketFiles(Path(sys.argv[1]))
record = app.handler({"action": "retrain"}, None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
told = {"outcome": record["outcome"], "reasons": record["reasons"], "processor": time.process_time()}
print(json.dumps({**told, "gigabytes": peak / 1e6, "phases": seconds}))
"""

SHARED = """
the a this that it was is and but with for my our their after before again here there one very quite really order
delivery box phone table chair book game film hotel room kitchen waiter menu dinner lunch coffee battery screen charger
cable jacket shoes colour size price shop seller website app update driver train flight ticket garden tool manual handle
wheel engine window door morning evening weekend week family friend colleague staff manager support said told asked came
went bought sold sent gave took made found kept left used tried wanted needed looked felt worked paid called waited
"""
TELLING = {
    "positive": """
wonderful lovely perfect sturdy delicious friendly generous spotless delightful superb helpful brilliant cosy charming
reliable impressive smooth happy grateful recommend
""",
    "negative": """
awful broken rude filthy useless disappointing late cold noisy overpriced faulty flimsy bland careless slow scratched
leaking refund annoyed regret
""",
    "neutral": """
average ordinary plain expected usual standard adequate moderate described listed mentioned scheduled included measured
assembled weighs contains arrived opened stated
""",
}
SYLLABLES = "ba chi do fen gor hal in jo kel lu mar nes or pil qua ri sol tam ul ver wen xan yor zet"  # names: 24 ** 3


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run took: seconds of the processor by phase, as a whole and for S3 in addition; seconds by the clock."""

    corrections: int
    run: str
    phases: Mapping[str, float]
    processor: float
    client: float
    clock: float
    gigabytes: float


def corrections(seed: str) -> Iterator[Correction]:
    """Yield invented corrections without end, of the last days before `NEWEST`."""
    dice = random.Random(seed)
    repeatable = [_text(dice) for _ in range(REPEATABLE)]
    names = [sha256(f"contributor {number}".encode()).hexdigest()[:32] for number in range(CONTRIBUTORS)]
    labels = list(TELLING)
    while True:
        label, text = dice.choice(repeatable) if dice.random() < REPEATED else _text(dice)
        moment = NEWEST - timedelta(milliseconds=dice.randrange(DAYS * 86_400_000))
        yield Correction(
            id=correction_id(moment.date(), f"{dice.getrandbits(128):032x}"),
            received_at=timestamp(moment),
            text=text,
            correct_label=dice.choice(labels) if dice.random() < NOISE else label,
            contributor=dice.choice(names),
            source="user",
            predicted_label=dice.choice(labels),
            confidence=round(dice.uniform(0.34, 1), 6),
            model_version="baseline",
            request_digest=f"{dice.getrandbits(256):064x}",
        )


def _text(dice: random.Random) -> tuple[str, str]:
    """Return a label and a text: shared words, some that tell the label, and the name of what it is about."""
    label = dice.choice(list(TELLING))
    telling = dice.randint(2, 3)
    words = dice.choices(SHARED.split(), k=WORDS_IN_TEXT - telling - 1)
    words += [*dice.choices(TELLING[label].split(), k=telling), "".join(dice.choices(SYLLABLES.split(), k=3))]
    dice.shuffle(words)
    return label, " ".join(words)


def fill(store: BucketFiles, count: int, seed: str) -> None:
    """Put corrections into a bucket, several an object, which is named after the first."""
    source = corrections(seed)
    for _ in range(count // LINES):
        lines = list(islice(source, LINES))
        store.put(correction_key(lines[0].id), to_lines(lines), if_absent=True)


def measure(folder: Path, count: int, run: str, objects: int, client: tuple[float, float]) -> Measured:
    """Run once; `objects` are new among `count` corrections, and `client` are seconds a read and seconds a key."""
    started = time.perf_counter()
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    clock = time.perf_counter() - started
    told = json.loads(child.stdout.splitlines()[-1])
    print(f"{count:,} corrections, {run}: {told['outcome']}: {'; '.join(told['reasons'])[:200]}", flush=True)
    on_s3 = objects * client[0] + count // LINES * client[1]
    return Measured(count, run, told["phases"], told["processor"], on_s3, clock, told["gigabytes"])


def seconds_of_client() -> tuple[float, float]:
    """Return the processor time that our client takes for a read, and for a key in a listing."""
    with s3_server() as endpoint:
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": endpoint}
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        store = S3Store(BUCKET, read_timeout=60)
        body = to_lines(islice(corrections("client"), LINES))
        keys = [f"feedback/{number:08d}.jsonl" for number in range(CALLS)]
        for key in keys:
            store.put(key, body, if_absent=True)
        started = time.thread_time()
        for key in keys:
            store.get(key)
        read = time.thread_time()
        listed = len(list(store.keys("feedback/")))
        return (read - started) / CALLS, (time.thread_time() - read) / listed


def print_table(results: Sequence[Measured]) -> None:
    """Print seconds by phase, and memory."""
    phases = list(dict.fromkeys(PHASES.values()))
    heads = "".join(f"{name:>{len(name) + 2}}" for name in [*phases, "   whole", "    + S3", "   clock"])
    print(f"\n{'corrections':>11} {'run':16}{heads}     GB")
    for each in results:
        seconds = [*((len(name), each.phases.get(name, 0.0)) for name in phases)]
        seconds += [(8, value) for value in (each.processor, each.client, each.clock)]
        figures = "".join(f"{value:{width + 2}.1f}" for width, value in seconds)
        print(f"{each.corrections:11,} {each.run:16}{figures} {each.gigabytes:6.2f}")


def draw(results: Sequence[Measured]) -> None:
    """Write the figure; equal numbers give equal bytes."""
    figures: dict[str, Any] = {
        "Seconds of the processor": (lambda each: each.processor + each.client, 900),
        "Peak memory, gigabytes": (lambda each: each.gigabytes, 10),
    }
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        for axes, (title, (value, bar)) in zip(figure.subplots(1, 2), figures.items(), strict=True):
            for run, colour in COLOURS.items():
                of_run = [each for each in results if each.run == run]
                axes.plot(
                    [each.corrections for each in of_run], list(map(value, of_run)), "o-", color=colour, label=run
                )
            axes.axhline(bar, color="#777777", linestyle="--", label="Lambda's limit")
            axes.set(title=title, xlabel="corrections", xscale="log", yscale="log")
            axes.minorticks_off()
            axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
            axes.yaxis.set_major_formatter("{x:,g}")
            axes.legend()
        path = ROOT / FIGURE
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Measure, print and draw; return 1 if a bar is missed."""
    client = seconds_of_client()
    print(f"our client on S3: {1e3 * client[0]:.2f} ms of the processor a read, {1e6 * client[1]:.0f} us a listed key")
    results = []
    for count in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            fill(BucketFiles(folder), count, f"first {count}")
            results.append(measure(folder, count, FIRST, count // LINES, client))
            fill(BucketFiles(folder), MORE, f"more {count}")
            results.append(measure(folder, count + MORE, INCREMENTAL, MORE // LINES, client))
    print_table(results)
    draw(results)
    print(f"\nwrote {FIGURE}")
    first, incremental = results[-2:]
    return closing_lines(
        [
            ("scale-first-run", first.processor + first.client, "s", 900, False),
            ("scale-incremental-run", incremental.processor + incremental.client, "s", 900, False),
            ("scale-memory", max(first.gigabytes, incremental.gigabytes), "GB", 10, False),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
