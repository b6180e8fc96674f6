"""A retrain run that crashes, or meets storage that fails, at any point: what is served stays whole, the next run
finishes the work, and nothing is counted twice.

Four runs are looked at: on an empty bucket; the first one, with feedback and imported base data; a later one, with more
of both and feedback that is still settled; and one whose candidate is rejected. They write every kind of object.
"""

import json
import re
from collections.abc import Iterator, Mapping

import pytest
from retrain import news
from retrain.collect import read_corrections
from retrain.ledger import decided
from sentiloop import artefact, registry, trial
from sentiloop.receipts import read_outcome
from sentiloop.records import Correction
from sentiloop.registry import version_key

from tests.faults import retrain_runs as runs
from tests.faults.faulty_store import Fault
from tests.faults.memory_store import MemoryStore
from tests.faults.retrain_runs import SPOILER, Reader, State, account, state_of, states_of_a_run

EARLY, LATE, NEW = runs.corrections(15), runs.corrections(10, begin=15), runs.corrections(9, begin=25)
KINDS = ["empty", "first", "later", "rejected"]
BOOTSTRAP = [
    *("datasets/base/seed/rows.jsonl.gz", "datasets/base/seed/manifest.json"),
    *("models/baseline-small/weights.bin", "models/baseline-small/manifest.json"),
    *("models/history/1.json", "models/current.json"),
]
LEDGER = ["quarantine/", "quarantine/", "receipts/", "receipts/", "runs/"]  # of two days


def training(run: int) -> list[str]:
    return [
        *("datasets/segments/.jsonl.gz", f"datasets/memory/{run}.json"),
        *("models/anchor-/weights.bin", "models/anchor-/certainty.bin.gz", "models/anchor-/manifest.json"),
        *(f"datasets/snapshots//{name}" for name in ("segments.json", "left_out.json.gz", "manifest.json")),
        *("datasets/snapshots//samples.jsonl.gz", "datasets/snapshots//choice-.json"),
    ]


def promotion(generation: int) -> list[str]:
    return [
        *("models/v/weights.bin", "models/v/model.joblib", "models/v/reference.json.gz"),
        *("models/v/report/report.json", "models/v/report/report.html", "models/v/manifest.json"),
        *(f"models/history/{generation}.json", "models/current.json"),
    ]


class Case:
    """A bucket, and what its next run comes to if nothing happens to it.

    Attributes:
        start: the bucket.
        entries: all corrections in it.
        promote: the verdict.
        writes: the keys that the run writes, in order.
        states: all states of the bucket during the run: what a crash can leave, and at last what it comes to.
        expected: the account of the last.
    """

    def __init__(self, start: MemoryStore, entries: list[Correction], *, promote: bool = True) -> None:
        self.start, self.entries, self.promote = start, entries, promote
        self.writes = runs.writes_of_a_run(start, promote=promote)
        self.states = states_of_a_run(start, promote=promote)
        self.expected = account(self.states[-1], entries)
        self._finished: set[State] = set()

    def finish(self, state: MemoryStore) -> list[MemoryStore]:
        """Return the states of a run from a state, which has to come to the same as if it had been the only one."""
        states = states_of_a_run(state, promote=self.promote)
        assert account(states[-1], self.entries) == self.expected
        if state_of(states[-1]) not in self._finished:
            check_nothing_more_happens(states[-1], promote=self.promote)
        self._finished |= {state_of(state), state_of(states[-1])}
        return states

    def check_finishes(self, state: MemoryStore) -> None:
        """Hold the next run to finishing the work, unless the same state was seen already."""
        if state_of(state) not in self._finished:
            self.finish(state)


@pytest.fixture(scope="module", autouse=True)
def small_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with runs.small_package(tmp_path_factory.mktemp("baseline")):
        yield


@pytest.fixture(scope="module")
def cases(small_package: None) -> Mapping[str, Case]:
    """The four runs by name; what a test has seen of them is not looked at again by the next."""
    begin = MemoryStore()
    runs.put(begin, EARLY, "early")
    runs.import_rows(begin, "films", 1)
    first = Case(begin, EARLY)
    grown = first.states[-1].copy()
    runs.put(grown, LATE, "late")
    runs.import_rows(grown, "books", 2)
    return {
        "empty": Case(MemoryStore(), []),
        "first": first,
        "later": Case(grown, EARLY + LATE),
        "rejected": Case(grown, EARLY + LATE, promote=False),
    }


