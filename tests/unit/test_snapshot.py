"""Exactly what a model is trained on, named by its digest."""

import json
import random
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from retrain.collect import collect, read_corrections
from retrain.datasets import Dataset, Row
from retrain.merge import merge_corrections
from retrain.snapshot import Snapshot, make_snapshot, store_snapshot
from retrain.splits import HOLDOUT, TRAIN, side_of
from sentiloop.receipts import correction_key
from sentiloop.records import Correction
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore

from tests.builders import LABELS, make_correction
from tests.faults.memory_store import MemoryStore

BASE = [Row("a good film", "positive"), Row("a bad film", "negative"), Row("a film", "neutral", "dev")]


def dataset(rows: Sequence[Row], name: str = "base") -> Dataset:
    return Dataset(name, f"digest of {name}: {list(rows)}", tuple(rows), {})


def snapshot(datasets: Sequence[Dataset], corrections: Iterable[Correction] = ()) -> Snapshot:
    given_corrections = tuple(corrections)
    return make_snapshot(datasets, given_corrections, merge_corrections(given_corrections, LABELS, 100, 100))


def row_of(found: Snapshot, key: str) -> dict[str, Any]:
    (row,) = found.rows[found.rows["key"] == key].to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_base_rows_and_corrections_come_together_with_their_source_and_side() -> None:
    correction = make_correction(1, text="A new text", correct_label="neutral")
    found = snapshot([dataset(BASE)], [correction])
    about = ["contributors", "trusted", "received_at", "selection"]
    assert list(found.rows.columns) == ["key", "text", "label", "source", "side", *about]
    assert row_of(found, "a film") == {
        "key": "a film",
        "text": "a film",
        "label": "neutral",
        "source": "base",
        "side": HOLDOUT,
        "contributors": (),
        "trusted": False,
        "received_at": "",
        "selection": "",
    }
    assert row_of(found, "a new text") == {
        "key": "a new text",
        "text": "A new text",
        "label": "neutral",
        "source": "feedback",
        "side": side_of("a new text"),
        "contributors": (correction.contributor,),
        "trusted": False,
        "received_at": correction.received_at,
        "selection": "label",
    }
    assert len(found.rows) == 4


def test_equal_inputs_have_the_same_digest() -> None:
    corrections = [make_correction(number) for number in range(3)]
    assert snapshot([dataset(BASE)], corrections).digest == snapshot([dataset(BASE)], corrections).digest


def test_whatever_changes_what_is_learned_changes_the_digest() -> None:
    corrections = [make_correction(number) for number in range(3)]
    others = [
        snapshot([dataset(BASE)]),
        snapshot([], corrections),
        snapshot([dataset(BASE)], corrections),
        snapshot([dataset(BASE[:2])], corrections),
        snapshot([dataset(BASE, "another name")], corrections),
        snapshot([dataset(BASE)], corrections[:2]),
        snapshot([dataset(BASE)], [*corrections[:2], make_correction(2, correct_label="negative")]),
        snapshot([dataset(BASE)], [*corrections, make_correction(9, correct_label="furious")]),
    ]
    assert len({found.digest for found in others}) == len(others)


def test_a_corrected_text_replaces_the_base_rows_of_the_same_text() -> None:
    found = snapshot(
        [dataset(BASE), dataset(BASE, "other")], [make_correction(1, text="A GOOD  film", correct_label="negative")]
    )
    row = row_of(found, "a good film")
    assert (row["label"], row["source"], row["text"]) == ("negative", "feedback", "A GOOD  film")


def test_a_correction_that_is_left_out_replaces_nothing() -> None:
    found = snapshot([dataset(BASE)], [make_correction(1, text="a good film", correct_label="furious")])
    assert row_of(found, "a good film")["source"] == "base"
    assert found.left_out == {make_correction(1).id: "the model has no such label"}
    assert found.manifest["left_out"] == {"the model has no such label": 1}


def test_of_a_repeated_text_the_held_out_row_stays_so_that_none_leaks() -> None:
    first = dataset([Row("The Film", "positive", "train"), Row("the film", "negative", "train")], "first")
    second = dataset([Row("the  film", "neutral", "test")], "second")
    for datasets in ([first, second], [second, first]):
        assert row_of(snapshot(datasets), "the film")["side"] == HOLDOUT


def test_of_texts_repeated_on_one_side_the_first_stays() -> None:
    rows = [Row("The Film", "positive", "train"), Row("the film", "negative", "train")]
    assert row_of(snapshot([dataset(rows)]), "the film")["label"] == "positive"


