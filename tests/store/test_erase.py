"""Erasing corrections: nothing of them is left in any version, nothing of others is lost, wherever it is cut short."""

import gzip
import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrain import memory, segments
from retrain.collect import collect, read_corrections
from retrain.datasets import Dataset, Row
from retrain.erase import ASIDE, FROZEN, ErasureError, Plan, erase, plan_erasure
from retrain.erasures import Erasure, read_erasures
from retrain.ledger import Decision, settle
from retrain.merge import Merged, merge_corrections
from retrain.snapshot import make_snapshot, store_snapshot
from sentiloop import artefact, pointer, registry
from sentiloop.errors import StorageUnavailableError
from sentiloop.pointer import Move
from sentiloop.receipts import correction_id, correction_key, read_outcome
from sentiloop.records import Correction, now, timestamp, to_lines
from sentiloop.registry import version_key
from sentiloop.s3 import S3Store
from sentiloop.storage import ErasableStore, ObjectStore, StoredVersion

from tests.builders import LABELS, make_correction, make_model, make_sample
from tests.faults.faulty_store import CrashError
from tests.faults.memory_store import MemoryStore

LATER = timestamp(now() + timedelta(days=1))
DAY = now().date()
LEAVER, STAYER = "a" * 32, "b" * 32


def correction(number: int, contributor: str = STAYER, **fields: Any) -> Correction:
    """A correction of today; whoever leaves writes "secret"."""
    whose = "secret" if contributor == LEAVER else "kept"
    given = {
        "id": correction_id(DAY, f"{number:032x}"),
        "received_at": timestamp(now()),
        "text": f"a {whose} thought, the {number}th",
        "contributor": contributor,
        "prediction_id": f"pr-{number:024x}",
        **fields,
    }
    return make_correction(number, **given)


def put(store: ObjectStore, *entries: Correction) -> None:
    for entry in entries:
        store.put(correction_key(entry.id), entry.to_line(), if_absent=True)


def put_together(store: ObjectStore, name: str, *entries: Correction | bytes) -> None:
    """Several lines in one object, as somebody may have written it by hand."""
    lines = [entry if isinstance(entry, bytes) else entry.to_line() for entry in entries]
    store.put(f"feedback/dt={DAY}/{name}.jsonl", b"".join(lines), if_absent=True)


def learn(store: ObjectStore, version: str, samples: tuple[int, ...] = (), left_out: tuple[str, ...] = ()) -> str:
    """What a run leaves that learned from all there is: snapshot, version, pointer, quarantine and receipts."""
    collected = collect(store, None)
    reasons = {entry.id: "left out for a test" for entry in collected.corrections if entry.id in left_out}
    kept = [entry for entry in collected.corrections if entry.id not in reasons]
    base = Dataset(version, version, (Row("good", "positive"),), {})
    merged = Merged(merge_corrections(kept, LABELS, 1_000, 1_000).rows, reasons)
    snapshot = make_snapshot([base], collected.corrections, merged)
    store_snapshot(store, snapshot, collected.segments)
    kept_samples = to_lines(make_sample(number, text=f"sampled {number}") for number in samples)
    folder = f"datasets/snapshots/{snapshot.digest}/"
    store.put(f"{folder}samples.jsonl.gz", gzip.compress(kept_samples, mtime=0), if_absent=True)
    built = make_model(version=version, data={"snapshot": snapshot.digest, "base": []})
    target = registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
    pointer.move(store, lambda _: Move(target, "test", version))
    settle(store, collected, Decision(snapshot.digest, reasons, version, version))
    return snapshot.digest


