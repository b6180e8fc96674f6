"""`make bench-cost`: dollars per million predictions on AWS, beside what managed services take, and while idle.

Processor time, bytes and the share of requests that store a sample are measured on this machine; what cannot be
measured here is stated in the output. The arithmetic is pure functions: quantities in, dollars out.
"""

import argparse
import io
import json
import logging
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

import boto3
from sentiloop import lines as log_lines
from sentiloop.settings import Settings

from infra.local.gateway import Event, Handler
from infra.local.template import FUNCTION, Template, load_template, resources
from infra.local.up import ROOT
from tests.benchmarks.bench import closing_lines
from tests.benchmarks.handler import (
    BATCH_SIZE,
    BUCKET,
    Measured,
    batches,
    bucket,
    handler_with,
    measure,
    singles,
    texts,
    typical,
)

MILLION = 1_000_000
GIGABYTE = 1e9  # bytes; the smaller of the two meanings, so nothing is priced too low
MONTH_SECONDS = 730 * 3600  # a month as AWS counts it
WHOLE_PROCESSOR_MB = 1769  # "At 1,769 MB, a function has the equivalent of one vCPU": AWS Lambda Developer Guide
TRACED_PER_SECOND, TRACED_SHARE = 1, 0.05  # X-Ray's default rule: the first request of a second, and 5 % of the others
METHOD_METRICS = 5  # Count, Latency, IntegrationLatency, 4XXError, 5XXError of one method, with MetricsEnabled
LAMBDA_LOG_BYTES = 350  # START, END and REPORT lines of one request
GATEWAY_HEADER_BYTES = 400  # what API Gateway adds to the headers of an answer
LENGTHS = 1000  # texts that the managed services' units are counted on
SINGLES, BATCHES = 2000, 100
MANAGED_SERVICES_TAKE = 300.0  # dollars per million short texts, the cheapest of them
CHECKS_A_MONTH = 730
CHECK = """
from sentiloop import s3
asked = []
s3._session().register("request-created.s3", lambda **_: asked.append(1))
from retrain.app import handler
handler({"action": "check"}, None)
print(len(asked))
"""


# --- Prices -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Price:
    """A list price without free tier or discount; `checked` names the page, and its date, that confirms it."""

    dollars: float
    units: float
    unit: str
    published: str
    checked: str

    @property
    def each(self) -> float:
        """Dollars for one unit."""
        return self.dollars / self.units


_LAMBDA = "AWS Lambda pricing page"
_NOTES = "Cost, notes on Lambda (lambda_local_runner), 11 May 2026"
_SNAPSTART = "The Hidden Cost of AWS Lambda SnapStart for Python (DEV), 20 Apr 2026"
_S3 = "Understanding AWS S3 Pricing: A Complete Cost Breakdown with Examples (devnotes.tech)"
_GATEWAY = "AWS API Gateway Pricing Explained (awsforengineers.com), 19 May 2025"

PRICES = {  # us-east-1, first tier
    "Lambda requests": Price(0.20, MILLION, "requests", _LAMBDA, _NOTES),
    "Lambda arm64": Price(0.0000133334, 1, "GB-seconds", _LAMBDA, _NOTES),
    "Lambda x86_64": Price(0.0000166667, 1, "GB-seconds", _LAMBDA, _NOTES),
    "SnapStart cache": Price(0.0000015046, 1, "GB-seconds", _LAMBDA, _SNAPSTART),
    "SnapStart restore": Price(0.0001397998, 1, "GB", _LAMBDA, _SNAPSTART),
    "API Gateway requests": Price(3.50, MILLION, "requests", "Amazon API Gateway pricing page, REST APIs", _GATEWAY),
    "data transfer out": Price(0.09, 1, "GB", "Amazon EC2 pricing page, data transfer", _GATEWAY),
    "S3 writes": Price(0.005, 1000, "PUT or LIST requests", "Amazon S3 pricing page, Standard", _S3),
    "S3 reads": Price(0.0004, 1000, "GET requests", "Amazon S3 pricing page, Standard", _S3),
    "S3 storage": Price(0.023, 1, "GB-months", "Amazon S3 pricing page, Standard", _S3),
    "log ingestion": Price(
        0.50,
        1,
        "GB",
        "Amazon CloudWatch pricing page, Standard logs",
        "Amazon CloudWatch Pricing: The 10 Billing Dimensions (FactualMinds), 13 Jun 2026",
    ),
    "custom metrics": Price(
        0.30,
        1,
        "metric-months",
        "Amazon CloudWatch pricing page, detailed API Gateway metrics count as custom ones",
        "CloudWatch Pricing Without the Confusion [Part 1] (SigNoz), 15 Feb 2026",
    ),
    "alarms": Price(
        0.10,
        1,
        "alarm-months",
        "Amazon CloudWatch pricing page, standard resolution",
        "Add support for CloudWatch resources, Infracost's output (GitHub pull request)",
    ),
    "dashboards": Price(
        3.00,
        1,
        "dashboard-months",
        "Amazon CloudWatch pricing page; the first three of an account are free",
        "Amazon CloudWatch Pricing: The 10 Billing Dimensions (FactualMinds), 13 Jun 2026",
    ),
    "X-Ray traces": Price(5.00, MILLION, "traces", "AWS X-Ray pricing page", "AWS X-Ray pricing (aws.amazon.com)"),
    "secrets": Price(
        0.40,
        1,
        "secret-months",
        "AWS Secrets Manager pricing page",
        "Transcript of that page (API Evangelist), 20 Sep 2026",
    ),
}


