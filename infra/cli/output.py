"""Where scored rows go: a file that an interrupted run can be continued in, or the standard output.

Rows go to OUT.part. About once a second they are brought to the disk, and then OUT.part.json says how far both input
and output have got; it is replaced whole. Whatever ends the run, OUT.part holds at least what OUT.part.json says, and
the next run cuts off what lies beyond. OUT appears only when it is whole.
"""

import fcntl
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from sentiloop.rows import Tally

from infra.cli.stopping import ReaderLeftError, UsageError

CHECKPOINT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run has got.

    Attributes:
        input_bytes: read and scored.
        input_sha256: of those bytes, where they cannot be read again by themselves.
        output_bytes: written.
        rows: scored, or found to be in error.
        errors: rows in error.
        header: a CSV's column names.
    """

    input_bytes: int = 0
    input_sha256: str | None = None
    output_bytes: int = 0
    rows: int = 0
    errors: int = 0
    header: tuple[str, ...] = ()

    def after(self, block: bytes, rows: bytes, tally: Tally, digest: str | None) -> "Position":
        """Return the position behind a block of the input that became those rows."""
        return replace(
            self,
            input_bytes=self.input_bytes + len(block),
            input_sha256=digest,
            output_bytes=self.output_bytes + len(rows),
            rows=self.rows + tally.rows,
            errors=self.errors + tally.errors,
        )


class Output(Protocol):
    """Takes rows in their order.

    Attributes:
        position: how far it has got.
    """

    position: Position

    def begin(self, *, restart: bool) -> Position:
        """Return the position to go on from.

        Raises:
            UsageError: there is something that cannot be gone on with.
        """
        ...

    def write(self, rows: bytes, position: Position) -> None:
        """Write rows; `position` is the one behind them."""
        ...

    def finish(self) -> None:
        """Say that all rows were written."""
        ...

    def stop(self) -> None:
        """Keep what was written for a later run."""
        ...

    def discard(self) -> None:
        """Forget what was written: no later run can use it."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class StandardOutput:
    """Rows for the next command in a pipe; nothing is kept."""

    def __init__(self) -> None:
        self.position = Position()

    def begin(self, *, restart: bool) -> Position:  # noqa: ARG002
        """See `Output.begin`."""
        return self.position

    def write(self, rows: bytes, position: Position) -> None:
        """See `Output.write`; raise `ReaderLeftError` when nobody reads."""
        try:
            sys.stdout.buffer.write(rows)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise ReaderLeftError from None
        self.position = position

    def finish(self) -> None:
        """See `Output.finish`."""

    def stop(self) -> None:
        """See `Output.stop`."""

    def discard(self) -> None:
        """See `Output.discard`."""

    def close(self) -> None:
        """See `Output.close`."""


class PartFile:
    """Rows for OUT, with a checkpoint.

    Args:
        path: OUT.
        job: what has to be the same for a run to be continued; the names are shown to people.

    Raises:
        UsageError: another run is writing there.
    """

    def __init__(self, path: Path, job: dict[str, Any]) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._checkpoint = path.with_name(path.name + ".part.json")
        self._job = job
        self.position = Position()
        self._saved_at = float("-inf")
        self._file = self._part.open("ab", buffering=0)  # blocks are large, and what fails should fail at once
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise UsageError(f"another run is writing {self._part}", "Wait for it or stop it.") from None

    def begin(self, *, restart: bool) -> Position:
        """See `Output.begin`; the position is that of the last checkpoint, or the start if there is none."""
        if restart:
            for old in (self._path, self._checkpoint):
                old.unlink(missing_ok=True)
        self.position = self._read_checkpoint()
        self._file.truncate(self.position.output_bytes)
        return self.position

    def write(self, rows: bytes, position: Position) -> None:
        """See `Output.write`."""
        left = memoryview(rows)
        while left:
            left = left[self._file.write(left) :]
        self.position = position
        if time.monotonic() - self._saved_at >= CHECKPOINT_SECONDS:
            self._save()

    def finish(self) -> None:
        """See `Output.finish`."""
        os.fsync(self._file.fileno())
        self._part.replace(self._path)
        self._checkpoint.unlink(missing_ok=True)

    def stop(self) -> None:
        """See `Output.stop`."""
        self._save()

    def discard(self) -> None:
        """See `Output.discard`."""
        self._checkpoint.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)

    def close(self) -> None:
        """See `Output.close`."""
        self._file.close()

    def _save(self) -> None:
        os.fsync(self._file.fileno())
        new = self._checkpoint.with_suffix(".new")
        with new.open("w") as file:
            json.dump({"job": self._job, "position": asdict(self.position)}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._checkpoint)
        self._saved_at = time.monotonic()

    def _read_checkpoint(self) -> Position:
        written = self._part.stat().st_size
        try:
            saved = json.loads(self._checkpoint.read_bytes())
            job, position = saved["job"], Position(**saved["position"] | {"header": tuple(saved["position"]["header"])})
        except FileNotFoundError:
            return Position()
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{self._checkpoint} is no checkpoint", "Start anew with --restart.") from error
        differing = [name for name, value in self._job.items() if job.get(name) != value]
        if differing:
            raise UsageError(
                f"{self._part} was begun with another {', another '.join(differing)}",
                "Repeat the command as it was, or start anew with --restart.",
            )
        if written < position.output_bytes:
            raise UsageError(f"{self._part} is shorter than it was", "Start anew with --restart.")
        return position
