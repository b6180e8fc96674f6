"""`make bench-handler`: time of one prediction and of a batch of 100 in the warm predict handler, and where it goes.

Requests are REST proxy events, the settings are the defaults, S3 is moto's in another process. A FastAPI echo in the
same run shows how much of the time is the framework's.
"""

import cProfile
import importlib
import json
import logging
import os
import pstats
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any
from unittest import mock

import boto3
from fastapi import FastAPI
from mangum import Mangum
from predict.routes import create_predict_app
from predict.samples import Samples
from retrain.bootstrap import bootstrap
from sentiloop import lines
from sentiloop.activity import Activity
from sentiloop.activity_store import ActivityWriter
from sentiloop.s3 import S3Store
from sentiloop.serving import LiveModel
from sentiloop.settings import Settings

from infra.local.bucket import CREDENTIALS
from tests.benchmarks.bench import closing_lines
from tests.events import Context, Event, Handler, post

BUCKET = "bench"
SINGLES, BATCHES, BATCH_SIZE = 3000, 250, 100
WARM_UP = 10  # a tenth as many requests come first and are not counted
PAUSE_SECONDS = 0.003  # as long as a PUT takes; a processor that has rested is slower for a while
PROFILED, SHOWN = 2000, 10
SERVER = """
import sys
from infra.local.bucket import s3_server
with s3_server() as endpoint:
    print(endpoint, flush=True)
    sys.stdin.read()
"""


def words(listed: str) -> list[str]:
    """Return the entries of a list written as one string."""
    return listed.split("|")


# Phrases that please, displease, and say neither: a text takes from one, two or three of them, so that some are clear
# and some are doubtful.
OPENINGS = {
    "good": (
        "I really enjoyed {noun} at {name}",
        "{noun} from {name} is excellent",
        "we loved every minute of {noun}",
        "what a delightful surprise {noun} turned out to be",
        "{noun} works perfectly and looks great",
        "thank you {name}, {noun} made my {day}",
        "{noun} is the best I have seen in years",
        "{name} fixed {noun} quickly and kindly",
    ),
    "bad": (
        "I was very disappointed by {noun} at {name}",
        "{noun} from {name} is terrible",
        "we waited {number} hours for {noun}",
        "{noun} broke after {number} days",
        "never again will I pay for {noun}",
        "{name} ruined {noun} completely",
        "{noun} was cold, dirty and overpriced",
        "nobody at {name} answered when I complained about {noun}",
    ),
    "plain": (
        "{noun} arrived on {day} at {number} o'clock",
        "{name} announced {noun} for {day}",
        "I was told that {noun} opens at {number}",
        "{noun} is on page {number} of the catalogue",
        "we asked {name} about {noun} last {day}",
        "{number} people came to see {noun}",
        "{name} says {noun} will be ready by {day}",
        "my sister bought {noun} from {name}",
    ),
}
NOUNS = words(
    "the hotel room|the new phone|the second season|the chicken soup|the customer service|the battery|the soundtrack"
    "|the delivery|the keyboard|the guided tour|the update|the waiting room|the lead actor|the headphones|the breakfast"
    "|the concert|the mobile app|the train ride|the garden|the warranty|the plot|the coffee|the jacket|the museum"
    "|the search function|the landlord|the salad|the camera|the book club|the parking lot|the menu|the final chapter"
)
DAYS = words("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|birthday|holiday|weekend")
JOINS = (" and ", ", but ", "; ", ". ", ", so ", ", although ")
SYLLABLES = words("ba|cor|del|fen|gra|hol|jin|ka|lo|mar|nex|or|pri|qua|ros|sta|tri|ul|ver|win|xan|yor|zel")