def fill(store: ObjectStore) -> None:
    """Leave traces of both contributors in every kind of object, with two models that learned from them."""
    put(store, *(correction(number) for number in range(4)))
    learn(store, "v-before")
    put(store, *(correction(number, LEAVER) for number in range(10, 13)))
    put_together(store, "by-hand", correction(20, LEAVER), correction(21), b'{"broken": "' + LEAVER.encode() + b'"\n')
    put_together(store, "broken", b'{"broken": "kept"\n')
    learn(store, "v-both", samples=(10, 1), left_out=(correction(11).id, correction(2).id))
    put(store, correction(13, LEAVER), correction(14))
    learn(store, "v-champion", samples=(13, 14), left_out=(correction(11).id,))
    put(store, correction(15, LEAVER), correction(16))
    samples = [make_sample(number, text=f"{'secret' if number < 14 else 'kept'} {number}") for number in range(10, 17)]
    store.put(f"samples/dt={DAY}/{samples[0].id}.jsonl", to_lines(samples), if_absent=True)


LEAVERS = {correction(number).id for number in (10, 11, 12, 13, 15, 20)}
STAYERS = {correction(number).id for number in (0, 1, 2, 3, 14, 16, 21)}


def request(**fields: Any) -> Erasure:
    return Erasure(**{"at": LATER, "by": "operator", "reason": "asked", "contributor": LEAVER, **fields})


def carry_out(store: ErasableStore, **fields: Any) -> Plan:
    plan = plan_erasure(store, request(**fields))
    assert erase(store, plan) == 0
    return plan


def texts_in(store: ErasableStore, prefix: str = "") -> dict[str, bytes]:
    """What every version of every object says, unzipped; models are random bytes."""
    found = {}
    for version in store.versions(prefix):
        body = store.get_version(version)
        found[f"{version.key} {version.id}"] = gzip.decompress(body) if version.key.endswith(".gz") else body
    return found


def check_erased(store: ErasableStore) -> None:
    """Hold a bucket to what is true once the leaver's corrections are erased."""
    for key, body in texts_in(store).items():
        assert b"secret" not in body, key
        named = key.startswith(("erasures/", "receipts/"))
        assert named or LEAVER.encode() not in body, key
        assert named or not any(each.encode() in body for each in LEAVERS), key
    assert {entry.id for entry in collect(store, snapshot_of(store, "v-champion")).corrections} == STAYERS
    for version in ("v-before", "v-both", "v-champion"):
        assert registry.is_marked(store, version) == (version != "v-before")
        rows, left_out = read_corrections(store, snapshot_of(store, version))
        assert {entry.id for entry in rows} <= STAYERS
        assert left_out.keys() <= STAYERS
    assert len(read_corrections(store, snapshot_of(store, "v-both"))[0]) == 5
    assert all(read_outcome(store, each) == {"erased": read_erasures(store)[0].at} for each in LEAVERS)
    assert not any("erased" in read_outcome(store, each) for each in STAYERS)
    assert not list(store.keys(ASIDE))
    others = b"".join(texts_in(store, "quarantine/").values())
    assert correction(2).id.encode() in others
    assert b"broken" in others
    assert [len(body.splitlines()) for body in texts_in(store, "samples/").values()] == [2]


def snapshot_of(store: ObjectStore, version: str) -> str:
    manifest = json.loads(store.get(version_key(version, artefact.MANIFEST)).body)
    return str(manifest["data"]["snapshot"])


@pytest.fixture(scope="module")
def filled() -> MemoryStore:
    store = MemoryStore()
    fill(store)
    return store


def test_nothing_of_a_contributor_is_left_and_everything_of_others(filled: MemoryStore) -> None:
    store = filled.copy()
    plan = carry_out(store)
    assert plan.rows == len(LEAVERS)
    assert (plan.versions, plan.champion) == (("v-both", "v-champion"), "v-champion")
    assert plan.counts == {"datasets/": 6, "feedback/": 6, "quarantine/": 1, "samples/": 1}
    check_erased(store)


def test_a_plan_writes_nothing(filled: MemoryStore) -> None:
    store = filled.copy()
    plan_erasure(store, request())
    assert store.objects == filled.objects


def test_a_second_time_there_is_nothing_to_do(filled: MemoryStore) -> None:
    store = filled.copy()
    carry_out(store)
    before = dict(store.objects)
    plan = carry_out(store, at=timestamp(now() + timedelta(days=1)), reason="asked again")
    assert (plan.rows, plan.counts, plan.versions) == (0, {}, ())
    assert store.objects == before