@dataclass(frozen=True, slots=True)
class ManagedService:
    """A service that is paid by the unit of text.

    Args:
        name: how it is called.
        unit_characters: characters that one unit holds; a begun unit counts.
        least_units: the least that a text is charged.
        tiers: (units of a month up to, dollars for one unit), in order; the last has no end.
        published: who publishes the price.
        checked: the page, and its date, that confirms it.
    """

    name: str
    unit_characters: int
    least_units: int
    tiers: tuple[tuple[float, float], ...]
    published: str
    checked: str

    def units(self, characters: int) -> int:
        """Return the units that one text is charged."""
        return max(self.least_units, math.ceil(characters / self.unit_characters))

    def per_million(self, lengths: Sequence[int]) -> float:
        """Return dollars for a million texts in one month, as long as the given ones are, in characters."""
        units = MILLION * fmean(map(self.units, lengths))
        dollars = below = 0.0
        for end, price in self.tiers:
            dollars += max(min(units, end) - below, 0.0) * price
            below = end
        return dollars


_COMPREHEND = "Amazon Comprehend pricing page"
_COMPREHEND_CHECKED = (
    "unit and minimum: Amazon Comprehend pricing (aws.amazon.com); price: Amazon Comprehend pricing (CloudZero)"
)
MANAGED = (
    ManagedService(
        "Amazon Comprehend, DetectSentiment", 100, 3, ((math.inf, 0.0001),), _COMPREHEND, _COMPREHEND_CHECKED
    ),
    ManagedService(
        "Amazon Comprehend, BatchDetectSentiment, if its minimum is per batch",
        100,
        1,
        ((math.inf, 0.0001),),
        _COMPREHEND,
        _COMPREHEND_CHECKED,
    ),
    ManagedService(
        "Google Cloud Natural Language, analyzeSentiment",
        1000,
        1,
        ((1e6, 0.001), (5e6, 0.0005), (math.inf, 0.00025)),
        "Cloud Natural Language pricing page",
        "Cloud Natural Language pricing (cloud.google.com)",
    ),
    ManagedService(
        "Azure AI Language, sentiment analysis",
        1000,
        1,
        ((5e5, 0.001), (2.5e6, 0.00075), (1e7, 0.0003), (math.inf, 0.00025)),
        "Azure AI Language pricing page, standard tier",
        "unit: Language pricing (azure.microsoft.com); first tier: README of "
        "bitcoin-sentiment-analysis (GitHub); the other tiers from memory",
    ),
)


