"""A challenger on trial: how a trial begins, goes on and ends, and which clients it answers meanwhile.

Each change is a move of the pointer, so history tells which version could have answered when, by whose act and why. A
trial that somebody else ended or moved on meanwhile is left as it is.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from sentiloop import pointer, registry
from sentiloop.errors import PointerError
from sentiloop.pointer import Challenger, Mode, Move, Pointer, Target
from sentiloop.records import now, timestamp
from sentiloop.storage import ObjectStore

_HASH_RANGE = 2**64


def answers(challenger: Challenger, client: str) -> bool:
    """Return whether the challenger answers a client.

    A client draws a number once per challenger, so that it sees one version from request to request, and one that the
    challenger answers at a share is answered by it at every larger one.
    """
    if not challenger.share:
        return False
    digest = sha256(f"{challenger.target.version}\0{client}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) < challenger.share * _HASH_RANGE


def begin(
    store: ObjectStore,
    target: Target,
    mode: Mode,
    share: float,
    *,
    by: str,
    reason: str,
    against: str | None = None,
) -> Pointer:
    """Put a version on trial after reading it whole; one that is on trial already stays as it is, at whatever step.

    Args:
        store: the bucket.
        target: the version.
        mode: `shadow` or `canary`.
        share: of the clients, above 0 and up to 1 in canary, 0 in shadow.
        by: who asks.
        reason: why.
        against: commit id of the champion that it was judged against; None: any.

    Returns:
        What the pointer says afterwards. If the pointer is not at `against` any more it says nothing of this trial.

    Raises:
        PointerError: there is no champion, or the version is the champion.
    """
    registry.fetch(store, target)

    def decide(current: Pointer | None) -> Move | None:
        if current is None:
            raise PointerError("there is no champion to compare with", "Promote a version first.")
        if against is not None and current.commit_id != against:
            return None
        if current.champion == target:
            raise PointerError(f"{target.version} is served already", "Choose another version for the trial.")
        if current.challenger and current.challenger.target == target:
            return None
        moment = timestamp(now())
        return _move(current, by, reason, Challenger(target, mode, share, moment, moment))

    return _moved(store, decide)


def advance(store: ObjectStore, challenger: Challenger, mode: Mode, share: float, *, by: str, reason: str) -> Pointer:
    """Give a challenger another mode and share, if it still is what the pointer names and nobody pinned the pointer."""

    def decide(current: Pointer | None) -> Move | None:
        if current is None or current.challenger != challenger or current.pinned:
            return None
        return _move(current, by, reason, replace(challenger, mode=mode, share=share, step_at=timestamp(now())))

    return _moved(store, decide)


def crown(store: ObjectStore, challenger: Challenger, *, by: str, reason: str) -> Pointer:
    """Serve a challenger to everybody, if it still is what the pointer names and nobody pinned the pointer."""
    registry.fetch(store, challenger.target)

    def decide(current: Pointer | None) -> Move | None:
        if current is None or current.challenger != challenger or current.pinned:
            return None
        return Move(challenger.target, by, reason)

    return _moved(store, decide)


def withdraw(store: ObjectStore, version: str, *, by: str, reason: str) -> Pointer:
    """End the trial of a version; the champion stays. Without such a trial nothing happens."""

    def decide(current: Pointer | None) -> Move | None:
        if current is None or current.challenger is None or current.challenger.target.version != version:
            return None
        return _move(current, by, reason, None)

    return _moved(store, decide)


def give_up(store: ObjectStore, challenger: Challenger, *, by: str, reason: str) -> Pointer:
    """End a trial, if its challenger still is what the pointer names and nobody pinned the pointer."""

    def decide(current: Pointer | None) -> Move | None:
        if current is None or current.challenger != challenger or current.pinned:
            return None
        return _move(current, by, reason, None)

    return _moved(store, decide)


def pin(store: ObjectStore, pinned: bool, *, by: str, reason: str) -> Pointer:
    """Keep everybody but people from moving the pointer, or allow it again; a trial goes on without advancing."""

    def decide(current: Pointer | None) -> Move | None:
        if current is None:
            raise PointerError("there is no champion to pin", "Promote a version first.")
        if current.pinned == pinned:
            return None
        return replace(_move(current, by, reason, current.challenger), pinned=pinned)

    return _moved(store, decide)


def _move(current: Pointer, by: str, reason: str, challenger: Challenger | None) -> Move:
    return Move(current.champion, by, reason, challenger, current.pinned)


def _moved(store: ObjectStore, decide: Callable[[Pointer | None], Move | None]) -> Pointer:
    moved = pointer.move(store, decide)
    if moved is None:
        raise PointerError("there is no pointer", "Send the `bootstrap` event first.")
    return moved