def test_base_rows_keep_their_order() -> None:
    assert snapshot([dataset(BASE)]).rows["text"].tolist() == [row.text for row in BASE]


def test_the_manifest_counts_what_there_is() -> None:
    rows = [Row(f"text {number}", LABELS[number % 3], ("train", "dev")[number % 2]) for number in range(12)]
    corrections = [make_correction(number, correct_label="positive", contributor=f"c{number}") for number in range(2)]
    manifest = snapshot([dataset(rows)], corrections).manifest
    assert manifest["base"] == [{"name": "base", "digest": dataset(rows).digest, "rows": 12}]
    assert manifest["corrections"]["stored"] == manifest["corrections"]["rows"] == 2
    assert sum(sum(counts.values()) for counts in manifest["rows"].values()) == 14
    assert set(manifest["rows"]) == {TRAIN, HOLDOUT}


def test_base_data_alone_and_corrections_alone_are_snapshots_too() -> None:
    assert snapshot([dataset(BASE)]).manifest["corrections"]["rows"] == 0
    assert len(snapshot([], [make_correction(1)]).rows) == 1


def test_nothing_at_all_is_a_snapshot_without_rows() -> None:
    assert snapshot([]).rows.empty


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(LABELS), st.sampled_from("abc")), max_size=8), st.randoms()
)
def test_the_order_in_which_corrections_are_merged_makes_no_difference(
    votes: list[tuple[int, str, str]], dice: random.Random
) -> None:
    corrections = tuple(
        make_correction(number, text=f"text {text}", correct_label=label, contributor=contributor)
        for number, (text, label, contributor) in enumerate(votes)
    )
    shuffled = dice.sample(corrections, len(corrections))
    merged = make_snapshot([dataset(BASE)], corrections, merge_corrections(shuffled, LABELS, 100, 100))
    assert merged.digest == snapshot([dataset(BASE)], corrections).digest
    assert merged.rows.equals(snapshot([dataset(BASE)], corrections).rows)


def test_the_order_in_which_corrections_arrive_makes_no_difference(store: S3Store) -> None:
    corrections = [make_correction(number) for number in range(5)]
    digests = set()
    for order in (corrections, corrections[::-1], corrections[2:] + corrections[:2]):
        for entry in order:
            store.put(correction_key(entry.id), entry.to_line())
        digests.add(snapshot([dataset(BASE)], collect(store, None).corrections).digest)
    assert len(digests) == 1


def test_a_stored_snapshot_can_be_read_back_and_stored_again(store: S3Store) -> None:
    corrections = [make_correction(1), make_correction(2, correct_label="furious")]
    found = snapshot([dataset(BASE)], corrections)
    for _ in range(2):
        store_snapshot(store, found)
    folder = f"datasets/snapshots/{found.digest}/"
    assert sorted(store.keys(folder)) == [
        folder + name for name in ("left_out.json.gz", "manifest.json", "segments.json")
    ]
    assert json.loads(store.get(folder + "manifest.json").body) == found.manifest
    assert read_corrections(store, found.digest) == (tuple(corrections), found.left_out)


def test_a_snapshot_names_the_segments_that_hold_its_corrections_already(store: S3Store) -> None:
    put_one_by_one(store, [make_correction(number) for number in range(3)])
    collected = collect(store, None)
    before = list(store.keys("datasets/segments/"))
    found = snapshot([dataset(BASE)], collected.corrections)
    store_snapshot(store, found, collected.segments)
    assert list(store.keys("datasets/segments/")) == before
    assert read_corrections(store, found.digest) == (collected.corrections, {})
    assert collect(store, found.digest).settled == {entry.id: None for entry in collected.corrections}


def test_the_digest_does_not_depend_on_how_corrections_are_cut_into_segments() -> None:
    corrections = [make_correction(number) for number in range(5)]
    at_once, one_by_one = MemoryStore(), MemoryStore()
    put_one_by_one(at_once, corrections)
    for entry in corrections[::-1]:
        put_one_by_one(one_by_one, [entry])
        collect(one_by_one, None)
    found = [collect(each, None) for each in (at_once, one_by_one)]
    assert len(found[0].segments) < len(found[1].segments)
    assert len({snapshot([dataset(BASE)], each.corrections).digest for each in found}) == 1


def put_one_by_one(store: ObjectStore, corrections: Sequence[Correction]) -> None:
    for entry in corrections:
        store.put(correction_key(entry.id), entry.to_line())