# --- Arithmetic ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """What one request of a kind needs, on average.

    Args:
        texts: texts in it.
        billed_ms: duration that Lambda bills, in milliseconds, without a write of samples.
        writing_ms: what a write of samples adds to it.
        stored_share: share of the requests that have a sample to write.
        answer_bytes: bytes of the answer that leave AWS, headers included.
        log_bytes: bytes that go to CloudWatch Logs.
        metrics: metrics that CloudWatch makes of the lines of our own log.
    """

    texts: int
    billed_ms: float
    writing_ms: float
    stored_share: float
    answer_bytes: float
    log_bytes: float
    metrics: int


@dataclass(frozen=True, slots=True)
class Service:
    """How the service is deployed and used.

    Args:
        architecture: arm64 or x86_64.
        memory_mb: memory of the predict function.
        snapstart: whether it starts from a snapshot.
        rate: requests a second, steady.
        refresh_seconds: time between two looks of an instance at the model pointer.
        sample_seconds: time between two writes of samples by an instance.
        activity_seconds: time between two writes of what an instance counted.
        start_share: share of the requests that start an instance.
        start_ms: billed duration of a start, in milliseconds.
    """

    architecture: str
    memory_mb: int
    snapstart: bool
    rate: float
    refresh_seconds: float
    sample_seconds: float
    activity_seconds: float
    start_share: float
    start_ms: float


@dataclass(frozen=True, slots=True)
class Idle:
    """What is there without a request.

    Args:
        secrets: secrets kept.
        alarms: alarms set.
        dashboards: dashboards; the topic of the alerts costs nothing, and a thousand e-mails two cents.
        stored_bytes: bytes in the bucket.
        checks: checks a month.
        check_ms: billed duration of one, in milliseconds.
        check_requests: S3 requests of one, all priced as the dearer LIST and PUT.
        retrains: scheduled retrains a month.
        retrain_ms: billed duration of one, in milliseconds.
        retrain_mb: memory of the retrain function.
        snapshots_mb: memory of all cached SnapStart snapshots together.
    """

    secrets: int
    alarms: int
    dashboards: int
    stored_bytes: float
    checks: float
    check_ms: float
    check_requests: float
    retrains: float
    retrain_ms: float
    retrain_mb: int
    snapshots_mb: int


def dollars(price: str, quantity: float) -> float:
    """Return what a quantity of something in PRICES costs."""
    return PRICES[price].each * quantity


def billed_ms(cpu_ms: float, waiting_ms: float, memory_mb: int) -> int:
    """Return the milliseconds that Lambda bills: work at the memory's share of a processor, and waiting, rounded up."""
    return math.ceil(cpu_ms / min(memory_mb / WHOLE_PROCESSOR_MB, 1.0) + waiting_ms)


def gb_seconds(milliseconds: float, memory_mb: float) -> float:
    """Return what Lambda charges for as a duration."""
    return milliseconds / 1000 * memory_mb / 1024


def traced_share(rate: float) -> float:
    """Return the share of requests that X-Ray records at a steady rate a second."""
    fixed = min(rate, TRACED_PER_SECOND)
    return (fixed + TRACED_SHARE * (rate - fixed)) / rate


def times_per_request(seconds: float, load: Load, service: Service) -> float:
    """Return how often a request makes its instance do what each instance does once in some seconds: at most once."""
    busy_instances = max(1.0, service.rate * load.billed_ms / 1000)
    return min(1.0, busy_instances / service.rate / seconds) if seconds else 1.0


def cost_per_million(load: Load, service: Service) -> dict[str, float]:
    """Return the dollars of a million predictions by line item."""
    requests = MILLION / load.texts
    starts = requests * service.start_share
    restored_gb = starts * service.memory_mb / 1024 if service.snapstart else 0.0
    seconds = f"Lambda {service.architecture}"
    months = requests / service.rate / MONTH_SECONDS
    writes = min(load.stored_share, times_per_request(service.sample_seconds, load, service))
    counts = times_per_request(service.activity_seconds, load, service)
    duration_ms = load.billed_ms + (writes + counts) * load.writing_ms
    return {
        "API Gateway requests": dollars("API Gateway requests", requests),
        "Lambda requests": dollars("Lambda requests", requests),
        "Lambda duration": dollars(seconds, gb_seconds(requests * duration_ms, service.memory_mb)),
        "Lambda starts": dollars(seconds, gb_seconds(starts * service.start_ms, service.memory_mb)),
        "SnapStart restores": dollars("SnapStart restore", restored_gb),
        "S3 PUTs of samples": dollars("S3 writes", requests * writes),
        "S3 PUTs of counts": dollars("S3 writes", requests * counts),
        "S3 GETs of the pointer": dollars(
            "S3 reads", requests * times_per_request(service.refresh_seconds, load, service)
        ),
        "log ingestion": dollars("log ingestion", requests * load.log_bytes / GIGABYTE),
        "X-Ray traces": dollars("X-Ray traces", requests * traced_share(service.rate)),
        "metrics of the method": dollars("custom metrics", METHOD_METRICS * months),
        "metrics of the log lines": dollars("custom metrics", load.metrics * months),
        "data transfer out": dollars("data transfer out", requests * load.answer_bytes / GIGABYTE),
    }


