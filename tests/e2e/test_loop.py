"""The whole loop over HTTP events: predict, correct, retrain, swap."""

import itertools
import json
import random

from sentiloop import pointer

from tests.e2e.conftest import Service

# A domain that neither the baseline nor the seed corpus knows: how skaters talk about spots.
SPOTS = ["the bowl", "that ledge", "this rail", "the new ramp", "our old spot", "the ditch", "the plaza", "that gap"]
LINES = {
    "positive": [
        "{} is gnarly, stoked all day",
        "{} shreds, proper buttery",
        "hyped, {} is mint",
        "{} was rad, dialled it",
    ],
    "negative": [
        "{} is kooked, total bust",
        "{} is cruddy, got hung up",
        "skate stopped, {} is done",
        "{} is sketchy, slammed",
    ],
    "neutral": ["{} is near the canal", "{} opens at nine", "{} has four stairs", "we filmed {} in march"],
}
WHEN = ["today", "after school", "with the crew", "before the rain", "on the weekend"]
CONTRIBUTORS = [f"key-{number}" for number in range(12)]


def corrections() -> list[tuple[str, str]]:
    """Return 300 texts of the new domain with their labels."""
    rows = [
        (f"{line.format(spot)} {when}", label)
        for label, lines in LINES.items()
        for line, spot, when in itertools.product(lines, SPOTS, WHEN)
    ]
    random.Random(7).shuffle(rows)
    return rows[:300]


def test_corrections_in_a_new_domain_change_the_answers(service: Service) -> None:
    before = {text: service.label(text)["label"] for text, _ in corrections()}
    known_before = service.get("/v1/model_info")["version"]
    ids = [
        service.correct(text, label, contributor, predicted_label=before[text], model_version=known_before)
        for (text, label), contributor in zip(corrections(), itertools.cycle(CONTRIBUTORS), strict=False)
    ]
    assert service.get(f"/v1/feedback/{ids[0]}")["status"] == "stored"

    record = service.run()

    assert record["outcome"] == "promoted", record["reasons"]
    service.wait_for(record["version"])
    info = service.get("/v1/model_info")
    assert info["version"] == record["version"] != known_before
    assert info["parents"] == [known_before]
    feedback = info["data"]["feedback"]
    assert feedback["rows"] + sum(feedback["left_out"].values()) == 300
    assert feedback["rows"] > 250, "a few look like a campaign, because a dozen people use the same lines"
    right = sum(service.label(text)["label"] == label for text, label in corrections())
    assert right > sum(before[text] == label for text, label in corrections()) + 100
    receipt = service.get(f"/v1/feedback/{ids[0]}")
    assert receipt["status"] == "learned"
    assert receipt["version"] == record["version"]
    assert receipt["snapshot"] == record["snapshot"]

    # What it was made of is all there: made again, it is the same to the byte.
    manifest = json.loads(service.store.get(f"models/{record['version']}/manifest.json").body)
    rebuilt = service.run("rebuild", version=record["version"])
    assert rebuilt["weights_sha256"] == manifest["weights"]["sha256"]

    # Nothing new: nothing happens, and it is said why.
    again = service.run()
    assert again["outcome"] == "skipped"
    assert "nothing new" in again["reasons"][0]
    assert service.get("/v1/model_info")["version"] == record["version"]

    # Labels drawn by lot teach nothing: the candidate is rejected and the decision is recorded.
    lot = random.Random(1)
    for number, contributor in zip(range(150), itertools.cycle(CONTRIBUTORS), strict=False):
        text = f"{lot.choice(SPOTS)} {lot.choice(WHEN)}, take {number}"
        service.correct(text, lot.choice(list(LINES)), contributor)
    worse = service.run()
    assert worse["outcome"] == "rejected"
    assert "not better beyond chance" in worse["reasons"][0]
    stored = json.loads(service.store.get(f"runs/{worse['run_id']}.json").body)
    assert stored["candidate"] == worse["candidate"] != record["version"]
    assert service.get("/v1/model_info")["version"] == record["version"]
    assert service.run()["outcome"] == "skipped"


def test_a_broken_line_stops_no_run_and_its_receipt_says_why(service: Service) -> None:
    stored = service.correct("gnarly ditch", "positive", "key-1")
    day = f"{stored[3:7]}-{stored[7:9]}-{stored[9:11]}"
    broken = f"fb-{stored[3:11]}-{'0' * 32}"
    service.store.put(f"feedback/dt={day}/{broken}.jsonl", b'{"schema": "correction/1", "text": 1', if_absent=True)

    record = service.run()

    assert record["outcome"] in {"promoted", "rejected"}
    [quarantined] = [
        json.loads(line)
        for key in service.store.keys(f"quarantine/dt={day}/")
        for line in service.store.get(key).body.splitlines()
    ]
    assert quarantined["id"] == broken
    assert quarantined["reason"] == "not a line of UTF-8 JSON"


def test_an_operator_rolls_back_and_the_next_run_does_not_undo_it(service: Service) -> None:
    for (text, label), contributor in zip(corrections(), itertools.cycle(CONTRIBUTORS), strict=False):
        service.correct(text, label, contributor)
    promoted = service.run()
    assert promoted["outcome"] == "promoted", promoted["reasons"]

    back = service.run("rollback", by="operator", reason="customers complain")

    service.wait_for(back["champion"]["version"])
    again = service.run()
    assert again["outcome"] == "skipped"
    assert "taken back" in again["reasons"][0]
    found = pointer.read(service.store)
    assert found is not None
    assert found.pointer.generation == 3
    assert found.pointer.reason == "customers complain"

    forward = service.run("promote", version=promoted["version"], by="operator", reason="it was something else")
    service.wait_for(forward["champion"]["version"])


def test_the_hourly_check_retrains_only_with_cause(service: Service) -> None:
    assert service.run("check")["outcome"] == "skipped"
    for (text, label), contributor in zip(corrections()[:100], itertools.cycle(CONTRIBUTORS), strict=False):
        service.correct(text, label, contributor)
    assert service.run("check")["cause"].startswith("100 new corrections")
