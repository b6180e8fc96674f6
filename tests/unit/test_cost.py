"""The arithmetic of the cost benchmark, against examples worked by hand."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.cost import (
    MANAGED,
    MILLION,
    MONTH_SECONDS,
    PRICES,
    WHOLE_PROCESSOR_MB,
    Idle,
    Load,
    ManagedService,
    Service,
    billed_ms,
    cost_per_million,
    idle_cost_per_month,
    line_metrics,
    times_per_request,
    traced_share,
)

ONE = Load(texts=1, billed_ms=10.0, writing_ms=25.0, stored_share=0.4, answer_bytes=1000, log_bytes=600, metrics=12)
PLAIN = Service(
    architecture="arm64",
    memory_mb=1024,
    snapstart=False,
    rate=10.0,
    refresh_seconds=3.0,
    sample_seconds=5.0,
    activity_seconds=60.0,
    start_share=0.01,
    start_ms=1000.0,
)
SHARES = st.floats(0, 1)
EIGHTHS = st.integers(0, 8000).map(lambda eighths: eighths / 8)  # exact in binary, so that no ceiling is off by a bit
RATES = st.floats(0.01, 10_000)
SERVICES = st.builds(
    Service,
    architecture=st.sampled_from(["arm64", "x86_64"]),
    memory_mb=st.sampled_from([128, 1024, 1769, 10_240]),
    snapstart=st.booleans(),
    rate=RATES,
    refresh_seconds=st.floats(0.1, 60),
    sample_seconds=st.floats(0.0, 60),
    activity_seconds=st.floats(0.0, 60),
    start_share=SHARES,
    start_ms=st.floats(0, 10_000),
)


# --- What Lambda bills ---


@pytest.mark.parametrize(
    ("cpu_ms", "waiting_ms", "memory_mb", "expected"),
    [
        (1.0, 0.0, 1769, 1),  # a whole processor
        (1.01, 0.0, 1769, 2),  # every begun millisecond
        (1.0, 0.0, 1024, 2),  # 1.0 * 1769 / 1024 = 1.73
        (1.0, 20.0, 1024, 22),  # waiting takes no processor
        (1.0, 0.0, 3538, 1),  # one thread is no faster on two processors
        (0.0, 0.0, 128, 0),
    ],
)
def test_billed_milliseconds(cpu_ms: float, waiting_ms: float, memory_mb: int, expected: int) -> None:
    assert billed_ms(cpu_ms, waiting_ms, memory_mb) == expected


@pytest.mark.parametrize(("rate", "expected"), [(0.5, 1.0), (1.0, 1.0), (10.0, 0.145), (101.0, 6 / 101)])
def test_x_ray_records_the_first_request_of_a_second_and_five_percent_of_the_others(
    rate: float, expected: float
) -> None:
    assert traced_share(rate) == pytest.approx(expected)


def test_what_an_instance_does_every_few_seconds_it_does_at_most_once_a_request() -> None:
    assert times_per_request(3.0, ONE, PLAIN) == pytest.approx(1 / 30)  # one instance, 10 requests a second
    assert times_per_request(3.0, ONE, replace(PLAIN, rate=0.1)) == 1
    assert times_per_request(0.0, ONE, PLAIN) == 1
    # 1,000 requests a second of 10 ms keep ten instances busy
    assert times_per_request(3.0, ONE, replace(PLAIN, rate=1000.0)) == pytest.approx(10 / 3 / 1000)


# --- A million predictions ---


def test_a_million_requests_of_one_text() -> None:
    assert cost_per_million(ONE, PLAIN) == pytest.approx(
        {
            "API Gateway requests": 3.50,
            "Lambda requests": 0.20,
            # 10,000 s of 1 GB, and 25 ms more for every fiftieth request, and for one in six hundred
            "Lambda duration": 0.133334 * (1 + 0.05 + 1 / 240),
            "Lambda starts": 0.133334,  # 10,000 of a second each
            "SnapStart restores": 0.0,
            "S3 PUTs of samples": 0.10,  # 20,000 at 0.005 a thousand: one in five seconds
            "S3 PUTs of counts": 0.005 / 0.6,  # one in a minute
            "S3 GETs of the pointer": 0.4 / 30,  # a thirtieth of a million at 0.0004 a thousand
            "log ingestion": 0.30,  # 0.6 GB
            "X-Ray traces": 0.725,  # 145,000
            "metrics of the method": 1.50 * 100_000 / (730 * 3600),  # five metrics for the 100,000 s that it lasts
            "metrics of the log lines": 3.60 * 100_000 / (730 * 3600),  # twelve
            "data transfer out": 0.09,  # 1 GB
        }
    )


def test_a_million_texts_in_ten_thousand_requests() -> None:
    load = Load(
        texts=100, billed_ms=50.0, writing_ms=0.0, stored_share=1.0, answer_bytes=25_000, log_bytes=600, metrics=12
    )
    items = cost_per_million(load, replace(PLAIN, architecture="x86_64", sample_seconds=0.0))
    assert items["API Gateway requests"] == pytest.approx(0.035)
    assert items["Lambda duration"] == pytest.approx(0.00833335)  # 500 s of 1 GB
    assert items["S3 PUTs of samples"] == pytest.approx(0.05)
    assert items["data transfer out"] == pytest.approx(0.0225)  # 0.25 GB


def test_no_more_is_written_than_there_are_samples() -> None:
    items = cost_per_million(replace(ONE, stored_share=0.01), PLAIN)
    assert items["S3 PUTs of samples"] == pytest.approx(0.05)


def test_starts_from_a_snapshot_pay_for_its_memory() -> None:
    items = cost_per_million(ONE, replace(PLAIN, snapstart=True, start_ms=100.0))
    assert items["SnapStart restores"] == pytest.approx(1.397998)  # 10,000 times 1 GB
    assert items["Lambda starts"] == pytest.approx(0.0133334)


@given(st.integers(1, 50), st.integers(1, 20), st.tuples(EIGHTHS, EIGHTHS, EIGHTHS), SHARES, SERVICES)
def test_more_texts_a_request_never_cost_more_per_text(
    texts: int, times: int, milliseconds: tuple[float, float, float], stored_share: float, service: Service
) -> None:
    fixed_ms, text_ms, waiting_ms = milliseconds

    def total(count: int, share: float) -> float:
        cpu_ms = fixed_ms + text_ms * count
        plain, writing = (billed_ms(cpu_ms, wait, WHOLE_PROCESSOR_MB) for wait in (0.0, waiting_ms))
        load = Load(
            texts=count,
            billed_ms=plain,
            writing_ms=writing - plain,
            stored_share=share,
            answer_bytes=400 + 250 * count,
            log_bytes=600,
            metrics=12,
        )
        return sum(cost_per_million(load, service).values())

    few = total(texts, stored_share)
    assert total(texts * times, min(1.0, stored_share * times)) <= few * (1 + 1e-9)


@given(EIGHTHS, EIGHTHS, EIGHTHS, SERVICES)
def test_more_milliseconds_never_cost_less(cpu_ms: float, more_ms: float, waiting_ms: float, service: Service) -> None:
    short = replace(ONE, billed_ms=billed_ms(cpu_ms, waiting_ms, service.memory_mb))
    long = replace(ONE, billed_ms=billed_ms(cpu_ms + more_ms, waiting_ms, service.memory_mb))
    cheap, dear = cost_per_million(short, service), cost_per_million(long, service)
    assert all(cheap[item] <= dear[item] for item in cheap)


# --- Managed services ---


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [
        ("Amazon Comprehend, DetectSentiment", 80, 300.0),  # 3 units at least
        ("Amazon Comprehend, DetectSentiment", 301, 400.0),
        ("Amazon Comprehend, BatchDetectSentiment, if its minimum is per batch", 80, 100.0),
        ("Google Cloud Natural Language, analyzeSentiment", 80, 1000.0),
        ("Google Cloud Natural Language, analyzeSentiment", 1001, 1500.0),  # a second million units at half the price
        ("Azure AI Language, sentiment analysis", 80, 875.0),  # 500 and 375 for half a million each
    ],
)
def test_a_million_texts_elsewhere(name: str, length: int, expected: float) -> None:
    [managed] = [service for service in MANAGED if service.name == name]
    assert managed.per_million([length]) == pytest.approx(expected)


def test_each_text_is_rounded_up_by_itself() -> None:
    managed = ManagedService("any", 100, 1, ((math.inf, 1.0),), "", "")
    assert managed.per_million([50, 150]) == pytest.approx(1.5 * MILLION)


# --- Idle ---


def test_a_month_without_a_request() -> None:
    idle = Idle(
        secrets=1,
        alarms=4,
        dashboards=1,
        stored_bytes=2 * 10**9,
        checks=730,
        check_ms=3000,
        check_requests=10,
        retrains=4,
        retrain_ms=30_000,
        retrain_mb=2048,
        snapshots_mb=1024,
    )
    assert idle_cost_per_month(idle, "arm64") == pytest.approx(
        {
            "Secrets Manager": 0.40,
            "alarms": 0.40,
            "dashboard": 3.00,
            "S3 storage": 0.046,
            "checks and retrains, Lambda": 4620 * 0.0000133334 + 734 * 0.0000002,  # 2,190 + 120 s of 2 GB
            "checks and retrains, S3 requests": 0.0367,  # 7,340
            "checks and retrains, X-Ray": 0.00367,
            "SnapStart cache": 3.9540888,  # 2,628,000 s of 1 GB
        }
    )
    assert MONTH_SECONDS == 2_628_000


def test_a_line_makes_a_metric_of_each_name_by_each_set_of_dimensions() -> None:
    line = {"Function": "predict", "Version": "v-1", "_aws": {"CloudWatchMetrics": []}}
    groups = [{"Metrics": [{"Name": "a"}, {"Name": "b"}], "Dimensions": [["Function"], ["Function", "Version"]]}]
    one = json.dumps({**line, "_aws": {"CloudWatchMetrics": groups}})
    other = json.dumps({**line, "Version": "v-2", "_aws": {"CloudWatchMetrics": groups}})
    assert line_metrics([one, one]) == 4
    assert line_metrics([one, other]) == 6


def test_every_price_says_where_it_is_from() -> None:
    assert all(price.dollars > 0 and price.units > 0 and price.published and price.checked for price in PRICES.values())
    assert all(service.published and service.checked and service.tiers[-1][0] == math.inf for service in MANAGED)
