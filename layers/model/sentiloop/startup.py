"""What makes an instance start in less time; docs/performance.md has the figures."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_start() -> Iterator[None]:
    """Load a function's code in this context; it costs a quarter less.

    Imports make hundreds of thousands of objects that stay for good, so garbage collection waits, and never looks at
    them again. And FastAPI loads models of the whole OpenAPI specification: no request needs their validators, which
    pydantic builds when they are first used.
    """
    gc.disable()
    try:
        _load_openapi_models()
        yield
    finally:
        gc.freeze()
        gc.enable()


def _load_openapi_models() -> None:
    from pydantic import BaseModel  # noqa: PLC0415 - not before garbage collection waits

    BaseModel.model_config["defer_build"] = True
    try:
        import fastapi.openapi.models  # noqa: F401, PLC0415
    finally:
        del BaseModel.model_config["defer_build"]