def check_nothing_more_happens(store: MemoryStore, *, promote: bool) -> None:
    after = store.copy()
    assert runs.run(after, promote=promote)["outcome"] == "skipped"
    assert {key: body for key, body in after.objects.items() if not key.startswith("runs/skipped-")} == {
        key: body for key, body in store.objects.items() if not key.startswith("runs/skipped-")
    }


def check_counted_once(store: MemoryStore, entries: list[Correction], broken: set[str]) -> None:
    """Hold a bucket whose last run promoted to what is true of every such bucket, whatever happened before."""
    ids = sorted(entry.id for entry in entries)
    assert runs.remembered(store) == ids
    version = Reader(store).look()
    manifest = json.loads(store.get(version_key(version, artefact.MANIFEST)).body)
    learned, left_out = read_corrections(store, manifest["data"]["snapshot"])
    assert sorted(entry.id for entry in learned) == ids
    assert manifest["data"]["feedback"]["stored"] == len(ids)
    assert sorted(record["version"] for record in runs.records(store) if record["outcome"] == "promoted") == sorted(
        runs.promotions(store)
    )
    generations = [int(key.rpartition("/")[2][:12]) for key in store.keys("datasets/memory/")]
    assert generations == list(range(1, len(generations) + 1))
    set_aside = runs.quarantined(store)
    assert len(set_aside) == len(set(set_aside))
    assert {name for name, _ in set_aside} - set(ids) == broken
    for entry in entries:
        outcome = read_outcome(store, entry.id)
        if entry.id in left_out or entry.contributor == SPOILER:
            assert outcome["quarantine"] == left_out.get(entry.id, outcome["quarantine"])
            assert (entry.id, outcome["quarantine"]) in set_aside
        else:
            assert outcome["version"] in runs.promotions(store)
            assert "quarantine" not in outcome


def kind(key: str) -> str:
    """Return a key without what differs from run to run."""
    folder = key.partition("/")[0] + "/"
    if folder in {"quarantine/", "receipts/", "runs/"}:
        return folder
    return re.sub(r"(?<=/)0+(?=[1-9])|[0-9a-f]{64}|(?<=/v)[0-9a-f]{12}|(?<=-)[0-9a-f]{12,16}", "", key)


@pytest.mark.parametrize("name", KINDS)
def test_a_run_writes_every_kind_of_object_and_each_write_is_a_point_to_crash_at(
    name: str, cases: Mapping[str, Case]
) -> None:
    assert [kind(key) for key in cases[name].writes] == {
        "empty": [*BOOTSTRAP, "runs/"],
        "first": [*BOOTSTRAP, *training(1), *promotion(2), *LEDGER],
        "later": [*training(2), *promotion(3), *LEDGER],
        "rejected": [*training(2), *LEDGER],
    }[name]
    assert len(cases[name].states) == len(cases[name].writes) + 1


@pytest.mark.parametrize("name", ["first", "later"])
def test_a_run_without_faults_counts_everything_once(name: str, cases: Mapping[str, Case]) -> None:
    case = cases[name]
    check_counted_once(case.states[-1], case.entries, {"early"} if name == "first" else {"early", "late"})


@pytest.mark.parametrize("name", ["first", "later", "rejected"])
def test_a_run_that_repeats_another_names_its_decision(name: str, cases: Mapping[str, Case]) -> None:
    case = cases[name]
    store = case.states[-1].copy()
    record = decided(store, runs.run(store, promote=case.promote))
    assert record in runs.records(store)
    assert record["outcome"] == ("promoted" if case.promote else "rejected")
    assert (record["candidate"] == Reader(store).look()) == case.promote
    [told] = news.of_run(record)
    assert told.cause == f"{record['outcome']}-{record['candidate']}"


@pytest.mark.parametrize("how", ["shadow", "pinned"])
def test_so_it_does_where_the_candidate_is_on_trial_or_held(how: str, cases: Mapping[str, Case]) -> None:
    store = cases["later"].start.copy()
    if how == "pinned":
        trial.pin(store, True, by="ada", reason="the fair is on")
    first, again = (runs.run(store, release=how if how == "shadow" else "at_once") for _ in range(2))
    assert first["outcome"] == ("on_trial" if how == "shadow" else "held")
    assert (again["outcome"], decided(store, again)["run_id"]) == ("skipped", first["run_id"])


