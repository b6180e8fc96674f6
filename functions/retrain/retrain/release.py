"""Step 7: letting a candidate that passed the gate out: to everybody at once, or on trial first."""

from collections.abc import Sequence

from sentiloop import pointer, trial
from sentiloop.pointer import Mode, Move, Pointer, Target
from sentiloop.storage import ObjectStore

from retrain.champion import Champion
from retrain.ledger import HELD, ON_TRIAL, PROMOTED

BEGINNINGS: dict[str, Mode] = {"shadow": "shadow", "canary": "canary"}


def release(
    store: ObjectStore,
    champion: Champion,
    target: Target,
    how: str,
    steps: Sequence[float],
    *,
    by: str,
    reasons: Sequence[str],
) -> str | None:
    """Move the pointer as the setting `release` says and return the outcome, or None if another move came first.

    Args:
        store: the bucket.
        champion: what the candidate was judged against.
        target: the published candidate.
        how: `at_once`, `shadow` or `canary`.
        steps: a canary's shares of the clients; the trial begins with the first.
        by: who started the run.
        reasons: of the verdict.
    """
    reason = "; ".join(reasons)
    if champion.pinned:
        return HELD
    if how not in BEGINNINGS or (how == "canary" and not steps):
        return PROMOTED if move_to(store, champion, target, by, reason) else None
    mode = BEGINNINGS[how]
    share = steps[0] if mode == "canary" else 0.0
    moved = trial.begin(store, target, mode, share, by=by, reason=reason, against=champion.commit)
    return ON_TRIAL if moved.challenger and moved.challenger.target == target else None


def move_to(store: ObjectStore, champion: Champion, target: Target, by: str, reason: str) -> bool:
    """Serve a version to everybody if the champion is still the one that was judged against."""

    def decide(current: Pointer | None) -> Move | None:
        judged_against = current is not None and current.commit_id == champion.commit
        return Move(target, by, reason) if judged_against else None

    moved = pointer.move(store, decide)
    return moved is not None and moved.champion == target
