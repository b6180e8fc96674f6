"""`./sentiloop models` as an operator uses it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sentiloop import artefact, moves, pointer, registry
from sentiloop.records import now, to_lines
from sentiloop.s3 import S3Store
from sentiloop.storage import ObjectStore

from infra.cli.__main__ import main
from infra.local.attach import attach
from tests.builders import ROOT, make_model, make_sample
from tests.faults.faulty_store import down
from tests.faults.memory_store import MemoryStore

Command = Callable[..., str]
SIGNED = ("--by", "ada", "--reason", "the texts of the fair")


@pytest.fixture
def bucket() -> MemoryStore:
    """A bucket where v1 and then v2 were served, v2 is, and v3 waits."""
    store = MemoryStore()
    fill(store)
    return store


def fill(store: ObjectStore) -> None:
    for number, version in enumerate(("v1", "v2", "v3")):
        built = make_model(version=version, seed=number, metrics={"accuracy": 0.5 + number / 10, "rows": 100})
        target = registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
        if version != "v3":
            registry.promote(store, target, by="test", reason=f"serve {version}")


@pytest.fixture
def models(bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command on that bucket and return what it prints."""
    monkeypatch.setattr("infra.cli.models._attached_store", lambda: bucket)

    def run(*arguments: str, status: int = 0) -> str:
        assert main(["models", *arguments]) == status
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def data(said: str) -> Any:
    return json.loads(said)


def champion(bucket: MemoryStore) -> str:
    return pointer.Pointer.from_bytes(bucket.get(pointer.CURRENT).body).champion.version


def test_the_list_names_versions_parts_and_figures(models: Command) -> None:
    said = models("list")
    [head, *rows, total] = said.splitlines()
    assert head.split()[:3] == ["version", "kind", "role"]
    assert [row.split()[:3] for row in rows] == [
        ["v2", "trained", "champion"],
        ["v1", "trained", "-"],
        ["v3", "trained", "-"],
    ]
    assert "0.600" in rows[0]
    assert total == "3 of 3 versions"


def test_every_move_is_made_said_and_recorded(models: Command, bucket: MemoryStore) -> None:
    said = models("try", "v3", "--mode", "canary", "--share", "0.1", *SIGNED)
    assert said == "Moved: generation 3, v2 served, v3 on trial as canary for 10% of the clients\n"
    assert "v3 on trial as shadow" in models("try", "v3", "--mode", "shadow", *SIGNED)
    assert models("withdraw", *SIGNED) == "Moved: generation 5, v2 served\n"
    assert models("withdraw", *SIGNED) == "It was so already: generation 5, v2 served\n"
    assert models("promote", "v3", "--expected", "v2", *SIGNED) == "Moved: generation 6, v3 served\n"
    assert models("rollback", "--from", "v3", *SIGNED) == "Moved: generation 7, v2 served\n"
    assert models("pin", *SIGNED) == "Pinned: generation 8, v2 served, pinned\n"
    assert models("pin", *SIGNED) == "It was so already: generation 8, v2 served, pinned\n"
    assert models("unpin", *SIGNED) == "Unpinned: generation 9, v2 served\n"
    told = models("history").splitlines()
    assert [line.split()[0] for line in told] == list("987654321")
    assert all(line.endswith("ada: the texts of the fair") for line in told[:7])
    assert champion(bucket) == "v2"


def test_a_rollback_says_first_what_it_does_and_then_how_to_repeat_it(models: Command, bucket: MemoryStore) -> None:
    said = models("rollback", *SIGNED)
    assert said.splitlines() == [
        "Leaving v2, going back to v1.",
        "Moved: generation 3, v1 served. To repeat it safely: --from v2",
    ]
    assert models("rollback", "--from", "v2", *SIGNED) == "It was so already: generation 3, v1 served\n"
    assert champion(bucket) == "v1"