def test_one_correction_goes_by_its_id(filled: MemoryStore) -> None:
    store, gone = filled.copy(), correction(12).id
    plan = carry_out(store, contributor=None, ids=frozenset({gone}))
    assert plan.rows == 1
    assert {entry.id for entry in collect(store, None).corrections} == (LEAVERS | STAYERS) - {gone}
    assert not any(correction(12, LEAVER).text.encode() in body for body in texts_in(store).values())
    assert "erased" in read_outcome(store, gone)
    assert "erased" not in read_outcome(store, correction(10).id)


def test_a_model_that_left_the_corrections_out_is_not_marked(filled: MemoryStore) -> None:
    plan = plan_erasure(filled, request(contributor=None, ids=frozenset({correction(11).id})))
    assert (plan.rows, plan.versions, plan.champion) == (1, (), None)


@pytest.mark.parametrize("who", [{"contributor": "c" * 32}, {"contributor": None, "ids": frozenset({"fb-unknown"})}])
def test_what_is_not_there_cannot_be_erased(filled: MemoryStore, who: dict[str, Any]) -> None:
    with pytest.raises(ErasureError, match="is stored"):
        plan_erasure(filled, request(**who))


def test_what_is_received_later_is_not_meant(filled: MemoryStore) -> None:
    store = filled.copy()
    carry_out(store, at=timestamp(now()))
    put(store, correction(30, LEAVER, received_at=LATER))
    assert {entry.id for entry in collect(store, None).corrections} == STAYERS | {correction(30).id}
    again = timestamp(now() + timedelta(days=2))
    assert carry_out(store, at=again).erasure.at == again
    assert len(read_erasures(store)) == 2
    assert {entry.id for entry in collect(store, None).corrections} == STAYERS


def test_objects_that_come_back_are_not_learned_from(filled: MemoryStore) -> None:
    store = filled.copy()
    carry_out(store)
    store.objects |= {each: filled.objects[each] for each in filled.keys("feedback/")}
    assert {entry.id for entry in collect(store, None).corrections} == STAYERS
    assert not any(b"secret" in body for body in texts_in(store, "datasets/").values()), "no run copies them"
    store.objects |= {each: filled.objects[each] for each in filled.keys("datasets/") if "snapshots" not in each}
    assert {entry.id for entry in collect(store, snapshot_of(store, "v-champion")).corrections} == STAYERS
    carry_out(store)
    assert not any(b"secret" in body or LEAVER.encode() in body for body in texts_in(store, "datasets/").values())
    assert {entry.id for entry in collect(store, None).corrections} == STAYERS


def test_a_frozen_snapshot_stays_as_it_is_and_its_model_is_marked(filled: MemoryStore) -> None:
    store, frozen = filled.copy(), snapshot_of(filled, "v-both")
    store.put(f"datasets/snapshots/{frozen}/{FROZEN}", b"{}", if_absent=True)
    rows = read_corrections(store, frozen)
    plan = carry_out(store)
    assert plan.frozen == (frozen,)
    assert read_corrections(store, frozen) == rows
    assert registry.is_marked(store, "v-both")
    assert {entry.id for entry in read_corrections(store, snapshot_of(store, "v-champion"))[0]} <= STAYERS
    assert {entry.id for entry in collect(store, None).corrections} == STAYERS
    again = carry_out(store)
    assert (again.counts, again.frozen) == ({}, (frozen,))


def test_a_run_remembers_how_many_are_stored(filled: MemoryStore) -> None:
    store = filled.copy()
    collect(store, None)
    carry_out(store)
    assert memory.count_stored(store) == len(STAYERS)
    put(store, correction(40))
    assert memory.count_stored(store) == len(STAYERS) + 1


