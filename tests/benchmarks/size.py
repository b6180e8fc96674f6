"""`make bench-size`: what each function unpacks to on Lambda with its layer, and what predict's share is made of.

Sizes are sums of file sizes; 1 MB is 10^6 bytes.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from infra.local.up import ROOT
from infra.sam.build import sam_build
from tests.benchmarks.bench import closing_lines
from tests.benchmarks.built import files, megabytes

LIMIT_MB = 262.144  # Lambda's 250 MiB, function and layers together, unzipped
BAR_MB, AIM_MB = 40.0, 25.0
LARGEST = 20


def package(path: str) -> str:
    """Return what a file counts towards: a top-level name, all metadata together, and .pyc files for themselves."""
    top, _, below = path.partition("/")
    if top.endswith((".dist-info", ".data")):
        return "*.dist-info"
    name = (below if top == "__pycache__" else path).partition("/")[0].partition(".")[0]
    return f"{name} (.pyc)" if path.endswith(".pyc") else name


def report(build: Path) -> float:
    """Print all sizes; return predict's with the layer, in MB."""
    layer = build / "ModelLayer" / "python"
    print(f"function with layer, unzipped; 1 MB is 10^6 bytes; Lambda takes {LIMIT_MB:.1f} MB")
    for name in ("Predict", "Feedback", "Admin", "Console", "Retrain"):
        folder = build / f"{name}Function"
        if folder.is_dir():
            print(f"  {name.lower():10} {megabytes(folder, layer):7.1f} MB")
    predict = list(files(build / "PredictFunction", layer))
    table(
        f"the {LARGEST} largest files of predict with the layer", sorted(predict, key=lambda file: -file[1])[:LARGEST]
    )
    packages: Counter[str] = Counter()
    for path, size in predict:
        packages[package(path)] += size
    table("by top-level package", packages.most_common())
    bytecode = [size for path, size in predict if path.endswith(".pyc")]
    print(f"\n{len(predict)} files, of which {len(bytecode)} .pyc with {sum(bytecode) / 1e6:.1f} MB")
    return sum(size for _, size in predict) / 1e6


def table(title: str, rows: Sequence[tuple[str, int]]) -> None:
    """Print names and their sizes."""
    print(f"\n{title}")
    for name, size in rows:
        print(f"  {size / 1e6:8.3f} MB  {name}")


def main() -> int:
    """Build unless a build is named, and print; return 1 if the bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build-dir", type=Path, help="the output of a `sam build`; without it one is made")
    build: Path | None = parser.parse_args().build_dir
    with tempfile.TemporaryDirectory(prefix="bench-size-") as work:
        size = report(build or sam_build(ROOT, Path(work)))
    print(f"Aim: {AIM_MB:g} MB")
    return closing_lines([("predict-size", size, "MB", BAR_MB, False)])


if __name__ == "__main__":
    sys.exit(main())
