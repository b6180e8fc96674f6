"""What a warm instance serves while the pointer moves, versions break and storage fails."""

import threading
from collections.abc import Callable

import pytest
from sentiloop import artefact, pointer, registry, trial
from sentiloop.bundled import baseline
from sentiloop.errors import StorageUnavailableError
from sentiloop.pointer import CURRENT, Challenger, Move, Target
from sentiloop.registry import version_key
from sentiloop.s3 import S3Store
from sentiloop.serving import OVERDUE_SECONDS, LiveModel
from sentiloop.storage import ObjectStore, StoredObject

from tests.faults.faulty_store import FaultyStore, down
from tests.store.conftest import Shelf

REFRESH = 3.0


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class GatedStore(FaultyStore):
    """Lets a look at the pointer wait until the test opens the gate, and counts the looks."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store)
        self.gate = threading.Event()
        self.gate.set()
        self.looks = 0

    def get_if_changed(self, key: str, etag: str) -> StoredObject | None:
        self.looks += 1
        assert self.gate.wait(30)
        return super().get_if_changed(key, etag)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gated(store: S3Store) -> GatedStore:
    return GatedStore(store)


@pytest.fixture
def live(gated: GatedStore, clock: Clock) -> LiveModel:
    return LiveModel(gated, REFRESH, clock)


def wait_for_refreshes() -> None:
    for thread in threading.enumerate():
        if thread.name == "refresh":
            thread.join(30)
            assert not thread.is_alive()


def later(live: LiveModel, clock: Clock, seconds: float = REFRESH) -> tuple[str, str | None]:
    """Let time pass and requests come; return the version and the problem that the last of them meets."""
    clock.seconds += seconds
    live.current()
    wait_for_refreshes()
    served = live.current()
    return served.model.version, served.problem


def test_an_empty_bucket_is_served_by_the_bundled_baseline(live: LiveModel) -> None:
    served = live.current()
    assert served.model is baseline()
    assert served.pointer is None
    assert served.problem == "no model was published yet"


def test_storage_that_never_answered_is_served_by_the_bundled_baseline(clock: Clock) -> None:
    served = LiveModel(down(), REFRESH, clock).current()
    assert served.model is baseline()
    assert served.problem == StorageUnavailableError.public_message


def test_the_first_request_is_answered_by_what_the_pointer_names(live: LiveModel, shelf: Shelf) -> None:
    target = shelf.promote("v1")
    served = live.current()
    assert served.problem is None
    assert served.pointer is not None
    assert served.pointer.champion == target
    assert served.model.version == "v1"


def test_a_swap_is_seen_after_the_refresh_time(live: LiveModel, shelf: Shelf, clock: Clock) -> None:
    shelf.promote("v1")
    live.current()
    shelf.promote("v2", seed=2)
    assert later(live, clock, REFRESH - 0.01) == ("v1", None)
    assert later(live, clock, 0.01) == ("v2", None)


def test_every_warm_instance_sees_a_swap_within_ten_seconds(live: LiveModel, shelf: Shelf, clock: Clock) -> None:
    shelf.promote("v1")
    live.current()
    shelf.promote("v2", seed=2)
    clock.seconds += OVERDUE_SECONDS  # frozen meanwhile, as Lambda does with idle instances
    assert live.current().model.version == "v2"
    assert OVERDUE_SECONDS < 10


def test_a_request_keeps_its_model_when_it_is_swapped_meanwhile(live: LiveModel, shelf: Shelf, clock: Clock) -> None:
    shelf.promote("v1")
    served = live.current()
    before = served.scorer.score("a text that is scored twice")
    shelf.promote("v2", seed=2)
    assert later(live, clock) == ("v2", None)
    assert served.model.version == "v1"
    assert served.scorer.score("a text that is scored twice") == before


def test_a_request_does_not_wait_for_a_look_at_the_pointer(
    live: LiveModel, gated: GatedStore, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    live.current()
    shelf.promote("v2", seed=2)
    gated.gate.clear()
    clock.seconds += REFRESH
    assert live.current().model.version == "v1"  # it would hang here if it waited
    gated.gate.set()
    wait_for_refreshes()
    assert live.current().model.version == "v2"


def test_one_look_at_a_time_however_many_requests_come(
    live: LiveModel, gated: GatedStore, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    live.current()
    gated.gate.clear()
    clock.seconds += REFRESH
    looks = gated.looks
    for _ in range(20):
        live.current()
    clock.seconds += OVERDUE_SECONDS
    assert live.current().model.version == "v1"  # even an overdue request does not queue behind another's look
    gated.gate.set()
    wait_for_refreshes()
    assert gated.looks == looks + 1


def test_nothing_is_asked_of_storage_before_it_is_time(live: LiveModel, gated: GatedStore, clock: Clock) -> None:
    live.current()
    clock.seconds += REFRESH - 0.01
    live.current()
    wait_for_refreshes()
    assert gated.looks == 1


def test_a_rollback_is_a_swap_like_any_other(live: LiveModel, shelf: Shelf, clock: Clock) -> None:
    for version in ("v1", "v2", "v1"):
        shelf.promote(version)
        assert later(live, clock) == (version, None)


def test_a_pointer_that_moves_between_equal_champions_loads_nothing_again(
    live: LiveModel, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    target = shelf.promote("v1")
    scorer = live.current().scorer
    pointer.move(store, lambda _current: Move(target, "test", "the same once more"))
    later(live, clock)
    served = live.current()
    assert served.scorer is scorer
    assert served.pointer is not None
    assert (served.pointer.generation, served.pointer.reason) == (2, "the same once more")


def point_at(store: ObjectStore, target: Target) -> None:
    pointer.move(store, lambda _current: Move(target, "test", "without a look at its files"))


def lose_the_weights(store: S3Store, version: str) -> None:
    store._client.delete_object(Bucket=store.bucket, Key=version_key(version, artefact.WEIGHTS))


def halve_the_weights(store: S3Store, version: str) -> None:
    key = version_key(version, artefact.WEIGHTS)
    store.put(key, store.get(key).body[: 1024 * 2])


def flip_a_bit_of_the_weights(store: S3Store, version: str) -> None:
    key = version_key(version, artefact.WEIGHTS)
    body = bytearray(store.get(key).body)
    body[0] ^= 1
    store.put(key, bytes(body))


def edit_the_manifest(store: S3Store, version: str) -> None:
    key = version_key(version, artefact.MANIFEST)
    store.put(key, store.get(key).body.replace(b"0.55", b"0.95"))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lose_the_weights, "complete"),
        (halve_the_weights, "size"),
        (flip_a_bit_of_the_weights, "sha256"),
        (edit_the_manifest, "sha256"),
    ],
)
def test_a_version_that_is_not_whole_is_never_served_and_the_problem_says_so(
    damage: Callable[[S3Store, str], None], problem: str, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    live = LiveModel(store, REFRESH, clock)
    shelf.promote("v1")
    live.current()
    broken = shelf.publish("v2", seed=2)
    damage(store, "v2")
    point_at(store, broken.target)
    version, said = later(live, clock)
    assert version == "v1"
    assert said is not None
    assert said.startswith(f"{problem}: ")
    store.put(version_key("v2", artefact.WEIGHTS), broken.weights)
    store.put(version_key("v2", artefact.MANIFEST), broken.manifest)
    assert later(live, clock) == ("v2", None)


def test_a_broken_pointer_keeps_what_is_served_and_the_problem_says_so(
    live: LiveModel, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    live.current()
    good = store.get(CURRENT).body
    store.put(CURRENT, b"{half a poi")
    assert later(live, clock) == ("v1", "not a pointer: JSONDecodeError")
    store.put(CURRENT, good)
    assert later(live, clock) == ("v1", None)


def test_a_vanished_pointer_keeps_what_is_served(live: LiveModel, store: S3Store, shelf: Shelf, clock: Clock) -> None:
    shelf.promote("v1")
    live.current()
    store._client.delete_object(Bucket=store.bucket, Key=CURRENT)
    assert later(live, clock) == ("v1", "models/current.json is gone")


def test_an_instance_that_begins_without_the_pointer_says_that_it_is_gone(
    store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    store._client.delete_object(Bucket=store.bucket, Key=CURRENT)
    served = LiveModel(store, REFRESH, clock).current()
    assert (served.model, served.problem) == (baseline(), "models/current.json is gone")


def test_storage_that_fails_keeps_what_is_served_until_it_is_back(
    live: LiveModel, gated: GatedStore, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    live.current()
    gated.reads_fail = True
    assert later(live, clock) == ("v1", StorageUnavailableError.public_message)
    assert later(live, clock) == ("v1", StorageUnavailableError.public_message)
    gated.reads_fail = False
    shelf.promote("v2", seed=2)
    assert later(live, clock) == ("v2", None)


def test_no_request_waits_while_storage_fails(live: LiveModel, gated: GatedStore, shelf: Shelf, clock: Clock) -> None:
    shelf.promote("v1")
    live.current()
    gated.reads_fail = True
    later(live, clock)
    gated.gate.clear()
    clock.seconds += 3_600
    assert live.current().model.version == "v1"  # overdue, and still it would hang here only if it waited
    gated.gate.set()
    wait_for_refreshes()


def test_an_instance_that_began_without_storage_finds_the_model_later(
    live: LiveModel, gated: GatedStore, shelf: Shelf, clock: Clock
) -> None:
    gated.reads_fail = True
    assert live.current().model is baseline()
    shelf.promote("v1")
    gated.reads_fail = False
    assert later(live, clock) == ("v1", None)


def test_a_refresh_raises_nothing_that_storage_raises(clock: Clock) -> None:
    failing = down()
    with pytest.raises(StorageUnavailableError):
        failing.get(CURRENT)
    LiveModel(failing, REFRESH, clock).refresh()


def test_a_pointer_that_vanished_and_came_back_is_told_again(
    live: LiveModel, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    before = live.current()
    content = store.get(CURRENT).body
    store._client.delete_object(Bucket=store.bucket, Key=CURRENT)
    later(live, clock)
    store.put(CURRENT, content, if_absent=True)
    later(live, clock)
    assert live.current() == before


def try_out(store: ObjectStore, version: str, share: float = 0.0) -> Challenger:
    """Put a published version on trial: in shadow, or as a canary if it has a share."""
    mode: pointer.Mode = "canary" if share else "shadow"
    moved = trial.begin(store, registry.find(store, version), mode, share, by="test", reason="try it")
    assert moved.challenger is not None
    return moved.challenger


def test_a_challenger_is_loaded_beside_the_champion(
    live: LiveModel, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    champion = live.current().scorer
    shelf.publish("v2", seed=2)
    on_trial = try_out(store, "v2")
    assert later(live, clock) == ("v1", None)
    served = live.current()
    assert served.scorer is champion
    assert served.challenger is not None
    assert served.challenger.model.version == "v2"
    assert (served.on_trial, served.challenger_problem) == (on_trial, None)


def test_in_shadow_the_champion_answers_every_client(live: LiveModel, store: S3Store, shelf: Shelf) -> None:
    shelf.promote("v1")
    shelf.publish("v2", seed=2)
    try_out(store, "v2")
    served = live.current()
    assert {served.scorer_for(f"client {number}") for number in range(100)} == {served.scorer}


def test_a_canary_answers_the_clients_that_its_share_gives_it(live: LiveModel, store: S3Store, shelf: Shelf) -> None:
    shelf.promote("v1")
    shelf.publish("v2", seed=2)
    on_trial = try_out(store, "v2", share=0.5)
    served = live.current()
    for client in map(str, range(100)):
        expected = served.challenger if trial.answers(on_trial, client) else served.scorer
        assert served.scorer_for(client) is expected


@pytest.mark.parametrize("end", ["crown", "withdraw"])
def test_the_end_of_a_trial_downloads_nothing(
    end: str, gated: GatedStore, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    live = LiveModel(gated, REFRESH, clock)
    shelf.promote("v1")
    shelf.publish("v2", seed=2)
    on_trial = try_out(store, "v2")
    before = live.current()
    downloads = gated.reads.total() - gated.reads[CURRENT]
    if end == "crown":
        trial.crown(store, on_trial, by="test", reason="better")
    else:
        trial.withdraw(store, "v2", by="test", reason="worse")
    assert later(live, clock) == ("v2" if end == "crown" else "v1", None)
    after = live.current()
    assert after.scorer is (before.challenger if end == "crown" else before.scorer)
    assert (after.challenger, after.challenger_problem) == (None, None)
    assert gated.reads.total() - gated.reads[CURRENT] == downloads > 0


def test_a_larger_share_downloads_nothing(
    live: LiveModel, gated: GatedStore, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    shelf.publish("v2", seed=2)
    on_trial = try_out(store, "v2", share=0.1)
    before = live.current()
    downloads = gated.reads.total() - gated.reads[CURRENT]
    trial.advance(store, on_trial, "canary", 1.0, by="test", reason="go on")
    later(live, clock)
    after = live.current()
    assert after.challenger is before.challenger is after.scorer_for("anybody")
    assert gated.reads.total() - gated.reads[CURRENT] == downloads > 0


@pytest.mark.parametrize("damage", [lose_the_weights, halve_the_weights, flip_a_bit_of_the_weights, edit_the_manifest])
def test_a_broken_challenger_costs_no_answer_and_is_tried_again(
    damage: Callable[[S3Store, str], None], live: LiveModel, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    whole = shelf.publish("v2", seed=2)
    try_out(store, "v2", share=1.0)
    damage(store, "v2")
    served = live.current()
    assert (served.challenger, served.problem) == (None, None)
    assert served.challenger_problem
    assert served.scorer_for("anybody") is served.scorer
    store.put(version_key("v2", artefact.WEIGHTS), whole.weights)
    store.put(version_key("v2", artefact.MANIFEST), whole.manifest)
    assert later(live, clock) == ("v1", None)
    served = live.current()
    assert served.challenger_problem is None
    assert served.scorer_for("anybody") is served.challenger is not None


def test_a_challenger_that_storage_did_not_give_is_tried_again(
    live: LiveModel, gated: GatedStore, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    later(live, clock)
    shelf.publish("v2", seed=2)
    try_out(store, "v2")
    gated.failing_read = (version_key("v2", artefact.WEIGHTS), 1)
    assert later(live, clock) == ("v1", None)
    assert live.current().challenger_problem == StorageUnavailableError.public_message
    assert later(live, clock) == ("v1", None)
    served = live.current()
    assert (served.challenger is not None, served.challenger_problem) == (True, None)


def test_a_champion_is_swapped_although_the_challenger_is_broken(
    live: LiveModel, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    live.current()
    shelf.promote("v2", seed=2)
    shelf.publish("v3", seed=3)
    try_out(store, "v3")
    lose_the_weights(store, "v3")
    assert later(live, clock) == ("v2", None)
    assert live.current().challenger_problem


def test_storage_that_fails_keeps_the_challenger_too(
    live: LiveModel, gated: GatedStore, store: S3Store, shelf: Shelf, clock: Clock
) -> None:
    shelf.promote("v1")
    shelf.publish("v2", seed=2)
    try_out(store, "v2", share=1.0)
    before = live.current()
    gated.reads_fail = True
    assert later(live, clock) == ("v1", StorageUnavailableError.public_message)
    assert live.current().scorer_for("anybody") is before.challenger is not None
    gated.reads_fail = False
    later(live, clock)
    assert live.current() == before
