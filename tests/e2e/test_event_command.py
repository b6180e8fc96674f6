"""`make event`, `make retrain`: what they print of results and of wrong events, and what they take from `make up`."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sentiloop import artefact, moves, registry
from sentiloop.storage import create

from infra.local import retrain as command
from infra.local.attach import attach
from tests.builders import ROOT, make_model
from tests.e2e import test_up
from tests.e2e.conftest import Service

Printed = Callable[[object], tuple[int, str, str]]


@pytest.fixture
def send(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Printed:
    """Send an event and return the exit status and what was printed, to standard output and to standard error."""
    monkeypatch.setattr(command, "attach", lambda _folder: True)

    def send(event: object) -> tuple[int, str, str]:
        typed = event if isinstance(event, str) else json.dumps(event)
        monkeypatch.setattr("sys.argv", ["retrain", typed, "--folder", str(tmp_path)])
        status = command.main()
        return status, *capsys.readouterr()

    return send


def publish(service: Service, version: str) -> None:
    built = make_model(version=version)
    registry.publish(service.store, version, built.manifest, {artefact.WEIGHTS: built.weights})


@pytest.mark.parametrize("event", ["nonsense", "[]", "", '"check"', "null"])
def test_what_is_no_event_is_said_to_be_none(send: Printed, event: str) -> None:
    status, out, err = send(event)
    assert (status, out) == (1, "")
    assert err == """the event is no JSON object\nSend one, such as: make event EVENT='{"action": "check"}'\n"""


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"action": "frob"}, "action: 'frob' is none of retrain, check, promote"),
        ({}, "action: None is none of retrain"),
        ({"action": "promote"}, "version: missing from the event"),
        ({"action": "promote", "version": "v9", "by": "ada", "reason": "try"}, "no version 'v9'"),
        ({"action": "rebuild", "version": "v9"}, "no version 'v9'"),
        ({"action": "try", "version": "v1", "mode": "canary", "share": 2, "by": "a", "reason": "b"}, "a share of 2"),
    ],
)
def test_a_wrong_event_is_answered_in_two_lines(
    service: Service, send: Printed, event: dict[str, Any], said: str
) -> None:
    publish(service, "v1")
    status, out, err = send(event)
    assert (status, out) == (1, "")
    assert err.startswith(said)
    assert len(err.splitlines()) == 2, err


def test_a_check_prints_what_it_did_to_the_trial_whom_it_told_of_what_and_where_the_report_is(
    service: Service, send: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(service, "v1")
    moves.begin_trial(service.store, "v1", "canary", 0.1, by="ada", reason="try it")
    create(service.store, registry.version_key("v1", registry.MARK), b"{}")
    status, out, _ = send({"action": "check"})
    printed = json.loads(out)
    assert (status, printed["outcome"], printed["cause"]) == (0, "skipped", None)
    assert printed["trial"].keys() == {"version", "action", "next_share", "reason"}
    assert (printed["trial"]["version"], printed["trial"]["action"]) == ("v1", "withdraw")
    assert "erased" in printed["trial"]["reason"]
    assert [cause.rpartition("-")[0] for cause in printed["alerts"]] == ["withdraw-v1"]
    key = printed["check"].replace(".json", "/report.html")
    assert printed["report"] == str(tmp_path / "bucket" / key)
    assert service.store.get(key).body.startswith(b"<!doctype html>")

    monkeypatch.setattr(command, "attach", lambda _folder: False)  # a bucket on AWS
    printed = json.loads(send({"action": "check"})[1])
    assert (printed["trial"], printed["alerts"]) == (None, [])
    assert printed["report"] == printed["check"].replace(".json", "/report.html")


# --- What the commands take from `make up` ---


def stack(folder: Path, **settings: str) -> None:
    told = {"url": "http://127.0.0.1:1", "endpoint": "http://127.0.0.1:2", "settings": settings}
    (folder / "stack.json").write_text(json.dumps(told))


def test_a_setting_of_the_stack_holds_unless_the_command_was_given_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"SENTILOOP_CHECK_MIN_NEW": "7"}
    monkeypatch.setattr(os, "environ", environment)
    stack(tmp_path, SENTILOOP_RELEASE="canary", SENTILOOP_CHECK_MIN_NEW="5")
    assert attach(tmp_path) is True
    assert environment["SENTILOOP_RELEASE"] == "canary"
    assert environment["SENTILOOP_CHECK_MIN_NEW"] == "7"
    assert environment["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:2"


def test_a_bucket_on_aws_takes_nothing_of_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"SENTILOOP_BUCKET": "mine"}
    monkeypatch.setattr(os, "environ", environment)
    stack(tmp_path, SENTILOOP_RELEASE="canary")
    assert attach(tmp_path) is False
    assert environment == {"SENTILOOP_BUCKET": "mine"}


def test_make_up_hands_its_settings_to_the_commands_and_its_folder_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "stack.json").touch(mode=0o644)  # of a process that was killed
    webhook = "http://127.0.0.1:9/hush"
    with test_up.running(tmp_path, test_up.free_port(), SENTILOOP_RELEASE="shadow", SENTILOOP_ALERT_WEBHOOK=webhook):
        file = tmp_path / "stack.json"
        assert file.stat().st_mode & 0o777 == 0o600
        settings = json.loads(file.read_text())["settings"]
        assert (settings["SENTILOOP_RELEASE"], settings["SENTILOOP_ALERT_WEBHOOK"]) == ("shadow", webhook)
        assert not {name for name in settings if name.endswith("_KEY")}

        second = start(tmp_path)
        assert second.returncode == 1
        assert f"{tmp_path} is in use by another make up; it may still be saving." in second.stderr
        assert "Traceback" not in second.stderr
        assert file.exists()


def start(folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Start a stack that is not to come up."""
    arguments, environment = test_up.command(
        "infra.local.up", "--port", str(test_up.free_port()), "--folder", str(folder)
    )
    return subprocess.run(
        arguments,
        env={**environment, **extra},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=test_up.PATIENCE_SECONDS,
    )


def test_a_wrong_setting_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = start(tmp_path, SENTILOOP_ALERT_WEBHOOK="nonsense")
    assert done.returncode == 1
    assert "SENTILOOP_ALERT_WEBHOOK has a value that does not parse" in done.stderr
    assert "nonsense" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