@pytest.mark.parametrize("name", KINDS)
def test_wherever_a_run_crashes_and_the_next_one_too_the_run_after_them_finishes(
    name: str, cases: Mapping[str, Case]
) -> None:
    case = cases[name]
    once = {state_of(state) for state in case.states}
    twice: dict[State, MemoryStore] = {}
    for state in case.states:
        twice |= {state_of(each): each for each in case.finish(state)}
    for key in twice.keys() - once:
        case.check_finishes(twice[key])


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.RETRY_REFUSED, Fault.CONFLICT, Fault.DOWN])
@pytest.mark.parametrize("name", KINDS)
def test_whatever_a_write_meets_the_run_gets_over_it_or_the_next_one_finishes(
    name: str, fault: Fault, cases: Mapping[str, Case]
) -> None:
    case = cases[name]
    for write in range(1, len(case.writes) + 1):
        case.check_finishes(runs.run_with_fault(case.start, write, fault, promote=case.promote))


@pytest.mark.parametrize("name", ["empty", "later"])
def test_an_outage_that_begins_at_any_write_changes_no_answer_and_the_next_run_finishes(
    name: str, cases: Mapping[str, Case]
) -> None:
    case = cases[name]
    for write in range(1, len(case.writes) + 1):
        case.check_finishes(runs.run_into_an_outage(case.start, write, promote=case.promote))


@pytest.mark.parametrize("name", ["empty", "later"])  # the first run reads what these two read
def test_whatever_read_is_not_answered_the_next_run_finishes(name: str, cases: Mapping[str, Case]) -> None:
    case = cases[name]
    reads = runs.reads_of_a_run(case.start, promote=case.promote)
    assert len(reads) > len(case.writes)
    for read in reads:
        case.check_finishes(runs.run_with_failing_read(case.start, read, promote=case.promote))


@pytest.mark.parametrize("name", ["first", "later", "rejected"])
def test_feedback_that_comes_between_a_crash_and_the_next_run_is_counted_once_too(
    name: str, cases: Mapping[str, Case]
) -> None:
    case = cases[name]
    broken = {"early", "new"} if name == "first" else {"early", "late", "new"}
    for state in case.states:
        store = state.copy()
        runs.put(store, NEW, "new")
        assert runs.run(store)["outcome"] == "promoted"
        check_counted_once(store, case.entries + NEW, broken)


def test_a_promotion_that_was_cut_short_and_taken_back_by_hand_is_recorded_and_not_repeated(
    cases: Mapping[str, Case],
) -> None:
    case, before = cases["later"], cases["first"].expected["served"]
    moved = [state for state in case.states if Reader(state).look() != before]
    assert len(moved) == len(LEDGER) + 1
    for state in moved:
        for further in ([], ["baseline-small", before]):
            store = state.copy()
            registry.rollback(store, by="operator", reason="customers complain")
            for version in further:
                registry.promote(store, registry.find(store, version), by="operator", reason="looking for the cause")
            record = runs.run(store)
            assert record["outcome"] == "skipped"
            assert "taken back" in record["reasons"][0]
            assert Reader(store).look() == before
            assert account(store, case.entries) == {
                **case.expected,
                **{name: cases["first"].expected[name] for name in ("served", "weights")},
            }


def test_who_is_no_longer_excluded_is_told_so_and_who_still_is_is_set_aside_once(cases: Mapping[str, Case]) -> None:
    before, after = cases["first"].expected, cases["later"].expected
    theirs = [entry.id for entry in EARLY if entry.contributor == SPOILER]
    assert all("quarantine" in before["told"][identity] for identity in theirs)
    assert [row for row in after["quarantined"] if row[0] in theirs] == [
        row for row in before["quarantined"] if row[0] in theirs
    ]
    store = cases["later"].start.copy()
    version = runs.run(store, excluded="")["version"]
    told = [read_outcome(store, identity) for identity in theirs]
    assert [(outcome["version"], "quarantine" in outcome) for outcome in told] == [(version, False)] * len(theirs)
