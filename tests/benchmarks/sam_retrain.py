"""`make bench-sam-retrain`: the scheduled retrain on SST-2 in its container, as `sam local invoke` runs it.

What it takes there is what the function's memory and time-out in template.yaml have to allow: seconds from the command
to its end, starting the container included, and the peak of resident memory of all processes in it.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

from infra.local.retrain import SCHEDULED
from infra.local.template import FUNCTION, load_template, resources
from infra.local.up import ROOT
from infra.sam.docker import LABEL, docker
from infra.sam.image import present
from infra.sam.retrain import invoke
from infra.sam.stack import free_port, running
from tests.benchmarks.bench import closing_lines, data_folder
from tests.benchmarks.retrain import store_sst2

NAME = "RetrainFunction"
POLL_SECONDS = 0.2
MARGIN = 2.0  # at least this much memory and time for what a run takes


class PeakMemory(threading.Thread):
    """Watches the containers of functions that start while it runs; `bytes` is the most that one of them held."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._before = set(_containers())
        self._ended = threading.Event()

    def run(self) -> None:
        """Watch until `end` is called."""
        while not self._ended.wait(POLL_SECONDS):
            for container in set(_containers()) - self._before:
                self.bytes = max(self.bytes, _resident_bytes(container))

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()
        self.join()


def _containers() -> list[str]:
    return docker("ps", "--quiet", "--filter", f"label={LABEL}").split()


def _resident_bytes(container: str) -> int:
    """Return what the processes of a container have had resident at most, each at its own peak."""
    total = 0
    for line in docker("top", container, "-eo", "pid").splitlines()[1:]:
        status = Path(f"/proc/{line.strip()}/status")
        if status.exists():
            peaks = [entry for entry in status.read_text().splitlines() if entry.startswith("VmHWM:")]
            total += sum(1024 * int(entry.split()[1]) for entry in peaks)
    return total


def main() -> int:
    """Run once; return 1 if template.yaml gives less than twice of what the run took, or nothing came of it."""
    folder = data_folder()
    limits = resources(load_template(ROOT / "template.yaml"), FUNCTION)[NAME]
    memory_mb = load_template(ROOT / "template.yaml")["Parameters"]["RetrainMemory"]["Default"]
    print(f"base image {present()}; {memory_mb} MB and {limits['Timeout']} s in template.yaml")
    with (
        tempfile.TemporaryDirectory() as work,
        (Path(work) / "log.txt").open("wb") as log,
        running(Path(work), free_port(), log) as stack,
    ):
        store_sst2(stack.store, folder)
        memory = PeakMemory()
        memory.start()
        started = time.perf_counter()
        record = invoke(NAME, SCHEDULED.read_text(), stack.variables)
        seconds = time.perf_counter() - started
        memory.end()
    print(f"{record['outcome']}: {'; '.join(record['reasons'])}")
    print(f"{seconds:.1f} s, {memory.bytes / 2**20:.0f} MB at the peak")
    results = [
        ("sam-retrain-memory", memory_mb * 2**20 / memory.bytes, "times-peak", MARGIN, True),
        ("sam-retrain-seconds", limits["Timeout"] / seconds, "times", MARGIN, True),
    ]
    return closing_lines(results) or int(record["outcome"] != "promoted")


if __name__ == "__main__":
    sys.exit(main())
