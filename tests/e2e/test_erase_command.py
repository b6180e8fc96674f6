"""`./sentiloop erase` as an operator uses it, between the API that takes corrections and the one that tells of them."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from retrain.erasures import read_erasures
from sentiloop.receipts import correction_key
from sentiloop.records import Correction

from infra.cli.__main__ import main
from infra.local.attach import attach
from tests.builders import ROOT
from tests.e2e.conftest import Service
from tests.events import call, get

TEXT = "A gig that I would rather forget, and be forgotten with."
Erase = Callable[..., str]


@pytest.fixture
def erase(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Erase:
    """Run the command with a line to read, and return what it prints."""

    def run(*arguments: str, line: str = "", status: int = 0) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(line))
        capsys.readouterr()
        assert main(["erase", "--by", "ada", "--reason", "asked for", *arguments]) == status
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def stored(service: Service, correction: str) -> Correction:
    return Correction.from_line(service.store.get(correction_key(correction)).body)


def everything(service: Service) -> dict[str, bytes]:
    return {version.key: service.store.get_version(version) for version in service.store.versions("")}


def test_a_contributor_is_erased_and_the_receipts_say_so(service: Service, erase: Erase) -> None:
    mine, too = (service.correct(f"{TEXT} {number}", "negative", "me") for number in range(2))
    other = service.correct("A gig to remember.", "positive", "somebody else")
    said = erase("--contributor", stored(service, mine).contributor, "--yes")
    assert "still stored: 2" in said
    assert "objects to delete or to write anew: 2 in feedback/" in said
    for receipt in (service.get(f"/v1/feedback/{mine}"), service.get(f"/v1/feedback/{too}")):
        assert receipt.keys() == {"id", "status", "erased_at"}
        assert receipt["status"] == "erased"
    assert service.get(f"/v1/feedback/{other}")["status"] == "stored"
    assert not any(TEXT.encode() in body for body in everything(service).values())
    [tombstone] = read_erasures(service.store)
    assert (tombstone.by, tombstone.reason, tombstone.ids) == ("ada", "asked for", frozenset({mine, too}))


def test_without_yes_it_asks_and_with_dry_run_it_only_tells(service: Service, erase: Erase) -> None:
    mine = service.correct(TEXT, "negative", "me")
    before = everything(service)
    assert "1 in feedback/" in erase("--feedback-id", mine, "--dry-run")
    for line in ("", "\n", "yes\n"):
        assert "Nothing was erased." in erase("--feedback-id", mine, line=line, status=1)
    assert everything(service) == before
    assert "Erased;" in erase("--feedback-id", mine, line="erase\n")
    assert service.get(f"/v1/feedback/{mine}")["status"] == "erased"
    again = erase("--feedback-id", mine, "--yes")
    assert "objects to delete or to write anew: none" in again
    assert "Nothing was left to erase; " in again
    assert "Erased;" not in again


def test_what_is_not_reached_is_said(service: Service, erase: Erase) -> None:
    said = erase("--feedback-id", service.correct(TEXT, "negative", "me"), "--yes")
    for what in ("weights of the models", "run records", "frozen snapshots", "backups", "repeat the command"):
        assert what in said


def test_versions_that_may_not_be_deleted_are_told(
    service: Service, erase: Erase, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = service.correct(TEXT, "negative", "me")
    monkeypatch.setattr("sentiloop.s3.S3Store._delete_version", lambda _store, _version: False)
    assert "get s3:DeleteObjectVersion and repeat this" in erase("--feedback-id", mine, "--yes", status=1)


def test_what_was_never_stored_is_refused(service: Service, erase: Erase) -> None:
    assert "no correction of fb-none is stored" in erase("--feedback-id", "fb-none", "--yes", status=2)
    status, _, _ = call(service.feedback.handler, get("/v1/feedback/fb-none"))
    assert status == 404


@pytest.mark.parametrize(
    "arguments",
    [
        ["--by", "ada", "--reason", "asked"],
        ["--by", "ada", "--contributor", "c"],
        ["--reason", "asked", "--contributor", "c"],
        ["--by", "ada", "--reason", "asked", "--contributor", "c", "--feedback-id", "fb-1"],
        ["--by", "ada", "--reason", "asked", "--contributor", ""],
        ["--by", " ", "--reason", "asked", "--contributor", "c"],
    ],
)
def test_who_whose_and_why_have_to_be_said(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["erase", *arguments])
    assert ended.value.code == 2


def test_without_a_bucket_it_says_what_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, erase: Erase) -> None:
    monkeypatch.setattr("infra.local.attach.attach", partial(attach, tmp_path))
    assert "No `make up` is running." in erase("--feedback-id", "fb-1", status=2)


def test_the_command_is_there() -> None:
    folders = [ROOT, ROOT / "layers" / "model", ROOT / "functions" / "retrain"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "infra.cli", "erase", "--help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "--feedback-id" in done.stdout
