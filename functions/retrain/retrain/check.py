"""The hourly check: looks at the trial, at staleness and at drift, retrains with cause, tells people, and notes it all.

Everything that it does can be done twice: moves of the pointer compare what they replace, a run decides the same input
once, and an alert is sent once a cause.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sentiloop import activity_store, registry
from sentiloop.records import timestamp, to_json
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, create

from retrain import alerts, memory, news
from retrain.bootstrap import bootstrap
from retrain.erasures import ERASED
from retrain.ledger import SKIPPED, read_records
from retrain.recovery import record_promotions
from retrain.tracing import step
from retrain.trials import look
from retrain.watch import Watched, watch
from retrain.watch_report import write_report

CHECKS = "checks/"


def check(
    store: ObjectStore, settings: Settings, moment: datetime, retrain: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Look once and return what came of it: the run record if there was cause to retrain, and the check's own record.

    Args:
        store: the bucket.
        settings: thresholds and what to do.
        moment: the present time.
        retrain: runs once and returns the run record.
    """
    bootstrap(store)
    record_promotions(store)
    with step("compact"):
        activity_store.compact(store, moment)
    # People are told of each thing as soon as it is known: what comes after it may fail, and be done again without it.
    with step("trial"):
        decision = look(store, settings, moment)
        told = news.of_trial(decision)
        alerts.notify(store, settings, told, news.questions_of(decision))
    with step("watch"):
        watched = watch(store, settings, moment)
        found = list(map(news.of_finding, watched.findings))
        alerts.notify(store, settings, found, watched.looked_at)
    cause = _cause(store, settings, moment, watched)
    run = retrain() if cause else {"outcome": SKIPPED, "reasons": ["no cause to retrain"]}
    of_run = news.of_run(run)
    alerts.notify(store, settings, of_run, ())
    record = {
        "schema": "check/1",
        "at": timestamp(moment),
        "trial": asdict(decision) if decision else None,
        "watched": watched.described(),
        "cause": cause,
        "run": run.get("run_id"),
        "alerts": [each.cause for each in (*told, *found, *of_run)],
    }
    name = f"{CHECKS}{timestamp(moment)}"
    create(store, f"{name}/report.html", write_report(watched, record))
    create(store, f"{name}.json", to_json(record))
    return run | {"cause": cause, "check": f"{name}.json"}


def _cause(store: ObjectStore, settings: Settings, moment: datetime, watched: Watched) -> str | None:
    """Return the cause to retrain now, or None.

    During a trial nothing but an erasure is one: a new candidate would take the challenger's place, day after day.
    """
    current = bootstrap(store)
    champion = registry.fetch(store, current.champion)
    if registry.is_marked(store, champion.version):
        return f"{champion.version} {ERASED}"
    if current.challenger:
        return None
    causes = [finding.sentence for finding in watched.findings if finding.action in ("retrain", "both")]
    learned = champion.manifest.get("data", {}).get("feedback", {}).get("stored", 0)
    new = memory.count_stored(store) - learned
    if new >= settings.check_min_new:
        causes.append(f"{new} new corrections since {champion.version}")
    return "; ".join(causes) if causes and not _has_just_run(store, settings, moment) else None


def _has_just_run(store: ObjectStore, settings: Settings, moment: datetime) -> bool:
    """Return whether a check of the last hours started a run: one that changed nothing would be repeated every hour."""
    since = timestamp(moment - timedelta(hours=settings.check_cooldown_hours))
    return any(record["run"] for _, record in read_records(store, CHECKS, after=f"{CHECKS}{since}"))