def texts(seed: int) -> Iterator[str]:
    """Make short English texts of about 100 characters for ever; their names and numbers are mostly new ones."""
    draw = random.Random(seed)
    while True:
        text = ""
        while len(text) < draw.uniform(55, 105):
            name = "".join(draw.choices(SYLLABLES, k=draw.randint(2, 4))).title()
            phrase = draw.choice(OPENINGS[draw.choice(tuple(OPENINGS))])
            filled = phrase.format(
                noun=draw.choice(NOUNS), name=name, day=draw.choice(DAYS), number=draw.randint(1, 99)
            )
            text = text + draw.choice(JOINS) + filled if text else filled
        yield text + draw.choice((".", ".", "!", ""))


def singles(source: Iterator[str], count: int) -> list[Event]:
    """Return events of one text each."""
    return [post("/v1/predict", {"text": text}, api_key_id="k1") for text in islice(source, count)]


def batches(source: Iterator[str], count: int) -> list[Event]:
    """Return events of 100 texts each."""
    groups = (list(islice(source, BATCH_SIZE)) for _ in range(count))
    return [post("/v1/predict/batch", {"texts": group}, api_key_id="k1") for group in groups]


@dataclass(frozen=True, slots=True)
class Measured:
    """One request: its wall time, the processor time of the process meanwhile, and the bytes of its answer."""

    wall_ms: float
    cpu_ms: float
    stored: bool
    answer_bytes: int


