"""What `make up` tells of its requests: totals that a restart does not reset, and the lines that Lambda would write."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.test_up import PATIENCE_SECONDS, ask, free_port, running

TEXT = "Zanzibar was wonderful."


def metrics(url: str, answers: int) -> dict[str, Any]:
    """Return the figures once they have that many answers, which is a second or two after them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status, figures = ask(f"{url}/v1/metrics", Accept="application/json")
        assert status == 200
        if sum(version["answers"] for version in figures["versions"].values()) >= answers:
            return dict(figures)
        assert time.monotonic() < deadline, figures
        time.sleep(0.1)


def test_totals_hold_over_a_restart_and_are_told_in_both_formats(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port) as url:
        version = ask(f"{url}/v1/predict", {"text": TEXT})[1]["model_version"]
        assert ask(f"{url}/v1/predict/batch", {"texts": [TEXT] * 4})[0] == 200
        for _ in range(5):
            assert ask(f"{url}/v1/predict", {"text": TEXT})[0] == 200
        assert ask(f"{url}/v1/feedback", {"text": TEXT, "correct_label": "negative"})[0] == 201
    # The last answers were not a second old when it was stopped.
    with running(tmp_path, port) as url:
        figures = metrics(url, 10)
        assert figures["champion"] == version
        assert figures["versions"][version]["answers"] == 10
        assert figures["functions"]["predict"]["requests"] == 7
        assert figures["feedback"]["total"] == 1
        assert ask(f"{url}/v1/predict", {"text": TEXT})[0] == 200
        assert metrics(url, 11)["versions"][version]["requests"] == 8
        request = urllib.request.Request(f"{url}/v1/metrics", headers={"Accept": "text/plain"})
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            exposition = reply.read().decode()
        assert f'sentiloop_confidence_count{{version="{version}"}} 11.0' in exposition

    told = (tmp_path / "requests.jsonl").read_text()
    assert "Zanzibar" not in told
    lines = [json.loads(line) for line in told.splitlines()]
    assert [line["Function"] for line in lines[:8]] == ["predict"] * 7 + ["feedback"]
    assert sum(line["Predictions"][0] for line in lines if "Predictions" in line) == 11
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Sentiloop" for line in lines)
