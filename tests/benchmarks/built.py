"""What built functions weigh."""

from collections.abc import Iterator
from pathlib import Path


def files(*folders: Path) -> Iterator[tuple[str, int]]:
    """Yield the path within its folder and the size in bytes of every file, links not followed."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path.stat().st_size


def megabytes(*folders: Path) -> float:
    """Return what all files take, in MB of 10^6 bytes."""
    return sum(size for _, size in files(*folders)) / 1e6
