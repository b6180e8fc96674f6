"""`make bench-sam-local`: one prediction through `sam local` with a warm container, beside a two-line handler.

Both run at once and are asked in turn, so the gateway, the emulator and this machine's moods are the same for both and
the difference is ours. SAM often holds an answer back for a second, waiting for a line of the container's log
(`Container.wait_for_result`); such answers are counted, and left out of the second pair of figures. The last pair is
what the runtime emulator says of the handler alone.
"""

import http.client
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from infra.sam.build import ARCHITECTURE
from infra.sam.image import present
from infra.sam.stack import free_port, running, start_api
from tests.benchmarks.bench import closing_lines

WARM_UP, REQUESTS = 20, 300
HELD_BACK_MS = 1000.0
WIDTHS = (10, 10, 12, 10, 12, 10)
BAR_MS = 5.0
TIMEOUT_SECONDS = 60.0
BODY = json.dumps({"text": "The staff were wonderful and we loved every minute."})
HANDLER = """def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
"""
TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Parameters:
  Architecture: {Type: String}
Resources:
  BareFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: bare.handler
      Runtime: python3.13
      Architectures: [!Ref Architecture]
      MemorySize: 1024
      Environment: {Variables: {AWS_ENDPOINT_URL_S3: ''}}
      Events:
        Predict: {Type: Api, Properties: {Method: POST, Path: /v1/predict}}
"""


def request_ms(port: int) -> float:
    """Return the milliseconds of one prediction, connection and answer included."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    connection.request("POST", "/v1/predict", BODY, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        sys.exit(f"The answer was {answer.status}.")
    return (time.perf_counter() - began) * 1000


def handler_ms(log: Path) -> list[float]:
    """Return the milliseconds of the measured calls, as the runtime emulator reports them."""
    found = re.findall(r"REPORT RequestId: .*\bDuration: ([0-9.]+) ms\s+Billed", log.read_text("utf-8"))
    return [float(value) for value in found][-REQUESTS:]


def p50_p99(figures: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    cuts = quantiles(figures, n=100, method="inclusive")
    return cuts[49], cuts[98]


def measure(work: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Return milliseconds as a client sees them, and of the handler alone, of both.

    Args:
        work: an empty folder.
    """
    logs = {name: work / f"{name}.txt" for name in ("ours", "two-line")}
    ports = {name: free_port() for name in logs}
    (work / "bare.py").write_text(HANDLER)
    template, variables = work / "template.yaml", work / "variables.json"
    template.write_text(TEMPLATE)
    with (
        logs["ours"].open("wb") as ours,
        logs["two-line"].open("wb") as two_line,
        running(work, ports["ours"], ours) as stack,
    ):
        # The same endpoint, though it asks for nothing: its container is found by it should one be left.
        variables.write_text(json.dumps({"BareFunction": {"AWS_ENDPOINT_URL_S3": stack.s3.address_in_containers}}))
        with start_api(template, ports["two-line"], variables, two_line):
            for _ in range(WARM_UP):
                for port in ports.values():
                    request_ms(port)
            seen: dict[str, list[float]] = {name: [] for name in ports}
            for _ in range(REQUESTS):
                for name, port in ports.items():
                    seen[name].append(request_ms(port))
    return {name: (seen[name], handler_ms(logs[name])) for name in seen}


def main() -> int:
    """Print both and the difference; return 1 if the bar is missed."""
    print(f"{present()}, {ARCHITECTURE}; {REQUESTS} requests to each, in turn; milliseconds")
    with tempfile.TemporaryDirectory(prefix="bench-sam-local-") as work:
        measured = measure(Path(work))
    views = {
        "as a client sees it": {name: seen for name, (seen, _) in measured.items()},
        "where SAM held nothing back": {
            name: [figure for figure in seen if figure < HELD_BACK_MS] for name, (seen, _) in measured.items()
        },
        "the handler alone": {name: alone for name, (_, alone) in measured.items()},
    }
    difference = 0.0
    print(f"{'':30}{'ours p50':>10}{'p99':>10}{'two lines':>12}{'p99':>10}{'difference':>12}{'p99':>10}")
    for view, figures in views.items():
        ours, bare = p50_p99(figures["ours"]), p50_p99(figures["two-line"])
        difference = ours[0] - bare[0] if view == "where SAM held nothing back" else difference
        row = [*ours, *bare, ours[0] - bare[0], ours[1] - bare[1]]
        print(f"{view:30}" + "".join(f"{figure:{width}.2f}" for figure, width in zip(row, WIDTHS, strict=True)))
    for name, (seen, _) in measured.items():
        print(f"{name}: SAM held {sum(figure >= HELD_BACK_MS for figure in seen)} of {len(seen)} answers back")
    return closing_lines([("sam-local-over-two-lines-p50", difference, "ms", BAR_MS, False)])


if __name__ == "__main__":
    sys.exit(main())