@contextmanager
def bucket() -> Iterator[None]:
    """Run moto's S3 in a process of its own, fill a bucket, and name both in the environment."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:  # leaving the block closes its input, which ends it
        assert server.stdout
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": server.stdout.readline().strip()}
        os.environ["SENTILOOP_BUCKET"] = BUCKET
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        bootstrap(S3Store(BUCKET))
        yield


def default_handler() -> Handler:
    """Return the deployed handler; its settings are read here, at its import."""
    handler: Handler = importlib.import_module("predict.app").handler
    return handler


def handler_with(**changes: Any) -> Handler:
    """Return a handler with other settings."""
    settings = replace(Settings.from_env(), **changes)
    store = S3Store(settings.bucket, read_timeout=2, attempts=2)
    live, samples = LiveModel(store, settings.refresh_seconds), Samples(store, settings)
    writer = ActivityWriter(store, Activity(), settings)
    return Mangum(create_predict_app(settings, live, samples, writer), lifespan="off")


def echo_handler() -> Handler:
    """Return a handler that gives the body back."""
    app = FastAPI(openapi_url=None)

    @app.post("/{path:path}")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return Mangum(app, lifespan="off")


def measure(handler: Handler, events: Sequence[Event], pause_seconds: float = 0.0) -> list[Measured]:
    """Send every event, after a pause; the first ones warm up and are left out.

    Raises:
        RuntimeError: an answer was not 200.
    """
    found = []
    with mock.patch.object(S3Store, "put", autospec=True, side_effect=S3Store.put) as put:
        for event in events:
            if pause_seconds:
                time.sleep(pause_seconds)
            puts, wall, cpu = put.call_count, time.perf_counter_ns(), time.process_time_ns()
            reply = handler(event, Context())
            cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
            if reply["statusCode"] != 200:
                raise RuntimeError(f"answered {reply['statusCode']}: {reply['body']}")
            size = len(reply["body"].encode()) + len(json.dumps(reply["headers"]))
            found.append(Measured(wall / 1e6, cpu / 1e6, put.call_count > puts, size))
    return found[len(events) // WARM_UP :]


def typical(rows: Iterable[Measured]) -> float:
    """Return the 50th percentile of wall time, in milliseconds."""
    return median(row.wall_ms for row in rows)


def show(title: str, rows: Sequence[Measured]) -> None:
    """Print one line of the table."""
    if len(rows) < 2:
        print(f"  {title:44} {len(rows):6}")
        return
    percentiles = quantiles((row.wall_ms for row in rows), n=100, method="inclusive")
    figures = (percentiles[49], percentiles[98], fmean(row.cpu_ms for row in rows))
    print(f"  {title:44} {len(rows):6} " + " ".join(f"{figure:8.3f}" for figure in figures), flush=True)


def compare(title: str, make_events: Callable[[Iterator[str], int], list[Event]], count: int) -> list[Measured]:
    """Print the table of one route and return the requests with default settings."""
    source = texts(seed=1)
    print(f"\n{title + ', milliseconds':46} {'count':>6} {'p50':>8} {'p99':>8} {'CPU mean':>8}")
    default = measure(default_handler(), make_events(source, count))
    show("default settings, all requests", default)
    show("  of these: wrote no samples", [row for row in default if not row.stored])
    show("  of these: wrote samples", [row for row in default if row.stored])
    every = measure(handler_with(sample_seconds=0.0), make_events(source, count))
    show("SENTILOOP_SAMPLE_SECONDS=0, all requests", every)
    show("  of these: wrote samples", [row for row in every if row.stored])
    show("SENTILOOP_STORE_SAMPLES=false", measure(handler_with(store_samples=False), make_events(source, count)))
    paused = measure(handler_with(store_samples=False), make_events(source, count), PAUSE_SECONDS)
    show(f"the same, {PAUSE_SECONDS * 1000:g} ms after the one before", paused)
    show("FastAPI and Mangum alone, an echo", measure(echo_handler(), make_events(source, count)))
    return default


def show_parts(title: str, handler: Handler, events: Sequence[Event]) -> None:
    """Print the functions in which a request spends most, by their own time, and whose they are."""
    for event in events[: len(events) // WARM_UP]:
        handler(event, Context())
    profile = cProfile.Profile()
    profile.enable()
    for event in events:
        handler(event, Context())
    profile.disable()
    stats: Any = pstats.Stats(profile)
    own = {place: entry[2] for place, entry in stats.stats.items()}
    total = sum(own.values())
    print(f"\n{title}: own time by cProfile, which makes all of it slower")
    print(f"  {'share':>6} {'us':>7} {'calls':>6}  function")
    for place in sorted(own, key=lambda place: -own[place])[:SHOWN]:
        calls = stats.stats[place][1] / len(events)
        print(f"  {own[place] / total:6.1%} {own[place] / len(events) * 1e6:7.1f} {calls:6.1f}  {function_name(place)}")
    owners: dict[str, float] = {}
    for place, seconds in own.items():
        owners[owner(place[0])] = owners.get(owner(place[0]), 0.0) + seconds
    largest = sorted(owners, key=lambda name: -owners[name])[:SHOWN]
    print("  by package: " + ", ".join(f"{name} {owners[name] / total:.0%}" for name in largest))


def owner(file: str) -> str:
    """Return the package that a file belongs to; what is not installed and not ours is Python's own."""
    parts = Path(file).parts
    if file == "~":
        return "built-in"
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    return next((name for name in ("sentiloop", "predict") if name in parts[:-1]), "python")


def function_name(place: tuple[str, int, str]) -> str:
    """Return a function's name with its package and module; a built-in has neither."""
    file, line, name = place
    return name.strip("<>") if file == "~" else f"{owner(file)}: {Path(file).stem}.{name}:{line}"


def main() -> int:
    """Measure both routes; return 1 if a bar is missed."""
    lines.redirect(logging.FileHandler(os.devnull))  # made and written, but not in between the figures
    with bucket():
        sample = list(islice(texts(seed=1), 1000))
        print(f"Warm handler in one process, REST proxy events, texts of {fmean(map(len, sample)):.0f} characters:")
        print("\n".join(f"  {text}" for text in sample[:3]))
        one = compare("one text", singles, SINGLES)
        many = compare("100 texts", batches, BATCHES)
        parts = singles(texts(seed=2), PROFILED)
        show_parts("One text, default settings", default_handler(), parts)
        show_parts("One text, SENTILOOP_STORE_SAMPLES=false", handler_with(store_samples=False), parts)
    print()
    results = [
        ("predict-single-p50", typical(one), "ms", 1.0, False),
        ("predict-batch-p50", typical(many), "ms", 10.0, False),
    ]
    return closing_lines(results)


if __name__ == "__main__":
    sys.exit(main())
