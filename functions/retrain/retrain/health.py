"""Whether the service runs as it should: errors and latency by the activity, and how much goes to quarantine.

Here the thresholds are the limits themselves, and the evidence is that the true share is beyond the limit.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from scipy import stats
from sentiloop.activity import LATENCY_BOUNDS_MS, percentile
from sentiloop.receipts import outcome_prefix
from sentiloop.records import REVIEWER, Correction
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain.drift import Signal

HIGH = 0.95  # the percentile of the latency
SERVER_ERROR = "5"


def service_signals(activity: Mapping[str, Any], settings: Settings) -> Iterator[Signal]:
    """Yield the share of requests that failed on our side, of all functions, and the latency of predictions."""
    functions = activity["functions"]
    requests = sum(each["requests"] for each in functions.values())
    failed = sum(
        count
        for each in functions.values()
        for status, count in each["status"].items()
        if status.startswith(SERVER_ERROR)
    )
    if requests:
        yield share_signal("errors", failed, requests, settings.alert_error_rate)
    latency = functions.get("predict", {}).get("latency", [])
    if sum(latency):
        yield latency_signal(latency, settings.alert_p95_ms)


def latency_signal(counts: Sequence[int], limit: float) -> Signal:
    """Hold the 95th percentile against a limit in milliseconds; the evidence counts bins wholly beyond it as slow."""
    slow = sum(count for count, above in zip(counts, (0.0, *LATENCY_BOUNDS_MS), strict=True) if above >= limit)
    p_value = float(stats.binom.sf(slow - 1, sum(counts), 1 - HIGH))
    return Signal("latency", percentile(counts, HIGH) or 0.0, limit, p_value, sum(counts), details={"slow": slow})


def quarantine_signal(store: ObjectStore, corrections: Iterable[Correction], limit: float) -> Signal | None:
    """Hold the share of quarantined ones among corrections that runs have looked at against a limit."""
    by_id = {entry.id: entry for entry in corrections if entry.source != REVIEWER}
    fates: dict[str, bool] = {}
    for day in sorted({entry.received_at[:10] for entry in by_id.values()}):
        for key in store.keys(outcome_prefix(day)):
            outcomes = json.loads(store.get(key).body)
            fates |= {each: "quarantine" in fate for each, fate in outcomes.items() if each in by_id}
    return share_signal("quarantine", sum(fates.values()), len(fates), limit) if fates else None


def share_signal(cause: str, count: int, rows: int, limit: float) -> Signal:
    """Return how a share is to its limit, with the exact interval of Clopper and Pearson."""
    interval = stats.binomtest(count, rows).proportion_ci(0.95, "exact")
    p_value = float(stats.binom.sf(count - 1, rows, limit))
    return Signal(cause, count / rows, limit, p_value, rows, (interval.low, interval.high), {"count": count})
