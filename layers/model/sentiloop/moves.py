"""What people do with published versions: promote, try, withdraw, go back, pin. Every move says who and why.

All go through the pointer's protocol. One that is repeated because its answer got lost does nothing the second time,
and one that rests on what no longer holds is refused.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypedDict

from sentiloop import pointer, registry, trial
from sentiloop.errors import ArtefactError, PointerError, SentiloopError
from sentiloop.pointer import Mode, Move, Pointer, Target
from sentiloop.storage import ObjectStore

CHAMPION, CHALLENGER = "champion", "challenger"  # as names: the version that has the part
BRING_BACK = "Promote that version to bring it back."
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class VersionNotFoundError(SentiloopError):
    """Raise when no version of that name is published."""

    code = "version_not_found"
    status = 404
    hint = "List the versions to see which there are."


class PointerMovedError(SentiloopError):
    """Raise when the pointer says something else than the request expects."""

    code = "pointer_moved"
    status = 409
    hint = "Look at what is served now and why, then decide anew."


class RefusedError(SentiloopError):
    """Raise when the state of the version or of the pointer does not allow what was asked."""

    code = "refused"
    status = 409
    hint = "Look at the version and at what is served now."


class MarkedError(RefusedError):
    """Raise when a version learned from corrections that were erased since, and nobody insists on it."""

    hint = "Choose another version, or say force if it has to be this one."


class Signature(TypedDict):
    """Who asks for a move, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What the pointer says after a request, and whether it was moved for it, or only brought back."""

    moved: bool
    pointer: Pointer
    restored: bool = False


def present(store: ObjectStore) -> Pointer:
    """Return the pointer.

    Raises:
        RefusedError: there is none yet, it is gone, or what is there is none.
    """
    current, problem = known(store)
    if problem:
        raise RefusedError(problem, BRING_BACK)
    return current


def known(store: ObjectStore) -> tuple[Pointer, str | None]:
    """Return the pointer and None or, where somebody deleted it, the newest move on record and a line that says so.

    Raises:
        RefusedError: there was no pointer yet, or what is there is none.
    """
    current, gone = _read(store)
    if current is None:
        raise RefusedError("no model was published yet", "Promote a version, or send the `bootstrap` event.")
    served = f"generation {current.generation} served {current.champion.version}"
    return current, f"{pointer.CURRENT} is gone; {served}" if gone else None


def find(store: ObjectStore, name: str) -> Target:
    """Return the target of a published version; `champion` and `challenger` name those that are.

    Raises:
        VersionNotFoundError: there is none of that name.
    """
    if name in {CHAMPION, CHALLENGER}:
        return _with_part(present(store), name)
    if not _VERSION.fullmatch(name):
        raise VersionNotFoundError(f"{name[:100]!r} is no name of a version")
    try:
        return registry.find(store, name)
    except PointerError as error:
        raise VersionNotFoundError(error.message) from error


def promote(
    store: ObjectStore, name: str, *, by: str, reason: str, expected: str | None = None, force: bool = False
) -> Moved:
    """Serve a version to everybody; one that is served already stays as it is, whatever was expected.

    Args:
        store: the bucket.
        name: the version.
        by: who asks.
        reason: why.
        expected: the version that has to be served until then; None: any.
        force: promote it though it learned from corrections that were erased since.

    Raises:
        VersionNotFoundError: there is no such version.
        PointerMovedError: another version than the expected one is served.
        RefusedError: the version is marked as erased, incomplete, or of other code than this.
    """
    target, (before, gone) = _usable(store, name, force), _read(store)

    def decide(current: Pointer | None) -> Move | None:
        if current and current.champion == target:
            return None
        _check_expected(current, expected)
        return Move(target, by, reason, pinned=current.pinned if current else False)

    with refusals():
        registry.fetch(store, target)
        after = pointer.move(store, decide)
    assert after is not None  # noqa: S101 - `decide` leaves the pointer alone only where there is one
    done = _moved(before, after, by, reason)
    return replace(done, restored=gone and not done.moved)


def begin_trial(
    store: ObjectStore,
    name: str,
    mode: Mode,
    share: float,
    *,
    by: str,
    reason: str,
    expected: str | None = None,
    force: bool = False,
) -> Moved:
    """Put a version on trial, or give the one that is on trial another mode or share.

    Args:
        store: the bucket.
        name: the version.
        mode: `shadow` or `canary`.
        share: of the clients, above 0 and up to 1 in canary; 0 in shadow.
        by: who asks.
        reason: why.
        expected: the version that has to be served meanwhile; None: any.
        force: try it though it learned from corrections that were erased since.

    Raises:
        VersionNotFoundError: there is no such version.
        PointerMovedError: another version than the expected one is served, or another move came first.
        RefusedError: the share does not fit the mode; the version is served already, marked as erased, incomplete, or
            of other code than this; or it is on trial already and the pointer is pinned.
    """
    if not (0 < share <= 1 if mode == "canary" else share == 0):
        raise RefusedError(f"a share of {share:g} does not fit {mode}", "Canary: above 0 and up to 1. Shadow: 0.")
    target, before = _usable(store, name, force), present(store)
    _check_expected(before, expected)
    on_trial = before.challenger
    with refusals():
        if on_trial is None or on_trial.target != target:
            against = before.commit_id if expected else None
            after = trial.begin(store, target, mode, share, by=by, reason=reason, against=against)
        elif (on_trial.mode, on_trial.share) == (mode, share):
            return Moved(moved=False, pointer=before)
        elif before.pinned:
            raise RefusedError("the pointer is pinned, so the trial stays at its step", "Unpin it first.")
        else:
            after = trial.advance(store, on_trial, mode, share, by=by, reason=reason)
    wanted = after.challenger
    if wanted is None or (wanted.target, wanted.mode, wanted.share) != (target, mode, share):
        raise PointerMovedError(f"another move came first: {after.reason} ({after.by})")
    return _moved(before, after, by, reason)


def withdraw(store: ObjectStore, *, by: str, reason: str, version: str | None = None) -> Moved:
    """End the trial, that of `version` if one is named; the champion stays. Without a trial nothing happens.

    Raises:
        PointerMovedError: another version is on trial.
    """
    before = present(store)
    if before.challenger is None:
        return Moved(moved=False, pointer=before)
    on_trial = before.challenger.target.version
    if version not in {None, on_trial}:
        raise PointerMovedError(f"{on_trial} is on trial, and not {version}")
    with refusals():
        after = trial.withdraw(store, on_trial, by=by, reason=reason)
    return _moved(before, after, by, reason)


def rollback(store: ObjectStore, *, by: str, reason: str, away_from: str | None = None) -> Moved:
    """Serve the version before the present one again, see `registry.rollback`.

    Args:
        store: the bucket.
        by: who asks.
        reason: why.
        away_from: the version that is to go; if it went just before, nothing happens. None: whatever is served, so that
            a repeated request goes back once more.

    Raises:
        PointerMovedError: another version is served, and not because `away_from` went just before.
        RefusedError: nothing else was ever served.
    """
    before, _ = _read(store)  # if it is gone, the move brings it back before it goes on
    with refusals():
        after = registry.rollback(store, by=by, reason=reason, away_from=away_from)
    done = _moved(before, after, by, reason)
    if not done.moved and away_from != _served_before(store, after):
        raise PointerMovedError(f"{after.champion.version} is served, and not {away_from}")
    return done


def rollback_plan(store: ObjectStore) -> tuple[str, str]:
    """Return the version that a rollback would leave, and the one that it would serve; raise `RefusedError` if none."""
    current, _ = known(store)
    with refusals():
        return current.champion.version, registry.goes_back_to(store, current).version


def pin(store: ObjectStore, pinned: bool, *, by: str, reason: str) -> Moved:
    """Keep everybody but people from moving the pointer, or allow it again."""
    before = present(store)
    with refusals():
        after = trial.pin(store, pinned, by=by, reason=reason)
    return _moved(before, after, by, reason)


@contextmanager
def refusals() -> Iterator[None]:
    """Raise what the registry objects to as a refusal, which tells the caller why."""
    try:
        yield
    except (ArtefactError, PointerError) as error:
        raise RefusedError(error.message, error.hint) from error


def _read(store: ObjectStore) -> tuple[Pointer | None, bool]:
    """Return the pointer or, where there is none, the newest move on record; and whether it is that."""
    with refusals():
        found = pointer.read(store)
        return (found.pointer, False) if found else (pointer.newest(store), True)


def _with_part(current: Pointer, part: str) -> Target:
    if part == CHAMPION:
        return current.champion
    if current.challenger is None:
        raise VersionNotFoundError("no version is on trial")
    return current.challenger.target


def _usable(store: ObjectStore, name: str, force: bool) -> Target:
    target = find(store, name)
    if registry.is_marked(store, target.version) and not force:
        message = f"{target.version} learned from corrections that were erased since"
        raise MarkedError(message)
    return target


def _check_expected(current: Pointer | None, expected: str | None) -> None:
    served = current.champion.version if current else "nothing"
    if expected is not None and served != expected:
        raise PointerMovedError(f"{served} is served, and not {expected}")


def _moved(before: Pointer | None, after: Pointer, by: str, reason: str) -> Moved:
    is_ours = (before is None or after.commit_id != before.commit_id) and (after.by, after.reason) == (by, reason)
    return Moved(is_ours, after)


def _served_before(store: ObjectStore, served: Pointer) -> str | None:
    """Return the version that was champion before the present one."""
    for generation in range(served.generation - 1, 0, -1):
        entry = pointer.read_history(store, generation)
        if entry and entry.champion != served.champion:
            return entry.champion.version
    return None
