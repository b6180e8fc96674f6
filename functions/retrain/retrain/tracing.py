"""The steps of a run as subsegments of its X-Ray trace; outside of Lambda they cost and do nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time what happens in this context under a name; an exception is noted there and goes on."""
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        yield
        return
    with _tracer().provider.in_subsegment(name):
        yield


@cache
def _tracer() -> Any:
    from aws_lambda_powertools import Tracer  # noqa: PLC0415 - loads X-Ray's SDK, a quarter of a second

    return Tracer(service="retrain", auto_patch=False)