def test_a_rollback_does_what_it_said_although_another_move_comes_in_between(
    models: Command, bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = moves.rollback_plan

    def plan_and_lose(store: ObjectStore) -> tuple[str, str]:
        said = plan(store)
        moves.promote(store, "v3", by="somebody", reason="was quicker")
        return said

    monkeypatch.setattr("sentiloop.moves.rollback_plan", plan_and_lose)
    assert "It was so already: generation 3, v3 served" in models("rollback", *SIGNED)
    assert champion(bucket) == "v3"


def test_a_pointer_that_is_gone_is_told_and_comes_back(models: Command, bucket: MemoryStore) -> None:
    bucket.delete(pointer.CURRENT)
    lost = "models/current.json is gone; generation 2 served v2. Promote that version to bring it back."
    *_, last = models("list").splitlines()
    assert last == lost
    assert lost in models("pin", *SIGNED, status=2)
    assert models("promote", "v2", *SIGNED) == "Restored: generation 2, v2 served\n"
    assert lost not in models("list")


def test_the_champion_is_listed_although_its_files_are_gone(models: Command, bucket: MemoryStore) -> None:
    for name in (artefact.MANIFEST, artefact.WEIGHTS):
        bucket.delete(registry.version_key("v2", name))
    [_, champion_row, *_] = models("list").splitlines()
    assert champion_row.split()[:3] == ["v2", "missing", "champion"]


def test_a_marked_version_takes_the_option_that_is_named(models: Command, bucket: MemoryStore) -> None:
    bucket.put(registry.version_key("v3", registry.MARK), b"{}", if_absent=True)
    for command in (("try", "v3", "--mode", "shadow"), ("promote", "v3")):
        assert "add --force" in models(*command, *SIGNED, status=2)
        assert models(*command, "--force", *SIGNED).startswith("Moved: ")


def test_json_is_for_programs_and_says_the_same(models: Command) -> None:
    [first, *_] = data(models("list", "--json"))["items"]
    assert (first["version"], first["role"], first["metrics"]["accuracy"]) == ("v2", "champion", 0.6)
    shown = data(models("show", "champion", "--json"))
    assert shown["summary"].keys() == first.keys()
    assert shown["moves"] == data(models("history", "--limit", "1", "--json"))["items"]
    assert data(models("served-at", shown["moves"][0]["at"], "--json"))["served"] == shown["moves"][0]
    assert {figure["name"] for figure in data(models("diff", "v1", "v2", "--json"))["figures"]} == {"accuracy", "rows"}


def test_history_goes_on_where_a_list_ended(models: Command) -> None:
    first = data(models("history", "--limit", "1", "--json"))
    second = data(models("history", "--limit", "1", "--before", str(first["next"]), "--json"))
    assert [page["items"][0]["champion"] for page in (first, second)] == ["v2", "v1"]
    assert second["next"] is None


def test_a_version_is_shown_with_where_it_comes_from(models: Command) -> None:
    said = models("show", "v2")
    assert said.startswith("v2: trained, champion\n")
    assert "accuracy 0.6, rows 100" in said
    assert "test: serve v2" in said


def test_a_difference_shows_figures_words_and_texts(models: Command, bucket: MemoryStore) -> None:
    kept = [make_sample(number) for number in range(40)]
    bucket.put(f"samples/dt={now().date()}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
    said = models("diff", "v1", "v2")
    assert "accuracy  0.5  0.6" in said
    assert "of 40 differ" in said
    assert "    | text number" in said


def test_what_was_served_at_a_time_is_said(models: Command) -> None:
    at = data(models("history", "--json"))["items"][-1]["at"]
    assert models("served-at", at).startswith(f"{at}: v1 served\n  since {at}, by test: serve v1")
    assert models("served-at", "2020-01-01T00:00:00") == "2020-01-01T00:00:00.000Z: nothing yet\n"
    assert models("served-at", "2099-01-01").startswith("as of now: v2 served\n  since ")


def test_a_long_reason_is_cut_in_lists_and_whole_for_programs(models: Command) -> None:
    reason = "because of this and that; " * 20
    models("pin", "--by", "ada", "--reason", reason)
    for said in (models("history"), models("show", "v2")):
        assert f"ada: {reason[:120]}…\n" in said
    assert data(models("history", "--json"))["items"][0]["reason"] == reason


def test_neither_a_text_nor_a_reason_can_write_to_the_terminal(models: Command, bucket: MemoryStore) -> None:
    kept = [make_sample(number, text=f"\x1b[2J number {number}\rEnter\x9b31m") for number in range(40)]
    bucket.put(f"samples/dt={now().date()}/{kept[0].id}.jsonl", to_lines(kept), if_absent=True)
    models("pin", "--by", "\x1b[2J", "--reason", "\x1b]0;owned\x07")
    for said in (models("diff", "v1", "v2"), models("history"), models("show", "v2")):
        assert not set("\x1b\x07\r\x9b") & set(said)
        assert "\\x1b" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "v9"), "no version 'v9'"),
        (("diff", "v1", "v9"), "no version 'v9'"),
        (("promote", "v9", *SIGNED), "no version 'v9'"),
        (("promote", "v3", "--expected", "v1", *SIGNED), "v2 is served, and not v1"),
        (("rollback", "--from", "v3", *SIGNED), "v2 is served, and not v3"),
        (("try", "v2", "--mode", "shadow", *SIGNED), "v2 is served already"),
        (("try", "v3", "--mode", "canary", *SIGNED), "--share is missing: a canary answers a share of the clients"),
        (("try", "v3", "--mode", "canary", "--share", "0", *SIGNED), "a share of 0 does not fit canary"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...], message: str, models: Command, bucket: MemoryStore
) -> None:
    said = models(*arguments, status=2)
    assert message in said
    assert said.count("\n") == 1
    assert champion(bucket) == "v2"


