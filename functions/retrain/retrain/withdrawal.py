"""Replacing a champion that learned from corrections that were erased since: by right, and not by merit."""

from dataclasses import replace
from typing import Any

from sentiloop import gate
from sentiloop.gate import Check

from retrain.anchor import Anchor
from retrain.champion import Champion
from retrain.erasures import ERASED
from retrain.judge import Judged
from retrain.ledger import PROMOTED

WAIVED = ("gain", "least gain")


def waive_gain(judged: Judged, champion: Champion, anchor: Anchor) -> Judged:
    """Return the judgement of a candidate that need not be better than the champion; guards against harm stay.

    Args:
        judged: the judgement by the usual rules.
        champion: the model that learned from erased corrections.
        anchor: the model that learned from no feedback.
    """
    served = champion.target.version
    verdict = gate.decide(judged.verdict.p_value, [_waived(check, served) for check in judged.verdict.checks])
    if not verdict.promote:
        verdict = replace(verdict, reasons=(*verdict.reasons, _way_out(served, anchor.target.version)))
    return replace(judged, verdict=verdict)


def record_of_return(champion: Champion, anchor: Anchor) -> dict[str, Any]:
    """Return what the run record says where no feedback is left to learn from."""
    served, version = champion.target.version, anchor.target.version
    left = f"no feedback is left to learn from: {version}, of the base data alone, has to be served instead of {served}"
    reasons = [left, f"{served} {ERASED}"]
    names = {"champion": served, "candidate": version, "anchor": version, "version": version}
    return {"outcome": PROMOTED, "reasons": reasons, **names}


def _waived(check: Check, champion: str) -> Check:
    if check.name not in WAIVED:
        return check
    return replace(check, ok=True, finding=f"no {check.name} is asked for, as {champion} {ERASED}: {check.finding}")


def _way_out(champion: str, anchor: str) -> str:
    return (
        f"{champion} is served on, though it {ERASED}: promote {anchor}, which learned from no feedback, or loosen the "
        "guard that objects (SENTILOOP_GATE_*) and retrain"
    )
