"""`make bench-scaling`: how the cost of an answer grows with the text, with the batch and with the model's width.

Texts are those of the seed corpus. It prints tables of CPU time on one core, the median of several passes, and draws
them in docs/images/scaling.svg.
"""

import os
import platform
import random
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any

import boto3
import numpy as np
from matplotlib import rc_context  # type: ignore[import-not-found,unused-ignore]
from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
from retrain.bootstrap import bootstrap
from retrain.datasets import seed_rows
from sentiloop import artefact
from sentiloop.artefact import Model
from sentiloop.bundled import baseline
from sentiloop.s3 import S3Store
from sentiloop.scoring import Scorer

from infra.local.bucket import CREDENTIALS, s3_server
from tests.benchmarks.score import seconds_one_by_one, seconds_unseen, take_turns, use_one_core
from tests.builders import LABELS, ROOT, make_manifest
from tests.events import Context, Event, Handler, call, post

FIGURE = "docs/images/scaling.svg"
LENGTHS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
BATCHES = (1, 2, 5, 10, 20, 50, 100)
WIDTHS = tuple(2**bits for bits in range(16, 23))
ROUNDS = 9
EVERY = 10  # a text of each length starts at every tenth row
REQUESTS = 15  # of each batch size, with other texts each
BUCKET = "bench"
SEEN, UNSEEN = "words seen", "nothing seen"
COLOURS = {SEEN: "#0072b2", UNSEEN: "#d55e00"}
STYLE: Any = {  # matplotlib types the keys by itself
    "svg.hashsalt": "sentiloop",
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
}


def by_length(texts: Sequence[str]) -> dict[int, float]:
    """Return the microseconds of a text of each length in characters, its words seen."""
    scorer = Scorer(baseline())
    passes = {}
    for length in LENGTHS:
        cut = [" ".join([*texts[start:], *texts[:start]])[:length] for start in range(0, len(texts), EVERY)]
        passes[length] = partial(seconds_one_by_one, scorer.score, cut)
    count = len(range(0, len(texts), EVERY))
    return {length: 1e6 * median(each) / count for length, each in take_turns(passes, ROUNDS).items()}


def by_batch(texts: Sequence[str]) -> dict[int, float]:
    """Return the milliseconds of one request through the predict function's handler, for each size of the batch."""
    with s3_server() as endpoint:
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": endpoint, "SENTILOOP_BUCKET": BUCKET}
        # One look at the pointer, by the first request; the bucket's server shares this process and its CPU time.
        os.environ |= {"SENTILOOP_STORE_SAMPLES": "false", "SENTILOOP_REFRESH_SECONDS": "86400"}
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        bootstrap(S3Store(BUCKET))
        handler: Handler = import_module("predict.app").handler
        passes = {size: partial(_requests, handler, _batches(texts, size)) for size in BATCHES}
        return {size: 1e3 * median(each) / REQUESTS for size, each in take_turns(passes, ROUNDS).items()}


def _batches(texts: Sequence[str], size: int) -> list[Event]:
    return [
        post("/v1/predict/batch", {"texts": texts[number * size : (number + 1) * size]}) for number in range(REQUESTS)
    ]


def _requests(handler: Handler, events: Sequence[Event]) -> float:
    answer = call(handler, events[0])
    if answer.status != 200 or any("error" in result for result in answer.body["results"]):
        sys.exit(f"a batch was not answered: {answer.status} {answer.body}")
    context = Context()
    return seconds_one_by_one(lambda event: handler(event, context), events)


def by_width(texts: Sequence[str]) -> dict[tuple[int, str], float]:
    """Return the microseconds of a text for each width of the model, its words seen, and nothing seen."""
    passes = {}
    for width in WIDTHS:
        model = random_model(width)
        passes[width, SEEN] = partial(seconds_one_by_one, Scorer(model).score, texts)
        passes[width, UNSEEN] = partial(seconds_unseen, model, texts)
    return {key: 1e6 * median(each) / len(texts) for key, each in take_turns(passes, ROUNDS).items()}


def random_model(width: int) -> Model:
    """Return a model of 8-bit random weights and positive values."""
    dice = np.random.default_rng(0)
    table = dice.integers(-127, 128, (width, len(LABELS) + 1), dtype=np.int8)
    table[:, -1] = dice.integers(1, 128, width, dtype=np.int8)
    weights = table.tobytes()
    return artefact.load(artefact.dump(make_manifest(width=width), weights, "int8"), weights)


def megabytes(width: int) -> float:
    """Return the size of such a model's table."""
    return width * (len(LABELS) + 1) / 1e6


def draw(lengths: Mapping[int, float], batches: Mapping[int, float], widths: Mapping[tuple[int, str], float]) -> None:
    """Write the figure; equal numbers give equal bytes."""
    with rc_context(STYLE):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        text, batch, width = figure.subplots(1, 3)
        text.plot(list(lengths), list(lengths.values()), "o-", color=COLOURS[SEEN])
        text.set(title="A text, words seen", xlabel="characters", ylabel="µs", xscale="log", yscale="log")
        text.minorticks_off()
        for axis in (text.xaxis, text.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        batch.plot(list(batches), list(batches.values()), "o-", color=COLOURS[SEEN])
        batch.set(title="A request, through the handler", xlabel="texts in the batch", ylabel="ms", ylim=(0, None))
        for kind, colour in COLOURS.items():
            width.plot(WIDTHS, [widths[each, kind] for each in WIDTHS], "o-", color=colour, label=kind)
        width.set_xscale("log", base=2)
        width.set_xticks(WIDTHS, [f"{each // 1024:,}\n{megabytes(each):.2g}" for each in WIDTHS])
        width.set(
            title="A text, by width of the model",
            xlabel="buckets / 1,024, and megabytes of the table",
            ylabel="µs",
            ylim=(0, None),
        )
        width.legend()
        path = ROOT / FIGURE
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Measure, print and draw."""
    use_one_core()
    texts = [row.text for row in seed_rows()]
    random.Random(0).shuffle(texts)  # they come sorted by kind
    print(f"CPU time on one core, Python {platform.python_version()}, {platform.machine()}; {len(texts):,} seed texts")
    lengths, batches, widths = by_length(texts), by_batch(texts), by_width(texts)
    print(f"\n{'characters':>10} {'us a text':>9}")
    for length, taken in lengths.items():
        print(f"{length:10,} {taken:9.1f}")
    print(f"\n{'texts':>10} {'ms a request':>12}")
    for size, taken in batches.items():
        print(f"{size:10} {taken:12.2f}")
    print(f"\n{'width':>10} {'table MB':>9} {SEEN + ', us':>15} {UNSEEN + ', us':>17}")
    for width in WIDTHS:
        print(f"{width:10,} {megabytes(width):9.2f} {widths[width, SEEN]:15.1f} {widths[width, UNSEEN]:17.1f}")
    draw(lengths, batches, widths)
    print(f"\nwrote {FIGURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
