"""Moving the model pointer, one mover at a time; what crashes and races do to it is in tests/faults."""

import json
import re

import pytest
from sentiloop import pointer
from sentiloop.errors import PointerError, PreconditionFailedError
from sentiloop.pointer import CURRENT, Challenger, Move, Pointer, Target, history_key
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore

from tests.faults.faulty_store import FaultyStore


def target(name: str) -> Target:
    return Target(name, "0" * 64)


def challenger_fields(**changed: object) -> dict[str, object]:
    at = "2026-01-01T00:00:00.000Z"
    named = {"version": "v2", "manifest_sha256": "0"}
    return {"target": named, "mode": "canary", "share": 0.1, "began_at": at, "step_at": at, **changed}


def to(name: str) -> Move:
    return Move(target(name), "test", f"serve {name}")


def move(store: ObjectStore, name: str) -> Pointer:
    moved = pointer.move(store, lambda _current: to(name))
    assert moved is not None
    return moved


def now_in(store: ObjectStore) -> Pointer:
    found = pointer.read(store)
    assert found is not None
    return found.pointer


def test_an_empty_bucket_has_no_pointer_and_no_history(store: S3Store) -> None:
    assert pointer.read(store) is None
    assert pointer.read_history(store, 1) is None


def test_the_first_move_makes_generation_one_without_a_parent(store: S3Store) -> None:
    first = move(store, "v1")
    assert (first.generation, first.parent_commit, first.champion) == (1, None, target("v1"))
    assert (first.by, first.reason, first.challenger) == ("test", "serve v1", None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.at)
    assert now_in(store) == pointer.read_history(store, 1) == first


def test_moves_count_up_and_name_the_commit_before_them(store: S3Store) -> None:
    moves = [move(store, name) for name in ("v1", "v2", "v3", "v1")]
    assert [entry.generation for entry in moves] == [1, 2, 3, 4]
    assert [entry.parent_commit for entry in moves] == [None, *(entry.commit_id for entry in moves[:3])]
    assert len({entry.commit_id for entry in moves}) == 4


def test_the_history_holds_every_pointer_that_was_ever_current(store: S3Store) -> None:
    moves = [move(store, name) for name in ("v1", "v2", "v3")]
    assert list(store.keys("models/")) == [CURRENT, *(history_key(number) for number in (1, 2, 3))]
    assert [pointer.read_history(store, number) for number in (1, 2, 3)] == moves
    assert store.get(CURRENT).body == store.get(history_key(3)).body


def test_history_keys_sort_as_generations_do() -> None:
    keys = [history_key(generation) for generation in (1, 9, 10, 99, 100, 10**11)]
    assert keys == sorted(keys)
    assert keys[0] == "models/history/000000000001.json"


def test_who_decides_is_told_what_is_served(store: S3Store) -> None:
    told: list[Pointer | None] = []

    def decide(current: Pointer | None) -> Move | None:
        told.append(current)
        return to("v1")

    first = pointer.move(store, decide)
    pointer.move(store, decide)
    assert told == [None, first]


def test_deciding_on_nothing_leaves_the_pointer_as_it_is(store: S3Store) -> None:
    assert pointer.move(store, lambda _current: None) is None
    first = move(store, "v1")
    before = store.get(CURRENT)
    assert pointer.move(store, lambda _current: None) == first
    assert store.get(CURRENT) == before
    assert pointer.read_history(store, 2) is None


def test_a_move_that_lost_is_decided_again_on_what_won(store: S3Store) -> None:
    move(store, "v1")
    told: list[str] = []

    def decide(current: Pointer | None) -> Move | None:
        assert current is not None
        told.append(current.champion.version)
        if len(told) == 1:
            move(store, "v2")  # somebody else, between reading and writing
        return to("v3")

    moved = pointer.move(store, decide)
    assert told == ["v1", "v2"]
    assert moved is not None
    assert (moved.generation, moved.champion.version) == (3, "v3")


def test_a_move_that_lost_may_be_called_off(store: S3Store) -> None:
    move(store, "v1")

    def decide(current: Pointer | None) -> Move | None:
        if current and current.champion.version == "v1":
            move(store, "v2")
            return to("v3")
        return None

    moved = pointer.move(store, decide)
    assert moved is not None
    assert moved.champion.version == "v2"
    assert now_in(store) == moved


