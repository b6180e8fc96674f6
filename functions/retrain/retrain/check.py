"""The hourly check: looks at the trial, at staleness and at drift, retrains with cause, tells people, and notes it all.

Everything that it does can be done twice: moves of the pointer compare what they replace, a run decides the same input
once, and an alert is sent once a cause.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sentiloop import activity_totals, registry
from sentiloop.check_records import CHECKS, SCHEMA, check_name
from sentiloop.errors import ArtefactError
from sentiloop.pointer import Target
from sentiloop.records import timestamp, to_json
from sentiloop.run_records import SKIPPED
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore, create

from retrain import alerts, memory, news
from retrain.bootstrap import bootstrap
from retrain.erasures import ERASED
from retrain.ledger import decided, read_records
from retrain.recovery import record_promotions
from retrain.tracing import step
from retrain.trials import look
from retrain.watch import Watched, watch
from retrain.watch_report import write_report


def check(
    store: ObjectStore, settings: Settings, moment: datetime, retrain: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Look once and return what came of it: the run record if there was cause to retrain, and what else was done.

    Args:
        store: the bucket.
        settings: thresholds and what to do.
        moment: the present time.
        retrain: runs once and returns the run record.
    """
    current = bootstrap(store)
    record_promotions(store)
    with step("compact"):
        activity_totals.compact(store, moment)
    # People are told of each thing as soon as it is known: what comes after it may fail, and be done again without it.
    with step("trial"):
        readable = _is_readable(store, current.champion)  # or else the watch says so, and no trial can be weighed
        decision = look(store, settings, moment) if readable else None
        told = news.of_trial(decision)
        alerts.notify(store, settings, told, news.questions_in(alerts.open_causes(store)) if readable else ())
    with step("watch"):
        watched = watch(store, settings, moment)
        found = list(map(news.of_finding, watched.findings))
        alerts.notify(store, settings, found, watched.looked_at)
    stored = memory.count_stored(store)
    cause, why_not = _cause(store, settings, moment, watched, stored)
    run = {"outcome": SKIPPED, "reasons": [why_not]} if why_not else retrain()
    of_run = news.of_run(decided(store, run))
    alerts.notify(store, settings, of_run, ())
    record = {
        "schema": SCHEMA,
        "at": timestamp(moment),
        "trial": asdict(decision) if decision else None,
        "watched": watched.described(),
        "stored": stored,
        "cause": cause,
        "run": run.get("run_id"),
        "alerts": [each.cause for each in (*told, *found, *of_run)],
    }
    name = check_name(moment)
    create(store, f"{name}/report.html", write_report(watched, record))
    create(store, f"{name}.json", to_json(record))
    done = {each: record[each] for each in ("cause", "trial", "alerts")}
    return run | done | {"check": f"{name}.json", "report": f"{name}/report.html"}


def _is_readable(store: ObjectStore, target: Target) -> bool:
    try:
        registry.fetch(store, target)
    except ArtefactError:
        return False
    return True


def _cause(
    store: ObjectStore, settings: Settings, moment: datetime, watched: Watched, stored: int
) -> tuple[str | None, str]:
    """Return the cause to retrain, or None, and why no run begins now; nothing if one does.

    During a trial nothing but an erasure is one: a new candidate would take the challenger's place, day after day.
    """
    if watched.is_broken:
        return None, f"{watched.version} cannot be read, and a run starts from what is served"
    current = bootstrap(store)
    champion = registry.fetch(store, current.champion)
    if registry.is_marked(store, champion.version):
        return f"{champion.version} {ERASED}", ""
    if current.challenger:
        return None, f"{current.challenger.target.version} is on trial"
    causes = [finding.sentence for finding in watched.findings if finding.action in ("retrain", "both")]
    new = stored - champion.manifest.get("data", {}).get("feedback", {}).get("stored", 0)
    if new >= settings.check_min_new:
        causes.append(f"{new} new corrections since {champion.version}")
    if not causes:
        return None, "no cause to retrain"
    cause = "; ".join(causes)
    wait = _why_wait(store, settings, moment, (watched.version, stored))
    return cause, f"there is cause ({cause}), but {wait}" if wait else ""


def _why_wait(store: ObjectStore, settings: Settings, moment: datetime, state: tuple[str, int]) -> str:
    """Return why a cause has to wait, or nothing.

    A run that a check started keeps other checks from starting one for some hours, or else a run that changed nothing
    would be repeated every hour. One that was skipped found nothing to decide, as when the version that learned from
    these corrections was taken back. It would be skipped again, and so it counts only until another version is served
    or corrections come in.

    Args:
        store: the bucket.
        settings: how many hours.
        moment: the present time.
        state: the served version and the number of stored corrections.
    """
    pause = timedelta(hours=settings.check_cooldown_hours)
    why = ""
    for _, record in read_records(store, CHECKS, after=check_name(moment - pause)):
        if not record["run"]:
            continue
        after = timestamp(datetime.fromisoformat(record["at"]) + pause)
        if not record["run"].startswith(f"{SKIPPED}-"):
            why = f"a check started a run at {record['at']}; the next may at {after}, or send the retrain event"
        elif (record["watched"]["champion"], record.get("stored")) == state:
            why = f"the run of {record['at']} had nothing to decide; the next may after new corrections, or at {after}"
    return why
