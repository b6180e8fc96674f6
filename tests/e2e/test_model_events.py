"""The events by which an operator moves the pointer through the retrain function."""

from typing import Any

import pytest
from sentiloop import artefact, registry
from sentiloop.errors import InvalidRequestError
from sentiloop.moves import PointerMovedError, RefusedError, VersionNotFoundError

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


def test_an_event_that_lacks_something_is_refused(service: Service) -> None:
    publish(service, "v1")
    for action in ("try", "withdraw", "pin", "unpin", "rollback", "promote"):
        for field in SIGNED:
            with pytest.raises(InvalidRequestError, match=field):
                run(service, action, **{"version": "v1", "mode": "shadow", field: ""})
    for fields in ({}, {"mode": "loud"}, {"mode": "canary", "share": "0.1"}, {"mode": "canary", "share": True}):
        with pytest.raises(InvalidRequestError):
            run(service, "try", **{"version": "v1", **fields})


def test_what_does_not_fit_the_bucket_is_refused(service: Service) -> None:
    publish(service, "v1")
    run(service, "try", version="v1", mode="shadow")
    with pytest.raises(VersionNotFoundError):
        run(service, "try", version="v9", mode="shadow")
    with pytest.raises(RefusedError, match="does not fit"):
        run(service, "try", version="v1", mode="canary")
    with pytest.raises(PointerMovedError, match="v1 is on trial"):
        run(service, "withdraw", version="v9")
