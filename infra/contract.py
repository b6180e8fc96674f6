"""`make contract`: write what the code promises to its users: the HTTP contract, its reference page, the settings.

All are committed, the first two with the predict function, which serves them; a test holds them to the code.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import Any

from admin.access import HEADER
from admin.routes import create_admin_app
from feedback.routes import create_feedback_app
from predict.routes import create_predict_app
from predict.samples import Samples
from sentiloop.activity import Activity
from sentiloop.activity_store import ActivityWriter
from sentiloop.s3 import S3Store
from sentiloop.serving import LiveModel
from sentiloop.settings import Secret, Settings, variable

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "functions" / "predict" / "predict"
SETTINGS_PAGE = ROOT / "docs" / "settings.md"
SCHEMES = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "AdminKey": {"type": "apiKey", "in": "header", "name": HEADER},
}
OPEN, ADMIN = "/health", ("/v1/review", "/v1/models", "/v1/runs", "/v1/checks", "/v1/alerts")
NESTED = (
    "Explanation",
    "TermContribution",
    "SpanContribution",
    "FailedItem",
    "ItemError",
    "ErrorBody",
    "ErrorDetail",
    "ChallengerInfo",
    "ReviewItem",
    "ReviewProfit",
    "FunctionFigures",
    "VersionFigures",
    "Latency",
    "Feedback",
    "Beside",
    "SliceOfBeside",
    "ModelSummary",
    "TenureEntry",
    "PointerEntry",
    "TrialEntry",
    "SliceFigures",
    "FigureRow",
    "WordRow",
    "AnswerFigures",
    "AnswerRow",
    "RunItem",
    "RunCheck",
    "RunCorrections",
    "RunComparison",
    "LabelNoise",
    "SourceNoise",
    "Bucket",
    "PeriodFigures",
    "CheckItem",
    "CheckSignal",
    "CheckFinding",
    "CheckTrial",
    "CheckDetails",
    "CheckReference",
    "AlertItem",
)
STYLE = """:root{color-scheme:light dark}body{font:16px/1.55 system-ui,sans-serif;max-width:58rem;margin:2rem auto;
padding:0 1rem}h2{margin-top:2.2rem;border-top:1px solid #8886;padding-top:1.2rem}code,pre{font:14px/1.45 monospace}
pre{background:#8881;padding:.8rem;overflow:auto;border-radius:6px}table{border-collapse:collapse;display:block;
overflow-x:auto}h2 code{font-size:1.15rem}td,th{border:1px solid #8886;padding:.3rem .6rem;text-align:left;
vertical-align:top}"""


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document of all routes."""
    settings = Settings(contributor_key=Secret("any"))
    store = S3Store(settings.bucket)
    writer = ActivityWriter(store, Activity(), settings)
    apps = [
        create_predict_app(settings, LiveModel(store, 0), Samples(store, settings), writer),
        create_feedback_app(settings, store, writer),
        create_admin_app(settings, store, writer),
    ]
    document = apps[0].openapi()
    document["info"] = {
        "title": "Sentiloop",
        "version": "1",
        "description": "Text sentiment with calibrated confidence that learns from corrections.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    for app in apps[1:]:
        part = app.openapi()
        document["paths"] |= part["paths"]
        document["components"]["schemas"] |= part["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own error shape, which ours replaces
        document["components"]["schemas"].pop(unused, None)
    document["components"]["securitySchemes"] = SCHEMES
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation["security"] = _security(path)
            unprocessable = operation["responses"].get("422", {})
            if "HTTPValidationError" in json.dumps(unprocessable):
                unprocessable["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/ErrorBody"}
    return document


def _security(path: str) -> list[dict[str, list[str]]]:
    """Return what a route asks for; of the keys in one requirement all are needed."""
    if path == OPEN:
        return []
    return [{"ApiKey": [], "AdminKey": []} if path.startswith(ADMIN) else {"ApiKey": []}]


def reference_page(document: dict[str, Any]) -> str:
    """Return the document as a page to read: no script, nothing loaded from elsewhere."""
    schemas = document["components"]["schemas"]
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>Sentiloop API</title><style>{STYLE}</style><h1>Sentiloop API</h1>",
        f"<p>{escape(document['info']['description'])} The same as data: <a href='openapi.json'>openapi.json</a>.</p>",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(method.upper(), path, operation, schemas)
    parts.append("<h2>Shapes</h2><p>What the tables above name.</p>")
    for name in NESTED:
        parts += [f"<h3>{name}</h3><p>{_text(schemas[name]['description'])}</p>", _fields(name, schemas)]
    return "\n".join([*parts, "</html>", ""])


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    keys = [SCHEMES[name]["name"] for required in operation["security"] for name in required]
    key = f"API key in {keys[0]}{''.join(f', admin key in {name}' for name in keys[1:])}" if keys else "open"
    parts = [f"<h2><code>{method} {escape(path)}</code></h2><p>{_text(operation['description'])} ({key})</p>"]
    if parameters := operation.get("parameters"):
        rows = [(entry["name"], f"in {entry['in']}", entry.get("description", "")) for entry in parameters]
        parts.append(_table(("parameter", "where", "meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append("<h3>Body</h3>" + _fields(_name(body["content"]["application/json"]["schema"]), schemas))
    rows = []
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        rows.append((status, _name(schema), response["description"]))
        if status.startswith("2"):
            parts.append("<h3>Answer</h3>" + _fields(_name(schema), schemas))
    return [*parts, "<h3>Statuses</h3>" + _table(("status", "body", "meaning"), rows)]


def _fields(name: str, schemas: dict[str, Any]) -> str:
    described = schemas[name]
    required = described.get("required", [])
    rows = [
        (name, _kind(entry) + ("" if name in required else ", optional"), entry.get("description", ""))
        for name, entry in described["properties"].items()
    ]
    return _table(("field", "type", "meaning"), rows)


def _kind(schema: dict[str, Any]) -> str:
    if options := schema.get("anyOf"):
        return " or ".join(_kind(option) for option in options)
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return _name(schema) or schema.get("type", "any")


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _text(text: str) -> str:
    """Return escaped text with what stands between backticks set as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def _as_variable(default: Any) -> str:
    """Return a default as one would write it into the environment."""
    if default is None or isinstance(default, Secret):
        return ""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)


def settings_page() -> str:
    """Return the table of all settings, as Markdown."""
    lines = [
        "# Settings",
        "",
        "Environment variables of the functions, written by `make contract`. An empty value means the default; one",
        "that starts with `SENTILOOP_` and is not in this table is an error. Endpoint, region and credentials of the",
        "bucket come from the standard AWS variables, such as `AWS_ENDPOINT_URL_S3`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for setting in fields(Settings):
        default = _as_variable(setting.default)
        shown = f"`{default}`" if default else ""
        lines.append(f"| `{variable(setting.name)}` | {shown} | {setting.metadata['doc']} |")
    return "\n".join([*lines, ""])


def main() -> int:
    """Write the files."""
    document = openapi_document()
    (FOLDER / "openapi.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    (FOLDER / "docs.html").write_text(reference_page(document))
    SETTINGS_PAGE.write_text(settings_page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
