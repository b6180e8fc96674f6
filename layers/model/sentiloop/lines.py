"""One line of JSON a request, never with its text: what happened, and the same as metrics for CloudWatch.

The line is in the embedded metric format: CloudWatch makes metrics of the members that `_aws` names, in its own
namespace, by Function and, where a version answered, by Function and Version.
"""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAME = "sentiloop.requests"
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or "Sentiloop"  # two stacks in one account differ in it
MOST_VALUES = 100  # of one metric on a line, as the format has it
_METRICS = {
    "texts": "Predictions",
    "low_confidence": "LowConfidence",
    "disagreements": "Disagreements",
    "feedback": "Feedback",
    "confirmed": "Confirmed",
}


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to what is standard output at the moment of the writing, not of the import."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


_logger = Logger(service=NAME, level="INFO", logger_handler=_StandardOutput(), location=None, utc=True)
logging.getLogger(NAME).propagate = False  # Lambda's own handler would write each line again
logging.getLogger("mangum").setLevel(logging.WARNING)  # its line of a request has the path as it was asked for


def redirect(handler: logging.Handler) -> None:
    """Send the lines to a handler instead of standard output."""
    logger = logging.getLogger(NAME)
    handler.setFormatter(logger.handlers[0].formatter)
    logger.handlers[:] = [handler]


def emit(
    *,
    function: str,
    request_id: str,
    route: str,
    method: str,
    status: int,
    code: str | None,
    milliseconds: float,
    facts: Mapping[str, Any],
) -> None:
    """Write the line of a request.

    Args:
        function: which of the functions answered.
        request_id: as in the answer.
        route: the path in the contract; never the path that was asked for, which has ids in it.
        method: the HTTP method.
        status: the HTTP status.
        code: that of an error, in our contract.
        milliseconds: how long the answer took.
        facts: what the handler noted; see `sentiloop.http.note`.
    """
    told = {"request_id": request_id, "route": route, "method": method, "status": status, "code": code}
    if label := facts.get("label"):
        told["label"] = label
    _logger.info("request", extra=told | _metrics(function, status, milliseconds, facts))


def _metrics(function: str, status: int, milliseconds: float, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of the line that are metrics, and the one that says so."""
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension("Function", function)
    if version := facts.get("version"):
        metrics.add_dimensions(Function=function, Version=version)
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    metrics.add_metric("Errors", MetricUnit.Count, status >= 500)  # noqa: PLR2004 - what HTTP calls a server's fault
    metrics.add_metric("Latency", MetricUnit.Milliseconds, round(milliseconds, 3))
    for fact, name in _METRICS.items():
        if fact in facts:
            metrics.add_metric(name, MetricUnit.Count, facts[fact])
    confidences = _values(facts.get("confidence"))
    if confidences:
        metrics.add_metric("Confidence", MetricUnit.NoUnit, confidences[0])
    members = dict(metrics.serialize_metric_set())
    if confidences:  # all at once: adding one after another takes time in the square of their number
        members["Confidence"] = confidences
    return members


def _values(given: float | Sequence[float] | None) -> list[float]:
    values = given if isinstance(given, Sequence) else () if given is None else (given,)
    return [round(value, 4) for value in values[:MOST_VALUES]]
