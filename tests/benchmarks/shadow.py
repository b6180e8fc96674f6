"""`make bench-shadow`: what a challenger in shadow costs a prediction, with 0, 10 and 100 % of the traffic shadowed.

One warm handler for each share, over the same bucket on moto in another process. Every text goes to all of them, one
after another in an order by lot, so that whatever slows the machine slows all alike. The settings are the defaults.
"""

import json
import logging
import os
import random
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import fmean, median, quantiles

from sentiloop import artefact, lines, registry, trial
from sentiloop.bundled import baseline, baseline_files
from sentiloop.pointer import Target
from sentiloop.s3 import S3Store
from sentiloop.scoring import Scorer
from sentiloop.storage import ObjectStore

from infra.local.template import FUNCTION, load_template, resources
from infra.local.up import ROOT
from tests.benchmarks.bench import closing_lines
from tests.benchmarks.cost import MILLION, WHOLE_PROCESSOR_MB, billed_ms, dollars, gb_seconds
from tests.benchmarks.handler import BUCKET, WARM_UP, Measured, bucket, handler_with, singles, texts
from tests.events import Context, Event, Handler

SHARES = (0.0, 0.1, 1.0)
REQUESTS = 6_000
RUNTIME_CPU_MS = 0.5  # of Lambda's Python runtime for each request, as in `make bench-cost`
RIVAL, RIVAL_BIAS = (
    "rival",
    0.25,
)  # added to the first label's: a challenger as large as a real one that differs now and then


def publish_rival(store: ObjectStore) -> Target:
    """Publish the bundled baseline once more, with another bias and under another name."""
    manifest, weights = baseline_files()
    fields = json.loads(manifest)
    fields["bias"][0] += RIVAL_BIAS
    body = artefact.dump({**fields, "version": RIVAL}, weights, fields["weights"]["item_type"])
    return registry.publish(store, RIVAL, body, {artefact.WEIGHTS: weights})


def interleaved(handlers: dict[float, Handler], events: list[Event]) -> dict[float, list[Measured]]:
    """Send every event to every handler; the first ones warm up and are left out.

    Raises:
        RuntimeError: an answer was not 200.
    """
    draw = random.Random(1)
    found: dict[float, list[Measured]] = {share: [] for share in handlers}
    for event in events:
        for share in draw.sample(list(handlers), len(handlers)):
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            reply = handlers[share](event, Context())
            cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
            if reply["statusCode"] != 200:
                raise RuntimeError(f"answered {reply['statusCode']}: {reply['body']}")
            found[share].append(Measured(wall / 1e6, cpu / 1e6, stored=False, answer_bytes=len(reply["body"])))
    return {share: rows[len(events) // WARM_UP :] for share, rows in found.items()}


def show(found: dict[float, list[Measured]], memory_mb: int) -> None:
    """Print times, and what Lambda would take for them: by the millisecond begun, and by the time itself."""
    print(f"\n{'of the traffic shadowed':24} {'p50':>8} {'p99':>8} {'CPU mean':>9}   {'$ billed':>9} {'$ by time':>9}")
    print(f"{'':24} {'ms':>8} {'ms':>8} {'ms':>9}   {'per million predictions':>19}")
    plain = figures(found[0.0], memory_mb)
    for share, rows in found.items():
        p50, p99, cpu, billed, exact = figures(rows, memory_mb)
        print(f"  {f'{share:.0%}':22} {p50:8.3f} {p99:8.3f} {cpu:9.3f}   {billed:9.4f} {exact:9.4f}")
        if share:
            more = [figure - before for figure, before in zip((p50, p99, cpu, billed, exact), plain, strict=True)]
            print(f"  {'  added':22} {more[0]:+8.3f} {more[1]:+8.3f} {more[2]:+9.3f}   {more[3]:+9.4f} {more[4]:+9.4f}")


def figures(rows: list[Measured], memory_mb: int) -> list[float]:
    """Return p50 and p99 of wall time, mean processor time, and dollars per million as billed and by the exact time."""
    percentiles = quantiles((row.wall_ms for row in rows), n=100, method="inclusive")
    cpu = [row.cpu_ms + RUNTIME_CPU_MS for row in rows]
    billed = fmean(billed_ms(each, 0.0, memory_mb) for each in cpu)
    exact = fmean(cpu) / min(memory_mb / WHOLE_PROCESSOR_MB, 1.0)
    prices = (dollars("Lambda arm64", gb_seconds(MILLION * each, memory_mb)) for each in (billed, exact))
    return [percentiles[49], percentiles[98], fmean(row.cpu_ms for row in rows), *prices]


def main() -> int:
    """Measure; return 1 if a prediction with all traffic shadowed takes longer than a prediction may."""
    memory_mb = resources(load_template(ROOT / "template.yaml"), FUNCTION)["PredictFunction"]["MemorySize"]
    with bucket(), Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        lines.redirect(logging.StreamHandler(nowhere))
        store = S3Store(BUCKET)
        target = publish_rival(store)
        trial.begin(store, target, "shadow", 0.0, by="bench", reason="to see what it costs")
        champion, challenger = Scorer(baseline()), Scorer(registry.fetch(store, target))
        sample = list(islice(texts(seed=1), 1000))
        flips = sum(champion.score(text).label != challenger.score(text).label for text in sample)
        handlers = {share: handler_with(shadow_share=share) for share in SHARES}
        found = interleaved(handlers, singles(texts(seed=1), REQUESTS))
    print(
        f"{REQUESTS:,} texts of {fmean(map(len, sample)):.0f} characters, each to every handler in an order by lot; "
        f"the versions differ on {flips / len(sample):.1%}"
    )
    print(f"dollars: arm64 in us-east-1, {memory_mb:,} MB, {RUNTIME_CPU_MS:g} ms of the runtime's own a request")
    show(found, memory_mb)
    print()
    return closing_lines([("predict-shadowed-p50", median(row.wall_ms for row in found[1.0]), "ms", 1.0, False)])


if __name__ == "__main__":
    sys.exit(main())
