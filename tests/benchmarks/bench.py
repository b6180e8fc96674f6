"""What the benchmarks have in common: reading the data, and the closing lines."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from retrain.datasets import Row
from retrain.importer import read_path


def data_folder() -> Path:
    """Return the folder named on the command line; exit with a clear line if it is not there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="holds a folder for each data set")
    folder: Path = parser.parse_args().folder
    if not folder.is_dir():
        sys.exit(f"{folder} is no folder. Say where the data is: make bench-… DATA=folder")
    return folder


def read_split(folder: Path, name: str, split: str) -> list[Row]:
    """Return the rows of one split of a data set."""
    return read_path(folder / name / f"{split}.jsonl.gz")


def closing_lines(results: Iterable[tuple[str, float, str, float, bool]]) -> int:
    """Print a line for each (name, figure, unit, bar, more is better) and return the exit status."""
    short = False
    for name, figure, unit, bar, more_is_better in results:
        holds = figure >= bar if more_is_better else figure <= bar
        short |= not holds
        print(f"BENCH {name} {figure:.4g} {unit} bar {bar:g} {'ok' if holds else 'short'}")
    return int(short)
