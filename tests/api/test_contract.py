"""The committed contract is what the code says, and what the template deploys."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sentiloop.errors import SentiloopError

from infra.contract import FOLDER, SETTINGS_PAGE, openapi_document, reference_page, settings_page
from infra.local.template import api_routes, load_template
from tests.builders import ROOT

DOCUMENT: dict[str, Any] = openapi_document()
ROUTES = api_routes(load_template(ROOT / "template.yaml"))
OPERATIONS = [
    (path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
PAGES = {("GET", "/"), ("GET", "/assets/{}/{}")}
UNDOCUMENTED = PAGES | {("GET", "/docs"), ("GET", "/openapi.json")}


def without_names(path: str) -> str:
    """A path whose parameters have no names: these differ between the template and the code."""
    return re.sub(r"\{\w+\}", "{}", path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (FOLDER / "openapi.json", json.dumps(DOCUMENT, indent=2, ensure_ascii=False) + "\n"),
        (FOLDER / "docs.html", reference_page(DOCUMENT)),
        (SETTINGS_PAGE, settings_page()),
    ],
    ids=["openapi.json", "docs.html", "settings.md"],
)
def test_what_is_committed_is_what_the_code_says(file: Path, content: str) -> None:
    assert file.read_text(encoding="utf-8") == content, "run `make contract`"


def test_every_route_that_is_deployed_is_documented_and_the_other_way_round() -> None:
    documented = {(method.upper(), without_names(path)) for path, method, _ in OPERATIONS}
    deployed = {(route.method, without_names(route.path)) for route in ROUTES}
    assert documented | UNDOCUMENTED == deployed


def test_the_document_asks_for_a_key_where_the_template_does() -> None:
    documented = {(method.upper(), without_names(path)): bool(entry["security"]) for path, method, entry in OPERATIONS}
    for route in ROUTES:
        if (route.method, without_names(route.path)) not in UNDOCUMENTED:
            assert documented[route.method, without_names(route.path)] is route.api_key_required


def test_every_reference_leads_somewhere() -> None:
    names = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT))
    assert set(names) == DOCUMENT["components"]["schemas"].keys(), "and none is left over"


def test_every_documented_error_has_the_one_shape() -> None:
    for path, method, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (method, path, status)


def test_every_documented_error_code_exists_with_that_status() -> None:
    codes = {error.code: str(error.status) for error in SentiloopError.__subclasses__()}
    for _path, _method, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            for code in re.findall(r"`(\w+)`:", response["description"]):
                assert codes[code] == status


def test_every_operation_says_what_it_does() -> None:
    for path, method, operation in OPERATIONS:
        assert operation["description"].endswith("."), (method, path)


def test_the_reference_page_shows_every_operation_and_holds_no_script() -> None:
    page = reference_page(DOCUMENT)
    for path, method, _ in OPERATIONS:
        assert f"<code>{method.upper()} {path}</code>" in page
    assert "<script" not in page
    assert " src=" not in page


def test_a_description_cannot_break_out_of_the_page() -> None:
    changed = json.loads(json.dumps(DOCUMENT))
    changed["info"]["description"] = "<script>alert(1)</script>"
    assert "<script>" not in reference_page(changed)
