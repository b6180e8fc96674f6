"""What people are told: of runs, of trials and of findings, each with the command that tells more."""

from collections.abc import Iterable, Mapping
from typing import Any

from sentiloop.errors import SentiloopError

from retrain.alerts import Alert
from retrain.findings import Finding
from retrain.ledger import HELD, ON_TRIAL, PROMOTED, REJECTED
from retrain.trials import Decision

_WITHOUT_MARKS = str.maketrans("", "", "-:")
_TITLES = {
    PROMOTED: "{candidate} is served now",
    ON_TRIAL: "{candidate} passed the gate and is on trial",
    HELD: "{candidate} passed the gate and waits for a person, because the pointer is pinned",
    REJECTED: "{candidate} was not better than {champion}",
}


def of_run(record: Mapping[str, Any]) -> list[Alert]:
    """Return the news of a run that decided; a skipped one has none."""
    outcome = record["outcome"]
    if outcome not in _TITLES:
        return []
    name = record.get("version") or record["candidate"]
    metrics = record.get("metrics", {})
    figures = {each: metrics[each] for each in ("accuracy", "macro_f1") if each in metrics}
    if record.get("p_value") is not None:
        figures["p value of the gain"] = record["p_value"]
    text = f"Retrain run {record['run_id']}: {outcome}. {'; '.join(record['reasons'])}."
    command = f"./sentiloop models show {name}" if outcome != REJECTED else f"look at runs/{record['run_id']}.json"
    return [Alert(f"{outcome}-{name}", _TITLES[outcome].format(**record), text, figures, command)]


def of_failure(action: str, error: Exception) -> Alert:
    """Return the alert of an action that failed; it clears when the action succeeds.

    An error that is none of ours stays in the log: it may quote a text of somebody.
    """
    said = f"{error.message}. " if isinstance(error, SentiloopError) else ""
    return Alert(
        failure_of(action),
        f"{action} failed: {type(error).__name__}",
        f"{said}What is served stays as it is, and the next run goes on where this one stopped.",
        {},
        "the log of the retrain function; on one machine what the command printed",
    )


def failure_of(action: str) -> str:
    """Return the cause of an action that fails."""
    return f"failed-{action}"


def of_trial(decision: Decision | None) -> list[Alert]:
    """Return the news of a trial: that a challenger was withdrawn or crowned, or waits for a person."""
    if decision is None or decision.action not in ("withdraw", "crown", "ask"):
        return []
    done = {"withdraw": "was withdrawn", "crown": "is served now", "ask": "waits for a person to decide"}
    return [
        Alert(
            _cause_of(decision, decision.action),
            f"The challenger {decision.version} {done[decision.action]}",
            decision.reason,
            decision.figures,
            f"./sentiloop models diff {decision.champion} {decision.version}",
        )
    ]


def questions_in(causes: Iterable[str]) -> list[str]:
    """Return those under which a person is asked about a challenger, of whichever trial.

    One that is not asked any more is over, for the person who was asked may have ended the trial.
    """
    return [cause for cause in causes if cause.startswith("ask-")]


def _cause_of(decision: Decision, action: str) -> str:
    """Name the version and its trial: it may come to the same in another one."""
    return f"{action}-{decision.version}-{decision.began_at.translate(_WITHOUT_MARKS)}"


def of_finding(finding: Finding) -> Alert:
    """Return the alert of something that the hourly look found; it clears when the look finds it no more."""
    found = finding.figures
    figures = {name: _brief(figure) for name, figure in found.items() if isinstance(figure, str | int | float)}
    if interval := found.get("interval"):
        figures["95 % interval"] = " to ".join(str(_brief(end)) for end in interval)
    return Alert(finding.cause, finding.title, finding.sentence, figures, finding.command)


def _brief(figure: str | float) -> str | float:
    """Return a figure with no more digits than people read; bin edges and shares are in the report."""
    return float(f"{figure:.3g}") if isinstance(figure, float) else figure
