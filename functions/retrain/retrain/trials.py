"""The hourly look at a challenger on trial: withdraw it, wait, ask a person, give it more clients, or serve it to all.

A trial withdraws what is worse. It need not show that the challenger is better: the gate did that before.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sentiloop import pointer, registry, trial
from sentiloop.activity_totals import ActivityReader
from sentiloop.errors import ArtefactError
from sentiloop.pointer import Challenger, Pointer
from sentiloop.settings import Settings
from sentiloop.storage import ObjectStore

from retrain.erasures import ERASED
from retrain.evidence import Evidence, read_reports, steps_of, weigh
from retrain.recovery import record_promotions
from retrain.side_by_side import Counts

BY = "check"
ERROR_LEVEL = 0.001  # of the test of errors; small, since errors are many where there is something wrong

Action = Literal["withdraw", "hold", "ask", "advance", "crown"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a trial when it is looked at.

    Attributes:
        champion: the served version.
        challenger: what is on trial.
        evidence: labels that tell the two apart.
        counts: since the trial began.
        step: counts since the present step began.
        judged: whether the gate judged the challenger against this champion, and let it pass.
    """

    champion: str
    challenger: Challenger
    evidence: Evidence
    counts: Counts
    step: Counts
    judged: bool = False

    def figures(self) -> dict[str, float]:
        """Return the figures that there are, by names for people."""
        errors, latencies = self.counts.error_shares, self.counts.p95
        figures = {
            "texts scored in this step (whole hours)": self.step.scored,
            "texts scored in the trial (whole hours)": self.counts.scored,
            "share of the answers in this step (whole hours)": self.step.answered,
            "share of texts answered differently": self.counts.disagreement,
            "labels that tell the versions apart": self.evidence.labels,
            "labels against the challenger": self.evidence.labels_against,
            "p value of being worse": self.evidence.p_worse,
            "p value of being better": self.evidence.p_better,
            "fall of the mean confidence": self.counts.confidence_drop,
            "share of errors, champion": errors[0],
            "share of errors, challenger": errors[1],
            "p95 in ms, champion": latencies[0],
            "p95 in ms, challenger": latencies[1],
        }
        return {name: figure for name, figure in figures.items() if figure is not None}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the look came to.

    Attributes:
        action: withdraw, hold (wait), ask (a person has to decide), advance (more clients) or crown (serve to all).
        version: the challenger.
        began_at: when its trial began.
        champion: the version that is served when the look begins.
        mode: the challenger's mode then.
        share: its share of the clients then.
        next_share: its share afterwards; None unless it advances.
        reason: why, with figures.
        disagreement: share of the texts scored by both that got two labels; None without such texts.
        flips: how many texts got which two labels, by "champion's>challenger's".
        slices: of each part of the texts scored by both, how many there are and the share that got two labels.
        evidence: the tallies of labels that tell the versions apart.
        figures: all that was looked at, by names for people.
    """

    action: Action
    version: str
    began_at: str
    champion: str
    mode: str
    share: float
    next_share: float | None
    reason: str
    disagreement: float | None
    flips: Mapping[str, int]
    slices: Mapping[str, Mapping[str, float]]
    evidence: Mapping[str, Any]
    figures: Mapping[str, float]


def look(store: ObjectStore, settings: Settings, moment: datetime) -> Decision | None:
    """Look at the trial, act on what is found and return it; None without a challenger.

    It may be repeated, also twice at once: an action takes effect only while the pointer names the challenger that was
    looked at, at the same step.

    Args:
        store: the bucket.
        settings: thresholds and steps.
        moment: the present time.
    """
    read = pointer.read(store)
    current = read.pointer if read else None
    if current is None or current.challenger is None:
        return None
    decision = _assess(store, settings, moment, current, current.challenger)
    if current.pinned:
        decision = _pinned(decision)
    return _act(store, current.challenger, decision)


def decide(known: Known, settings: Settings, moment: datetime) -> Decision:
    """Return what to do about a challenger, as if nobody had pinned the pointer."""
    if reason := _why_withdraw(known, settings):
        return _decision(known, "withdraw", reason)
    if reason := _why_wait(known, settings, moment):
        return _decision(known, "hold", reason)
    if reason := _why_ask(known, settings):
        return _decision(known, "ask", reason)
    larger = [share for share in settings.release_steps if share > known.challenger.share]
    is_canary = known.challenger.mode == "canary"
    next_share = larger[0] if is_canary and larger else None
    reason = f"nothing speaks against it: {_summary(known)}"
    if next_share:
        return replace(_decision(known, "advance", reason), next_share=next_share)
    if not known.judged:
        unjudged = f"the gate did not judge it against {known.champion}, so a person has to promote or withdraw it"
        return _decision(known, "ask", f"{unjudged}; {reason}")
    return _decision(known, "crown", reason)


def _assess(
    store: ObjectStore, settings: Settings, moment: datetime, current: Pointer, challenger: Challenger
) -> Decision:
    names = current.champion.version, challenger.target.version
    reader = ActivityReader(store)

    def counted(since: datetime, until: datetime | None) -> Counts:
        return Counts.of(reader.read(since, until or moment), *names)

    bare = steps_of(store, current, challenger)
    steps = [replace(step, answered=counted(step.since, step.until).answered) for step in bare]
    counts, of_step = counted(steps[0].since, None), counted(steps[-1].since, None)
    known = Known(names[0], challenger, Evidence(), counts, of_step)
    if registry.is_marked(store, challenger.target.version):
        return _decision(known, "withdraw", f"it {ERASED}")
    try:
        contender = registry.fetch(store, challenger.target)
    except ArtefactError as error:
        return _decision(known, "withdraw", f"it cannot be loaded: {error.message}")
    champion = registry.fetch(store, current.champion)
    reports = read_reports(store, challenger.began_at, champion, contender)
    # A run publishes what passed the gate alone, and names first the champion that it was judged against.
    judged = list(contender.manifest.get("parents", ()))[:1] == [current.champion.version]
    return decide(replace(known, evidence=weigh(reports, steps), judged=judged), settings, moment)


def _why_withdraw(known: Known, settings: Settings) -> str:
    """Return all that is worse than it may be, or nothing."""
    evidence, counts = known.evidence, known.counts
    found = []
    if evidence.p_worse <= settings.release_level:
        found.append(f"worse beyond chance: {_described(evidence)}")
    of_champion, of_challenger = counts.error_shares
    if of_challenger > settings.alert_error_rate and counts.p_of_errors <= ERROR_LEVEL:
        found.append(f"it failed on {of_challenger:.1%} of its requests, the champion on {of_champion:.1%}")
    drop, both = counts.confidence_drop, counts.scored_by_both
    if drop is not None and drop > settings.drift_confidence_drop and both >= settings.release_min_answers:
        found.append(f"its mean confidence is {drop:.1%} below the champion's on the {both} texts that both scored")
    fast, slow = counts.p95
    enough = counts.challenger.get("requests", 0) >= settings.release_min_answers
    if fast and slow and enough and slow > settings.alert_p95_ms and slow > 2 * fast:
        found.append(f"the p95 of its requests is {slow:.0f} ms, the champion's {fast:.0f} ms")
    return "; ".join(found)


def _why_wait(known: Known, settings: Settings, moment: datetime) -> str:
    """Return what the step still lacks, or nothing."""
    found = []
    if known.step.scored < settings.release_min_answers:
        found.append(f"{known.step.scored} texts scored in this step, of {settings.release_min_answers} that it takes")
    hours = (moment - datetime.fromisoformat(known.challenger.step_at)) / timedelta(hours=1)
    if hours < settings.release_min_hours:
        found.append(f"{hours:.1f} hours in this step, of {settings.release_min_hours:g}")
    return "; ".join(found)


def _why_ask(known: Known, settings: Settings) -> str:
    """Return why a person has to decide, or nothing."""
    differ = known.counts.disagreement
    if differ is None or differ <= settings.release_max_disagreement:
        return ""
    return (
        f"the versions disagree on {differ:.1%} of the texts, more than {settings.release_max_disagreement:.0%}, so a "
        f"person has to promote or withdraw it: {_described(known.evidence)}"
    )


def _summary(known: Known) -> str:
    differ = known.counts.disagreement
    disagreement = "" if differ is None else f", {differ:.1%} of them answered differently"
    return f"{known.counts.scored} texts scored{disagreement}; {_described(known.evidence)}"


def _described(evidence: Evidence) -> str:
    if not evidence.labels:
        return "no label tells the versions apart"
    return (
        f"{evidence.labels_against} of the {evidence.labels} labels that tell the versions apart speak against it "
        f"(p of being worse {evidence.p_worse:.3g}, of being better {evidence.p_better:.3g})"
    )


def _decision(known: Known, action: Action, reason: str) -> Decision:
    return Decision(
        action=action,
        version=known.challenger.target.version,
        began_at=known.challenger.began_at,
        champion=known.champion,
        mode=known.challenger.mode,
        share=known.challenger.share,
        next_share=None,
        reason=reason,
        disagreement=known.counts.disagreement,
        flips=known.counts.flips,
        slices=known.counts.slices,
        evidence=asdict(known.evidence),
        figures=known.figures(),
    )


def _pinned(decision: Decision) -> Decision:
    """Return what is left to do where nothing but a person may move the pointer."""
    if decision.action == "withdraw":
        return replace(
            decision, action="ask", reason=f"the pointer is pinned, so a person has to withdraw it: {decision.reason}"
        )
    if decision.action in ("advance", "crown"):
        return replace(decision, action="hold", next_share=None, reason=f"the pointer is pinned; {decision.reason}")
    return decision


def _act(store: ObjectStore, challenger: Challenger, decision: Decision) -> Decision:
    """Move the pointer as was decided and return the decision, or a hold if somebody else's move stands instead."""
    if decision.action == "withdraw":
        moved = trial.give_up(store, challenger, by=BY, reason=decision.reason)
        done = moved.champion.version == decision.champion and moved.challenger is None
    elif decision.action == "advance":
        share = decision.next_share or 1.0
        moved = trial.advance(store, challenger, "canary", share, by=BY, reason=decision.reason)
        done = moved.challenger is not None and moved.challenger.share == share
    elif decision.action == "crown":
        moved = trial.crown(store, challenger, by=BY, reason=decision.reason)
        record_promotions(store)
        done = moved.champion == challenger.target
    else:
        return decision
    if done:
        return decision
    return replace(decision, action="hold", next_share=None, reason="the pointer was moved while it was looked at")
