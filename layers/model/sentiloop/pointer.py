"""The model pointer: what it says and how it is moved, so that moves take effect one after another.

A move is two writes. First `models/history/<generation>.json` is created; creation is conditional, so exactly one
contender wins a generation. Then `models/current.json` is replaced, on condition that it still is what was read. Four
things can go wrong, and each has its answer here:

- the reply to a write that landed is lost, and its retry inside the client meets its own result: after any refusal or
  time-out the history is read, and the commit found there by its random id is ours;
- two contenders want to write the same bytes: commits differ by that id even then;
- storage answers 409: that proves neither existence nor failure, as the client's own first try may still be on its way;
  a move keeps its id from attempt to attempt, and looks for it before the next one is decided;
- a content is restored and with it its ETag: every body holds its generation and commit id, so no content recurs.

A crash between the two writes leaves a history entry ahead of the pointer, and so does an old pointer that somebody
restored; whoever moves next brings the pointer up to the newest entry first.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from sentiloop.errors import (
    ObjectNotFoundError,
    PointerError,
    PreconditionFailedError,
    StorageUnavailableError,
    WriteConflictError,
)
from sentiloop.records import now, timestamp, to_json
from sentiloop.storage import ObjectStore

CURRENT = "models/current.json"
HISTORY = "models/history/"
ATTEMPTS = 20  # contenders are few: retrain runs one at a time, people roll back by hand
_UNDECIDED = (
    PreconditionFailedError,
    WriteConflictError,
    StorageUnavailableError,
    ObjectNotFoundError,  # the pointer was deleted by hand
)


@dataclass(frozen=True, slots=True)
class Target:
    """A published version, tied to its bytes: the manifest's sha256, which in turn names those of all other files."""

    version: str
    manifest_sha256: str


Mode = Literal["shadow", "canary"]


@dataclass(frozen=True, slots=True)
class Challenger:
    """A version on trial beside the champion.

    Attributes:
        target: where its files are.
        mode: `shadow` scores what the champion answers, `canary` answers a share of the clients.
        share: of the clients that it answers, above 0 and up to 1; 0 in shadow.
        began_at: when the trial began.
        step_at: when it got its present mode and share.
    """

    target: Target
    mode: Mode
    share: float
    began_at: str
    step_at: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which version is served, since when, by whose act and why.

    Attributes:
        generation: how many moves there were.
        commit_id: names this move; random.
        parent_commit: the move before it.
        champion: the version that is served.
        by: who moved the pointer.
        at: when, by that mover's clock.
        reason: why.
        challenger: the version that is on trial, if any.
        pinned: whether nothing but a person may move the pointer.
    """

    generation: int
    commit_id: str
    parent_commit: str | None
    champion: Target
    by: str
    at: str
    reason: str
    challenger: Challenger | None = None
    pinned: bool = False

    def to_bytes(self) -> bytes:
        """Write the pointer as JSON."""
        return to_json(asdict(self))

    @classmethod
    def from_bytes(cls, body: bytes) -> "Pointer":
        """Read a pointer; raise `PointerError` if it is none."""
        try:
            values = json.loads(body)
            champion, challenger = Target(**values.pop("champion")), _challenger(values.pop("challenger"))
            pointer = cls(champion=champion, challenger=challenger, **values)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise PointerError(f"not a pointer: {type(error).__name__}") from error
        texts = (pointer.commit_id, pointer.at, champion.version, champion.manifest_sha256)
        numbers_and_flags = type(pointer.generation) is int and type(pointer.pinned) is bool
        if not numbers_and_flags or not all(isinstance(text, str) for text in texts):
            raise PointerError("not a pointer: a field has another type")
        return pointer


@dataclass(frozen=True, slots=True)
class Move:
    """What a mover wants the pointer to say."""

    champion: Target
    by: str
    reason: str
    challenger: Challenger | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class ReadPointer:
    """A pointer as read, with the ETag that the next write is conditional on."""

    pointer: Pointer
    etag: str


def history_key(generation: int) -> str:
    """Return the key of a generation's immutable entry; the keys sort as the generations do."""
    return f"{HISTORY}{generation:012d}.json"


def read(store: ObjectStore) -> ReadPointer | None:
    """Return the pointer, or None where no model was ever published."""
    try:
        stored = store.get(CURRENT)
    except ObjectNotFoundError:
        return None
    return ReadPointer(Pointer.from_bytes(stored.body), stored.etag)