def test_a_mover_who_always_comes_second_gives_up(store: S3Store) -> None:
    move(store, "v1")

    def decide(_current: Pointer | None) -> Move:
        move(store, "theirs")
        return to("ours")

    with pytest.raises(PointerError, match=f"{pointer.ATTEMPTS} moves of others came first"):
        pointer.move(store, decide)
    assert now_in(store).champion.version == "theirs"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"v1"',
        b"{}",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"champion": null, "challenger": null}',
        b'{"champion": {"version": "v1"}, "challenger": null}',
        b'{"champion": "v1", "challenger": null}',
    ],
)
def test_what_is_no_pointer_is_an_error_and_is_never_overwritten(body: bytes, store: S3Store) -> None:
    store.put(CURRENT, body)
    with pytest.raises(PointerError, match="not a pointer"):
        pointer.read(store)
    with pytest.raises(PointerError, match="not a pointer"):
        move(store, "v1")
    assert store.get(CURRENT).body == body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("generation", "1"),
        ("generation", True),
        ("generation", 1.0),
        ("commit_id", None),
        ("at", 0),
        ("champion", {"version": 1, "manifest_sha256": "0"}),
        ("champion", {"version": "v1", "manifest_sha256": None}),
        ("champion", {"version": "v1", "manifest_sha256": "0", "and": "more"}),
        ("challenger", "v2"),
        ("challenger", {"version": "v2", "manifest_sha256": "0"}),
        ("challenger", challenger_fields(mode="loud")),
        ("challenger", challenger_fields(share=0)),
        ("challenger", challenger_fields(share=1.5)),
        ("challenger", challenger_fields(share=True)),
        ("challenger", challenger_fields(mode="shadow", share=0.1)),
        ("challenger", challenger_fields(began_at=None)),
        ("pinned", 1),
        ("unknown", 1),
    ],
)
def test_a_pointer_with_a_field_of_another_kind_is_none(name: str, value: object, store: S3Store) -> None:
    fields = json.loads(move(store, "v1").to_bytes())
    with pytest.raises(PointerError, match="not a pointer"):
        Pointer.from_bytes(json.dumps({**fields, name: value}).encode())


def test_a_pointer_survives_being_written_and_read() -> None:
    at = "2026-01-01T00:00:00.000Z"
    challenger = Challenger(target("v3"), "canary", 0.1, at, at)
    written = Pointer(7, "commit", "parent", target("v2"), "ü", at, "why", challenger, pinned=True)
    assert Pointer.from_bytes(written.to_bytes()) == written


def test_a_pointer_from_before_there_were_pins_is_not_pinned(store: S3Store) -> None:
    fields = json.loads(move(store, "v1").to_bytes())
    del fields["pinned"]
    assert not Pointer.from_bytes(json.dumps(fields).encode()).pinned


def test_a_content_never_recurs_so_an_old_etag_never_fits_again(store: S3Store) -> None:
    move(store, "v1")
    outdated = store.get(CURRENT).etag
    move(store, "v2")
    move(store, "v1")  # the same version again, as a rollback does
    assert store.get(CURRENT).etag != outdated
    with pytest.raises(PreconditionFailedError):
        store.put(CURRENT, b"{}", if_match=outdated)


def test_a_mover_that_slept_through_v2_and_back_to_v1_does_not_pass_for_the_first(store: S3Store) -> None:
    move(store, "v1")
    asked = 0

    def decide(current: Pointer | None) -> Move | None:
        nonlocal asked
        asked += 1
        if asked == 1:
            move(store, "v2")
            move(store, "v1")
            return to("v9")  # decided on generation 1, which serves what is served again now
        assert current is not None
        assert (current.generation, current.champion.version) == (3, "v1")
        return None

    moved = pointer.move(store, decide)
    assert asked == 2
    assert moved is not None
    assert moved.generation == 3
    assert pointer.read_history(store, 4) is None


def test_a_mover_that_sleeps_between_its_writes_takes_nothing_back(store: S3Store) -> None:
    move(store, "v1")
    sleeper = FaultyStore(store)

    def others_go_on(key: str) -> None:
        if key == CURRENT:
            sleeper.before_write = lambda _key: None
            move(store, "v3")  # finishes generation 2 first, then makes 3

    sleeper.before_write = others_go_on
    assert move(sleeper, "v2").generation == 2
    assert [now_in(store).generation, now_in(store).champion.version] == [3, "v3"]


def test_a_pointer_restored_from_an_old_copy_is_brought_up_to_the_history_by_the_next_mover(store: S3Store) -> None:
    move(store, "v1")
    old = store.get(CURRENT).body
    move(store, "v2")
    third = move(store, "v3")
    store.put(CURRENT, old)  # by hand, against all advice
    assert pointer.move(store, lambda _current: None) == third
    assert store.get(CURRENT).body == store.get(history_key(3)).body
