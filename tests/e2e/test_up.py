"""`make up` as a person uses it: real processes, real HTTP, stopped by Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.local import up
from tests.e2e.test_loop import corrections

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("predict", "feedback", "admin", "console", "retrain")
SOURCES = [".", "layers/model", *(f"functions/{name}" for name in FUNCTIONS)]
PATIENCE_SECONDS = 60.0


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of one of our modules, as the Makefile has them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SENTILOOP_"))}
    path = os.pathsep.join(str(ROOT / source) for source in SOURCES)
    return [sys.executable, "-m", module, *arguments], {**environment, "PYTHONPATH": path}


@contextmanager
def running(folder: Path, port: int, **extra: str) -> Iterator[str]:
    """Start the stack, yield its address once it says that it is up, and stop it as Ctrl-C does."""
    arguments, environment = command("infra.local.up", "--port", str(port), "--folder", str(folder))
    process = subprocess.Popen(
        arguments, env={**environment, **extra}, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        shown = ""
        while "Ctrl-C" not in shown:
            line = process.stdout.readline()
            assert line, f"ended early: {shown}"
            shown += line
        assert shown.count("curl -s") == 3
        assert f"{folder}/admin.key" in shown
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_SECONDS)


def ask(url: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """Return status and JSON of a request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def retrain(folder: Path) -> dict[str, Any]:
    """Run what `make retrain` runs and return what it prints."""
    arguments, environment = command("infra.local.retrain", "--folder", str(folder))
    done = subprocess.run(arguments, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def readme_answer() -> dict[str, Any]:
    """Return the answer that the README shows for its first example."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return json.loads(text.split("```json\n")[1].split("```")[0])  # type: ignore[no-any-return]


def test_the_bucket_survives_a_stop_and_learning_is_seen_by_the_running_service(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port) as url:
        status, answer = ask(f"{url}/v1/predict", {"text": "The staff were wonderful and we loved every minute."})
        assert status == 200
        shown = readme_answer()
        assert answer.keys() == shown.keys()
        assert (answer["label"], answer["model_version"]) == (shown["label"], shown["model_version"])
        assert answer["probabilities"] == pytest.approx(shown["probabilities"])
        assert ask(f"{url}/health")[1]["status"] == "ok"
        for number, (text, label) in enumerate(corrections()):
            body = {"text": text, "correct_label": label, "user": f"skater {number % 12}"}
            assert ask(f"{url}/v1/feedback", body)[0] == 201
        receipt = ask(f"{url}/v1/feedback", {"text": "plumbus all the way", "correct_label": "positive"})[1]
        before = answer["model_version"]
        decision = retrain(tmp_path)
        assert decision["outcome"] == "promoted", decision["reasons"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (served := ask(f"{url}/v1/model_info")[1]["version"]) == before:
            assert time.monotonic() < deadline, "the new version is not served"
            time.sleep(0.1)
        assert served == decision["version"]

    assert not (tmp_path / "stack.json").exists()
    with running(tmp_path, port) as url:
        assert ask(f"{url}/v1/model_info")[1]["version"] == decision["version"]
        assert ask(f"{url}/v1/feedback/{receipt['id']}")[1]["status"] == "learned"


def test_doubtful_texts_are_reviewed_over_http_and_in_the_terminal(tmp_path: Path) -> None:
    with running(tmp_path, free_port(), SENTILOOP_LOW_CONFIDENCE="1", SENTILOOP_SAMPLE_SECONDS="0") as url:
        for text in ("The blue one came second.", "Doors at eight, I was told."):
            assert ask(f"{url}/v1/predict", {"text": text})[0] == 200
        assert ask(f"{url}/v1/review")[0] == 403
        file = tmp_path / "admin.key"
        assert file.stat().st_mode & 0o777 == 0o600
        admin = {"x-admin-key": file.read_text()}
        status, queue = ask(f"{url}/v1/review", **admin)
        assert (status, queue["left"]) == (200, 2)
        first, second = queue["items"]
        body = {"action": "correct", "correct_label": "neutral"}
        status, receipt = ask(f"{url}/v1/review/{first['sample_id']}", body, **admin)
        assert status == 201
        said = review(tmp_path, "1\n")
        assert second["text"] in said
        assert "0 left." in said
        assert ask(f"{url}/v1/feedback/{receipt['id']}")[1]["status"] == "stored"
        assert ask(f"{url}/v1/review", **admin)[1]["left"] == 0


def review(folder: Path, lines: str) -> str:
    """Run `./sentiloop review` on the running stack and return what it prints."""
    arguments, environment = command("infra.cli", "review")
    stack = up.environment(folder, json.loads((folder / "stack.json").read_text())["endpoint"])
    done = subprocess.run(
        arguments, input=lines, env={**environment, **stack}, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_a_key_is_asked_for_once_one_is_set(tmp_path: Path) -> None:
    with running(tmp_path, free_port(), LOCAL_API_KEY="secret") as url:
        assert ask(f"{url}/v1/model_info")[0] == 403
        assert ask(f"{url}/v1/model_info", **{"x-api-key": "secret"})[0] == 200
        assert ask(f"{url}/health")[0] == 200


def test_a_taken_port_is_said_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments, environment = command("infra.local.up", "--port", str(port), "--folder", str(tmp_path))
        done = subprocess.run(arguments, env=environment, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert "make up PORT=" in done.stderr


@pytest.mark.parametrize("module", ["infra.local.retrain", "infra.local.data"])
def test_without_a_running_stack_it_says_what_to_start(module: str, tmp_path: Path) -> None:
    arguments, environment = command(module, "--folder", str(tmp_path), *(["any"] if module.endswith("data") else []))
    done = subprocess.run(arguments, env=environment, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "No `make up` is running" in done.stderr
