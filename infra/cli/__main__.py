"""`./sentiloop COMMAND`: what a person runs on one machine, beside the service."""

import argparse
import sys
from typing import NoReturn

from sentiloop.errors import SentiloopError

from infra.cli.stopping import INTERRUPTED_STATUS, MISUSE_STATUS, StoppedError


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSE_STATUS, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    try:
        return _run(arguments)
    except StoppedError as stopped:
        return stopped.status
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except SentiloopError as error:
        print(f"sentiloop: {error.message}. {error.hint}", file=sys.stderr)
    except OSError as error:
        print(f"sentiloop: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
    return MISUSE_STATUS


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
