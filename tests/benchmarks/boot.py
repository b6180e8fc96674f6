"""Lambda's Python runtime under the emulator, and what its start costs: a script that emulator.py runs on Python 3.13.

    boot.py FIGURES HANDLER FOLDER…

The folders come first on the import path, as /var/task and /opt/python do on Lambda. The runtime asks for its first
event when the handler is imported, and for the second when the first is answered; then the figures are written.
"""

import sys
import time
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any


def main(figures: str, handler: str, *folders: str) -> None:
    """Run until the emulator ends."""
    sys.path[:0] = folders
    compiled: list[str] = []
    seconds: list[float] = []

    compile_source = SourceFileLoader.source_to_code

    def count_and_compile(self: SourceFileLoader, data: Any, path: Any, **options: Any) -> CodeType:
        compiled.append(path)
        code: CodeType = compile_source(self, data, path, **options)
        return code

    client = import_module("awslambdaric.lambda_runtime_client").LambdaRuntimeClient
    wait = client.wait_next_invocation

    def time_and_wait(self: object) -> object:
        seconds.append(time.process_time())
        if len(seconds) == 2:
            own = sum(path.startswith(folders) for path in compiled)
            write(figures, {"init_cpu": seconds[0], "answer_cpu": seconds[1], "compiled": own})
        return wait(self)

    setattr(SourceFileLoader, "source_to_code", count_and_compile)  # noqa: B010 - mypy takes no assignment to a method
    client.wait_next_invocation = time_and_wait
    import_module("awslambdaric.__main__").main(["bootstrap", handler])


def write(path: str, figures: dict[str, float]) -> None:
    """Write the figures so that they are there whole or not at all."""
    import json  # noqa: PLC0415 - not before everything is measured
    from pathlib import Path  # noqa: PLC0415

    part = Path(f"{path}.part")
    part.write_text(json.dumps(figures), encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