class CrashingStore:
    """Ends the process before or after the so-manieth write or deletion."""

    def __init__(self, store: MemoryStore, at: int, *, after: bool) -> None:
        self._store, self._at, self._after = store, at, after
        self.changes = 0
        self.get, self.get_if_changed, self.keys = store.get, store.get_if_changed, store.keys
        self.versions, self.get_version = store.versions, store.get_version

    def _crash(self, *, after: bool) -> None:
        self.changes += not after
        if self.changes == self._at and after == self._after:
            raise CrashError

    def put(self, key: str, body: bytes, *, if_absent: bool = False, if_match: str | None = None) -> str:
        self._crash(after=False)
        etag = self._store.put(key, body, if_absent=if_absent, if_match=if_match)
        self._crash(after=True)
        return etag

    def delete(self, key: str) -> int:
        self._crash(after=False)
        self._store.delete(key)
        self._crash(after=True)
        return 0


@pytest.mark.parametrize("after", [False, True])
def test_wherever_it_is_cut_short_nothing_is_learned_again_and_the_same_command_finishes(
    filled: MemoryStore, after: bool
) -> None:
    at = 0
    while True:
        at += 1
        store = filled.copy()
        crashing = CrashingStore(store, at, after=after)
        try:
            erase(crashing, plan_erasure(crashing, request()))
        except CrashError:
            if read_erasures(store):
                ids = {entry.id for entry in collect(store.copy(), snapshot_of(store, "v-champion")).corrections}
                assert not ids & LEAVERS
            carry_out(store)
            check_erased(store)
        else:
            assert at > 30
            return


def test_another_erasure_finds_what_the_one_before_put_aside(filled: MemoryStore) -> None:
    """A crash between delete and create leaves rows of others aside; somebody else's turn is next."""
    gone, cut_short = request(contributor=None, ids=frozenset({correction(20).id})), 0
    for at in range(1, 100):
        store = filled.copy()
        crashing = CrashingStore(store, at, after=True)
        try:
            erase(crashing, plan_erasure(crashing, gone))
        except CrashError:
            if list(store.keys(ASIDE)):
                cut_short += 1
                carry_out(store)
                assert {entry.id for entry in collect(store, None).corrections} == STAYERS
                assert not any(b"secret" in body for body in texts_in(store).values())
        else:
            assert cut_short > 3
            return


def test_rows_that_were_put_aside_are_found() -> None:
    """Those of the next erasure may all be in the object at which the one before was cut short."""
    store = MemoryStore()
    put_together(store, "by-hand", correction(20, LEAVER), correction(21))
    crashing = CrashingStore(store, 4, after=True)  # tombstone, receipt, aside, deletion
    with pytest.raises(CrashError):
        erase(crashing, plan_erasure(crashing, request(contributor=STAYER)))
    assert not list(store.keys("feedback/"))
    assert carry_out(store).rows == 1
    assert not any(b"thought" in body for body in texts_in(store).values())


def test_a_run_under_way_cannot_bring_the_rows_back(filled: MemoryStore) -> None:
    store = filled.copy()
    known = memory.recall(store)
    carry_out(store)
    memory.remember(store, known, segments.append(store, known.parts, [correction(50)]), [])
    assert {entry.id for entry in collect(store, None).corrections} == STAYERS


def test_a_champion_that_names_an_erased_segment_stops_no_run(filled: MemoryStore) -> None:
    store = filled.copy()
    digest = snapshot_of(store, "v-champion")
    for named in json.loads(store.get(f"datasets/snapshots/{digest}/segments.json").body)["segments"]:
        store.delete(segments.key_of(named["sha256"]))
    store.objects = {key: body for key, body in store.objects.items() if not key.startswith("datasets/memory/")}
    collected = collect(store, digest)
    assert {entry.id for entry in collected.corrections} == LEAVERS | STAYERS
    assert collected.settled == {}