def read_history(store: ObjectStore, generation: int) -> Pointer | None:
    """Return the entry of a generation, or None if there is none yet."""
    try:
        return Pointer.from_bytes(store.get(history_key(generation)).body)
    except ObjectNotFoundError:
        return None


def newest(store: ObjectStore) -> Pointer | None:
    """Return the newest entry of the history, which takes no pointer to be found; None if there is none."""
    last = max((key for key in store.keys(HISTORY) if key.endswith(".json")), default=None)
    return Pointer.from_bytes(store.get(last).body) if last else None


def move(store: ObjectStore, decide: Callable[[Pointer | None], Move | None]) -> Pointer | None:
    """Move the pointer as `decide` says and return what it says afterwards.

    Args:
        store: where the pointer lives.
        decide: is given the present pointer (None: there is none) and returns the move, or None to leave it. It is
            asked again whenever another move came first, so that nothing is decided on what no longer holds.

    Raises:
        PointerError: other moves kept coming first.
        StorageUnavailableError: storage failed; the move may have been recorded, and then the next mover finishes it.
    """
    commit_id = secrets.token_hex(16)
    attempt = None
    for _ in range(ATTEMPTS):
        current = _finish_interrupted_move(store, read(store))
        served = current.pointer if current else None
        if attempt and served and served.generation >= attempt.generation:
            entry = read_history(store, attempt.generation)
            if entry and entry.commit_id == commit_id:  # refused, and yet it landed
                return entry
        wanted = decide(served)
        if wanted is None:
            return served
        attempt = _next_pointer(served, wanted, commit_id)
        if _record(store, attempt):
            _replace_current(store, attempt, current.etag if current else None)
            return attempt
    raise PointerError(f"{ATTEMPTS} moves of others came first", "Look who else promotes or rolls back, then repeat.")


def _challenger(values: Any) -> Challenger | None:
    """Read a challenger; raise an error that `Pointer.from_bytes` catches if it is none."""
    if values is None:
        return None
    challenger = Challenger(**{**values, "target": Target(**values["target"])})
    texts = (challenger.target.version, challenger.target.manifest_sha256, challenger.began_at, challenger.step_at)
    if challenger.mode not in get_args(Mode) or not all(isinstance(text, str) for text in texts):
        raise TypeError("not a challenger")
    share_fits = 0 < challenger.share <= 1 if challenger.mode == "canary" else challenger.share == 0
    if isinstance(challenger.share, bool) or not share_fits:
        raise ValueError("not a share")
    return challenger


def _next_pointer(current: Pointer | None, wanted: Move, commit_id: str) -> Pointer:
    return Pointer(
        generation=current.generation + 1 if current else 1,
        commit_id=commit_id,
        parent_commit=current.commit_id if current else None,
        champion=wanted.champion,
        by=wanted.by,
        at=timestamp(now()),
        reason=wanted.reason,
        challenger=wanted.challenger,
        pinned=wanted.pinned,
    )


def _record(store: ObjectStore, commit: Pointer) -> bool:
    """Create a commit's entry in the history; False leaves open whether it is there."""
    try:
        store.put(history_key(commit.generation), commit.to_bytes(), if_absent=True)
    except (PreconditionFailedError, WriteConflictError):
        return False
    except StorageUnavailableError:
        if read_history(store, commit.generation) is None:
            raise
        return False
    return True


def _replace_current(store: ObjectStore, commit: Pointer, etag: str | None) -> None:
    """Bring current.json up to a commit that history already holds; whoever does it first, it is done."""
    for _ in range(ATTEMPTS):
        try:
            store.put(CURRENT, commit.to_bytes(), if_match=etag, if_absent=etag is None)
        except _UNDECIDED:
            current = read(store)
            if current and current.pointer.generation >= commit.generation:
                return
            etag = current.etag if current else None
        else:
            return
    raise StorageUnavailableError(
        f"generation {commit.generation} is recorded but models/current.json was not replaced",
        f"Promote {commit.champion.version} to finish it; a rollback that is repeated goes back once more.",
    )


def _finish_interrupted_move(store: ObjectStore, current: ReadPointer | None) -> ReadPointer | None:
    while newest := _newest_after(store, current.pointer.generation if current else 0):
        _replace_current(store, newest, current.etag if current else None)
        current = read(store)
    return current


def _newest_after(store: ObjectStore, generation: int) -> Pointer | None:
    """Return the last entry after a generation, skipping those between: they were replaced before this move began."""
    newest = None
    while entry := read_history(store, generation + 1):
        newest, generation = entry, generation + 1
    return newest
