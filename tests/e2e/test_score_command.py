"""`./sentiloop score` as a person uses it: real processes that are interrupted, killed and started again."""

import csv
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
from sentiloop import artefact, registry
from sentiloop.s3 import S3Store

from infra.cli.__main__ import main
from infra.cli.source import BLOCK_BYTES
from infra.local.attach import attach
from tests.benchmarks.files import family
from tests.builders import ROOT, make_model

SOURCES = [".", "layers/model", "functions/retrain"]
PATIENCE_SECONDS = 60.0
ROWS, RECORDS = 50_000, 20_000  # some seven blocks of JSONL, three of CSV
WORDS = ["good", "bad", "not", "film", "the", "plot", "never", "dull", "warm", "!", "über", "it's"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small models, and rows in both formats."""
    folder = tmp_path_factory.mktemp("rows")
    for seed, name in enumerate(("model", "other")):
        built = make_model(seed=seed, version=f"v-{name}")
        (folder / name).mkdir()
        (folder / name / "manifest.json").write_bytes(built.manifest)
        (folder / name / "weights.bin").write_bytes(built.weights)
    texts = [" ".join(WORDS[(number * step) % len(WORDS)] for step in range(1, 9)) for number in range(1_000)]
    rows = [json.dumps({"id": number, "text": texts[number % 1_000]}) for number in range(ROWS)]
    rows[1] = "no json"
    (folder / "rows.jsonl").write_text("\n".join(rows))
    records = [f'{number},"{texts[number % 1_000]}\n""again"""\n' for number in range(RECORDS)]
    (folder / "rows.csv").write_text("id,text\n" + "".join(records))
    return folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", "infra.cli", "score", *map(str, arguments)]


def environment() -> dict[str, str]:
    path = os.pathsep.join(str(ROOT / source) for source in SOURCES)
    return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


def start(folder: Path, *arguments: object, **streams: Any) -> "subprocess.Popen[bytes]":
    """Start the command with the small model, in a process group of its own as a terminal does."""
    return subprocess.Popen(
        command(*arguments, "--model", folder / "model"),
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
        **streams,
    )


def finish(process: "subprocess.Popen[bytes]", given: bytes | None = None) -> tuple[int, bytes, str]:
    """Return the exit status, and what went to stdout and stderr."""
    out, said = process.communicate(given, timeout=PATIENCE_SECONDS)
    return process.returncode, out, said.decode()


def score(folder: Path, *arguments: object, **streams: Any) -> str:
    """Run the command, which has to succeed, and return what it says."""
    status, _, said = finish(start(folder, *arguments, **streams))
    assert status == 0, said
    return said


def saved_bytes(out: Path) -> int:
    """Return how much of the input a later run would skip."""
    try:
        position = json.loads(out.with_name(out.name + ".part.json").read_bytes())["position"]
    except FileNotFoundError:
        return 0
    return int(position["input_bytes"])


def wait_until_saved(out: Path, more_than: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when a later run would skip more than so many bytes, or when the process has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while saved_bytes(out) <= more_than and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def interrupt(folder: Path, how: signal.Signals, out: Path, *arguments: object) -> None:
    """Run the command on a file and interrupt it after it has saved something new."""
    for _ in range(20):
        before = saved_bytes(out)
        process = start(folder, *arguments, "--out", out)
        wait_until_saved(out, before, process)
        # Ctrl-C goes to every process of the group, and a kill to one.
        os.killpg(process.pid, how) if how == signal.SIGINT else process.send_signal(how)
        status, _, said = finish(process)
        if status:
            break
        out.unlink()  # it was done before it was interrupted
    assert status == (-how if how == signal.SIGKILL else 128 + how), said
    assert ("run the same command again to go on" in said) == (how != signal.SIGKILL)
    assert "Traceback" not in said
    assert saved_bytes(out) > 0
    assert not out.exists()


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, bytes]:
    """The results of uninterrupted runs, by format."""
    found = {}
    for name in ("jsonl", "csv"):
        out = folder / f"whole.{name}"
        said = score(folder, folder / f"rows.{name}", "--out", out)
        assert "model v-model" in said
        assert f"{ROWS if name == 'jsonl' else RECORDS:,} rows in " in said
        found[name] = out.read_bytes()
    return found


def test_every_row_is_scored_and_nothing_else_is_left(folder: Path, whole: dict[str, bytes]) -> None:
    rows = [json.loads(line) for line in whole["jsonl"].splitlines()]
    assert [row.get("id", 1) for row in rows] == list(range(ROWS))
    assert rows[1]["line"] == "no json"
    assert sum("error" in row for row in rows) == 1
    assert {row.get("model_version", "v-model") for row in rows} == {"v-model"}
    assert len(whole["csv"].splitlines()) == 1 + 2 * RECORDS
    assert not list(folder.glob("whole.*.part*"))


def test_two_workers_write_what_one_does(folder: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    score(folder, folder / "rows.csv", "--out", tmp_path / "out", "--workers", 2)
    assert (tmp_path / "out").read_bytes() == whole["csv"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_is_gone_on_with_after_any_number_of_interruptions(
    folder: Path, whole: dict[str, bytes], tmp_path: Path, workers: int
) -> None:
    out, rows = tmp_path / "out", folder / "rows.jsonl"
    for how in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        interrupt(folder, how, out, rows, "--workers", workers)
    assert " of an earlier run; 1 rows with errors" in score(folder, rows, "--out", out)
    assert out.read_bytes() == whole["jsonl"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("name", "how"), [("jsonl", signal.SIGKILL), ("csv", signal.SIGINT)])
def test_a_stream_is_gone_on_with_when_it_is_sent_again(
    folder: Path, whole: dict[str, bytes], tmp_path: Path, name: str, how: signal.Signals
) -> None:
    content = (folder / f"rows.{name}").read_bytes()
    out = tmp_path / "out"
    arguments = ["-", "--format", name, "--out", out]
    process = start(folder, *arguments, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(content[: 2 * BLOCK_BYTES])  # it waits for more now, behind the header or the first block
    wait_until_saved(out, 0, process)
    process.send_signal(how)
    status, _, _ = finish(process)
    assert status == (-how if how == signal.SIGKILL else 130)

    status, _, said = finish(start(folder, *arguments, stdin=subprocess.PIPE), b"x" + content)
    assert status == 2
    assert "the input does not begin as it did" in said
    score_again = start(folder, *arguments, stdin=subprocess.PIPE)
    assert finish(score_again, content)[0] == 0
    assert out.read_bytes() == whole[name]


def test_rows_may_come_from_a_pipe_and_go_to_one(folder: Path, whole: dict[str, bytes]) -> None:
    process = start(folder, "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    status, out, said = finish(process, (folder / "rows.jsonl").read_bytes())
    assert status == 0, said
    assert out == whole["jsonl"]
    assert f"{ROWS:,} rows in " in said


def test_a_reader_that_has_had_enough_is_no_error(folder: Path) -> None:
    with start(folder, folder / "rows.jsonl", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == b'{"id": 0, '
        process.stdout.close()
        assert process.stderr.read().decode() == "sentiloop: model v-model\n"
    assert process.returncode == 141


def test_workers_end_when_the_command_is_killed(folder: Path, tmp_path: Path) -> None:
    process = start(folder, "-", "--workers", 2, "--out", tmp_path / "out", stdin=subprocess.PIPE)
    assert process.stdin is not None
    feeding = threading.Thread(target=feed, args=(process.stdin, (folder / "rows.jsonl").read_bytes()))
    feeding.start()
    wait_until_saved(tmp_path / "out", 0, process)
    process.kill()
    feeding.join(PATIENCE_SECONDS)
    status, _, _ = finish(process)  # returns when the last process has let go of stderr
    assert status == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the workers there")
def test_a_killed_worker_stops_the_command(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(folder, "-", "--workers", 2, "--out", out, stdin=subprocess.PIPE)
    assert process.stdin is not None
    feeding = threading.Thread(target=feed, args=(process.stdin, (folder / "rows.jsonl").read_bytes()))
    feeding.start()
    wait_until_saved(out, 0, process)
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in family(process.pid)}
    os.kill(next(child for child, line in commands.items() if b"spawn_main" in line), signal.SIGKILL)
    feeding.join(PATIENCE_SECONDS)
    status, _, said = finish(process)
    assert status == 2
    assert "a worker process was killed, as happens when memory runs out. Run the same command again" in said
    assert saved_bytes(out) > 0


def feed(pipe: IO[bytes], rows: bytes) -> None:
    """Write rows again and again until nobody reads them."""
    with suppress(BrokenPipeError):
        while True:
            pipe.write(rows)


@pytest.fixture(scope="module")
def interrupted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of an interrupted run on rows.jsonl; it exists in parts only."""
    out = tmp_path_factory.mktemp("interrupted") / "out"
    interrupt(folder, signal.SIGINT, out, folder / "rows.jsonl")
    return out


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ("model", ["--model", "{folder}/other"]),
        ("text column", ["--text-column", "body"]),
        ("prefix", ["--prefix", "p_"]),
        ("format", ["--format", "csv", "--text-column", "body"]),
        ("input", ["{folder}/rows.csv", "--format", "jsonl"]),
    ],
)
def test_a_run_is_not_gone_on_with_by_another_command(
    folder: Path, interrupted: Path, changed: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = [option.format(folder=folder) for option in options]
    if changed != "input":
        given.insert(0, str(folder / "rows.jsonl"))
    if "--model" not in given:
        given += ["--model", str(folder / "model")]
    before = {path.name: path.read_bytes() for path in interrupted.parent.iterdir()}
    assert main(["score", *given, "--out", str(interrupted)]) == 2
    said = capsys.readouterr().err
    assert f"was begun with another {changed}" in said
    assert "--restart" in said
    assert {path.name: path.read_bytes() for path in interrupted.parent.iterdir()} == before


def test_rows_behind_the_checkpoint_are_written_anew(
    folder: Path, interrupted: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    shutil.copytree(interrupted.parent, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "out.part").open("ab") as part:
        part.write(b'{"id": 1, "te')
    assert main(go_on(folder, tmp_path / "out")) == 0
    assert (tmp_path / "out").read_bytes() == whole["jsonl"]


def test_a_run_whose_files_were_touched_is_not_gone_on_with(
    folder: Path, interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(interrupted.parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "out.part").write_bytes(b"")
    assert main(go_on(folder, tmp_path / "out")) == 2
    assert "out.part is shorter than it was. Start anew with --restart." in capsys.readouterr().err
    (tmp_path / "out.part.json").write_bytes(b"{}")
    assert main(go_on(folder, tmp_path / "out")) == 2
    assert "out.part.json is no checkpoint. Start anew with --restart." in capsys.readouterr().err


def go_on(folder: Path, out: Path) -> list[str]:
    """Return the command line that goes on with the interrupted run."""
    return ["score", str(folder / "rows.jsonl"), "--model", str(folder / "model"), "--out", str(out)]


def test_restart_begins_anew_and_replaces_what_there_is(
    folder: Path, interrupted: Path, whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(interrupted.parent, tmp_path, dirs_exist_ok=True)
    out.write_bytes(b"of old")
    assert main(go_on(folder, out)) == 2
    assert "exists already. Name another file, or replace it with --restart." in capsys.readouterr().err
    assert main([*go_on(folder, out), "--restart"]) == 0
    assert " of an earlier run" not in capsys.readouterr().err
    assert out.read_bytes() == whole["jsonl"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_runs_do_not_write_the_same_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "out.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main(["score", str(folder / "rows.jsonl"), "--out", str(tmp_path / "out")]) == 2
    assert "another run is writing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{tmp}/none.jsonl"], "none.jsonl: No such file or directory"),
        (["{tmp}/rows.txt"], "rows.txt: the name does not tell its format. Say it: --format"),
        (["{tmp}/rows.jsonl", "--out", "{tmp}/none/out"], "--out: there is no folder"),
        (["{tmp}/rows.jsonl", "--out", "{tmp}/rows.jsonl", "--restart"], "--out is the input itself"),
        (["{tmp}/rows.jsonl", "--restart"], "--restart needs a file"),
        (["{tmp}/rows.jsonl", "--model", "{tmp}"], "manifest.json: No such file or directory"),
        (["{tmp}/rows.jsonl", "--model", "{tmp}/none"], "--model: there is no folder"),
        (["{tmp}/rows.jsonl", "--out", "{tmp}/out"], "has a field 'confidence' already. Set the added ones apart"),
        (["{tmp}/rows.csv", "--out", "{tmp}/out"], "no column 'text'. Choose the one that holds the text by"),
        (["{tmp}/long.jsonl", "--out", "{tmp}/out"], "a row is longer than 16 MiB. Shorten it"),
        (["{tmp}/long.csv", "--out", "{tmp}/out"], "a row is longer than 16 MiB. Shorten it"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.txt").touch()
    (tmp_path / "rows.jsonl").write_text('{"text": "good", "confidence": 1}')
    (tmp_path / "rows.csv").write_text("id,body\n1,good\n")
    (tmp_path / "long.jsonl").write_bytes(b'{"text": "good"}\n' + b"x" * (17 * 2**20))
    (tmp_path / "long.csv").write_bytes(b'text\ngood\n"' + b"never closed\n" * 1_400_000)
    before = set(tmp_path.iterdir())
    assert main(["score", *(argument.format(tmp=tmp_path) for argument in arguments)]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    *earlier, line = found.err.splitlines()
    assert said in line
    assert all(other.startswith("sentiloop: model ") for other in earlier)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [[], ["score"], ["score", "rows.jsonl", "--workers", "0"], ["score", "a", "b"]])
def test_a_wrong_command_line_is_refused_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_model_may_be_one_in_the_bucket(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SENTILOOP_BUCKET", store.bucket)
    (tmp_path / "rows.jsonl").write_text('{"text": "good"}')
    arguments = ["score", str(tmp_path / "rows.jsonl"), "--out"]
    assert main([*arguments, str(tmp_path / "out"), "--model", "champion"]) == 2
    assert "the bucket names no model yet" in capsys.readouterr().err
    for version in ("v-first", "v-second"):
        built = make_model(version=version)
        target = registry.publish(store, version, built.manifest, {artefact.WEIGHTS: built.weights})
    registry.promote(store, target, by="test", reason="test")
    for model, version in (("v-first", "v-first"), ("champion", "v-second")):
        assert main([*arguments, str(tmp_path / model), "--model", model]) == 0
        assert json.loads((tmp_path / model).read_bytes())["model_version"] == version
        assert f"sentiloop: model {version}\n" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "out"), "--model", "v-none"]) == 2
    assert "no version 'v-none'" in capsys.readouterr().err


def test_without_a_bucket_it_says_what_to_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.local.attach.attach", partial(attach, tmp_path))
    assert main(["score", str(folder / "rows.jsonl"), "--model", "champion"]) == 2
    assert "No `make up` is running." in capsys.readouterr().err


def test_an_empty_file_has_no_rows(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.jsonl").touch()
    assert main(["score", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").read_bytes() == b""
    assert "0 rows in " in capsys.readouterr().err


def test_a_lone_carriage_return_ends_a_csv_line_too(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b'\xef\xbb\xbf"te\rxt",id\r"good\rfilm",1\rbad,2')
    arguments = ["score", str(tmp_path / "rows.csv"), "--text-column", "te\rxt", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    with (tmp_path / "out").open(newline="") as lines:
        rows = list(csv.reader(lines))
    assert [row[:2] for row in rows] == [["te\rxt", "id"], ["good\rfilm", "1"], ["bad", "2"]]
    assert {row[-1] for row in rows[1:]} == {""}


def test_the_launcher_works_from_any_folder(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / ".venv" / "bin").mkdir(parents=True)
    elsewhere.mkdir()
    for name in ("infra", "layers", "functions"):
        (project / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "sentiloop", project)
    (project / "Makefile").write_text(".venv/local:\n\t@echo Installing\n")
    python = project / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    (elsewhere / "rows.jsonl").write_text('{"text": "good"}')
    (elsewhere / "json.py").write_text("raise SystemExit('not this one')")
    (elsewhere / "link").symlink_to(project / "sentiloop")
    done = subprocess.run(
        ["./link", "score", "rows.jsonl"],
        cwd=elsewhere,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert json.loads(done.stdout)["text"] == "good"
    assert done.stderr.startswith(b"Installing\nsentiloop: model baseline-")