@st.composite
def buckets(draw: st.DrawFn) -> tuple[MemoryStore, set[int], set[int]]:
    """Corrections of two contributors, in objects of several lines, read by runs in several steps."""
    store, numbers = MemoryStore(), iter(range(100))
    leavers: set[int] = set()
    stayers: set[int] = set()
    for name in range(draw(st.integers(1, 5))):
        entries = []
        for leaves in draw(st.lists(st.booleans(), min_size=1, max_size=4)):
            number = next(numbers)
            (leavers if leaves else stayers).add(number)
            entries.append(correction(number, LEAVER if leaves else STAYER))
        together = draw(st.booleans())
        put_together(store, f"object-{name}", *entries) if together else put(store, *entries)
        if draw(st.booleans()):
            learn(store, f"v-{name}")
    return store, leavers, stayers


@given(buckets(), st.integers(1, 60))
def test_no_row_of_others_is_lost_wherever_it_is_cut_short(
    made: tuple[MemoryStore, set[int], set[int]], at: int
) -> None:
    store, leavers, stayers = made
    if not leavers:
        return
    crashing = CrashingStore(store, at, after=at % 2 == 0)
    try:
        erase(crashing, plan_erasure(crashing, request()))
    except CrashError:
        carry_out(store)
    left = {entry.id: entry for entry in collect(store, None).corrections}
    assert left.keys() == {correction(number).id for number in stayers}
    assert all(entry.text == correction(number).text for number in stayers for entry in [left[correction(number).id]])
    in_feedback = b"".join(texts_in(store, "feedback/").values())
    assert all(correction(number).id.encode() in in_feedback for number in stayers)
    assert not any(b"secret" in body for body in texts_in(store).values())


@pytest.fixture
def versioned(store: S3Store) -> S3Store:
    """A bucket as the template makes it: it keeps every version."""
    boto3.client("s3").put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"})
    return store


class TestOnS3:
    """What the bucket keeps besides the current versions."""

    def test_no_version_of_any_object_holds_the_text(self, versioned: S3Store) -> None:
        fill(versioned)
        doomed = correction(17, LEAVER)
        put(versioned, doomed)
        boto3.client("s3").delete_object(Bucket=versioned.bucket, Key=correction_key(doomed.id))
        versioned.put(correction_key(correction(12).id), correction(12, LEAVER, text="secret, as it was").to_line())
        assert any(b"secret" in body for body in texts_in(versioned).values())
        carry_out(versioned)
        check_erased(versioned)

    def test_a_bucket_without_versions_forgets_as_well(self, store: S3Store) -> None:
        fill(store)
        carry_out(store)
        check_erased(store)

    def test_a_key_that_only_begins_alike_stays(self, versioned: S3Store) -> None:
        versioned.put("a/b", b"1")
        versioned.put("a/b", b"2")
        versioned.put("a/bc", b"3")
        assert versioned.delete("a/b") == 0
        assert [version.key for version in versioned.versions("")] == ["a/bc"]
        assert versioned.delete("a/none") == 0

    def test_versions_whose_deletion_is_denied_are_counted_and_hidden(
        self, versioned: S3Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        versioned.put("a/b", b"1")
        versioned.put("a/b", b"2")
        monkeypatch.setattr(S3Store, "_delete_version", lambda _store, _version: False)
        assert versioned.delete("a/b") == 2
        assert list(versioned.keys("a/")) == []
        assert [version.is_current for version in versioned.versions("a/")] == [False, False]
        versioned.put("a/b", b"3", if_absent=True)
        assert [versioned.get_version(each) for each in versioned.versions("a/")] == [b"3", b"2", b"1"]

    def test_without_storage_it_says_so(self, store: S3Store) -> None:
        gone = StoredVersion("a", "none", is_current=True)
        with pytest.raises(StorageUnavailableError):
            S3Store("no-such-bucket").delete("a")
        with pytest.raises(StorageUnavailableError):
            list(S3Store("no-such-bucket").versions("a"))
        with pytest.raises(StorageUnavailableError):
            store.get_version(gone)


def test_an_erasure_is_read_as_it_was_written_and_holds_no_text(filled: MemoryStore) -> None:
    erasure = plan_erasure(filled, request()).erasure
    assert Erasure.from_bytes(erasure.to_bytes()) == erasure
    assert erasure.ids == LEAVERS
    assert b"secret" not in erasure.to_bytes()