@pytest.mark.parametrize(
    "arguments",
    [
        ("promote", "v3"),
        ("promote", "v3", "--reason", " "),
        ("try", "v3", *SIGNED),
        ("served-at", "yesterday"),
        ("list", "--limit", "0"),
        ("list", "--skip", "-1"),
        (),
    ],
)
def test_a_wrong_command_line_is_refused(
    arguments: tuple[str, ...], models: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        models(*arguments)
    assert ended.value.code == 2
    assert "See sentiloop models" in capsys.readouterr().err


def test_who_moves_is_the_login_name_if_nobody_is_named(models: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    models("pin", "--reason", "the fair is on")
    assert data(models("history", "--limit", "1", "--json"))["items"][0]["by"] == "grace"


def test_without_a_login_name_it_asks_for_one(models: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)
    assert "--by NAME" in models("pin", "--reason", "the fair is on", status=2)


def test_without_a_bucket_it_says_what_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.local.attach.attach", partial(attach, tmp_path))
    assert main(["models", "list"]) == 2
    assert "No `make up` is running." in capsys.readouterr().err


def test_it_works_on_the_bucket_that_is_named(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store)
    monkeypatch.setenv("SENTILOOP_BUCKET", store.bucket)
    assert main(["models", "rollback", "--from", "v2", *SIGNED]) == 0
    assert capsys.readouterr().out == "Moved: generation 3, v1 served\n"


def test_of_a_bucket_that_does_not_answer_it_says_what_to_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.cli.models._attached_store", down)
    assert main(["models", "list"]) == 2
    said = capsys.readouterr().err
    assert said.endswith(". Check that the bucket exists and answers.\n")
    assert "Retry-After" not in said


def test_a_reader_who_left_ends_it_quietly(
    bucket: MemoryStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.cli.models._attached_store", lambda: bucket)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as left:
        monkeypatch.setattr("sys.stdout", left)
        assert main(["models", "list"]) == 141
    assert capsys.readouterr().err == ""


def test_the_command_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "infra.cli", "models", "--help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "layers" / "model")))},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "served-at" in done.stdout
