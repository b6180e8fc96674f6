"""`make bench-files`: a million rows through `./sentiloop score`: rows a second, memory of all processes, and resuming.

The rows are those of SST-2 and TweetEval, again and again, in a folder that is removed afterwards. Memory is the sum of
the proportional set sizes of the command's processes, sampled while it runs; so this needs Linux.
"""

import gzip
import hashlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

from infra.local.up import ROOT
from tests.benchmarks.bench import closing_lines, data_folder

ROWS = 1_000_000
SETS = ("sst2", "tweeteval")
SAMPLE_SECONDS = 0.1
IMPORT_ROOTS = (".", "layers/model", "functions/retrain")
KIB = 1024


def make_rows(folder: Path, file: Path) -> None:
    """Write the rows of the labelled sets until there are enough."""
    parts = [part for name in SETS for part in sorted((folder / name).glob("*.jsonl.gz"))]
    lines = [line for part in parts for line in gzip.decompress(part.read_bytes()).splitlines()]
    with file.open("wb") as rows:
        rows.writelines(line + b"\n" for line in islice(cycle(lines), ROWS))
    size = file.stat().st_size / 1e6
    print(
        f"{ROWS:,} rows of {' and '.join(SETS)}, {min(len(lines), ROWS):,} of them different, {size:.0f} MB", flush=True
    )


def start(file: Path, out: Path, workers: int) -> "subprocess.Popen[bytes]":
    """Start the command."""
    path = os.pathsep.join(str(ROOT / root) for root in IMPORT_ROOTS)
    arguments = ["score", str(file), "--out", str(out), "--workers", str(workers)]
    return subprocess.Popen([sys.executable, "-m", "infra.cli", *arguments], env={**os.environ, "PYTHONPATH": path})


def watch(process: "subprocess.Popen[bytes]", enough: Callable[[], bool]) -> float:
    """Wait until the process has ended or it is enough, and return the largest sum of memory until then, in MB."""
    peak = 0.0
    while process.poll() is None and not enough():
        peak = max(peak, sum(map(memory, family(process.pid))))
        time.sleep(SAMPLE_SECONDS)
    return peak


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:  # the thread has ended
                continue
    return found


def memory(pid: int) -> float:
    """Return what a process has for itself and its share of what it has with others, in MB; none once it has ended."""
    try:
        sizes = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^Pss:\s+(\d+) kB", sizes, re.MULTILINE)
    return int(found[1]) * KIB / 1e6 if found else 0.0


def measure(file: Path, out: Path, workers: int) -> float:
    """Run the command to its end and return the peak of its memory in MB."""
    started, busy = time.perf_counter(), processor_seconds()
    process = start(file, out, workers)
    peak = watch(process, lambda: False)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit("the command failed")
    busy = processor_seconds() - busy
    print(
        f"{workers} worker(s), from start to end: {ROWS / seconds:,.0f} rows/s, {peak:.0f} MB at the peak", flush=True
    )
    print(f"  {busy:.1f} s of processor time: {ROWS / busy:,.0f} rows/s of it", flush=True)
    return peak


def processor_seconds() -> float:
    """Return what all children that have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def interrupt(file: Path, out: Path, workers: int, size: int) -> None:
    """Kill the command once so many bytes of its output are there."""
    part = out.with_name(out.name + ".part")
    process = start(file, out, workers)
    watch(process, lambda: part.exists() and part.stat().st_size >= size)
    process.kill()
    if process.wait() == 0:
        sys.exit("the command had ended before it was killed")
    print(f"killed after {part.stat().st_size / 1e6:.0f} MB of output", flush=True)


def digest(file: Path) -> str:
    """Return the digest of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def main() -> int:
    """Run everything; return 1 if a bar is missed."""
    data, cores = data_folder(), os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        file, whole, second = (Path(folder) / name for name in ("rows.jsonl", "whole.jsonl", "second.jsonl"))
        make_rows(data, file)
        peak = measure(file, whole, 1)
        expected = digest(whole)
        same = True
        if cores > 1:
            peak = max(peak, measure(file, second, cores))
            same = digest(second) == expected
            second.unlink()
        interrupt(file, second, cores, whole.stat().st_size // 2)
        same = start(file, second, cores).wait() == 0 and digest(second) == expected and same
    return closing_lines(
        [("files-memory", peak, "MB", 500, False), ("files-resumed-identical", float(same), "share", 1, True)]
    )


if __name__ == "__main__":
    sys.exit(main())
