"""The steps of a run in its trace: what X-Ray's daemon gets on Lambda, and that nothing happens elsewhere."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from retrain.tracing import step

from tests.builders import ROOT

RUN = """
from contextlib import suppress
from retrain.tracing import step
with suppress(ValueError), step("read"):
    with step("screen"):
        pass
    raise ValueError("for a test")
"""


def test_outside_of_lambda_it_loads_nothing_and_lets_errors_through() -> None:
    with pytest.raises(ValueError, match="for a test"), step("read"):
        raise ValueError("for a test")
    assert "aws_xray_sdk" not in sys.modules


def test_on_lambda_the_daemon_gets_each_step_with_its_errors(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(30)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("layers/model", "functions/retrain")),
            "AWS_LAMBDA_FUNCTION_NAME": "retrain",
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
            "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        }
        subprocess.run([sys.executable, "-c", RUN], env=environment, check=True, timeout=60)
        segments: dict[str, dict[str, object]] = {}
        while "read" not in segments:
            segment = json.loads(daemon.recv(65_536).split(b"\n", 1)[1])
            segments[segment["name"]] = segment
            segments |= {inner["name"]: inner for inner in segment.get("subsegments", [])}
    assert segments.keys() == {"read", "screen"}
    assert segments["read"]["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert segments["read"]["fault"] is True
    assert "fault" not in segments["screen"]
