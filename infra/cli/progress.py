"""What a person sees on stderr while rows are scored, and one closing line whoever watches."""

import sys
import time

from tqdm import tqdm  # type: ignore[import-untyped]

from infra.cli.output import Position

_OF_A_FILE = "{percentage:3.0f}% |{bar}| {elapsed} gone, {remaining} left{postfix}"
_OF_A_STREAM = "{elapsed} gone{postfix}"


class Progress:
    """A bar that only a terminal shows.

    Args:
        position: where the run begins.
        size: of the input in bytes, or None if nobody knows.
    """

    def __init__(self, position: Position, size: int | None) -> None:
        self._begun = self._now = position
        self._started = time.monotonic()
        self._bar = tqdm(
            total=size,
            initial=position.input_bytes,
            bar_format=_OF_A_STREAM if size is None else _OF_A_FILE,
            disable=None,  # where stderr is no terminal
            leave=False,
        )

    def show(self, position: Position) -> None:
        """Move on."""
        taken, self._now = position.input_bytes - self._now.input_bytes, position
        self._bar.set_postfix_str(f"{position.rows:,} rows, {self._rate():,.0f} rows/s", refresh=False)
        self._bar.update(taken)

    def end(self) -> None:
        """Close the bar and say what was done."""
        self._bar.close()
        seconds, earlier = time.monotonic() - self._started, self._begun.rows
        before = f", after {earlier:,} of an earlier run" if earlier else ""
        say(
            f"{self._now.rows - earlier:,} rows in {seconds:.1f} s ({self._rate():,.0f} rows/s){before}; "
            f"{self._now.errors:,} rows with errors"
        )

    def _rate(self) -> float:
        return (self._now.rows - self._begun.rows) / max(time.monotonic() - self._started, 1e-9)


def say(line: str) -> None:
    """Print a line about the run; rows may be going to the standard output."""
    print(f"sentiloop: {line}", file=sys.stderr, flush=True)
