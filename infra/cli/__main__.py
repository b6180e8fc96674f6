"""`./sentiloop COMMAND`: what a person runs on one machine, beside the service."""

import argparse
import sys
from typing import NoReturn

from sentiloop.errors import SentiloopError, StorageUnavailableError

from infra.cli.stopping import (
    INTERRUPTED_STATUS,
    MISUSE_STATUS,
    ReaderLeftError,
    StoppedError,
    close_standard_output,
)


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSE_STATUS, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    try:
        status = _run(arguments)
        sys.stdout.flush()  # here a reader who left, such as `head`, can still be taken note of
        return status
    except StoppedError as stopped:
        return stopped.status
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except SentiloopError as error:
        print(f"sentiloop: {error.message}. {_hint(error)}", file=sys.stderr)
    except BrokenPipeError:
        close_standard_output()
        return ReaderLeftError.status
    except OSError as error:
        print(f"sentiloop: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
    return MISUSE_STATUS


def _hint(error: SentiloopError) -> str:
    """Return the way out for somebody at a terminal; of storage that is away, the usual one is for senders of HTTP."""
    if isinstance(error, StorageUnavailableError) and error.hint == StorageUnavailableError.hint:
        return "Check that the bucket exists and answers."
    return error.hint


def _run(arguments: list[str] | None) -> int:
    from infra.cli import erase, models, review, score  # noqa: PLC0415 - takes long enough to be interrupted

    parser = _Parser(prog="sentiloop", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (score, review, models, erase):
        command.add_parser(commands)
    parsed = parser.parse_args(arguments)
    status: int = parsed.run(parsed)
    return status


if __name__ == "__main__":
    sys.exit(main())