def idle_cost_per_month(idle: Idle, architecture: str) -> dict[str, float]:
    """Return the dollars of a month without a request by line item."""
    worked = gb_seconds(idle.checks * idle.check_ms + idle.retrains * idle.retrain_ms, idle.retrain_mb)
    runs = idle.checks + idle.retrains
    return {
        "Secrets Manager": dollars("secrets", idle.secrets),
        "alarms": dollars("alarms", idle.alarms),
        "dashboard": dollars("dashboards", idle.dashboards),
        "S3 storage": dollars("S3 storage", idle.stored_bytes / GIGABYTE),
        "checks and retrains, Lambda": dollars(f"Lambda {architecture}", worked) + dollars("Lambda requests", runs),
        "checks and retrains, S3 requests": dollars("S3 writes", runs * idle.check_requests),
        "checks and retrains, X-Ray": dollars("X-Ray traces", runs),
        "SnapStart cache": dollars("SnapStart cache", idle.snapshots_mb / 1024 * MONTH_SECONDS),
    }


# --- Measuring ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request takes besides its work: memory of the function, bytes it logs, metrics made of our line."""

    memory_mb: int
    log_bytes: float
    metrics: int


def measured_with_lines(handler: Handler, events: Sequence[Event]) -> tuple[list[Measured], list[str]]:
    """Return what each request needed, and the lines that the handler logged."""
    logged = io.StringIO()
    log_lines.redirect(logging.StreamHandler(logged))
    return measure(handler, events), logged.getvalue().splitlines()


def line_metrics(lines: Iterable[str]) -> int:
    """Return how many metrics CloudWatch makes of lines: each name by each set of values of its dimensions."""
    made = set()
    for line in map(json.loads, lines):
        for group in line["_aws"]["CloudWatchMetrics"]:
            values = [tuple(line[name] for name in dimensions) for dimensions in group["Dimensions"]]
            made |= {(metric["Name"], value) for metric in group["Metrics"] for value in values}
    return len(made)


def load_of(
    plain: Sequence[Measured], sampling: Sequence[Measured], texts_each: int, stated: argparse.Namespace, needs: Needs
) -> Load:
    """Return what requests need on Lambda; every request is rounded up by itself, as it is billed.

    Args:
        plain: requests of a handler that keeps no samples.
        sampling: requests of one that writes what it keeps with every request.
        texts_each: texts in a request.
        stated: what cannot be measured here.
        needs: what the deployment gives and takes.
    """

    def billed(rows: Iterable[Measured], waiting_ms: float) -> float:
        return fmean(billed_ms(row.cpu_ms + stated.runtime_cpu_ms, waiting_ms, needs.memory_mb) for row in rows)

    writing = [row for row in sampling if row.stored]
    return Load(
        texts=texts_each,
        billed_ms=billed(plain, 0.0),
        writing_ms=billed(writing, stated.s3_wait_ms) - billed(plain, 0.0),
        stored_share=len(writing) / len(sampling),
        answer_bytes=fmean(row.answer_bytes for row in plain) + GATEWAY_HEADER_BYTES,
        log_bytes=needs.log_bytes,
        metrics=needs.metrics,
    )


def access_log_bytes(template: Template) -> int:
    """Return the bytes of one line of the access log, with values as long as they are in life."""
    [api] = resources(template, "AWS::Serverless::Api").values()
    lengths = {"requestId": 36, "requestTime": 26, "apiKeyId": 10, "httpMethod": 4, "resourcePath": 11}
    line = re.sub(
        r"\$context\.([\w.]+)",
        lambda found: "x" * lengths.get(found[1].rpartition(".")[2], 3),
        api["AccessLogSetting"]["Format"],
    )
    return len(line)


@dataclass(frozen=True, slots=True)
class Check:
    """What one check takes, in a bucket that was looked at before: milliseconds, S3 requests, bytes that it leaves."""

    milliseconds: float
    requests: int
    left_bytes: int


def measure_check() -> Check:
    """Check in a fresh process: on Lambda too, an hour later it is a cold start."""
    for _ in range(2):  # the first one finds nothing of its own yet
        bytes_before, started = bucket_bytes(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CHECK], check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        milliseconds = (time.perf_counter() - started) * 1000
    return Check(milliseconds, int(done.stdout.split()[-1]), bucket_bytes() - bytes_before)


