"""Runs that are started over HTTP on `make up`: they learn as `make retrain` does, and leave a record of who asked."""

import json
import time
from pathlib import Path
from typing import Any

from tests.e2e.test_loop import corrections
from tests.e2e.test_up import PATIENCE_SECONDS, ask, free_port, running


def records(folder: Path, place: str) -> list[dict[str, Any]]:
    """Return the records in the folder that keeps the bucket, which is seconds behind it."""
    return [json.loads(file.read_text()) for file in sorted((folder / "bucket" / place).glob("*.json"))]


def record_of(folder: Path, place: str) -> dict[str, Any]:
    """Return the first record of a place once it is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := records(folder, place)):
        assert time.monotonic() < deadline, (folder / "retrain.log").read_text()
        time.sleep(0.1)
    return found[0]


def test_a_run_that_is_started_over_http_learns_and_a_check_looks(tmp_path: Path) -> None:
    with running(tmp_path, free_port()) as url:
        admin = {"x-admin-key": (tmp_path / "admin.key").read_text()}
        assert ask(f"{url}/v1/runs", {"by": "ada"})[0] == 403
        for number, (text, label) in enumerate(corrections()):
            body = {"text": text, "correct_label": label, "user": f"skater {number % 12}"}
            assert ask(f"{url}/v1/feedback", body)[0] == 201
        status, receipt = ask(f"{url}/v1/runs", {"by": "ada"}, **admin)
        assert (status, receipt["action"]) == (202, "retrain")
        decision = record_of(tmp_path, "runs")
        assert decision["outcome"] == "promoted", decision["reasons"]
        assert decision["at"] >= receipt["asked_at"]
        move = ask(f"{url}/v1/models/history?limit=1", **admin)[1]["items"][0]
        assert (move["by"], move["champion"]) == ("ada", decision["version"])

        status, receipt = ask(f"{url}/v1/runs", {"by": "ada", "action": "check"}, **admin)
        assert (status, receipt["action"]) == (202, "check")
        assert record_of(tmp_path, "checks")["at"] >= receipt["asked_at"]
    assert "ada" in (tmp_path / "retrain.log").read_text()
