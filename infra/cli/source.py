"""The rows that come in: a file, or a stream that can be read but once, cut into blocks of whole rows.

Where it is cut depends on the bytes alone, and cutting goes on behind any cut as it would have without a stop.
"""

import os
import stat
import sys
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, BinaryIO

from sentiloop.rows import BOM, MAX_ROW_BYTES, Layout, LayoutError, parse_csv

from infra.cli.stopping import UsageError

STANDARD_STREAM = "-"
BLOCK_BYTES = 512 * 1024  # some thousand rows: enough for vector arithmetic, little beside the model
_HEAD_BYTES = 64 * 1024
_BOM_BYTES = BOM.encode()


class Source:
    """An open input.

    Args:
        path: of a file or a named pipe; `-` is the standard input.

    Attributes:
        size: in bytes, or None for a stream.
    """

    def __init__(self, path: str) -> None:
        self._file: BinaryIO = sys.stdin.buffer if path == STANDARD_STREAM else open(path, "rb")  # noqa: PTH123, SIM115
        status = os.fstat(self._file.fileno())
        self.size = status.st_size if path != STANDARD_STREAM and stat.S_ISREG(status.st_mode) else None
        self._digest = sha256()
        self._at_start = True
        self._lines = self._read_lines()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def identity(self) -> dict[str, Any]:
        """Return what tells one file from another before it is read; call it first."""
        if self.size is None:
            return {"stream": True}
        head = sha256(self._file.read(_HEAD_BYTES)).hexdigest()
        self._file.seek(0)
        return {"bytes": self.size, "sha256_of_first_64_KiB": head}

    def digest_after(self, block: bytes) -> str | None:
        """Return the digest of a stream from its start to the end of a block, if asked for every block in order.

        A file needs none: it can be read again from anywhere, and its identity tells it from others.
        """
        if self.size is not None:
            return None
        self._digest.update(block)
        return self._digest.hexdigest()

    def skip(self, count: int, digest: str | None) -> None:
        """Go on behind the bytes that an earlier run has done.

        Raises:
            UsageError: a stream does not begin with the bytes of that digest.
        """
        self._at_start = not count
        if self.size is not None:
            self._file.seek(count)
            return
        if not count:
            return
        while count > 0 and (piece := self._file.read(min(count, BLOCK_BYTES))):
            self._digest.update(piece)
            count -= len(piece)
        if count or self._digest.hexdigest() != digest:
            raise UsageError(
                "the input does not begin as it did before it was interrupted",
                "Send the same input again, or start anew with --restart.",
            )

    def header(self, layout: Layout) -> bytes:
        """Return a CSV's first record, empty at the end of the input."""
        return next(self._records(layout), b"")

    def blocks(self, layout: Layout) -> Iterator[bytes]:
        """Yield the rest of the input, block by block.

        Raises:
            LayoutError: a row is too long.
        """
        return self._line_blocks() if layout.format == "jsonl" else self._record_blocks(layout)

    def _line_blocks(self) -> Iterator[bytes]:
        while block := self._file.read(BLOCK_BYTES):
            if not block.endswith(b"\n"):
                block += self._read_line()
            yield block

    def _record_blocks(self, layout: Layout) -> Iterator[bytes]:
        block = bytearray()
        for record in self._records(layout):
            block += record
            if len(block) >= BLOCK_BYTES:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)

    def _records(self, layout: Layout) -> Iterator[bytes]:
        """Yield records as bytes. CSV is made of ASCII characters, so that any decoding finds the same ends."""
        record = bytearray()

        def lines() -> Iterator[str]:
            for line in self._lines:
                record.extend(line)
                if len(record) > MAX_ROW_BYTES:
                    raise _too_long()
                yield (line.removeprefix(_BOM_BYTES) if self._at_start else line).decode("latin-1")
                self._at_start = False

        for _ in parse_csv(lines(), layout):
            yield bytes(record)
            record.clear()

    def _read_lines(self) -> Iterator[bytes]:
        while line := self._read_line():
            yield from line.splitlines(keepends=True)  # the csv module takes a lone carriage return for a line end

    def _read_line(self) -> bytes:
        line = self._file.readline(MAX_ROW_BYTES + 1)
        if len(line) > MAX_ROW_BYTES:
            raise _too_long()
        return line


def _too_long() -> LayoutError:
    return LayoutError(
        f"a row is longer than {MAX_ROW_BYTES // 2**20} MiB", "Shorten it; in a CSV, look for a quote that never ends."
    )