def bucket_bytes() -> int:
    """Return the bytes in the bucket."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return sum(item["Size"] for page in pages for item in page.get("Contents", []))


def read_arguments(template: Template) -> argparse.Namespace:
    """Read what is stated, because it cannot be measured here."""
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    option = parser.add_argument
    option("--rate", type=float, default=10.0, help="requests a second, steady")
    option("--start-share", type=float, default=0.01, help="share of requests that start an instance")
    option("--cold-cpu-ms", type=float, default=500.0, help="processor time of a start from the code (make bench-cold)")
    option("--restore-ms", type=float, default=100.0, help="billed duration of a start from a snapshot")
    option("--versions", type=int, default=1, help="published versions that exist: each keeps a snapshot")
    option("--runtime-cpu-ms", type=float, default=0.5, help="processor time of Lambda's Python runtime per request")
    option("--s3-wait-ms", type=float, default=20.0, help="time that a PUT to S3 waits for its reply")
    option("--retrain-seconds", type=float, default=30.0, help="length of a retrain (make bench-retrain)")
    snapstart = template["Parameters"]["SnapStart"]["Default"] == "PublishedVersions"
    option("--snapstart", action=argparse.BooleanOptionalAction, default=snapstart, help="start from a snapshot")
    return parser.parse_args()


# --- Output -------------------------------------------------------------------------------------------------------


def show_stated(stated: argparse.Namespace, memory_mb: int, access_bytes: int, loads: Mapping[int, Load]) -> None:
    """Print on what grounds the tables stand."""
    share = min(memory_mb / WHOLE_PROCESSOR_MB, 1.0)
    start = (
        f"restore a snapshot, which is billed for {stated.restore_ms:g} ms besides"
        if stated.snapstart
        else f"take {stated.cold_cpu_ms:g} ms of processor time up to the first answer (make bench-cold), billed as any"
    )
    lines = (
        f"us-east-1, list prices, first tier, no free tier; {stated.rate:g} requests a second, steady",
        f"{memory_mb:,} MB of memory come with {memory_mb:,}/{WHOLE_PROCESSOR_MB:,} = {share:.3f} of a processor: "
        "processor time is divided by that",
        "arm64 and x86_64 both need the processor time of this machine",
        f"Lambda's runtime adds {stated.runtime_cpu_ms:g} ms of processor time a request",
        f"a PUT to S3 waits {stated.s3_wait_ms:g} ms for its reply",
        f"{stated.start_share:.2%} of the requests start an instance; these {start}",
        f"logs: {LAMBDA_LOG_BYTES} bytes a request are Lambda's, {access_bytes} the access log's; with our own line "
        f"{' and '.join(f'{load.log_bytes:.0f}, texts: {texts_each}' for texts_each, load in loads.items())}",
        f"CloudWatch makes {loads[1].metrics} metrics of our lines, one version answering; they are paid by the hour "
        "that they are written in",
        f"X-Ray records the first request of a second and {TRACED_SHARE:.0%} of the others, at this rate "
        f"{traced_share(stated.rate):.1%}",
        "left out, below a cent a million: storing the logs and the samples",
    )
    print("\nStated, not measured here")
    print("\n".join(f"  {line}" for line in lines))


def show_measured(title: str, rows: Sequence[Measured], load: Load) -> None:
    """Print what a kind of request needed here, and what Lambda would bill."""
    cpu = fmean(row.cpu_ms for row in rows)
    print(
        f"  {title:12} {len(rows):6} {typical(rows):9.3f} {cpu:9.3f} {load.billed_ms:10.2f} "
        f"{load.writing_ms:9.2f} {load.stored_share:8.1%} {load.answer_bytes:8.0f}"
    )


def show_table(title: str, columns: Mapping[str, Mapping[str, float]]) -> None:
    """Print dollars by line item, one column for each title, and their sums."""
    print(f"\n{title:36} " + " ".join(f"{name:>14}" for name in columns))
    for item in next(iter(columns.values())):
        print(f"  {item:34} " + " ".join(f"{column[item]:14.4f}" for column in columns.values()))
    print(f"  {'total':34} " + " ".join(f"{sum(column.values()):14.4f}" for column in columns.values()))


def show_everybody(ours: Mapping[str, float], lengths: Sequence[int]) -> None:
    """Print the totals of all services beside each other."""
    print(f"\nDollars per million texts of {fmean(lengths):.0f} characters")
    theirs = {managed.name: managed.per_million(lengths) for managed in MANAGED}
    for name, total in {**ours, **theirs}.items():
        print(f"  {total:9.2f}  {name}")


def show_prices() -> None:
    """Print every price with its source."""
    print("\nPrices, who publishes them; what confirms them")
    for name, price in PRICES.items():
        print(f"  {name}: ${price.dollars:.10g} per {price.units:,.0f} {price.unit}")
        print(f"      {price.published}; {price.checked}")
    for managed in MANAGED:
        tiers = ", ".join(
            f"${price:g}" if end == math.inf else f"${price:g} up to {end:,.0f} units" for end, price in managed.tiers
        )
        print(f"  {managed.name}:")
        print(f"      units of {managed.unit_characters:,} characters, {managed.least_units} at least; {tiers}")
        print(f"      {managed.published}; {managed.checked}")


def service(architecture: str, stated: argparse.Namespace, memory_mb: int) -> Service:
    """Return the service as stated, on one architecture."""
    return Service(
        architecture=architecture,
        memory_mb=memory_mb,
        snapstart=stated.snapstart,
        rate=stated.rate,
        refresh_seconds=Settings().refresh_seconds,
        sample_seconds=Settings().sample_seconds,
        activity_seconds=Settings().activity_seconds,
        start_share=stated.start_share,
        start_ms=stated.restore_ms if stated.snapstart else billed_ms(stated.cold_cpu_ms, 0.0, memory_mb),
    )


def main() -> int:
    """Measure, and print the tables; return 1 if a prediction costs more than the cheapest managed service takes."""
    template = load_template(ROOT / "template.yaml")
    memory_mb = resources(template, FUNCTION)["PredictFunction"]["MemorySize"]
    access_bytes = access_log_bytes(template)
    stated = read_arguments(template)
    with bucket():
        check, stored_bytes = measure_check(), bucket_bytes()
        source = texts(seed=1)
        events = {1: singles(source, SINGLES), BATCH_SIZE: batches(source, BATCHES)}
        quiet = {each: measured_with_lines(handler_with(store_samples=False), sent) for each, sent in events.items()}
        sampling = {
            each: measured_with_lines(handler_with(sample_seconds=0.0), sent)[0] for each, sent in events.items()
        }
    loads = {}
    for each, (rows, lines) in quiet.items():
        line_bytes = fmean(len(line.encode()) + 1 for line in lines)
        needs = Needs(memory_mb, LAMBDA_LOG_BYTES + access_bytes + line_bytes, line_metrics(lines))
        loads[each] = load_of(rows, sampling[each], each, stated, needs)
    print("Measured here     count  wall p50  CPU mean  billed ms  + a write  samples    bytes")
    for each, (rows, _) in quiet.items():
        show_measured(f"texts: {each}", rows, loads[each])
    print(
        f"  one check in a fresh process: {check.milliseconds:.0f} ms, {check.requests} S3 requests, "
        f"{check.left_bytes / 1e3:.1f} kB left; a fresh bucket: {stored_bytes / 1e6:.1f} MB"
    )
    show_stated(stated, memory_mb, access_bytes, loads)
    columns = {
        f"{architecture}, {each}": cost_per_million(load, service(architecture, stated, memory_mb))
        for architecture in ("arm64", "x86_64")
        for each, load in loads.items()
    }
    show_table("Dollars per million predictions", columns)
    totals = {f"Sentiloop, {name} a request": sum(column.values()) for name, column in columns.items()}
    show_everybody(totals, [len(text) for text in islice(texts(seed=1), LENGTHS)])
    idle = Idle(
        secrets=len(resources(template, "AWS::SecretsManager::Secret")),
        alarms=len(resources(template, "AWS::CloudWatch::Alarm")),
        dashboards=len(resources(template, "AWS::CloudWatch::Dashboard")),
        stored_bytes=stored_bytes + check.left_bytes * 24 * template["Parameters"]["RecordDays"]["Default"],
        checks=CHECKS_A_MONTH,
        check_ms=check.milliseconds,
        check_requests=check.requests,
        retrains=52 / 12,
        retrain_ms=stated.retrain_seconds * 1000,
        retrain_mb=template["Parameters"]["RetrainMemory"]["Default"],
        snapshots_mb=memory_mb * stated.versions if stated.snapstart else 0,
    )
    show_table("Dollars per idle month", {name: idle_cost_per_month(idle, name) for name in ("arm64", "x86_64")})
    show_prices()
    print()
    single = totals["Sentiloop, arm64, 1 a request"]
    return closing_lines([("cost-per-million-single", single, "usd", MANAGED_SERVICES_TAKE, False)])


if __name__ == "__main__":
    sys.exit(main())
