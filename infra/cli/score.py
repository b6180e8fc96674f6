"""`./sentiloop score FILE --out OUT`: predictions for every row of a JSONL or CSV file, on one machine.

Memory stays bounded whatever the size of the file, and a run that was interrupted goes on where it was.
"""

import argparse
import os
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentiloop.artefact import Model
from sentiloop.rows import Format, Layout, LayoutError, Tally, with_header

from infra.cli import chosen_model
from infra.cli.output import Output, PartFile, StandardOutput
from infra.cli.progress import Progress, say
from infra.cli.source import STANDARD_STREAM, Source
from infra.cli.stopping import (
    ReaderLeftError,
    StoppedError,
    UsageError,
    close_standard_output,
    ignore_signals,
    signals_raise,
)
from infra.cli.workers import score_blocks

FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv"}


def add_parser(commands: Any) -> None:
    """Describe the command line."""
    parser = commands.add_parser("score", help="add predictions to every row of a file", description=__doc__)
    parser.add_argument("file", metavar="FILE", help="JSONL or CSV; - is the standard input")
    parser.add_argument("--out", default=STANDARD_STREAM, help="new file; without it rows go to the standard output")
    parser.add_argument("--model", default="baseline", help=chosen_model.HELP)
    parser.add_argument("--text-column", default="text", metavar="NAME", help="the field with the text (default: text)")
    parser.add_argument("--prefix", default="", help="what the names of added fields start with (default: nothing)")
    parser.add_argument("--format", choices=sorted(set(FORMATS.values())), help="default: by FILE's name; jsonl for -")
    parser.add_argument("--workers", type=_workers, default=1, metavar="N", help="processes, or all (default: 1)")
    parser.add_argument("--restart", action="store_true", help="start anew, and replace OUT if it exists")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Score; return the exit status.

    Raises:
        SentiloopError: the command cannot be carried out, and why.
    """
    layout = Layout(_format(arguments), arguments.text_column, arguments.prefix)
    _check_out(arguments)
    with signals_raise(), closing(Source(arguments.file)) as source:
        model = chosen_model.load_model(arguments.model)
        say(f"model {model.version}")
        with closing(_output(arguments, layout, model, source)) as output:
            progress = Progress(output.begin(restart=arguments.restart), source.size)
            try:
                _score(source, layout, model, workers=arguments.workers, output=output, progress=progress)
                ignore_signals()
                output.finish()
            except StoppedError as stopped:
                output.stop()
                progress.end()
                if arguments.out != STANDARD_STREAM:
                    without = " without --restart" if arguments.restart else ""
                    say(f"stopped; run the same command again{without} to go on")
                return stopped.status
            except ReaderLeftError as left:
                close_standard_output()
                return left.status
            except BrokenProcessPool as error:
                output.stop()
                message = "a worker process was killed, as happens when memory runs out"
                raise UsageError(message, "Run the same command again, with fewer --workers, to go on.") from error
            except LayoutError:
                output.discard()
                raise
        progress.end()
    return 0


def _score(source: Source, layout: Layout, model: Model, *, workers: int, output: Output, progress: Progress) -> None:
    position = output.position
    source.skip(position.input_bytes, position.input_sha256)
    if layout.format != "jsonl":
        if not position.input_bytes:
            record = source.header(layout)
            layout, header = with_header(layout, record, model.labels)
            position = position.after(record, header, Tally(0, 0), source.digest_after(record))
            position = replace(position, header=layout.header)
            output.write(header, position)
        layout = replace(layout, header=position.header)
    with closing(score_blocks(source.blocks(layout), layout, model, workers)) as scored:
        for block, rows, tally in scored:
            position = position.after(block, rows, tally, source.digest_after(block))
            output.write(rows, position)
            progress.show(position)


def _output(arguments: argparse.Namespace, layout: Layout, model: Model, source: Source) -> Output:
    if arguments.out == STANDARD_STREAM:
        return StandardOutput()
    job = {
        "input": source.identity(),
        "model": [model.version, chosen_model.weights_sha256(model)],
        "format": layout.format,
        "text column": layout.text_column,
        "prefix": layout.prefix,
    }
    return PartFile(Path(arguments.out), job)


def _check_out(arguments: argparse.Namespace) -> None:
    out = Path(arguments.out)
    if arguments.out == STANDARD_STREAM:
        if arguments.restart:
            raise UsageError("--restart needs a file", "Name it: --out OUT.")
    elif not out.parent.is_dir():
        raise UsageError(f"--out: there is no folder {out.parent}", "Make it first.")
    elif out.exists() and Path(arguments.file).exists() and out.samefile(arguments.file):
        raise UsageError("--out is the input itself", "Name another file.")
    elif out.exists() and not arguments.restart:
        raise UsageError(f"{out} exists already", "Name another file, or replace it with --restart.")


def _format(arguments: argparse.Namespace) -> Format:
    suffix = Path(arguments.file).suffix.lower()
    found: Format | None = arguments.format or ("jsonl" if arguments.file == STANDARD_STREAM else FORMATS.get(suffix))
    if found is None:
        raise UsageError(f"{arguments.file}: the name does not tell its format", "Say it: --format jsonl or csv.")
    return found


def _workers(value: str) -> int:
    if value == "all":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not value.isdigit() or not int(value):
        raise argparse.ArgumentTypeError(f"{value!r} is neither a positive number nor `all`")
    return int(value)
