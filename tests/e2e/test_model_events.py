"""The events by which an operator moves the pointer through the retrain function."""

from typing import Any

import pytest
from sentiloop import artefact, pointer, registry
from sentiloop.errors import InvalidRequestError, SentiloopError
from sentiloop.moves import PointerMovedError, RefusedError, VersionNotFoundError
from sentiloop.records import to_json
from sentiloop.storage import create

from tests.builders import make_model
from tests.e2e.conftest import Service

SIGNED = {"by": "ada", "reason": "the fair is on"}


def publish(service: Service, version: str) -> None:
    built = make_model(version=version)
    registry.publish(service.store, version, built.manifest, {artefact.WEIGHTS: built.weights})


def run(service: Service, action: str, **fields: Any) -> dict[str, Any]:
    return service.run(action, **{**SIGNED, **fields})


def test_a_version_is_tried_promoted_and_taken_back(service: Service) -> None:
    publish(service, "v1")
    before = service.get("/v1/model_info")["version"]
    tried = run(service, "try", version="v1", mode="canary", share=0.25)
    assert (tried["challenger"]["target"]["version"], tried["challenger"]["share"]) == ("v1", 0.25)
    assert (tried["champion"]["version"], tried["by"], tried["reason"]) == (before, *SIGNED.values())
    assert run(service, "withdraw", version="v1")["challenger"] is None
    assert run(service, "promote", version="v1")["champion"]["version"] == "v1"
    for _ in range(2):  # Lambda repeats an event that it is not sure about
        assert run(service, "rollback", **{"from": "v1"})["champion"]["version"] == before


def test_the_pointer_is_pinned_and_let_go(service: Service) -> None:
    assert run(service, "pin")["pinned"] is True
    assert run(service, "unpin")["pinned"] is False


def test_a_version_that_learned_from_what_was_erased_is_promoted_by_force_alone(service: Service) -> None:
    publish(service, "v1")
    publish(service, "anchor-1")  # which no erasure marks
    create(service.store, registry.version_key("v1", registry.MARK), b"{}")
    for action in ("promote", "try"):
        with pytest.raises(RefusedError, match="erased"):
            run(service, action, version="v1", mode="shadow")
        with pytest.raises(InvalidRequestError, match="force"):
            run(service, action, version="v1", mode="shadow", force="true")
    assert run(service, "promote", version="anchor-1")["champion"]["version"] == "anchor-1"
    assert run(service, "try", version="v1", mode="shadow", force=True)["challenger"]["target"]["version"] == "v1"
    assert run(service, "promote", version="v1", force=True)["champion"]["version"] == "v1"


def test_a_pointer_that_is_gone_comes_back_with_a_rollback(service: Service) -> None:
    publish(service, "v1")
    before = run(service, "promote", version="v1")
    service.store.delete(pointer.CURRENT)
    after = run(service, "rollback", **{"from": "v1"})
    assert after["generation"] == before["generation"] + 1
    assert after["champion"]["version"] != "v1"


def test_a_retrain_that_is_repeated_tells_what_the_first_one_had_no_time_to_tell(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"outcome": "rejected", "run_id": "1", "reasons": ["worse"], "champion": "v1", "candidate": "v2"}
    create(service.store, "runs/1.json", to_json(first))
    again = {"outcome": "skipped", "reasons": ["decided before"], "decided": "runs/1.json"}
    monkeypatch.setattr(service.retrain, "retrain", lambda *_, **__: again)
    for _ in range(2):
        assert service.run() == again
    assert [key for key in service.store.keys("alerts/") if "-sent-" not in key] == ["alerts/rejected-v2/000001.json"]


def test_an_event_that_lacks_something_is_refused(service: Service) -> None:
    publish(service, "v1")
    for action in ("try", "withdraw", "pin", "unpin", "rollback", "promote"):
        for field in SIGNED:
            with pytest.raises(InvalidRequestError, match=field):
                run(service, action, **{"version": "v1", "mode": "shadow", field: ""})
    for fields in ({}, {"mode": "loud"}, {"mode": "canary", "share": "0.1"}, {"mode": "canary", "share": True}):
        with pytest.raises(InvalidRequestError):
            run(service, "try", **{"version": "v1", **fields})


@pytest.mark.parametrize("action", ["frob", None, ["check"], {}])
def test_an_unknown_action_is_refused_with_those_that_there_are(service: Service, action: Any) -> None:
    with pytest.raises(InvalidRequestError, match="none of retrain, check, promote") as caught:
        service.run(action)
    assert caught.value.hint == "docs/operations.md lists the events and what each of them takes."


def test_of_a_refused_event_no_traceback_is_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    for action, fields in (("promote", {}), ("promote", {"version": "v9"}), ("rebuild", {"version": "v9"})):
        with pytest.raises(SentiloopError):
            run(service, action, **fields)
    with pytest.raises(RefusedError, match="a share of 2"):
        run(service, "try", version="v9", mode="canary", share=2)
    refused = [record for record in caplog.records if record.name == "sentiloop"]
    assert [record.getMessage().split(":")[0] for record in refused] == [
        *["promote was refused"] * 2,
        "rebuild was refused",
        "try was refused",
    ]
    assert not any(record.exc_info for record in refused)


def test_what_does_not_fit_the_bucket_is_refused(service: Service) -> None:
    publish(service, "v1")
    run(service, "try", version="v1", mode="shadow")
    with pytest.raises(VersionNotFoundError):
        run(service, "try", version="v9", mode="shadow")
    with pytest.raises(RefusedError, match="does not fit"):
        run(service, "try", version="v1", mode="canary")
    with pytest.raises(PointerMovedError, match="v1 is on trial"):
        run(service, "withdraw", version="v9")
